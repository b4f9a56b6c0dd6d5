# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the overlay is undone by its script: run by the real shell, its commands handed on to a host that obeys."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._mesh import apply
from bocage_core._mesh.apply import confirm_interfaces, ensure_interfaces
from bocage_core._mesh.peers import MeshPlanner
from bocage_core._mesh.way_back import way_back
from demo_estate import demo
from fake_host import NAME, UNIT, FakeHost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_estates import Written, estates

LOGGED = """\
#!/bin/sh
printf '%s\\037' "${0##*/}" "$@" >> LOG
echo >> LOG
"""


class Host(FakeHost):
    """With systemd's timer in the hand of the test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.timer: list[str] | None = None
        self.replayed: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        match command:
            case ["systemd-run", *_words]:
                self.timer = command
                return 0, "", ""
            case ["systemctl", "stop", unit, *_more] if unit.startswith("bocage-mesh-revert"):
                self.timer = None
                return 0, "", ""
            case ["systemctl", "reset-failed", *_units]:
                return 0, "", ""
            case ["sh", _script]:
                self.revert()
                return 0, "", ""
        return super().__call__(command)

    def revert(self, *arguments: str) -> list[list[str]]:
        """Run the script; what it would have run on the host is handed to the host afterwards, in order."""
        tools, log = self.folder.parent / "tools", self.folder.parent / "log"
        tools.mkdir(exist_ok=True)
        log.write_text("")
        for name in ("ip", "wg", "systemctl"):
            (tools / name).write_text(LOGGED.replace("LOG", str(log)))
            (tools / name).chmod(0o755)
        script = way_back(self.folder).script
        self.timer = None
        subprocess.run(["sh", str(script), *arguments], check=True, env={"PATH": f"{tools}:/usr/bin:/bin"})
        self.replayed = [line.rstrip("\x1f").split("\x1f") for line in log.read_text().splitlines()]
        for command in self.replayed:
            status, _output, error = super().__call__([word for word in command if not word.startswith("--")])
            assert status == 0, (command, error)
        return self.replayed

    def parameters_for(self, written: Written, name: str, seconds: int = 30) -> dict[str, Any]:
        plan = MeshPlanner(written.estate()).host(name)
        return self.with_interfaces(
            {**self.parameters, **{key: plan[key] for key in ("addresses", "routes", "peers")}}, seconds=seconds
        )

    def with_interfaces(self, *interfaces: dict[str, Any], seconds: int = 30) -> dict[str, Any]:
        return {
            "interfaces": list(interfaces), "configuration_directory": str(self.folder), "backend": "auto",
            "confirm_seconds": seconds, "token": None,
        }  # fmt: skip

    def own_files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    def converge(self, parameters: dict[str, Any]) -> None:
        done = ensure_interfaces(parameters, self, check_mode=False)
        if done["token"]:
            confirm_interfaces({**parameters, "token": done["token"]}, self)
        assert self.timer is None
        assert not way_back(self.folder).folder.exists()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    folder = tmp_path / "mesh"
    monkeypatch.setattr(apply, "_drop_in", lambda _name: folder / "userspace.conf")
    return Host(folder)


def without(written: Written, *names: str) -> Written:
    return Written(written.sites, {name: values for name, values in written.hosts.items() if name not in names})


def test_a_confirmed_change_stays_and_a_second_time_nothing_waits(host: Host) -> None:
    parameters = host.parameters_for(demo(), "tele1", 12)
    done = ensure_interfaces(parameters, host, check_mode=False)
    assert done["changed"] and done["token"]
    assert host.timer is not None and "--on-active=12s" in host.timer
    confirm_interfaces({**parameters, "token": done["token"]}, host)
    again = ensure_interfaces(parameters, host, check_mode=False)
    assert (again["changed"], again["token"], host.timer) == (False, "", None)


def test_one_changed_peer_costs_one_look_at_the_device_and_one_command(host: Host) -> None:
    """Also with a way back: the device of a large host is slow to tell all its peers."""
    parameters = host.parameters_for(demo(), "tele1")
    host.converge(parameters)
    (interface,) = parameters["interfaces"]
    peer, *others = interface["peers"]
    host.commands.clear()
    done = ensure_interfaces(
        host.with_interfaces({**interface, "peers": [{**peer, "keepalive_seconds": 7}, *others]}),
        host,
        check_mode=False,
    )
    assert done["actions"] == [f"{NAME}: set 1 peers"] and done["token"]
    assert sum("wg show" in " ".join(command) for command in host.commands) == 1
    assert [command[:5] for command in host.commands if command[0] == "wg"] == [
        ["wg", "set", NAME, "peer", peer["public_key"]]
    ]


def test_check_mode_and_no_seconds_prepare_no_way_back(host: Host) -> None:
    assert ensure_interfaces(host.parameters_for(demo(), "tele1"), host, check_mode=True)["changed"]
    assert ensure_interfaces(host.parameters_for(demo(), "tele1", 0), host, check_mode=False)["token"] == ""
    assert host.timer is None and host.device is not None
    assert not way_back(host.folder).folder.exists()


def test_only_what_the_change_touched_is_set_back(host: Host) -> None:
    host.converge(host.parameters_for(demo(), "tele1"))
    before, files = copy.deepcopy(host.device), host.own_files()
    ensure_interfaces(host.parameters_for(without(demo(), "gw2"), "tele1"), host, check_mode=False)
    assert host.device != before
    commands = host.revert()
    assert (host.device, host.own_files()) == (before, files)
    assert [command[:3] for command in commands if command[0] == "wg"] == [["wg", "set", NAME]]
    assert not any("restart" in command for command in commands)
    assert not way_back(host.folder).unfinished


def test_an_interface_that_the_change_brought_goes_again(host: Host) -> None:
    ensure_interfaces(host.parameters_for(demo(), "tele1"), host, check_mode=False)
    assert host.device is not None
    assert host.revert() == [
        ["systemctl", "disable", "--quiet", UNIT],
        ["systemctl", "stop", UNIT, f"bocage-wireguard-go@{NAME}.service"],
    ]
    assert host.device is None
    assert host.own_files().keys() == {"private.key"}


def test_an_interface_that_the_change_removed_comes_back(host: Host) -> None:
    host.converge(host.parameters_for(demo(), "tele1"))
    before, files = copy.deepcopy(host.device), host.own_files()
    ensure_interfaces(host.with_interfaces(), host, check_mode=False)
    assert host.device is None
    host.revert()
    assert (host.device, host.own_files(), UNIT in host.units["enabled"]) == (before, files, True)


def test_a_boot_brings_the_files_back_and_waits_for_nothing(host: Host) -> None:
    host.converge(host.parameters_for(demo(), "tele1"))
    files = host.own_files()
    ensure_interfaces(host.parameters_for(without(demo(), "gw2"), "tele1"), host, check_mode=False)
    host.timer = None
    assert host.revert("boot") == []
    assert host.own_files() == files
    # the unit starts the interface from them afterwards
    host.start()
    assert not ensure_interfaces(host.parameters_for(demo(), "tele1"), host, check_mode=False)["changed"]


def test_the_next_run_takes_back_what_nobody_confirmed_and_its_token_is_void(host: Host) -> None:
    host.converge(host.parameters_for(demo(), "tele1"))
    before = copy.deepcopy(host.device)
    changed = host.parameters_for(without(demo(), "gw1"), "tele1")
    first = ensure_interfaces(changed, host, check_mode=False)
    second = ensure_interfaces(host.parameters_for(demo(), "tele1"), host, check_mode=False)
    assert (second["changed"], host.device) == (False, before), "it was as it should be again"
    with pytest.raises(BocageError) as refused:
        confirm_interfaces({**changed, "token": first["token"]}, host)
    assert str(refused.value) == (
        "The change of the overlay was already taken back on this host, because no new connection confirmed it in time; "
        "correct what cut the controller off and run again."
    )


def test_without_a_timer_nothing_is_changed(host: Host) -> None:
    host.converge(host.parameters_for(demo(), "tele1"))
    before, files = copy.deepcopy(host.device), host.own_files()

    def no_timer(command: list[str]) -> tuple[int, str, str]:
        return (1, "", "no bus\n") if command[0] == "systemd-run" else host(command)

    with pytest.raises(BocageError, match="a change of the overlay back could not be started, and nothing was changed"):
        ensure_interfaces(host.parameters_for(without(demo(), "gw1"), "tele1"), no_timer, check_mode=False)
    assert (host.device, host.own_files()) == (before, files)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=estates(all_enrolled=True), other=estates(all_enrolled=True), data=st.data())
def test_any_change_is_undone(
    tmp_path_factory: pytest.TempPathFactory, one: Written, other: Written, data: st.DataObject
) -> None:
    old, new = (data.draw(st.sampled_from(sorted(written.hosts))) for written in (one, other))
    host = Host(tmp_path_factory.mktemp("way-back") / "mesh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "_drop_in", lambda _name: host.folder / "userspace.conf")
        host.converge(host.parameters_for(one, old))
        assert host.device is not None
        before, files = copy.deepcopy(host.device), host.own_files()
        done = ensure_interfaces(host.parameters_for(other, new), host, check_mode=False)
        if done["token"]:
            host.revert()
        for key, peer in before.peers.items():
            # where a peer was tried to be found is not forgotten without its session
            if peer["endpoint"] is None:
                host.device.peers[key]["endpoint"] = None
        assert host.device == before
        assert host.own_files() == files
