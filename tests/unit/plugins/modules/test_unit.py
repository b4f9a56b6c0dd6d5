# SPDX-License-Identifier: GPL-3.0-or-later
"""The module unit as Ansible calls it; its rules are tested in test_units.py of the library."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._host.units import ensure_unit
from ansible_collections.bocage.fleet.plugins.modules import unit


class FakeHost:
    """systemd with one unit, and a check that may refuse."""

    def __init__(self) -> None:
        self.active = self.enabled = False
        self.refuses = False
        self.commands: list[str] = []

    def run_command(self, _module: Any, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(" ".join(command))
        match command[:2]:
            case ["systemctl", "show"]:
                self.commands.pop()
                state = ("active" if self.active else "inactive", "enabled" if self.enabled else "disabled")
                return 0, "LoadState=loaded\nActiveState={}\nUnitFileState={}\n".format(*state), ""
            case ["systemctl", "enable"]:
                self.enabled = True
            case ["systemctl", "start" | "restart"]:
                self.active = True
            case ["nginx", "-t"] if self.refuses:
                return 1, "", "nginx: no such directive\n"
        return 0, "", ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    fake = FakeHost()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *given: fake.run_command(*given))
    monkeypatch.setattr(unit, "ensure_unit", partial(ensure_unit, stamps=tmp_path / "units"))
    return fake


def test_four_calls(call_module: Any, host: FakeHost, tmp_path: Path) -> None:
    configuration = tmp_path / "a.conf"
    configuration.write_text("1")
    options = {
        "name": "nginx.service",
        "settle_seconds": 0,
        "enabled": True,
        "restart_on": [str(configuration)],
        "check_command": "nginx -t",
    }
    predicted = call_module(unit, check=True, **options)
    assert predicted["actions"] == ["enable nginx.service", "start nginx.service"] and host.commands == []
    done = call_module(unit, diff=True, **options)
    assert (done["actions"], done["diff"]) == (predicted["actions"], predicted["diff"])
    assert host.commands[0] == "nginx -t" and host.commands[-1] == "systemctl start -- nginx.service"
    for check in (True, False):
        assert not call_module(unit, check=check, **options)["changed"]
    configuration.write_text("2")
    assert call_module(unit, **options)["actions"] == ["restart nginx.service"]
    configuration.write_text("3")
    host.refuses = True
    assert call_module(unit, **options)["msg"] == (
        "The unit nginx.service was left as it is, because 'nginx -t' refuses: nginx: no such directive"
    )
    host.refuses = False
    assert call_module(unit, **options)["changed"]


def test_a_name_without_its_type_is_told(call_module: Any, host: FakeHost) -> None:
    assert call_module(unit, name="nginx")["msg"] == (
        "'nginx' is no name of a unit; write it with its type, as in nginx.service."
    )
