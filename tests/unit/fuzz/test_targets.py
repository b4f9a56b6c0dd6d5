# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make fuzz` feeds to parsers begins from good seeds, and its targets bear them and what is near to them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bocage_core._common.errors import BocageError

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/fuzz"))

import targets  # noqa: E402  # found by the path above


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_and_their_neighbours(name: str) -> None:
    target = targets.TARGETS[name]
    seeds = list(target.seeds())
    accepted = 0
    for seed in seeds:
        assert len(seed) <= target.max_bytes
        try:
            target.run(seed)
            accepted += 1
        except BocageError:
            pass
        for near in (seed[:-1], seed + b"\x00", seed.replace(b"1", b"\xff", 1), seed[::-1], b""):
            targets.judge(name, near)
    assert accepted, "a fuzzer would not see what comes after the first check"


def test_another_error_is_a_fault() -> None:
    def broken(data: bytes) -> None:
        raise KeyError(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(targets.TARGETS, "control", targets.Target(broken, list))
        with pytest.raises(KeyError):
            targets.judge("control", b"x")


@pytest.mark.parametrize(
    "parser",
    ["control", "manifest", "index", "version", "request", "envelope", "wapt_json", "container", "rollout", "change"],
)
def test_every_parser_has_a_target(parser: str) -> None:
    assert parser in targets.TARGETS
