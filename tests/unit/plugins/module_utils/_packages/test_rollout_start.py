# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout brings is exact before it starts, and what it cannot hold back it does not begin."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bocage_core._common import dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.rollout import Host, State
from bocage_core._packages import downgrades
from bocage_core._packages.rollout_document import Locked, RolloutDocument, parse, render
from bocage_core._packages.rollout_start import Listed, start, with_tickets
from bocage_core._packages.target_custom import Custom

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY, NEXT_KEY = dsse.generate_private_key(), dsse.generate_private_key()
BELIEVED = [dsse.public_key_of(KEY)]
HOSTS = [
    Host(f"00000000-0000-4000-8000-00000000000{number}", f"desk{number}", "lyon", frozenset({"desktops"}))
    for number in range(1, 5)
]
RINGS = [{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "groups": ["desktops"]}]


def listed(package: str, version: str, depends: str = "", new: bool = False, build: str = "") -> Listed:
    sha256 = (f"{package}{version}{build}".encode().hex() + "0" * 64)[:64]
    return Listed(sha256, Custom(package, version, "c" * 64, depends=depends, architecture=build), new)


OLD, NEW = listed("editor", "1.0-1"), listed("editor", "2.0-1", "spell(>=2)", new=True)
SPELL = listed("spell", "2.1")


def sign(ticket: downgrades.Ticket) -> dict[str, Any]:
    return downgrades.sign(ticket, KEY)


def begin(
    packages: list[Listed], given: dict[str, Any] | None = None, requests: list[str] | None = None, **options: Any
) -> RolloutDocument:
    found = {"hosts": HOSTS, "others": [], "sign": sign, "ticket_keys": BELIEVED, **options}
    return start(
        "editor-2",
        {"rings": RINGS, **(given or {})},
        requests or [],
        packages,
        found["hosts"],
        found["others"],
        NOW,
        found["sign"],
        ticket_keys=found["ticket_keys"],
    )


def test_versions_before_and_after_are_exact() -> None:
    document = begin([OLD, listed("editor", "0.9"), NEW, SPELL, listed("spell", "1.0"), listed("other", "1")])
    assert document.after == {
        "editor": Locked("2.0-1", (NEW.sha256,)),
        "spell": Locked("2.1", (SPELL.sha256,)),
    }
    assert document.before == {
        "editor": Locked("1.0-1", (OLD.sha256,)),
        "spell": Locked("2.1", (SPELL.sha256,)),
    }
    assert document.changing == {"editor"}
    assert parse(render(document)) == document, "what is signed says all of it"


def test_a_gate_about_nothing_is_refused_before_anything_is_signed() -> None:
    gates = {"metrics": [{"name": "mesh.round_trip_microsecond", "most_ratio": 2}]}
    signed: list[downgrades.Ticket] = []

    def note(ticket: downgrades.Ticket) -> dict[str, Any]:
        signed.append(ticket)
        return sign(ticket)

    with pytest.raises(BadInput, match=r"did you mean mesh\.round_trip_microseconds"):
        begin([OLD, NEW, SPELL], {"gates": gates}, sign=note)
    assert not signed


def test_all_builds_of_a_version_belong_to_it() -> None:
    builds = [listed("editor", "2.0-1", new=True, build=one) for one in ("x64", "arm64")]
    document = begin([OLD, *builds])
    assert document.after["editor"].sha256 == tuple(sorted(one.sha256 for one in builds))


def test_what_was_not_there_is_withheld_and_needs_no_ticket() -> None:
    document = begin([listed("viewer", "1.0", new=True)])
    assert document.before == {} and document.tickets == ()


def test_groups_are_hosts_and_fractions_are_texts_once_it_is_signed() -> None:
    metric = {"name": "mesh.round_trip_microseconds", "least_ratio": 0.25}
    document = begin([OLD, NEW, SPELL], {"gates": {"failed_percent": 2.5, "metrics": [metric]}, "valid_days": 2})
    assert document.definition["rings"][1] == {"name": "rest", "hosts": ["desk1", "desk2", "desk3", "desk4"]}
    assert document.rollout.gates.failed_percent == 2.5
    assert document.rollout.gates.metrics[0].least_ratio == 0.25
    assert document.definition["expires"] == "2026-11-24T12:00:00Z"
    assert document.definition["salt"] == "editor-2"


