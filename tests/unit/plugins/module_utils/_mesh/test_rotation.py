# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a rotation, and the sentences of those that are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._mesh import rotation as rotations
from bocage_core._mesh.rotation import HostState, Rotation

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=24)
FRESH = HostState(enrolled_in=(0,))
PEERS = {"hub": ["gw", "home"], "gw": ["home", "hub"], "home": ["gw", "hub"]}


def begun() -> Rotation:
    return rotations.start(None, dict.fromkeys(PEERS, FRESH), LATER, NOW)


def all_proven() -> rotations.Proofs:
    return {name: dict.fromkeys(peers, True) for name, peers in PEERS.items()}


def test_a_whole_rotation() -> None:
    current = begun()
    assert (current.old, current.new, current.base, current.live) == (0, 1, 0, (0, 1))
    assert not rotations.may_retire(current, NOW)
    current = rotations.moved(current, all_proven(), PEERS)
    assert all(current.has_moved(name) for name in PEERS)
    # the plan says so, but nobody has applied it
    assert not rotations.may_retire(current, NOW)
    current = rotations.arrived(current, list(PEERS))
    assert rotations.may_retire(current, NOW)
    current = rotations.retire(current)
    assert (current.base, current.live) == (1, (1,))
    current = rotations.settle(current)
    assert not current.under_way
    assert rotations.start(current, dict(current.hosts), LATER, NOW).new == 2


def test_taken_again_a_step_changes_nothing() -> None:
    current = rotations.moved(begun(), all_proven(), PEERS)
    assert rotations.moved(current, {"hub": {}, "gw": {}}, PEERS) == current
    arrived = rotations.arrived(current, ["hub"])
    assert rotations.arrived(arrived, ["hub"]) == arrived


def test_started_twice() -> None:
    with pytest.raises(BadInput) as refused:
        rotations.start(begun(), {}, LATER, NOW)
    assert str(refused.value) == (
        "A rotation to epoch 1 is under way since 2026-11-22T06:00:00Z; go on with it (-e rotation=continue) or give it"
        " up (-e rotation=abort)."
    )


def test_an_end_that_is_past() -> None:
    with pytest.raises(BadInput) as refused:
        rotations.start(None, {}, NOW, NOW)
    assert str(refused.value) == (
        "The rotation would end at 2026-11-22T06:00:00Z, which is past; give a later rotation_ends_at."
    )


def test_paused_it_waits_for_a_word() -> None:
    paused = rotations.pause(begun())
    with pytest.raises(BadInput) as refused:
        rotations.go_on(paused)
    assert str(refused.value) == (
        "The rotation to epoch 1 is paused; go on with it (-e rotation=resume) or give it up (-e rotation=abort)."
    )
    assert rotations.resume(paused) == begun()
    assert not rotations.may_retire(replace(paused, ends_at=NOW), NOW)


@pytest.mark.parametrize(
    ("step", "word"), [(rotations.pause, "pause"), (rotations.resume, "resume"), (rotations.abort, "abort")]
)
def test_nothing_is_under_way(step: object, word: str) -> None:
    with pytest.raises(BadInput) as refused:
        step(None)  # type: ignore[operator]
    assert str(refused.value) == f"No rotation is under way that could {word}; start one with -e rotation=start."


def test_a_pair_needs_the_proof_of_both_ends() -> None:
    proofs = all_proven() | {"home": {"hub": True, "gw": False}}
    current = rotations.moved(begun(), proofs, PEERS)
    assert current.hosts["gw"].unproven == ("home",)
    assert current.hosts["home"].unproven == ("gw",)
    assert current.hosts["hub"].unproven == ()
    assert not rotations.may_retire(rotations.arrived(current, list(PEERS)), NOW)
    assert rotations.moved(current, all_proven(), PEERS).hosts["gw"].unproven == ()


