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
from bocage_core._common.rings import read_rings
from bocage_core._packages.rollout_document import Locked, RolloutDocument, parse, pins, render
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = Locked("1.0-1", "a" * 64), Locked("2.0-1", "b" * 64)
PLUGIN = Locked("1-0", "c" * 64)
DOCUMENT = RolloutDocument(
    name="editor-2",
    salt="salt",
    rings=read_rings([{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "share_percent": 100}], "x"),
    phase="running",
    open_rings=1,
    before={"editor": OLD},
    after={"editor": NEW, "editor-plugin": PLUGIN},
    tickets=({"payload": "x"},),
    expires=datetime(2026, 12, 1, tzinfo=UTC),
)


def test_it_reads_what_it_wrote() -> None:
    assert parse(render(DOCUMENT)) == DOCUMENT


def test_a_ring_that_is_open_has_the_new_versions_and_no_other_has() -> None:
    pilot, other = pins(DOCUMENT, "id-1", "desk1"), pins(DOCUMENT, "id-2", "desk2")
    assert pilot and pilot.taken and pilot.versions == DOCUMENT.after and pilot.tickets == ()
    assert other and not other.taken and other.versions == {"editor": OLD}
    assert other.withheld == {"editor-plugin"}, "what only the new versions need is not taken early"
    assert pilot.reason == "rollout editor-2, ring pilots" and pilot.digest != other.digest
    assert pins(DOCUMENT, "id-9", "desk9").digest == other.digest  # type: ignore[union-attr]


@pytest.mark.parametrize("phase", ["rolling_back", "rolled_back", "pending"])
def test_on_the_way_back_a_host_has_the_old_versions_and_the_tickets_for_them(phase: Any) -> None:
    found = pins(replace(DOCUMENT, phase=phase), "id-1", "desk1")
    assert found and not found.taken and found.versions == {"editor": OLD} and found.tickets == DOCUMENT.tickets


@pytest.mark.parametrize("phase", ["paused", "stopped", "aborted", "done"])
def test_what_was_taken_is_kept_when_a_rollout_ends(phase: Any) -> None:
    found = pins(replace(DOCUMENT, phase=phase), "id-1", "desk1")
    assert found and found.taken


def test_a_host_of_no_ring_is_left_alone() -> None:
    alone = replace(DOCUMENT, rings=DOCUMENT.rings[:1])
    assert pins(alone, "id-2", "desk2") is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "schema"),
        ({"phase": "x"}, "has an unknown phase"),
        ({"open_rings": 3}, "from 0 to 2 in open_rings"),
        ({"before": {"a b": {"version": "1", "sha256": "a" * 64}}}, "a package of an unusable name"),
        ({"before": {"a": {"version": "latest", "sha256": "a" * 64}}}, "no usable text in version"),
        ({"after": {"a": {"version": "1", "sha256": "short"}}}, "no usable text in sha256"),
        ({"tickets": "none"}, "no usable list of downgrade tickets"),
        ({"more": 1}, "unknown fields: more"),
        ({"expires": "soon"}, "is not a UTC time"),
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
