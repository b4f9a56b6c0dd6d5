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
  - With O(state=judged) makes of the probes a table, evidence as JSON and a plot, and fails where a takeover or going back
    took O(most_seconds) or longer, a download broke, a fault could not be made, or nothing was measured because no probe
    was lost by a cause that must cost some (all but V(routing)).
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
    description: The site whose gateways fail; without, the one site that has several gateways.
    type: str
    default: ""
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
    description:
      - Results of M(bocage.fleet.gateway_fault) in order, each with C(gateway). One without C(started_at) was not made;
        its C(item) is the cause.
    type: list
    elements: dict
    default: []
  probe:
    description: The result of M(bocage.fleet.drill_probe).
    type: dict
    default: {}
  most_seconds:
    description: A takeover must take less, and so must going back.
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
site:
  description: Whose gateway fails.
  type: str
  returned: planned
prober:
  description: Who probes.
  type: str
  returned: planned
gateway:
  description: Who fails.
  type: str
  returned: planned
mesh_interface:
  description: The main interface of the overlay that it uses at the moment.
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
  description:
    - Takeovers with their seconds, percentiles of those that were noticed, causes that were C(unnoticed), what going back
      cost, downloads, C(passed) and C(problems).
  type: dict
  returned: judged
"""
