# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own part: options in, a result out. What is done to a host is in test_apply.py of the library."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.modules import mesh_interfaces

RESULT = {"changed": True, "actions": ["bocage0: set 1 peers"], "interfaces": {"bocage0": "kernel"}, "diff": []}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], bool]]:
    """What the library was asked to do."""
    calls: list[tuple[dict[str, Any], bool]] = []

    def ensure(parameters: dict[str, Any], run: Any, check_mode: bool) -> dict[str, Any]:
        calls.append((parameters, check_mode))
        assert run(["ip"]) == (0, "ran ip", "")
        return RESULT

    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command: (0, f"ran {command[0]}", ""))
    monkeypatch.setattr(mesh_interfaces, "ensure_interfaces", ensure)
    return calls


def test_options_reach_the_library_with_their_defaults(call_module: Any, asked: list[Any]) -> None:
    peer = {"public_key": "k", "allowed_ips": ["fd00::/8"]}
    interface = {"name": "bocage0", "peers": [peer], "routes": [{"prefix": "fd00::/8"}]}
    done = call_module(mesh_interfaces, interfaces=[interface])
    assert {name: done[name] for name in RESULT} == RESULT
    assert asked == [
        (
            {
                "interfaces": [
                    {
                        "name": "bocage0",
                        "private_key_file": "/etc/bocage/mesh/private.key",
                        "listen_port": 51820,
                        "mtu": 1420,
                        "addresses": [],
                        "routes": [{"prefix": "fd00::/8", "source": None, "metric": None, "table": None}],
                        "peers": [
                            {**peer, "name": None, "endpoint": None, "keepalive_seconds": 0, "preshared_key_file": None}
                        ],
                    }
                ],
                "configuration_directory": "/etc/bocage/mesh",
                "backend": "auto",
                "confirm_seconds": 30,
                "phase": "apply",
                "token": None,
            },
            False,
        )
    ]


def test_check_mode_and_no_interface_reach_the_library(call_module: Any, asked: list[Any]) -> None:
    call_module(mesh_interfaces, check=True, interfaces=[])
    assert [(parameters["interfaces"], check_mode) for parameters, check_mode in asked] == [([], True)]


@pytest.mark.parametrize(
    ("error", "message"), [(BocageError("The private key is missing."), "The private key is missing."), (OSError("no"), "no")]
)  # fmt: skip
def test_what_the_library_refuses_is_the_message(
    call_module: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def refuse(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(mesh_interfaces, "ensure_interfaces", refuse)
    result = call_module(mesh_interfaces, interfaces=[])
    assert (result["failed"], result["msg"]) == (True, message)


def test_wrong_options_are_refused_before_anything_runs(call_module: Any, asked: list[Any]) -> None:
    broken = {"name": "bocage0", "peers": [{"allowed_ips": []}]}
    assert "missing required arguments: public_key found in interfaces -> peers" in call_module(
        mesh_interfaces, interfaces=[broken]
    )["msg"]  # fmt: skip
    assert "value of backend must be one of" in call_module(mesh_interfaces, interfaces=[], backend="other")["msg"]
    assert asked == []


def test_the_second_half_confirms(call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed: list[str] = []
    monkeypatch.setattr(mesh_interfaces, "confirm_interfaces", lambda given, _run: confirmed.append(given["token"]))
    assert call_module(mesh_interfaces, interfaces=[], phase="confirm", token="0123")["changed"]
    assert confirmed == ["0123"]