def test_who_sleeps_stays_until_the_declared_end() -> None:
    awake = {name: proof for name, proof in all_proven().items() if name != "home"}
    current = rotations.arrived(rotations.moved(begun(), awake, PEERS), list(awake))
    assert rotations.waiting(current) == ["home"]
    assert current.hosts["hub"].unproven == ("home",)
    assert not rotations.may_retire(current, LATER - timedelta(seconds=1))
    assert rotations.may_retire(current, LATER)
    settled = rotations.settle(rotations.retire(current))
    assert rotations.describe(settled, LATER).endswith("no rotation is under way; left behind: home.")
    assert rotations.go_on(settled) == settled
    assert rotations.waiting(rotations.caught_up(settled, ["home"])) == []


def test_given_up_everybody_goes_back_before_anything_is_taken_away() -> None:
    current = rotations.abort(rotations.arrived(rotations.moved(begun(), all_proven(), PEERS), list(PEERS)))
    assert (current.base, current.live) == (0, (0, 1))
    assert not current.has_moved("hub")
    current = rotations.gone_back(current, ["hub", "gw"])
    assert not rotations.may_undo(current, NOW)
    current = rotations.gone_back(current, ["home"])
    assert rotations.may_undo(current, NOW)
    current = rotations.settle(rotations.undo(current))
    assert (current.new, current.under_way) == (0, False)


def test_what_another_run_gave_up_is_not_written_down_as_gone_back() -> None:
    moved = rotations.moved(begun(), all_proven(), PEERS)
    given_up = rotations.abort(moved)
    with pytest.raises(BadInput) as refused:
        rotations.applied(given_up, list(PEERS), planned="rotating")
    assert str(refused.value) == (
        "The rotation was rotating when this run planned, and is aborting by the word of somebody else; this run ends"
        " here, and -e rotation=continue goes on."
    )
    assert not rotations.may_undo(given_up, NOW), "the new epoch is in use"
    back = rotations.applied(given_up, list(PEERS), planned="aborting")
    assert rotations.may_undo(back, NOW)


@pytest.mark.parametrize(
    ("phase", "step"),
    [("rotating", rotations.arrived), ("aborting", rotations.gone_back), ("settled", rotations.caught_up)],
)
def test_what_was_applied_counts_by_the_phase_it_was_planned_in(phase: str, step: Any) -> None:
    current = replace(rotations.moved(begun(), all_proven(), PEERS), phase=phase)
    assert rotations.applied(current, ["hub"], planned=phase) == step(current, ["hub"])


@pytest.mark.parametrize("phase", ["retiring", "undoing"])
def test_while_an_epoch_is_taken_away_nobody_moves(phase: str) -> None:
    current = replace(rotations.moved(begun(), all_proven(), PEERS), phase=phase)
    assert rotations.applied(current, ["hub"], planned=phase) == current


def test_past_the_point_of_no_return() -> None:
    with pytest.raises(BadInput) as refused:
        rotations.abort(rotations.retire(begun()))
    assert str(refused.value) == (
        "The rotation to epoch 1 can no longer be given up, because keys of epoch 0 are destroyed already; let it end"
        " with -e rotation=continue."
    )


def test_it_is_read_as_it_was_written() -> None:
    current = rotations.moved(begun(), all_proven(), PEERS)
    assert Rotation.from_bytes(json.dumps(current.to_document()).encode()) == current
    for broken in ({"phase": "dancing"}, {"old": -1}, {"hosts": {"hub": {}}}, {"more": 1}):
        with pytest.raises(BocageError, match="rotation"):
            Rotation.from_bytes(json.dumps(current.to_document() | broken).encode())


def test_how_it_stands() -> None:
    assert rotations.describe(None, NOW) == (
        "The mesh keys are those of the enrolments (epoch 0); no rotation is under way."
    )
    current = rotations.moved(begun(), {"hub": {}}, PEERS)
    assert rotations.describe(rotations.arrived(current, ["hub"]), NOW) == (
        "The rotation from epoch 0 to 1 is rotating: 1 of 3 hosts have moved, gw, home not, 2 ways to peers are"
        " unproven; it ends at 2026-11-23T06:00:00Z."
    )
