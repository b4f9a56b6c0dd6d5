# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people see of a drill: a line for each takeover, figures, and bars on one scale."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from ansible_collections.bocage.fleet.plugins.plugin_utils.drill_text import plot, table

SVG = "{http://www.w3.org/2000/svg}"


def verdict(**changes: Any) -> dict[str, Any]:
    return {
        "site": "lyon",
        "takeovers": [
            {
                "cause": "wan",
                "gateway": "gw1",
                "seconds": 0.4,
                "by_target": {"198.18.1.20": 0.4, "2001:db8:2::20": 0.35},
            },
            {"cause": "lan_in", "gateway": "gw1", "seconds": 0.0, "by_target": {}},
        ],
        "unnoticed": [],
        "p50_seconds": 0.0,
        "p99_seconds": 0.4,
        "max_seconds": 0.4,
        "failback_lost_probes": 3,
        "failback_longest_seconds": 0.021,
        "downloads": [
            {"name": "http://198.18.1.20/", "survived": True, "longest_pause_seconds": 0.5, "problem": ""},
            {"name": "http://[2001:db8:2::20]/", "survived": False, "longest_pause_seconds": 1.5, "problem": "reset"},
        ],
        "passed": False,
        "problems": ["The download http://[2001:db8:2::20]/ broke."],
        **changes,
    }


def test_the_table() -> None:
    assert table(verdict(evidence="build/drills/failover-lyon-1.json")).splitlines() == [
        "Drill of site lyon: 2 takeovers",
        "",
        "  gw1          wan          0.400 s   198.18.1.20 0.400, 2001:db8:2::20 0.350",
        "  gw1          lan_in       0.000 s   nothing lost",
        "",
        "  takeover: p50 0.000 s, p99 0.400 s, longest 0.400 s",
        "  going back: 3 probes lost, longest gap 0.021 s",
        "  http://198.18.1.20/: held, longest pause 0.500 s",
        "  http://[2001:db8:2::20]/: broke: reset, longest pause 1.500 s",
        "  verdict: failed",
        "    The download http://[2001:db8:2::20]/ broke.",
        "  evidence: build/drills/failover-lyon-1.json",
    ]
    assert table(verdict(passed=True, problems=[])).endswith("  verdict: passed")


def test_what_was_not_seen_and_not_held_is_told() -> None:
    shown = table(verdict(downloads=[], unnoticed=["routing"])).splitlines()
    assert "  no TCP connection was held; drill_downloads names pages for that" in shown
    assert "  nobody noticed routing, which the figures below leave out" in shown
    assert not any("no TCP" in line or "nobody noticed" in line for line in table(verdict()).splitlines())


def bars(picture: bytes) -> list[float]:
    root = ElementTree.fromstring(picture)
    return [float(one.attrib["width"]) for one in root.iter(f"{SVG}rect")][1:]


def test_the_plot_has_a_bar_for_each_takeover_on_one_scale() -> None:
    long, short = bars(plot(verdict()))
    assert long == 550
    assert short == 1, "what lost nothing is seen, too"
    faster = [{**one, "seconds": one["seconds"] / 2} for one in verdict()["takeovers"]]
    assert bars(plot(verdict(takeovers=faster)))[0] == 550


def test_a_tenth_of_a_second_is_the_smallest_scale() -> None:
    """So that noise is not drawn as large as a fault."""
    small = [{"cause": "wan", "gateway": "gw1", "seconds": 0.01, "by_target": {}}]
    assert bars(plot(verdict(takeovers=small))) == [55]


def test_a_drill_without_a_takeover_is_still_a_picture() -> None:
    assert bars(plot(verdict(takeovers=[]))) == []


def test_words_of_the_plot() -> None:
    root = ElementTree.fromstring(plot(verdict()))
    shown = [one.text for one in root.iter(f"{SVG}text")]
    assert shown[:2] == ["Takeovers of site lyon", "p50 0.0 s, p99 0.4 s, longest 0.4 s"]
    assert shown[2:] == ["gw1 wan", "0.400 s", "gw1 lan_in", "0.000 s"]
