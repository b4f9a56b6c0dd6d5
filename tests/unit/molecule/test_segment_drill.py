# SPDX-License-Identifier: GPL-3.0-or-later
"""What the drill of the scenario `segments` reads from ping."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import pytest
from bocage_core._gateway.drill import gaps

FILES = Path(__file__).resolve().parents[3] / "molecule/segments/files"


@pytest.fixture(scope="module")
def drill() -> ModuleType:
    before = list(sys.path)
    sys.path.insert(0, str(FILES))
    try:
        spec = importlib.util.spec_from_file_location("segment_drill", FILES / "drill.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


def lines(answers: Iterable[tuple[float, int]]) -> str:
    return "".join(
        f"[{moment:.6f}] 64 bytes from 198.18.91.20: icmp_seq={number} ttl=64 time=0.5 ms\n"
        for moment, number in answers
    )


@pytest.fixture
def seen(drill: ModuleType) -> Callable[..., list[tuple[float, float, int]]]:
    def read(text: str, until: float = 0.0) -> list[tuple[float, float, int]]:
        found = gaps(drill.answers(text, until), 2 * drill.INTERVAL)
        return [(round(begin, 3), round(lasted, 3), lost) for begin, lasted, lost in found]

    return read


def test_lost_probes_are_a_gap(seen: Callable[..., list[tuple[float, float, int]]]) -> None:
    steady = [(number / 100, number) for number in range(1, 50)]
    later = [(number / 100, number) for number in range(85, 100)]
    assert seen(lines(steady)) == []
    assert seen(lines(steady + later)) == [(0.49, 0.36, 35)]


def test_a_pause_of_the_sender_is_a_gap_too(seen: Callable[..., list[tuple[float, float, int]]]) -> None:
    assert seen(lines([(1.0, 1), (1.01, 2), (1.5, 3), (1.51, 4)])) == [(1.01, 0.49, 1)]


def test_nothing_after_the_last_answer_is_a_gap_to_the_end(
    seen: Callable[..., list[tuple[float, float, int]]],
) -> None:
    assert seen(lines([(1.0, 1), (1.01, 2)]), until=4.0) == [(1.01, 2.99, 1)]


def test_numbers_turn_round_and_answers_come_twice(seen: Callable[..., list[tuple[float, float, int]]]) -> None:
    turn = [(number / 100, number % 65536) for number in range(1, 66000)]
    assert seen(lines(turn)) == []
    twice = lines([(1.0, 1), (1.01, 2)]) + lines([(1.2, 2)]).replace(" ms", " ms (DUP!)") + lines([(1.02, 3)])
    assert seen(twice) == []


def test_a_guest_without_any_answer_is_no_measurement(drill: ModuleType) -> None:
    with pytest.raises(SystemExit, match="The guest got no answer at all"):
        drill.answers("connect: Network is unreachable", 1.0)
