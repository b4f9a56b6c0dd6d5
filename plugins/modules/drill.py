#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drill
short_description: Plan a failover drill of a site, or judge one
version_added: 0.1.0
description:
  - With O(state=planned) says who probes whom and which gateway fails in which ways.
  - With O(state=judged) makes of the probes a table, evidence as JSON and a plot, and fails where a takeover took longer
    than O(most_seconds) or a download broke.
  - Runs on the controller alone.
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
  state:
    description: What is wanted.
    type: str
    choices: [planned, judged]
    required: true
  site:
    description: The site whose gateways fail.
    type: str
    required: true
  prober:
    description: The host that probes; without, the first that enters the site's LAN by several gateways.
    type: str
    default: ""
  causes:
    description: Ways to fail, in turn.
    type: list
    elements: str
    default: [wireguard, routing, host, lan, wan, lan_in, lan_out, wan_in, wan_out]
  takeovers:
    description: How many faults.
    type: int
    default: 9
  faults:
    description: Results of M(bocage.fleet.gateway_fault) in order, each with C(cause) and C(gateway).
    type: list
    elements: dict
    default: []
  probe:
    description: The result of M(bocage.fleet.drill_probe).
    type: dict
    default: {}
  most_seconds:
    description: A takeover must take less.
    type: float
    default: 1.0
  directory:
    description: Folder for the evidence; without, none is kept.
    type: path
"""

EXAMPLES = r"""
- name: Plan the drill
  bocage.fleet.drill:
    state: planned
    site: lyon
    takeovers: 20
  register: __drill
"""

RETURN = r"""
prober:
  description: Who probes.
  type: str
  returned: planned
gateway:
  description: Who fails.
  type: str
  returned: planned
targets:
  description: Whom the prober asks.
  type: list
  elements: str
  returned: planned
faults:
  description: The causes in order.
  type: list
  elements: str
  returned: planned
verdict:
  description: Takeovers with their seconds, percentiles, what going back cost, downloads, C(passed) and C(problems).
  type: dict
  returned: judged
"""
