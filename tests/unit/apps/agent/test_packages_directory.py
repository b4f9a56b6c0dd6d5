# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of units and groups: had where the repository has them, kept without it, gone with the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_agent.packages_ports import Unreachable
from bocage_agent.packages_report import section
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._state import sections
from package_estate import Estate, RealHost
from package_fakes import Host, touching

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

LYON = "OU=Lyon,DC=demo,DC=internal"
DESKS = f"OU=Mobile desks,{LYON}"
BERGEN = "OU=Bergen,DC=demo,DC=internal"


@pytest.fixture
def host(tmp_path: Path) -> RealHost:
    (tmp_path / "made").mkdir()
    return RealHost(tmp_path, estate=Estate(tmp_path))


@pytest.fixture
def simple(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


def lies_in(host: Host, *units: str, profiles: tuple[str, ...] = ()) -> None:
    host.changes.update(units=list(units), profiles=list(profiles))


def publish(host: RealHost, name: str, version: str = "1", section: str = "unit", **fields: str) -> None:
    number = host.estate.built
    host.estate.publish(name, version, section=section, path=f"{section}/{number}_{version}.wapt", **fields)


def test_a_host_has_what_its_units_and_groups_bring(host: RealHost) -> None:
    host.estate.publish("editor", "1.0-1", touching(host.folder / "made" / "editor"))
    host.estate.publish("viewer", "1.0-1", touching(host.folder / "made" / "viewer"))
    publish(host, DESKS, depends="editor")
    publish(host, "Pilot users", section="profile", depends="viewer")
    lies_in(host, LYON, DESKS, profiles=("Pilot users", "nobody packs for this group"))
    assert host.upgrade() is True, "a unit without a package is no error"
    assert host.states() == {
        DESKS: ("OK", "1"),
        "Pilot users": ("OK", "1"),
        "editor": ("OK", "1.0-1"),
        "viewer": ("OK", "1.0-1"),
    }
    # and the report with such names is one that everybody reads
    found = section(host.folder / "state")
    assert found is not None and found["errors"] == 0
    assert sections.check_sections({"packages": found}, "the report")


def test_packages_that_are_called_as_agents_of_wapt_ask_for_them_come_too(host: RealHost) -> None:
    unit, profile = "OU=Mobile~desks_OU=Lyon_DC=demo_DC=internal", "Pilot~users"
    publish(host, unit)
    publish(host, profile, section="profile")
    lies_in(host, LYON, DESKS, profiles=("Pilot users",))
    assert host.upgrade() is True
    assert host.states() == {unit: ("OK", "1"), profile: ("OK", "1")}
    found = section(host.folder / "state")
    assert found is not None and sections.check_sections({"packages": found}, "the report")
    lies_in(host, LYON)
    assert host.upgrade() is True
    assert host.states() == {}


def test_the_package_of_a_unit_goes_with_the_place_and_software_stays(host: RealHost) -> None:
    host.estate.publish("editor", "1.0-1", touching(host.folder / "made" / "editor"))
    publish(host, LYON, depends="editor")
    publish(host, BERGEN)
    lies_in(host, LYON)
    assert host.upgrade() is True
    lies_in(host, BERGEN)
    host.update()
    assert host.states()[LYON] == ("NEED-REMOVE", "1")
    assert host.rows()[LYON].reason == "Nothing asks for this unit any more"
    assert host.upgrade() is True
    assert host.states() == {BERGEN: ("OK", "1"), "editor": ("OK", "1.0-1")}


def test_of_two_units_that_do_not_fit_together_the_nearest_counts(host: RealHost) -> None:
    for version in ("1.0-1", "2.0-1"):
        host.estate.publish("editor", version, touching(host.folder / "made" / "editor"))
    publish(host, LYON, depends="editor(>=2)")
    publish(host, DESKS, depends="editor(<2)")
    lies_in(host, LYON, DESKS)
    assert host.upgrade() is False
    assert host.states()["editor"] == ("OK", "1.0-1")
    assert host.states()[LYON] == ("MISSING", None) and host.rows()[LYON].reason


def test_a_host_without_a_repository_keeps_what_its_unit_brought(simple: Host) -> None:
    simple.library.add(LYON, "1", section="unit", depends="tool")
    simple.library.add("tool", "1", touching(simple.folder / "made" / "tool"))
    simple.library.names = lambda text: [text] if text else []  # type: ignore[method-assign]
    lies_in(simple, LYON)
    assert simple.upgrade() is True
    simple.library.problem = Unreachable("No replica answers.")
    assert simple.upgrade() is True
    assert simple.states() == {LYON: ("OK", "1"), "tool": ("OK", "1")}
    with pytest.raises(BadInput, match="stays: the settings of this host require it"):
        simple.remove(LYON)


def test_attack_a_group_with_the_name_of_software_brings_none(host: RealHost) -> None:
    """Who may make units and groups in the directory decides about settings that a deployer signed, not about software."""
    host.estate.publish("remote-control", "1.0-1", touching(host.folder / "made" / "remote-control"))
    publish(host, LYON)
    lies_in(host, "remote-control", profiles=("remote-control", LYON))
    assert host.upgrade() is True
    assert host.states() == {}


def test_what_is_forbidden_does_not_come_by_a_group(simple: Host) -> None:
    simple.library.add("pilots", "1", section="profile")
    lies_in(simple, profiles=("pilots",))
    assert simple.upgrade() is True
    assert simple.states() == {"pilots": ("OK", "1")}
    simple.changes["forbidden"] = ["pilots"]
    assert simple.upgrade() is True
    assert simple.states() == {}


@pytest.mark.parametrize("name", ["", "OU=a\\,b,DC=x", "OU={{ x }}", "OU=a/b", " OU=a", "OU=a ", "OU=a\n", "OU=<a>"])
def test_names_that_no_package_has_are_refused(simple: Host, name: str) -> None:
    lies_in(simple, name)
    with pytest.raises(BocageError, match="unusable text in the list units"):
        simple.upgrade()
