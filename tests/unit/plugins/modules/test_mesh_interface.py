# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own part: options in, a result out. What is done to a host is in test_apply.py of the library."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.modules import mesh_interface

RESULT = {"changed": True, "actions": ["set 1 peers"], "backend": "kernel", "diff": []}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], bool]]:
    """What the library was asked to do."""
    calls: list[tuple[str, dict[str, Any], bool]] = []

    def take(what: str) -> Any:
        def ensure(parameters: dict[str, Any], run: Any, check_mode: bool) -> dict[str, Any]:
            calls.append((what, parameters, check_mode))
            assert run(["ip"]) == (0, "ran ip", "")
            return RESULT

        return ensure

    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command: (0, f"ran {command[0]}", ""))
    monkeypatch.setattr(mesh_interface, "ensure_present", take("present"))
    monkeypatch.setattr(mesh_interface, "ensure_absent", take("absent"))
    return calls


def test_options_reach_the_library_with_their_defaults(call_module: Any, asked: list[Any]) -> None:
    peer = {"public_key": "k", "allowed_ips": ["fd00::/8"]}
    done = call_module(mesh_interface, peers=[peer], routes=[{"prefix": "fd00::/8"}])
    assert {name: done[name] for name in RESULT} == RESULT
    assert asked == [
        (
            "present",
            {
                "name": "bocage0",
                "state": "present",
                "private_key_file": "/etc/bocage/mesh/private.key",
                "configuration_directory": "/etc/bocage/mesh",
                "listen_port": 51820,
                "mtu": 1420,
                "backend": "auto",
                "addresses": [],
                "routes": [{"prefix": "fd00::/8", "source": None}],
                "peers": [{**peer, "name": None, "endpoint": None, "keepalive_seconds": 0}],
            },
            False,
        )
    ]


def test_check_mode_and_absence_reach_the_library(call_module: Any, asked: list[Any]) -> None:
    call_module(mesh_interface, check=True, state="absent")
    assert [(what, check_mode) for what, _parameters, check_mode in asked] == [("absent", True)]


@pytest.mark.parametrize(
    ("error", "message"), [(BocageError("The private key is missing."), "The private key is missing."), (OSError("no"), "no")]
)  # fmt: skip
def test_what_the_library_refuses_is_the_message(
    call_module: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def refuse(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(mesh_interface, "ensure_present", refuse)
    result = call_module(mesh_interface)
    assert (result["failed"], result["msg"]) == (True, message)


def test_wrong_options_are_refused_before_anything_runs(call_module: Any, asked: list[Any]) -> None:
    assert "missing required arguments: public_key found in peers" in call_module(
        mesh_interface, peers=[{"allowed_ips": []}]
    )["msg"]  # fmt: skip
    assert "value of backend must be one of" in call_module(mesh_interface, backend="other")["msg"]
    assert asked == []
