# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a finding becomes a sentence."""

from __future__ import annotations

from bocage_core._common.findings import Finding, did_you_mean, listed, sentence


def test_names_in_words() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 other"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 others"


def test_suggestions() -> None:
    assert did_you_mean("lyn", ["oslo", "lyon"]) == "; did you mean lyon?"
    assert did_you_mean("paris", ["oslo", "lyon"]) == "."


def test_the_place_stands_in_front_when_it_is_known() -> None:
    finding = Finding("It is wrong.", ("x",), "gw1")
    assert sentence(finding, lambda path, host: "hosts.yml:3" if (path, host) == (("x",), "gw1") else None) == (
        "hosts.yml:3: It is wrong."
    )
    assert sentence(finding, lambda path, host: None) == "It is wrong."


def test_nothing_is_looked_for_when_a_finding_has_no_place() -> None:
    assert sentence(Finding("There is no hub."), lambda path, host: "somewhere") == "There is no hub."
