# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._host.files import ensure_files
from bocage_core._host.units import Stamp, content_digest, ensure_unit, forget
from fake_systemd import FakeSystemd

NAME = "demo.service"


class Host:
    """A unit with one file of configuration, and runs that ensure it."""

    def __init__(self, folder: Path) -> None:
        self.stamps = folder / "units"
        self.file = folder / "demo.conf"
        self.file.write_text("one\n")
        self.systemd = FakeSystemd(read_configuration=self.file.read_text)

    @property
    def stamp(self) -> Path:
        return self.stamps / f"{NAME}.json"

    def ensure(self, check: bool = False, **changes: Any) -> dict[str, Any]:
        self.systemd.commands.clear()
        options: dict[str, Any] = {"name": NAME, "state": "started", "enabled": True, "restart_on": [str(self.file)]}
        options |= {"on_change": "restart", "changed_paths": [], "other_units": [], "check_command": []}
        options["settle_seconds"] = 0
        return ensure_unit({**options, **changes}, self.systemd, check, self.stamps)

    def run_that_writes(self, text: str) -> None:
        """The first half of a run, which is interrupted before the unit's turn."""
        self.file.write_text(text)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_four_calls(host: Host) -> None:
    predicted = host.ensure(check=True)
    assert predicted["actions"] == [f"enable {NAME}", f"start {NAME}"]
    assert host.systemd.commands == [] and not host.stamps.exists()
    done = host.ensure()
    assert (done["actions"], done["diff"]) == (predicted["actions"], predicted["diff"])
    assert host.systemd.commands == [f"systemctl enable {NAME}", f"systemctl start {NAME}"]
    assert done["diff"]["before"] == "inactive, not enabled\n"
    for check in (True, False):
        again = host.ensure(check=check)
        assert (again["changed"], again["actions"], host.systemd.commands) == (False, [], [])


def test_an_interrupted_run_is_finished_by_the_next(host: Host) -> None:
    """The configuration was written, then somebody stopped the run; the unit still runs with the old one."""
    host.ensure()
    host.run_that_writes("two\n")
    assert host.systemd.running_with == "one\n"
    assert host.ensure(check=True)["actions"] == [f"restart {NAME}"]
    assert host.ensure()["actions"] == [f"restart {NAME}"]
    assert host.systemd.running_with == "two\n"
    assert not host.ensure()["changed"]


def test_a_restart_that_fails_is_tried_again(host: Host) -> None:
    host.ensure()
    host.run_that_writes("two\n")
    host.systemd.fail_at = "restart"
    with pytest.raises(BocageError, match=r"^The unit demo.service did not restart: restart failed$"):
        host.ensure()
    host.systemd.fail_at = None
    assert host.ensure()["actions"] == [f"restart {NAME}"]


def test_a_unit_that_dies_of_its_configuration_is_told_and_tried_again(host: Host) -> None:
    host.ensure()
    host.run_that_writes("two\n")
    host.systemd.dies = True
    for _run in range(2):
        with pytest.raises(BocageError, match=r"^The unit demo\.service was started and failed; 'journalctl -u demo"):
            host.ensure()
    host.systemd.dies = False
    assert host.ensure()["actions"] == [f"restart {NAME}"]
    assert not host.ensure()["changed"]


def test_a_unit_that_runs_since_it_was_installed_is_restarted_once(host: Host) -> None:
    host.systemd.active = "active"
    assert host.ensure()["actions"] == [f"enable {NAME}", f"restart {NAME}"]
    assert not host.ensure()["changed"]
    host.stamp.write_text("{}")
    assert host.ensure()["actions"] == [f"restart {NAME}"]


def test_without_paths_nothing_is_remembered(host: Host) -> None:
    host.systemd.active = "active"
    assert host.ensure(restart_on=[])["actions"] == [f"enable {NAME}"]
    assert not host.stamps.exists()


def test_a_change_may_be_reloaded(host: Host) -> None:
    host.ensure()
    host.run_that_writes("two\n")
    assert host.ensure(on_change="reload")["actions"] == [f"reload {NAME}"]
    assert not host.ensure()["changed"]


def test_a_file_that_was_put_right_after_a_restart_by_hand(host: Host) -> None:
    """Its content is that of the stamp again, but the process read another one in between."""
    host.ensure()
    host.file.write_text("altered by hand\n")
    host.systemd(["systemctl", "restart", NAME])
    owner = str(host.file.stat().st_uid)
    entry = {"path": str(host.file), "state": "file", "content": "one\n", "owner": owner, "group": owner}
    ensure_files([entry], False, before_change=lambda paths: forget(paths, host.stamps))
    assert host.ensure()["actions"] == [f"restart {NAME}"]
    assert host.systemd.running_with == "one\n"