def test_each_host_of_its_rings_may_go_back_and_one_that_joins_may_too() -> None:
    document = begin([OLD, NEW, SPELL], hosts=HOSTS[:2])
    assert tickets(document) == [("editor", "1.0-1", {HOSTS[0].identifier, HOSTS[1].identifier})]
    known = {"rings": [{"name": "all", "share_percent": 100}]}
    shared = begin([OLD, NEW, SPELL], known, hosts=HOSTS[:2])
    joined = with_tickets(shared, HOSTS[:3], sign, BELIEVED)
    assert tickets(joined)[1:] == [("editor", "1.0-1", {HOSTS[2].identifier})]
    assert with_tickets(joined, HOSTS[:3], sign, BELIEVED) is joined


def test_leave_of_a_key_that_was_taken_away_is_given_anew() -> None:
    document = begin([OLD, NEW, SPELL], hosts=HOSTS[:2])
    taken_away = [dsse.public_key_of(NEXT_KEY)]
    renewed = with_tickets(document, HOSTS[:2], lambda ticket: downgrades.sign(ticket, NEXT_KEY), taken_away)
    assert len(renewed.tickets) == len(document.tickets) == 1
    found = downgrades.verify(renewed.tickets[0], taken_away)
    assert set(found.hosts) == {HOSTS[0].identifier, HOSTS[1].identifier}
    # as long as both count there is nothing to do
    assert with_tickets(document, HOSTS[:2], None, [*taken_away, *BELIEVED]) is document


def test_leave_that_no_host_would_believe_is_not_given() -> None:
    with pytest.raises(
        BadInput, match=r"No host would let the rollout editor-2 go back: the key .* package_root_ticket"
    ):
        begin([OLD, NEW, SPELL], ticket_keys=[dsse.public_key_of(NEXT_KEY)])


def tickets(document: RolloutDocument) -> list[tuple[str, str, set[str]]]:
    public = dsse.public_key_of(KEY)
    found = [downgrades.verify_bytes(json.dumps(one).encode(), [public]) for one in document.tickets]
    return [(one.package, one.version, set(one.hosts)) for one in found]


def test_without_a_key_there_is_no_way_back_to_promise() -> None:
    with pytest.raises(BadInput, match=r"can go back only with downgrade tickets, and no key for them was given"):
        begin([OLD, NEW, SPELL], sign=None)
    assert begin([OLD, NEW, SPELL], {"roll_back": False}, sign=None).tickets == ()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"rings": []}, "needs a list of 1 to 20 rings"),
        ({"rings": [{"name": "x", "hosts": ["nobody"]}]}, "names nobody, which is no managed host that is enrolled"),
        ({"rings": [{"name": "x", "groups": ["none"]}]}, "names the group none, which has no enrolled host"),
        ({"rings": "x"}, "needs a list of 1 to 20 rings"),
        ({"ring": []}, "unknown fields: ring"),
        ({"valid_days": 0}, "valid_days"),
        ({"gates": {"failed_percent": 101}}, "no number from 0 to 100"),
        ({"windows": {"lyon": []}}, "no list of 1 to 50"),
    ],
)
def test_definitions_that_cannot_be(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        begin([OLD, NEW, SPELL], given)


@pytest.mark.parametrize(
    ("packages", "requests", "sentence"),
    [
        ([OLD], [], "brings nothing new; give the files of packages that are not published yet"),
        ([NEW], [], "spell"),
        (
            [listed("editor", "3.0"), NEW, SPELL],
            [],
            "editor 3.0 is published already, and the rollout editor-2 would bring 2.0-1",
        ),
        ([OLD, NEW, SPELL, listed("viewer", "1", new=True)], ["editor"], "viewer 1 would come with the rollout"),
    ],
)
def test_packages_that_cannot_be_rolled_out(packages: list[Listed], requests: list[str], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        begin(packages, requests=requests)


def test_no_host_in_any_ring() -> None:
    with pytest.raises(BadInput, match="No host is in any ring of the rollout editor-2"):
        begin([OLD, NEW, SPELL], {"rings": [{"name": "few", "share_percent": 1}]}, hosts=[])


def test_two_rollouts_never_hold_one_package() -> None:
    other = begin([OLD, NEW, SPELL])
    with pytest.raises(BadInput, match="There is a rollout editor-2 already, which is pending"):
        begin([OLD, NEW, SPELL], others=[other])
    named = replace(other, definition={**other.definition, "name": "first"}, state=State("rolled_back", 0))
    with pytest.raises(BadInput, match="editor is held by the rollout first, which is rolled back; end that one first"):
        begin([OLD, NEW, SPELL], others=[named])
    assert begin([OLD, NEW, SPELL], others=[replace(named, state=State("done", 1))]).after


@pytest.mark.parametrize("name", ["", "Editor", "a b", "../x", "x" * 64])
def test_names(name: str) -> None:
    with pytest.raises(BadInput, match="is no name of a rollout"):
        start(name, {"rings": RINGS}, [], [OLD, NEW, SPELL], HOSTS, [], NOW, sign)
