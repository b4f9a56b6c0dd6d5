# SPDX-License-Identifier: GPL-3.0-or-later
"""A change is kept or taken back, never both; the script is run by the real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bocage_core._common.confirm import WayBack
from bocage_core._common.errors import BocageError

TAKEN_BACK = (
    "The change of the test was already taken back on this host, because no new connection confirmed it in time; "
    "correct what cut the controller off and run again."
)


class Host:
    """The real sh; systemd's timer is in the hand of the test."""

    def __init__(self) -> None:
        self.timer: list[str] | None = None
        self.refuse = False

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        match command:
            case ["systemd-run", *words]:
                if self.refuse:
                    return 1, "", "no bus\n"
                assert self.timer is None, "a timer runs already"
                self.timer = words
            case ["systemctl", "stop", timer, service]:
                assert (timer, service) == ("test-revert.timer", "test-revert.service")
                self.timer = None
            case ["systemctl", "reset-failed", *_units]:
                pass
            case _:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                return done.returncode, done.stdout, done.stderr
        return 0, "", ""

    def time_out(self) -> None:
        assert self.timer is not None
        program, self.timer = self.timer[-2:], None
        subprocess.run(program, check=True)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    return tmp_path / "changed"


@pytest.fixture
def back(tmp_path: Path) -> WayBack:
    return WayBack(tmp_path / "way back", "test-revert", "the test")


def prepare(back: WayBack, host: Host, changed: Path, seconds: int = 30) -> str:
    changed.write_text("before")
    token = back.prepare(host, f"cp files/before '{changed}'\n", {"before": b"before"}, seconds)
    changed.write_text("after")
    return token


def test_a_confirmed_change_stays_and_leaves_nothing(back: WayBack, host: Host, changed: Path) -> None:
    token = prepare(back, host, changed, 17)
    assert host.timer is not None
    assert host.timer[:3] == ["--quiet", "--unit=test-revert", "--on-active=17s"]
    assert back.unfinished
    back.confirm(host, token)
    assert (changed.read_text(), host.timer, back.unfinished, back.folder.exists()) == ("after", None, False, False)


def test_an_unconfirmed_change_is_taken_back_once(back: WayBack, host: Host, changed: Path) -> None:
    token = prepare(back, host, changed)
    host.time_out()
    assert (changed.read_text(), back.unfinished) == ("before", False)
    with pytest.raises(BocageError) as refused:
        back.confirm(host, token)
    assert str(refused.value) == TAKEN_BACK
    assert not back.folder.exists()


def test_a_timer_that_fires_after_the_confirmation_does_nothing(back: WayBack, host: Host, changed: Path) -> None:
    token = prepare(back, host, changed)
    # both rename the same file: here the confirmation came first, and the script starts before the folder is gone
    back.pending.rename(back.folder / "confirmed")
    host.time_out()
    assert changed.read_text() == "after"
    with pytest.raises(BocageError):
        back.confirm(host, token)


def test_another_token_confirms_nothing(back: WayBack, host: Host, changed: Path) -> None:
    token = prepare(back, host, changed)
    with pytest.raises(BocageError):
        back.confirm(host, "0123456789abcdef")
    assert host.timer is not None, "the change still waits"
    back.confirm(host, token)


def test_a_boot_takes_back_and_is_told_that_it_is_one(back: WayBack, host: Host, changed: Path) -> None:
    changed.write_text("before")
    back.prepare(host, f"echo \"$1\" > '{changed}'\n", {}, 30)
    subprocess.run(["sh", str(back.script), "boot"], check=True)
    assert changed.read_text() == "boot\n"


def test_a_script_that_was_cut_short_is_finished(back: WayBack, host: Host, changed: Path) -> None:
    token = prepare(back, host, changed)
    back.pending.rename(back.folder / "reverting")
    assert back.unfinished
    with pytest.raises(BocageError):
        back.confirm(host, token)
    back.take_back(host)
    assert (changed.read_text(), back.unfinished) == ("before", False)


def test_one_change_at_a_time(back: WayBack, host: Host, changed: Path) -> None:
    first = prepare(back, host, changed)
    back.take_back(host)
    assert changed.read_text() == "before"
    second = prepare(back, host, changed)
    with pytest.raises(BocageError):
        back.confirm(host, first)
    back.confirm(host, second)
    back.take_back(host)
    assert changed.read_text() == "after", "there was nothing to take back"


def test_a_script_that_fails_stops_the_next_change(back: WayBack, host: Host, changed: Path) -> None:
    prepare(back, host, changed)
    back.script.write_text("echo it failed >&2; exit 1\n")
    with pytest.raises(BocageError) as refused:
        back.take_back(host)
    assert str(refused.value) == (
        "The unconfirmed change of the test of an earlier run could not be taken back: it failed"
    )


def test_without_a_timer_there_is_no_change(back: WayBack, host: Host, changed: Path) -> None:
    host.refuse = True
    with pytest.raises(BocageError) as refused:
        prepare(back, host, changed)
    assert str(refused.value) == (
        "The timer that takes a change of the test back could not be started, and nothing was changed: no bus"
    )
    assert not back.unfinished
