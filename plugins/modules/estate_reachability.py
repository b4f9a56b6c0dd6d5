#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: estate_reachability
short_description: Show who reaches what in the whole estate, as planned
version_added: 0.1.0
description:
  - Prints a line for each tenant and one for each LAN, from the inventory alone. No host is contacted.
  - With O(changes), prints what a run would change, too, a line for each gain and loss with the hosts that it is on.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  changes:
    description: By host, the lines that M(bocage.fleet.nft_ruleset) returned as C(reachability).
    type: dict
  machines:
    description: Machines to tell the access of each pair of, with C(name), C(addresses) and, for one that is not managed,
      C(lan_of) (a site). For proofs; an estate has too many pairs to tell them all.
    type: list
    elements: dict
    default: []
  assume_enrolled:
    description: Whether hosts that are not enrolled count as if they were.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show who reaches what
  bocage.fleet.estate_reachability:
"""

RETURN = r"""
tenants:
  description: By tenant, C(sites), C(hosts), C(shared_hubs) and C(lans) with the sites that enter each and the gateways.
  type: list
  elements: dict
  returned: success
pairs:
  description: For each pair of O(machines) and address, C(source), C(target), C(address) and C(reach), which is
    everything, services, ping, nothing or neighbours (on one LAN, where no plan decides).
  type: list
  elements: dict
  returned: success
"""
