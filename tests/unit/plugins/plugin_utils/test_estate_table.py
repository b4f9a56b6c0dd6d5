# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that operators read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_table import age, summary, table


def text(estate: Any) -> str:
    return "\n".join(line for line, _colour in table(estate.view, "Estate demo", estate.now))


def test_a_sound_estate(demo: Any) -> None:
    assert text(demo) == (
        "\n"
        "Estate demo\n"
        "\n"
        "  host   role        site    overlay address       state  last report  handshake\n"
        "  -----  ----------  ------  --------------------  -----  -----------  ---------\n"
        "  hub1   hub         core    fd7b:4c1e:90a2::1     fresh  12 s ago     52 s ago\n"
        "  gw1    gateway     lyon    fd7b:4c1e:90a2:1::1   fresh  12 s ago     52 s ago\n"
        "  gw2    gateway     lyon    fd7b:4c1e:90a2:1::2   fresh  12 s ago     52 s ago\n"
        "  wrs1   cache       lyon    fd7b:4c1e:90a2:1::a   fresh  12 s ago     52 s ago\n"
        "  desk1  hypervisor  lyon    fd7b:4c1e:90a2:1::14  fresh  12 s ago     52 s ago\n"
        "  tele1  hypervisor  remote  fd7b:4c1e:90a2:2::1   fresh  12 s ago     52 s ago\n"
        "\n"
        "  6 hosts: 6 fresh; 13 tunnels: 13 live, 0 silent"
    )
    assert {colour for _line, colour in table(demo.view, "Estate demo", demo.now)} == {None}


def test_what_needs_a_look_has_a_colour_and_a_reason(demo: Any) -> None:
    demo.report("desk1", state="lost", age=90000)
    del demo.reported["tele1"]
    demo.reported["gw1"]["drift"]["mesh"] = ["The interface lacks a peer."]
    lines = dict(table(demo.view, "Estate demo", demo.now))
    assert lines["  desk1: The last report of desk1 is old."] == "red"
    assert lines["  gw1: The interface lacks a peer."] == "yellow"
    rows = {line.split()[0]: (line.split()[4:], colour) for line, colour in lines.items() if "fd7b" in line}
    assert rows["desk1"] == (["lost", "25", "h", "ago", "25", "h", "ago"], "red")
    assert rows["tele1"] == (["missing", "never", "never"], "yellow")
    assert rows["gw1"][0][:2] == ["fresh,", "drift"]
    assert rows["hub1"][1] is None
    # The teleworker's tunnels live, as their other ends say.
    assert summary(demo.view) == ("6 hosts: 4 fresh, 1 lost, 1 missing (1 with drift); 13 tunnels: 13 live, 0 silent")


def test_before_the_first_report(demo: Any) -> None:
    demo.reported.clear()
    assert text(demo).endswith("6 hosts: 6 missing; no tunnel was reported")


def test_a_report_cannot_control_the_terminal(demo: Any) -> None:
    demo.reported["gw1"]["drift"]["mesh"] = ["\x1b]0;owned\x07\nhub1: all is well"]
    demo.reported["gw1"]["reason"] = "\u202edlrow"
    lines = [line for line, _colour in table(demo.view, "Estate demo", demo.now)]
    assert all(line.isprintable() for line in lines)
    assert "  gw1: \ufffd]0;owned\ufffd\ufffdhub1: all is well" in lines


def test_many_reasons_are_counted(demo: Any) -> None:
    demo.reported["gw1"]["drift"]["mesh"] = [f"Difference {number}." for number in range(30)]
    assert "  and 10 reasons more" in text(demo)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0.9, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_ages(seconds: float, words: str) -> None:
    assert age(seconds) == words
