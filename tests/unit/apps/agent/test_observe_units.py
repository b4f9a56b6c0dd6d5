# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to a sealed unit is told."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_agent.observe_units import Units
from sealed_host import SealedHost, Unit, unit

NAME = "bocage-names.service"


@pytest.mark.parametrize(
    ("item", "now", "finding"),
    [
        (unit(NAME), Unit("inactive"), f"{NAME} is not running."),
        (unit(NAME), Unit("failed"), f"{NAME} is not running."),
        (unit(NAME), Unit("reloading"), None),
        (unit(NAME), Unit(enabled="disabled"), f"{NAME} is disabled instead of enabled."),
        (unit(NAME), Unit(enabled="masked", active="active"), f"{NAME} is masked instead of enabled."),
        (unit(NAME), Unit("inactive", "", "no", "not-found"), f"{NAME} is not running."),
        (unit(NAME), Unit(reload="yes"), f"{NAME} does not run as its file on the host says."),
        (unit(NAME, None, True), Unit(enabled="disabled"), None),
        (unit(NAME, True, None), Unit("inactive", reload="yes"), None),
    ],
)
def test_a_sealed_unit_is_watched(sealed: SealedHost, item: dict[str, Any], now: Unit, finding: str | None) -> None:
    sealed.units[NAME] = Unit()
    sealed.seal(item)
    assert sealed.findings() == []
    sealed.units[NAME] = now
    assert sealed.findings()[:1] == ([] if finding is None else [finding])


def test_a_unit_that_was_stopped_is_watched(sealed: SealedHost) -> None:
    sealed.units[NAME] = Unit("inactive", "disabled")
    sealed.seal(unit(NAME, False, False))
    sealed.units[NAME] = Unit("active", "disabled")
    assert sealed.findings() == [f"{NAME} is running, but the role stopped it."]


def test_the_links_by_which_a_unit_is_started_are_watched(sealed: SealedHost) -> None:
    """systemd calls a unit enabled wherever such a link leads."""
    link = sealed.path("/etc/systemd/system/multi-user.target.wants/" + NAME)
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/systemd/system/" + NAME)
    sealed.units[NAME] = Unit()
    sealed.seal(unit(NAME))
    assert sealed.findings() == []
    link.unlink()
    link.symlink_to("/elsewhere")
    assert sealed.findings() == [f"the links by which {NAME} is started are not those that were sealed."]


def test_all_units_of_all_seals_are_asked_for_in_one_call(sealed: SealedHost) -> None:
    sealed.units = {name: Unit() for name in ("a.service", "b.timer", NAME)}
    sealed.seal(unit("b.timer"), unit("a.service"))
    sealed.seal(unit(NAME), unit("a.service"), role="names")
    sealed.ran.clear()
    answer = sealed.check("mesh", "names")["seals"]
    assert {one["status"] for one in answer.values()} == {"intact"}
    asked = [one for one in sealed.ran if one.startswith("systemctl")]
    properties = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
    assert asked == [f"systemctl show --property={properties} -- a.service b.timer {NAME}"]


def test_nothing_is_asked_where_there_are_no_units() -> None:
    Units(lambda command: pytest.fail(f"{command} was run"), "", [])


@pytest.mark.parametrize("answer", [(1, "", "Failed to connect to bus"), (0, "LoadState=loaded\n", ""), (0, "", "")])
def test_a_systemd_that_does_not_answer_is_said(answer: tuple[int, str, str]) -> None:
    observed = Units(lambda _command: lambda: answer, "", ["a.service", "b.service"]).unit("a.service")
    assert observed["error"].startswith("a.service cannot be looked at: ")
    assert observed["error"].endswith(".")
