# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: freshness of the reported state, as results of a proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: state_proofs
short_description: Freshness of the reported state of hosts, as results of a proof
version_added: 0.1.0
description:
  - Makes one result a host in the form of M(bocage.fleet.probe), which passes where the inventory has the host in group C(state_fresh).
author:
  - The Bocage maintainers (@bocage-fleet)
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  groups:
    description: The groups of the inventory.
    type: dict
    required: true
positional: groups
"""

EXAMPLES = r"""
results: "{{ groups['managed'] | bocage.fleet.state_proofs(groups) }}"
"""

RETURN = r"""
_value:
  description: The results.
  type: list
  elements: dict
"""


def state_proofs(hosts: Iterable[str], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    states = {name: set(members) for name, members in groups.items() if name.startswith("state_")}
    results = []
    for host in hosts:
        found = sorted(name for name, members in states.items() if host in members)
        results.append(
            {
                "proof": "state",
                "kind": "report",
                "target": host,
                "about": f"{host} reported",
                "reach": True,
                "reached": found == ["state_fresh"],
                "passed": found == ["state_fresh"],
                "reason": f"it is in {', '.join(found)}" if found else "the inventory has no state of it",
                "seconds": 0.0,
            }
        )
    return results


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"state_proofs": state_proofs}
