# SPDX-License-Identifier: GPL-3.0-or-later
"""The module gateway_status as Ansible calls it, on files of the test and answers of FRR."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._gateway import drain as library
from ansible_collections.bocage.fleet.plugins.modules import gateway_status

# What FRR answers: fd7b::2 has a session whose path BFD does not see yet.
FRR = {
    "show bgp summary json": {
        "ipv4Unicast": {"peers": {"fd7b::1": {"state": "Established"}, "fd7b::3": {"state": "Active"}}},
        "ipv6Unicast": {"peers": {"fd7b::1": {"state": "Established"}, "fd7b::2": {"state": "Established"}}},
    },
    "show bfd peers brief json": [{"peer": "fd7b::1", "status": "up"}, {"peer": "fd7b::2", "status": "down"}],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    read = partial(library.read_status, tmp_path / "drain", tmp_path / "health.json")
    monkeypatch.setattr(gateway_status, "read_status", read)
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands that the module ran; those of FRR have their answers."""
    commands: list[str] = []

    def run(_module: Any, command: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        commands.append(" ".join(command))
        assert not handle_exceptions, "a host without FRR would end the module"
        return 0, json.dumps(FRR[command[-1]]), ""

    monkeypatch.setattr(AnsibleModule, "run_command", run)
    return commands


def test_status(call_module: Any, files: Path) -> None:
    nothing = call_module(gateway_status)
    assert (nothing["drained"], nothing["serves"], nothing["health"]) == (False, False, None)
    assert nothing["excuse"] == "does not say how it is"
    health = {"healthy": True, "drained": False, "wan": True, "targets": {"198.18.1.20": True}, "since": 1}
    (files / "health.json").write_text(json.dumps(health))
    well = call_module(gateway_status)
    assert (well["serves"], well["excuse"], well["health"], well["changed"]) == (True, "", health, False)
    (files / "drain").write_text("New memory\n")
    drained = call_module(gateway_status)
    assert (drained["drained"], drained["reason"], drained["excuse"]) == (True, "New memory", "is drained")


def test_a_sick_gateway_says_what_is_silent(call_module: Any, files: Path) -> None:
    targets = {"198.18.1.20": False, "198.18.1.30": True}
    (files / "health.json").write_text(json.dumps({"healthy": False, "targets": targets}))
    assert call_module(gateway_status)["excuse"] == "gets no answer from 198.18.1.20 on its LAN"
    (files / "health.json").write_text(json.dumps({"healthy": False}))
    assert call_module(gateway_status)["excuse"] == "is not healthy"


@pytest.mark.parametrize(("text", "words"), [("{", "is no JSON"), ("[]", "holds no object")])
def test_health_that_cannot_be_read(call_module: Any, files: Path, text: str, words: str) -> None:
    (files / "health.json").write_text(text)
    message = call_module(gateway_status)["msg"]
    assert words in message and message.endswith("; restart bocage-gateway-health.")


def test_this_machine_can_be_watched(call_module: Any, files: Path) -> None:
    seen = call_module(gateway_status, watch_seconds=0.01)
    assert seen["flows"] <= max(seen["packets"], 1)


@pytest.mark.parametrize("check", [False, True])
def test_sessions_and_the_paths_that_live(call_module: Any, files: Path, asked: list[str], check: bool) -> None:
    """Established is not enough: who waits for a gateway waits for BFD as well."""
    found = call_module(gateway_status, sessions=True, check=check)
    assert (found["sessions"], found["paths"], found["changed"]) == (["fd7b::1", "fd7b::2"], ["fd7b::1"], False)
    assert asked == ["vtysh -c show bgp summary json", "vtysh -c show bfd peers brief json"]


def test_whoever_does_not_ask_for_sessions_asks_nobody(call_module: Any, files: Path, asked: list[str]) -> None:
    found = call_module(gateway_status)
    assert not {"sessions", "paths", "flows", "packets"} & found.keys() and asked == []


def test_a_host_without_frr_has_no_sessions(call_module: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_module: Any, command: list[str], handle_exceptions: bool = True) -> tuple[int, str, str]:
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(AnsibleModule, "run_command", run)
    found = call_module(gateway_status, sessions=True)
    assert (found["sessions"], found["paths"], found.get("failed")) == ([], [], None)
