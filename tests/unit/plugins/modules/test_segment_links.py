# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own part: options in, a result out. What is done to a host is in test_apply.py of the library."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.modules import segment_links

SEGMENT = {
    "name": "office",
    "id": 1001,
    "kind": "hypervisor",
    "port": "vx1001",
    "local": "fd00::1",
    "ends": [],
    "mtu": 1350,
}
RESULT = {"changed": True, "actions": ["make vx1001"], "token": "", "lan_ports": {}}


def test_options_reach_the_library(call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[dict[str, Any], bool]] = []

    def take(parameters: dict[str, Any], run: Any, check_mode: bool) -> dict[str, Any]:
        assert run(["ip"]) == (0, "ran ip", "")
        asked.append((parameters, check_mode))
        return RESULT

    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command: (0, f"ran {command[0]}", ""))
    monkeypatch.setattr(segment_links, "ensure", take)
    done = call_module(segment_links, check=True, segments=[SEGMENT])
    assert {name: done[name] for name in RESULT} == RESULT
    ((parameters, check_mode),) = asked
    assert check_mode
    assert (parameters["phase"], parameters["confirm_seconds"], parameters["elector_port"]) == ("apply", 30, 14789)
    assert parameters["segments"][0]["storm_frames_per_second"] == 500


@pytest.mark.parametrize("error", [BocageError("The LAN interface lan0 does not exist."), OSError("no")])
def test_what_the_library_refuses_is_the_message(
    call_module: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(segment_links, "ensure", refuse)
    result = call_module(segment_links, segments=[SEGMENT])
    assert (result["failed"], result["msg"]) == (True, str(error))
