# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._common.systemd import UnitState, read_units

TWO = """\
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=yes

LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
"""


def test_all_units_are_read_in_one_call() -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        asked.append(command)
        return 0, TWO, ""

    first, second = read_units(run, ["nginx.service", "none.service"])
    assert first == UnitState(known=True, active=True, failed=False, crashing=False, enabled=True, needs_reload=True)
    assert not second.known and not second.active and not second.enabled
    assert len(asked) == 1 and asked[0][-3:] == ["--", "nginx.service", "none.service"]


@pytest.mark.parametrize(
    ("active", "sub", "expected"),
    [
        ("active", "exited", (True, False, False)),
        ("activating", "start-pre", (True, False, False)),
        ("activating", "auto-restart", (False, False, True)),
        ("failed", "failed", (False, True, False)),
        ("inactive", "dead", (False, False, False)),
        ("deactivating", "stop-sigterm", (False, False, False)),
    ],
)
def test_what_counts_as_running(active: str, sub: str, expected: tuple[bool, bool, bool]) -> None:
    output = f"LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState=disabled\nNeedDaemonReload=no\n"
    (state,) = read_units(lambda _command: (0, output, ""), ["a.service"])
    assert (state.active, state.failed, state.crashing) == expected
    assert not state.enabled


@pytest.mark.parametrize(
    ("word", "enabled"), [("enabled", True), ("static", True), ("enabled-runtime", False), ("masked", False)]
)
def test_what_counts_as_enabled(word: str, enabled: bool) -> None:
    output = f"LoadState=loaded\nUnitFileState={word}\n"
    (state,) = read_units(lambda _command: (0, output, ""), ["a.service"])
    assert state.enabled == enabled


def test_a_host_without_systemd_is_told() -> None:
    with pytest.raises(BocageError, match=r"^systemd does not answer on this host: no bus$"):
        read_units(lambda _command: (1, "", "no bus\n"), ["a.service"])
