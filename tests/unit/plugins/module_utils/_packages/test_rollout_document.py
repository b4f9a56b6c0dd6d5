# SPDX-License-Identifier: GPL-3.0-or-later
"""Every host of a ring reads the same versions, before and after, and the way back is there from the start."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._common.rollout import State, state_as_data
from bocage_core._packages.rollout_document import Locked, Pins, RolloutDocument, parse, pins, render
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = Locked("1.0-1", ("a" * 64,)), Locked("2.0-1", ("b" * 64,))
DEFINITION: dict[str, Any] = {
    "name": "editor-2",
    "salt": "salt",
    "rings": [{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "share_percent": 100}],
    "gates": {"failed_percent": "0.5"},
    "expires": "2026-12-01T00:00:00Z",
}
DOCUMENT = RolloutDocument(
    definition=DEFINITION,
    state=State("running", 0),
    before={"editor": OLD},
    after={"editor": NEW, "editor-plugin": Locked("1-0", ("c" * 64,))},
    tickets=({"payload": "x"},),
)


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def kept(document: RolloutDocument, host_id: str, name: str, **installed: str) -> Pins | None:
    return pins(document, host_id, name, "lyon", NOW, installed)


def test_outside_of_its_window_a_host_takes_nothing_and_keeps_what_it_has() -> None:
    """It is Sunday noon."""
    for days, inside in ((["mon"], False), (["sun"], True)):
        windows = {"lyon": [{"days": days, "from": "08:00", "until": "18:00"}]}
        document = replace(DOCUMENT, definition={**DEFINITION, "windows": windows})
        assert kept(document, "id-1", "desk1", editor="1.0-1").taken == inside  # type: ignore[union-attr]
        assert kept(document, "id-1", "desk1", editor="2.0-1").taken  # type: ignore[union-attr]
        assert pins(document, "id-1", "desk1", "bergen", NOW, {}).taken  # type: ignore[union-attr]
        back = replace(document, state=State("rolling_back", 0))
        assert not kept(back, "id-1", "desk1", editor="2.0-1").taken  # type: ignore[union-attr]


def test_it_reads_what_it_wrote() -> None:
    assert parse(render(DOCUMENT)) == DOCUMENT


def test_a_ring_that_is_open_has_the_new_versions_and_no_other_has() -> None:
    pilot, other = kept(DOCUMENT, "id-1", "desk1"), kept(DOCUMENT, "id-2", "desk2")
    assert pilot and pilot.taken and pilot.versions == DOCUMENT.after and pilot.tickets == ()
    assert other and not other.taken and other.versions == {"editor": OLD}
    assert other.withheld == {"editor-plugin"}, "what only the new versions need is not taken early"
    assert pilot.reason == "rollout editor-2, ring pilots" and pilot.digest != other.digest
    assert kept(DOCUMENT, "id-9", "desk9").digest == other.digest  # type: ignore[union-attr]
    assert (pilot.ring, pilot.pending, other.ring, other.pending) == (1, False, 2, True)


@pytest.mark.parametrize("phase", ["rolling_back", "rolled_back", "pending"])
def test_on_the_way_back_a_host_has_the_old_versions_and_the_tickets_for_them(phase: Any) -> None:
    found = kept(replace(DOCUMENT, state=State(phase, 0)), "id-1", "desk1")
    assert found and not found.taken and found.versions == {"editor": OLD} and found.tickets == DOCUMENT.tickets
    assert found.pending == (phase == "pending")


@pytest.mark.parametrize("phase", ["paused", "stopped", "aborted"])
def test_what_was_taken_is_kept_when_a_rollout_ends(phase: Any) -> None:
    found = kept(replace(DOCUMENT, state=State(phase, 0)), "id-1", "desk1")
    assert found and found.taken


def test_nothing_is_held_once_it_is_done() -> None:
    assert kept(replace(DOCUMENT, state=State("done", 1)), "id-1", "desk1") is None


def test_a_host_of_no_ring_waits_until_all_have_it() -> None:
    alone = replace(DOCUMENT, definition={**DEFINITION, "rings": DEFINITION["rings"][:1]})
    found = kept(alone, "id-2", "desk2")
    assert found and not found.taken and found.versions == {"editor": OLD}
    assert found.reason == "rollout editor-2, no ring"


def test_what_changes_is_what_is_another_one_afterwards() -> None:
    same = Locked("3.0", ("d" * 64,))
    document = replace(DOCUMENT, before={**DOCUMENT.before, "base": same}, after={**DOCUMENT.after, "base": same})
    assert document.changing == {"editor", "editor-plugin"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "schema"),
        ({"state": {**state_as_data(State()), "phase": "x"}}, "has an unknown phase"),
        ({"state": {**state_as_data(State()), "ring": 2}}, "from -1 to 1 in ring"),
        ({"definition": {**DEFINITION, "rings": []}}, "needs a list of 1 to 20 rings"),
        ({"definition": {key: DEFINITION[key] for key in ("name", "salt", "rings")}}, "has no end"),
        ({"before": {"a b": {"version": "1", "sha256": ["a" * 64]}}}, "a package of an unusable name"),
        ({"before": {"a": {"version": "latest", "sha256": ["a" * 64]}}}, "no usable text in version"),
        ({"after": {"a": {"version": "1", "sha256": ["short"]}}}, "an unusable text in the list sha256"),
        ({"after": {"a": {"version": "1", "sha256": []}}}, "has no file"),
        ({"tickets": "none"}, "no usable list of downgrade tickets"),
        ({"more": 1}, "unknown fields: more"),
        ({"definition": {**DEFINITION, "expires": "soon"}}, "is not a UTC time"),
    ],
)
def test_documents_that_cannot_be(changes: dict[str, Any], sentence: str) -> None:
    record = {**json.loads(render(DOCUMENT)), **changes}
    with pytest.raises(Refused, match=sentence):
        parse(json.dumps(record).encode())


@settings(max_examples=100)
@given(
    st.binary(max_size=200)
    | st.builds(lambda cut, byte: render(DOCUMENT)[:cut] + byte, st.integers(0, 500), st.binary(max_size=3))
)
def test_garbage_is_refused_and_never_a_traceback(raw: bytes) -> None:
    with contextlib.suppress(BocageError):
        parse(raw)
