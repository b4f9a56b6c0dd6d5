# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of reports as gates, under the names of docs/rollouts.md: worse stops a rollout, better or equal does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.rollout import Host, State
from bocage_core._packages import rollout_figures
from bocage_core._packages.rollout_document import Locked, RolloutDocument
from bocage_core._packages.rollout_progress import Progress, Report, advance

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTS = [Host(f"00000000-0000-4000-8000-00000000000{one}", f"desk{one}", "lyon") for one in range(1, 7)]
PILOTS, OTHERS = ("desk1", "desk2"), ("desk3", "desk4", "desk5", "desk6")
DOCS = Path(__file__).parents[5] / "docs" / "rollouts.md"
# Of each: its gate, what hosts have that are not changed, what is just good enough, and what is not.
GATES: dict[str, tuple[dict[str, str], int, int, int]] = {
    "system.boot.userspace_milliseconds": ({"most_ratio": "1.5"}, 12000, 18000, 18100),
    "mesh.round_trip_microseconds": ({"most_ratio": "2"}, 15000, 30000, 30100),
    "packages.fetched.site_percent": ({"least_ratio": "0.8"}, 90, 72, 71),
}


def rollout(*metrics: dict[str, str]) -> RolloutDocument:
    """A rollout as it was signed: fractions are texts."""
    return RolloutDocument(
        definition={
            "name": "editor-2",
            "salt": "s",
            "rings": [{"name": "pilots", "hosts": list(PILOTS)}, {"name": "rest", "hosts": list(OTHERS)}],
            "gates": {"soak_seconds": 60, "audits": False, "metrics": list(metrics)},
            "roll_back": False,
            "expires": "2026-12-01T00:00:00Z",
        },
        state=State(),
        before={"editor": Locked("1.0", ("a" * 64,))},
        after={"editor": Locked("2.0", ("b" * 64,))},
        tickets=(),
    )


def said(document: RolloutDocument, host: str, figure: str, value: int | None) -> Report:
    """A report of a pilot that has the change, or of another host; `value` lies where the name of the figure says."""
    digest = document.lock_digest("after" if host in PILOTS else "before")
    sections: dict[str, Any] = {
        "packages": {
            "rollouts": {"editor-2": {"digest": digest, "due": False}},
            "problems": [],
            "problem_count": 0,
            "audits": {},
        }
    }
    *way, last = figure.split(".")
    place = sections
    for word in way:
        place = place.setdefault(word, {})
    if value is not None:
        place[last] = value
    return Report(sections, NOW)


def judged(figure: str, pilots: list[int | None], others: list[int | None], **limits: str) -> Progress:
    """The step after the soak, where hosts tell this."""
    document = rollout({"name": figure, **(limits or GATES[figure][0])})
    first = advance(document, HOSTS, {}, NOW, None)
    values = dict(zip((*PILOTS, *OTHERS), (*pilots, *others), strict=True))
    reports = {host: said(document, host, figure, value) for host, value in values.items()}
    return advance(first.document, HOSTS, reports, NOW + timedelta(seconds=61), None)


@pytest.mark.parametrize("figure", GATES)
def test_a_ring_whose_figure_is_worse_stops_the_rollout(figure: str) -> None:
    _limit, usual, good, bad = GATES[figure]
    opened = judged(figure, [good, good], [usual] * 4)
    assert (opened.document.state.phase, opened.document.state.ring) == ("running", 1)
    assert opened.step.change == OTHERS
    stopped = judged(figure, [bad, bad], [usual] * 4)
    assert (stopped.document.state.phase, stopped.document.state.ring) == ("stopped", 0)
    assert stopped.step.change == ()
    assert stopped.document.state.reason.startswith(
        f"ring pilots: {figure} is {bad:g} where it was changed and {usual:g} elsewhere, "
    )


@pytest.mark.parametrize("figure", GATES)
def test_a_ring_whose_figure_is_far_better_goes_on(figure: str) -> None:
    limit, usual, _good, _bad = GATES[figure]
    better = usual // 4 if "most_ratio" in limit else usual * 4
    assert judged(figure, [better, better], [usual] * 4).document.state.ring == 1


@pytest.mark.parametrize("figure", GATES)
def test_hosts_that_do_not_tell_are_left_out(figure: str) -> None:
    _limit, usual, _good, bad = GATES[figure]
    assert judged(figure, [bad, None], [usual, None, usual, usual]).document.state.phase == "stopped"
    assert judged(figure, [bad, bad], [usual, None, None, usual]).document.state.phase == "running", (
        "too few to compare"
    )
    assert judged(figure, [None, None], [usual] * 4).document.state.phase == "running"


def test_a_figure_may_have_both_limits() -> None:
    name, limits = "system.boot.userspace_milliseconds", {"least_ratio": "0.5", "most_ratio": "2"}
    found = {
        value: judged(name, [value] * 2, [1000] * 4, **limits).document.state.phase for value in (499, 500, 2000, 2001)
    }
    assert found == {499: "stopped", 500: "running", 2000: "running", 2001: "stopped"}


def test_names_of_figures_are_the_ways_to_numbers() -> None:
    one = {"system": {"boot": {"kernel_milliseconds": 5}, "agent_version": "1", "up": True}, "load": {"one.five": 1}}
    other = {"packages": {"problems": [{"count": 1}], "package_count": 7}}
    assert rollout_figures.names([one, other]) == {"system.boot.kernel_milliseconds", "packages.package_count"}
    assert rollout_figures.names([]) == set()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("system.boot.userspace_millisecond", "did you mean system.boot.userspace_milliseconds?"),
        ("gpu.temperatur", "did you mean gpu.temperature?"),
        ("x", "look it up in reported.sections."),
    ],
)
def test_a_name_that_no_host_reports_is_refused(name: str, advice: str) -> None:
    with pytest.raises(
        BadInput, match=f"has a gate about '{name}', a figure that no host reports; {re.escape(advice)}"
    ):
        rollout_figures.check("editor-2", ["mesh.round_trip_microseconds", name], {"gpu.temperature"})
    rollout_figures.check("editor-2", ["gpu.temperature", *rollout_figures.TOLD], {"gpu.temperature"})


def test_the_documentation_lists_what_agents_tell() -> None:
    table = DOCS.read_text().split("| figure | what it is |")[1].split("\n\n")[0]
    full = set(re.findall(r"`((?:system|mesh|packages)\.[a-z_.]+)`", table))
    stems = {name.rpartition(".")[0] for name in full}
    assert full <= rollout_figures.TOLD
    assert {name.rpartition(".")[0] for name in rollout_figures.TOLD} == stems


def test_the_documentation_names_these_gates_with_these_limits() -> None:
    written = re.findall(r"\{name: ([a-z_.]+), (most|least)_ratio: ([0-9.]+)\}", DOCS.read_text())
    assert sorted(written) == sorted(
        (name, limit.removesuffix("_ratio"), ratio)
        for name, (limits, *_values) in GATES.items()
        for limit, ratio in limits.items()
    )
