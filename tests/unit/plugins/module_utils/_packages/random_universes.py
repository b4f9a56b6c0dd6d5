# SPDX-License-Identifier: GPL-3.0-or-later
"""Random universes with something installed in them, from a seed: small ones for the tests, large ones for figures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bocage_core._packages.requests import Request, parse_request, parse_requests
from bocage_core._packages.universe import Candidate, Goal, Installed, Rule, Universe, Wanted

SECTIONS = ("host", "group", "unit", "profile")


@dataclass(frozen=True)
class Shape:
    """How a universe is drawn: how many names, versions each, needs and conflicts a version, and how strict they are."""

    names: int
    versions: int = 4
    needs: float = 2.0
    conflicts: float = 0.3
    strict: float = 0.5
    wanted: int = 3
    installed: float = 0.4
    # how many of the strict ones have two constraints
    double: float = 0.0
    # a need points at most so far ahead, as software leans on what is below it; 0: anywhere, with cycles
    reach: int = 0


def shapes(names: int) -> Iterator[tuple[str, Shape]]:
    """From an estate's repository, where software leans on what is below it, to nets of needs without an order."""
    yield "estate", Shape(names, versions=5, needs=1.5, conflicts=0.02, strict=0.1, wanted=40, installed=0.5, reach=200)
    yield "net", Shape(names, needs=2.0, conflicts=0.1, strict=0.15, wanted=5)
    yield "conflicts", Shape(names, versions=6, needs=1.2, conflicts=0.6, strict=0.03, wanted=40)
    yield "much installed", Shape(names, needs=1.0, conflicts=0.5, strict=0.1, wanted=10, installed=0.9)
    yield "strict", Shape(names, needs=2.0, conflicts=0.3, strict=0.5, wanted=3)


@dataclass(frozen=True)
class Drawn:
    universe: Universe
    goal: Goal


def draw(seed: int, shape: Shape) -> Drawn:
    """One universe; what is installed is consistent, as far as it goes."""
    chance = random.Random(seed)
    counts = [chance.randint(1, shape.versions) for _ in range(shape.names)]
    candidates = [
        _candidate(chance, shape, counts, index, version)
        for index, count in enumerate(counts)
        for version in range(1, count + 1)
    ]
    installed = _consistent(chance, shape, candidates)
    # some of what is installed left the repository since
    gone = {item.candidate for item in installed if chance.random() < 0.1}
    universe = Universe.of([candidate for candidate in candidates if candidate not in gone], installed)
    wanted = []
    for place, index in enumerate(chance.sample(range(shape.names), min(shape.wanted, shape.names))):
        wanted.append(Wanted(_request(chance, shape, counts, index), f"{SECTIONS[place % 4]}:w{place}"))
    forbidden = tuple(
        Rule(_request(chance, shape, counts, chance.randrange(shape.names)), "policy:bans")
        for _ in range(chance.randint(0, 1))
    )
    pins = tuple(
        Rule(_request(chance, shape, counts, chance.randrange(shape.names)), "unit:lab")
        for _ in range(chance.randint(0, 1))
    )
    return Drawn(universe, Goal(tuple(wanted), pins, forbidden))


def name_of(index: int) -> str:
    return f"p{index:04}"


def _candidate(chance: random.Random, shape: Shape, counts: list[int], index: int, version: int) -> Candidate:
    def some(mean: float) -> tuple[Request, ...]:
        count = int(mean) + (chance.random() < mean % 1) if chance.random() < 0.8 else 0
        last = min(shape.names, index + 1 + shape.reach) if shape.reach else shape.names
        first = index + 1 if shape.reach else 0
        if first >= last:
            return ()
        return tuple(_request(chance, shape, counts, chance.randrange(first, last)) for _ in range(count))

    section = SECTIONS[index % 4] if index % 7 == 0 else "base"
    # a range is written as a list with a comma, each part of which is to be met
    depends, conflicts = parse_requests(",".join(map(str, some(shape.needs)))), some(shape.conflicts)
    sample = Candidate.parse(name_of(index), f"{version}-0", sha256=f"{index:032x}{version:032x}", section=section)
    return Candidate(sample.package, sample.version, depends, conflicts, sample.sha256, section)


def _request(chance: random.Random, shape: Shape, counts: list[int], index: int) -> Request:
    if chance.random() >= shape.strict:
        return Request(name_of(index))
    operator = chance.choice(["=", ">=", "<=", ">", "<"])
    edge = chance.randint(1, counts[index])
    if operator in "<>" and chance.random() < 0.9:
        # rarely a request that nothing meets
        edge = max(edge, 2) if operator == "<" else min(edge, max(1, counts[index] - 1))
    if chance.random() < shape.double:
        # a range, which may be empty
        low, high = sorted(chance.randint(1, counts[index]) for _ in range(2))
        name, above, below = name_of(index), chance.choice([">=", ">"]), chance.choice(["<=", "<"])
        ends = parse_requests(f"{name}({above}{low}-0),{name}({below}{high}-0)")
        return Request(name, tuple(constraint for end in ends for constraint in end.constraints))
    return parse_request(f"{name_of(index)}({operator}{edge}-0)")


def _consistent(chance: random.Random, shape: Shape, candidates: list[Candidate]) -> list[Installed]:
    """Packages that stand together: drawn one by one, then those with an unmet need taken out until none is left."""
    here: dict[str, Candidate] = {}
    for candidate in chance.sample(candidates, len(candidates)):
        if chance.random() < shape.installed and candidate.package not in here:
            clash = any(
                request.matches(one.package, one.version)
                for first, second in ((candidate, None), (None, candidate))
                for one in ([second] if second else here.values())
                for other in ([first] if first else here.values())
                for request in other.conflicts
                if other.package != one.package
            )
            if not clash:
                here[candidate.package] = candidate
    changed = True
    while changed:
        changed = False
        for name, candidate in list(here.items()):
            if not all(_met(here, request) for request in candidate.depends):
                del here[name]
                changed = True
    return [Installed(here[name]) for name in sorted(here)]


def _met(here: dict[str, Candidate], request: Request) -> bool:
    return request.package in here and request.allows(here[request.package].version)
