# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packages of units and groups may be called."""

from __future__ import annotations

import pytest
from bocage_core._packages import kinds

# What an agent of WAPT 1.8.2 (tranquilit/WAPT 4bbf306a, Python 2.7.18) gave as names of its packages for these places.
ASKED_BY_WAPT = [
    ("OU=Desks,DC=acme,DC=example", "unit", "OU=Desks_DC=acme_DC=example"),
    ("OU=Mobile desks,DC=acme,DC=example", "unit", "OU=Mobile~desks_DC=acme_DC=example"),
    ("staff", "profile", "staff"),
    ("Pilot users", "profile", "Pilot~users"),
    ("Équipe_2", "profile", "Équipe_2"),
]


@pytest.mark.parametrize(("place", "kind", "name"), ASKED_BY_WAPT)
def test_one_of_the_names_is_the_one_that_agents_of_wapt_ask_for(place: str, kind: str, name: str) -> None:
    found = kinds.names_of_place(place, kind)
    assert found[0] == place
    assert found[-1] == name and len(found) == len({place, name})


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        # WAPT drops the sign, so that this would be OU=RD
        ("OU=R&D,DC=acme", "unit"),
        ("OU=it's,DC=acme", "unit"),
        ("Research + design", "profile"),
        # WAPT makes an underscore of the comma, so that this would be another group
        ("desks,lyon", "profile"),
        ("OU=a,b", "unit"),
    ],
)
def test_a_place_takes_no_name_that_could_be_that_of_another(place: str, kind: str) -> None:
    assert kinds.names_of_place(place, kind) == [place]


def test_units_of_different_names_are_spelled_differently() -> None:
    values = ["a", "a_b", "a b", "a.b", "OU", "a_OU", "b"]
    places = [f"OU={one},DC=x" for one in values] + [f"OU={one},OU={two},DC=x" for one in values for two in values]
    assert len({kinds.names_of_place(place, "unit")[-1] for place in places}) == len(places)
