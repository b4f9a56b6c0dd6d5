#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_sizing
short_description: Size the gateways of sites, with one of them away
version_added: 0.1.0
description:
  - Works out on the controller what the gateways of each site carry, what they need for it and what they have, prints
    it as a table, and fails in one sentence where a site does not hold. No host is contacted.
  - For C(n) connections a gateway needs 1 + C(n)/150 vCPU and 8 + C(n)/150 GB of memory, both rounded up, two network
    interfaces of 1 Gbit/s up to 600 connections and of 10 Gbit/s above, and 50 GB of disk; it carries at most 1,200.
  - A workstation moves 20 MB up and 40 MB down in an hour on average. Times C(traffic_peak_to_mean) of the site (4),
    both directions together must fit the gateway's slowest line.
  - Connections are shared evenly, as hosts choose their gateways by a hash. With C(high_availability) of the site, or
    where nothing is said and it has more than one gateway, the site must hold with any one of them away.
  - What a gateway has is read from its verified report (vCPU and memory) and otherwise from C(gateway_resources). What
    neither says counts as enough and is shown as C(?).
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
  sites:
    description: Sites to size; all that have gateways when left empty.
    type: list
    elements: str
    default: []
  connections:
    description: Connections by site, in the place of those of the inventory, to ask what would be.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Would the gateways of Lyon carry 900 connections?
  bocage.fleet.gateway_sizing:
    sites: [lyon]
    connections:
      lyon: 900
"""

RETURN = r"""
sites:
  description: One entry a site, with C(connections), C(mean_mbit), C(peak_to_mean), C(spare), C(gateways_needed),
    C(problem) (a sentence, or null) and C(gateways). Each of these has C(carries), C(carries_without_one), C(needs),
    C(has), C(capacity) in connections, C(binding) (the resource that allows no more) and C(lacks).
  type: list
  elements: dict
  returned: success
"""