def test_check_mode_knows_of_files_that_would_change(host: Host) -> None:
    host.ensure()
    assert not host.ensure(check=True, changed_paths=["/etc/other.conf"])["changed"]
    predicted = host.ensure(check=True, changed_paths=[str(host.file)])
    assert predicted["actions"] == [f"restart {NAME}"]
    inside = host.ensure(check=True, restart_on=[str(host.file.parent)], changed_paths=[str(host.file)])
    assert inside["actions"] == [f"restart {NAME}"]


def test_changed_files_of_units_are_read_anew(host: Host) -> None:
    host.ensure()
    host.systemd.stale = True
    predicted = host.ensure(check=True, other_units=["other.service"])
    assert predicted["actions"] == ["read the changed files of units"]
    assert host.ensure(other_units=["other.service"])["changed"]
    assert host.systemd.commands == ["systemctl daemon-reload"]
    assert not host.ensure()["changed"]


def test_a_unit_that_is_not_there_yet(host: Host) -> None:
    host.systemd.exists = False
    assert host.ensure(check=True)["actions"] == [f"enable {NAME}", f"start {NAME}"]
    assert not host.ensure(check=True, state="stopped", enabled=False)["changed"]
    assert not host.ensure(state="stopped", enabled=False)["changed"]
    with pytest.raises(BocageError, match=r"^There is no unit demo.service on this host; install it before"):
        host.ensure()


def test_a_unit_that_failed_is_started_and_one_that_crashes_restarted(host: Host) -> None:
    host.ensure()
    host.systemd.active, host.systemd.sub = "failed", "failed"
    assert host.ensure()["actions"] == [f"start {NAME}"]
    assert host.systemd.commands == [f"systemctl reset-failed {NAME}", f"systemctl start {NAME}"]
    host.systemd.active, host.systemd.sub = "activating", "auto-restart"
    assert host.ensure()["actions"] == [f"restart {NAME}"]


def test_stopping(host: Host) -> None:
    host.ensure()
    predicted = host.ensure(check=True, state="stopped", enabled=False)
    assert predicted["actions"] == [f"disable {NAME}", f"stop {NAME}"] and host.stamp.exists()
    assert host.ensure(state="stopped", enabled=False)["changed"]
    assert not host.ensure(state="stopped", enabled=False)["changed"]
    assert not host.stamp.exists()


def test_a_check_that_refuses_leaves_the_unit_as_it_is(host: Host) -> None:
    host.ensure()
    host.run_that_writes("broken\n")
    host.systemd.fail_at = "demo"
    assert host.ensure(check=True, check_command=["demo -t"])["changed"]
    with pytest.raises(BocageError) as refused:
        host.ensure(check_command=["demo -t"])
    assert str(refused.value) == "The unit demo.service was left as it is, because 'demo -t' refuses: demo failed"
    assert host.systemd.commands == ["demo -t"]
    assert host.systemd.running_with == "one\n"
    host.systemd.fail_at = None
    host.ensure(check_command=["demo", "-t"])
    assert host.systemd.commands == ["demo -t", f"systemctl restart {NAME}"]
    host.ensure(check_command=["demo -t"])
    assert host.systemd.commands == []


@pytest.mark.parametrize("name", ["nginx", "../x.service", "a b.service", "", "-x"])
def test_names_that_are_none(host: Host, name: str) -> None:
    with pytest.raises(BadInput, match=r"is no name of a unit; write it with its type, as in nginx.service"):
        host.ensure(name=name)


def test_the_stamp_is_roots_and_holds_one_digest(host: Host) -> None:
    host.ensure()
    assert stat.S_IMODE(host.stamp.stat().st_mode) == 0o600
    assert json.loads(host.stamp.read_text()) == {
        "digest": content_digest([str(host.file)]), "paths": [str(host.file)]
    }  # fmt: skip


def test_the_digest_is_of_contents_links_and_absences(tmp_path: Path) -> None:
    one, link, folder = tmp_path / "one", tmp_path / "link", tmp_path / "folder"
    paths = [str(one), str(link), str(folder)]
    seen = [content_digest(paths)]

    def differs() -> None:
        seen.append(content_digest(paths))
        assert len(set(seen)) == len(seen)

    one.write_text("a")
    differs()
    one.write_text("")
    differs()
    link.symlink_to("one")
    differs()
    link.unlink()
    link.symlink_to("two")
    differs()
    folder.mkdir()
    differs()
    (folder / "inside").write_text("x")
    differs()
    (folder / "inside").rename(folder / "other")
    differs()
    one.chmod(0o600)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/x.pyc").write_text("")
    assert content_digest(list(reversed(paths)) + paths) == seen[-1]


def test_only_stamps_that_speak_of_a_path_are_forgotten(tmp_path: Path) -> None:
    forget(["/etc/a"], tmp_path / "none")
    for name, paths in {"a": ["/etc/a"], "b": ["/etc/b"], "folder": ["/etc/f/"], "near": ["/etc/a.d"]}.items():
        Stamp("0", tuple(paths)).write(tmp_path / f"{name}.json")
    forget([], tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    forget(["/etc/a", "/etc/f/x/y"], tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["b", "near"]
