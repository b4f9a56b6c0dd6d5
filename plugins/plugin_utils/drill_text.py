# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill's verdict for people: a table, and a plot of every takeover."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .svg import document, node, to_bytes, words

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP = 760.0, 22.0, 150.0, 60.0, 70.0


def intention(plan: Mapping[str, Any]) -> str:
    """What a drill is about to do."""
    ways = ", ".join(dict.fromkeys(plan["faults"]))
    return (
        f"Drill of site {plan['site']}: {plan['prober']} probes {', '.join(plan['targets'])}; gateway {plan['gateway']} is "
        f"taken away {len(plan['faults'])} times ({ways}), for which {', '.join(plan['others'])} stands in"
    )


def table(verdict: Mapping[str, Any]) -> str:
    """One line for each takeover, then the figures and the verdict."""
    lines = [f"Drill of site {verdict['site']}: {len(verdict['takeovers'])} takeovers", ""]
    for one in verdict["takeovers"]:
        apart = ", ".join(f"{target} {seconds:.3f}" for target, seconds in one["by_target"].items()) or "nothing lost"
        lines.append(f"  {one['gateway']:<12} {one['cause']:<10} {one['seconds']:>7.3f} s   {apart}")
    if verdict["unnoticed"]:
        lines.append(f"  nobody noticed {', '.join(verdict['unnoticed'])}, which the figures below leave out")
    lines += [
        "",
        f"  takeover: p50 {verdict['p50_seconds']:.3f} s, p99 {verdict['p99_seconds']:.3f} s, "
        f"longest {verdict['max_seconds']:.3f} s",
        f"  going back: {verdict['failback_lost_probes']} probes lost, "
        f"longest gap {verdict['failback_longest_seconds']:.3f} s",
    ]
    for one in verdict["downloads"]:
        state = "held" if one["survived"] else f"broke: {one['problem']}"
        lines.append(f"  {one['name']}: {state}, longest pause {one['longest_pause_seconds']:.3f} s")
    if not verdict["downloads"]:
        lines.append("  no TCP connection was held; drill_downloads names pages for that")
    lines.append(f"  verdict: {'passed' if verdict['passed'] else 'failed'}")
    lines += [f"    {problem}" for problem in verdict["problems"]]
    if "evidence" in verdict:
        lines.append(f"  evidence: {verdict['evidence']}")
    return "\n".join(lines)


def plot(verdict: Mapping[str, Any]) -> bytes:
    """An SVG with a bar for each takeover, on one scale."""
    takeovers = verdict["takeovers"]
    longest = max([one["seconds"] for one in takeovers] + [0.1])
    height = _TOP + _ROW * len(takeovers) + 40
    title = f"Takeovers of site {verdict['site']}"
    about = f"p50 {verdict['p50_seconds']} s, p99 {verdict['p99_seconds']} s, longest {verdict['max_seconds']} s"
    root = document(_WIDTH, height, title, about)
    node(root, "rect", width=_WIDTH, height=height, fill="#ffffff")
    words(root, 20, 30, title, 18, fill="#1b2a2f")
    words(root, 20, 50, about, 12, fill="#51656d")
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    for number, one in enumerate(takeovers):
        y = _TOP + number * _ROW
        words(root, 20, y + 13, f"{one['gateway']} {one['cause']}", 12, fill="#1b2a2f")
        node(root, "rect", x=_LEFT, y=y + 2, width=max(one["seconds"] * scale, 1), height=_ROW - 8, fill="#2a7f62")
        words(root, _LEFT + one["seconds"] * scale + 6, y + 13, f"{one['seconds']:.3f} s", 11, fill="#1b2a2f")
    return to_bytes(root)
