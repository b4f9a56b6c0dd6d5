# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a ring: one spelling, read strictly, compared."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common import canonical
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import lock as locks
from bocage_core._packages.lock import Entry, Lock
from bocage_core._packages.requests import parse_request
from bocage_core._packages.solver import solve
from bocage_core._packages.universe import EVERYTHING, Candidate, Goal, Installed, Universe, Wanted
from hypothesis import given, settings
from hypothesis import strategies as st

GOAL = Goal((Wanted(parse_request("lab"), "ring:first"),))


def universe(*extra: Candidate, installed: tuple[Installed, ...] = ()) -> Universe:
    return Universe.of(
        [
            Candidate.parse("lab", "3-0", "editor,viewer", sha256="a" * 64, section="unit"),
            Candidate.parse("editor", "1-0", "viewer", sha256="b" * 64),
            Candidate.parse("viewer", "1-0", sha256="c" * 64),
            *extra,
        ],
        installed,
    )


def lock_of(source: Universe) -> Lock:
    return locks.lock_of("first", solve(source, GOAL).chosen, GOAL)


def test_a_lock_names_versions_digests_and_who_requires_them() -> None:
    raw = locks.to_bytes(lock_of(universe()))
    assert canonical.loads(raw) == {
        "format": 1,
        "ring": "first",
        "packages": [
            {"package": "editor", "version": "1-0", "sha256": "b" * 64, "required_by": ["unit:lab"]},
            {"package": "lab", "version": "3-0", "sha256": "a" * 64, "required_by": ["ring:first"]},
            {"package": "viewer", "version": "1-0", "sha256": "c" * 64, "required_by": ["editor", "unit:lab"]},
        ],
    }
    assert locks.from_bytes(raw) == lock_of(universe())


def test_a_package_without_a_digest_cannot_be_locked() -> None:
    candidate = Candidate.parse("lab", "3-0", section="unit")
    with pytest.raises(BadInput, match=r"The package unit:lab 3-0 has no SHA-256 digest, so no lock can name it"):
        locks.lock_of("first", {"lab": candidate}, GOAL)


def test_the_difference_of_two_rings() -> None:
    before = lock_of(universe())
    newer = Candidate.parse("editor", "2-0", "viewer,spelling", sha256="d" * 64)
    spelling = Candidate.parse("spelling", "1-0", sha256="e" * 64)
    after = lock_of(universe(newer, spelling))
    found = locks.difference(before, after)
    assert found.sentences() == ["editor: 1-0 becomes 2-0", "spelling: 1-0 comes"]
    assert locks.difference(after, before).sentences() == ["editor: 2-0 becomes 1-0", "spelling: 1-0 leaves"]
    assert not locks.difference(after, after).sentences()
    rebuilt = Lock("second", tuple(Entry(one.package, one.version, "f" * 64) for one in before.entries[:1]))
    assert locks.difference(Lock("first", before.entries[:1]), rebuilt).sentences() == ["editor: 1-0 has other content"]


def test_one_lock_for_several_kinds_of_machines() -> None:
    one = Lock("x", (Entry("editor", "1-0", "1" * 64, ("a",)), Entry("viewer", "1-0", "2" * 64, ("a",))))
    other = Lock("y", (Entry("editor", "1-0", "3" * 64, ("b",)), Entry("viewer", "1-0", "2" * 64, ("b",))))
    both = locks.merged("first", [one, other])
    assert [(entry.package, entry.sha256[0], entry.required_by) for entry in both.entries] == [
        ("editor", "1", ("a",)),
        ("editor", "3", ("b",)),
        ("viewer", "2", ("a", "b")),
    ]
    assert locks.from_bytes(locks.to_bytes(both)) == both


def test_a_host_of_the_ring_gets_the_lock_and_nothing_newer() -> None:
    lock = lock_of(universe())
    newer = Candidate.parse("editor", "2-0", sha256="d" * 64)
    rebuilt = Candidate.parse("viewer", "1-0", sha256="e" * 64)
    own = Candidate.parse("own", "1-0", sha256="f" * 64)
    here = (Installed(own), Installed(rebuilt))
    source = locks.locked(universe(newer, installed=here), lock)
    result = solve(source, Goal(GOAL.wanted, upgrade=frozenset([EVERYTHING])))
    expected = {entry.package: entry.sha256 for entry in lock.entries} | {"own": "f" * 64}
    assert {name: candidate.sha256 for name, candidate in result.chosen.items()} == expected
    assert {step.package: step.action for step in result.steps}["viewer"] == "replace"


def data(**changes: Any) -> dict[str, Any]:
    entry = {"package": "a", "version": "1-0", "sha256": "a" * 64, "required_by": ["host:erp1"]}
    return {"format": 1, "ring": "first", "packages": [entry | changes]}


MALFORMED: list[tuple[Any, str]] = [
    ([], "does not have just the fields format, ring and packages"),
    ({**data(), "more": 1}, "does not have just the fields format, ring and packages"),
    ({**data(), "format": 2}, "does not have the format 1; update this program"),
    ({**data(), "format": True}, "does not have the format 1"),
    ({**data(), "ring": 1}, "ring is not a name"),
    ({**data(), "packages": {}}, "packages are not a list"),
    ({**data(), "packages": ["a"]}, "does not have just the fields"),
    (data(more=1), "does not have just the fields package, required_by, sha256, version"),
    (data(required_by="x"), "has a field that is not text"),
    (data(required_by=[1]), "has a field that is not text"),
    (data(package=""), "has no name or no SHA-256 digest"),
    (data(sha256="A" * 64), "has no name or no SHA-256 digest"),
    (data(version="1.x"), "has no version: The version '1.x' cannot be used"),
    ({**data(), "packages": data()["packages"] * 2}, "not sorted, or one stands there twice"),
]


@pytest.mark.parametrize(("value", "sentence"), MALFORMED)
def test_a_malformed_lock_is_refused(value: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        locks.from_data(value)


def test_another_spelling_and_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = canonical.dumps(data())
    assert locks.from_bytes(raw)
    with pytest.raises(Refused, match="not in its one spelling"):
        locks.from_bytes(raw + b"\n")
    monkeypatch.setattr(locks, "MAX_BYTES", 10)
    with pytest.raises(Refused, match=f"The lock has {len(raw)} bytes; 10 is the most"):
        locks.from_bytes(raw)


SCALARS = st.none() | st.integers(-1, 2) | st.sampled_from(["", "a", "1-0", "a" * 64])
ENTRIES = st.dictionaries(st.sampled_from([*data()["packages"][0], "more"]), SCALARS | st.lists(SCALARS, max_size=2))
LOCKS = st.dictionaries(st.sampled_from([*data(), "more"]), SCALARS | st.lists(SCALARS | ENTRIES, max_size=2))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60) | LOCKS.map(canonical.dumps))
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    try:
        assert locks.to_bytes(locks.from_bytes(raw)) == raw
    except Refused as error:
        assert str(error).endswith(".")
