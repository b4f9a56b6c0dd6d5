#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: estate_plan
short_description: Plan mesh, names, access and segments of hosts from the whole inventory
version_added: 0.1.0
description:
  - Computes on the controller what each host needs to know of the others. No host is contacted and no fact is read,
    so that a run with C(--limit) plans the same for everyone else.
  - Public keys come from C(reported.enrolment), which P(bocage.fleet.estate#inventory) verified.
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
  hosts:
    description: Hosts to plan for.
    type: list
    elements: str
    required: true
  parts:
    description: What to plan. C(listening) and C(probes) are for proofs; the latter are one for each pair of hosts and
      address, so ask for them only to run them.
    type: list
    elements: str
    choices: [mesh, classes, access, names, routing, takeover, segments, listening, probes]
    default: [mesh, classes, access, names, routing, takeover, segments]
  keepalive_seconds:
    description: Interval of persistent keepalive of hosts behind NAT.
    type: int
    default: 25
  pages:
    description: Pages that must open, each with C(from) (a host), C(url) and C(contains) (a text).
    type: list
    elements: dict
    default: []
  outsiders:
    description: Hosts outside the overlay, which must reach none of it.
    type: list
    elements: str
    default: []
  assume_enrolled:
    description: Whether hosts that are not enrolled get a placeholder for their key, so that an estate can be planned
      before it exists. Never apply such a plan.
    type: bool
    default: false
  relayed_pairs:
    description: How many pairs of hosts are listed, from the first by name, that have no tunnel between them and reach each
      other through hubs, which decrypt what they pass on. With V(0) nobody looks for them.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Plan for the hosts of this play
  bocage.fleet.estate_plan:
    hosts: "{{ ansible_play_hosts_all }}"
  register: __estate_plan

- name: Apply what was planned for this host
  bocage.fleet.mesh_interfaces:
    interfaces: "{{ __estate_plan.hosts[inventory_hostname].mesh.links }}"
"""

RETURN = r"""
hosts:
  description: By host, the plans that O(parts) names. These are C(mesh) (addresses, peers and routes of the
    main interface, the links to single gateways and of classes of traffic, sizes of packets), C(classes) (classes of
    traffic and their interfaces), C(access) (prefixes that may come in or pass), C(names) (records and servers),
    C(routing) (sessions with gateways), C(takeover) (what a gateway does for another one), C(segments) (layer 2),
    C(listening) (UDP ports that are open on all addresses) and C(probes) (what a proof tries).
  type: dict
  returned: success
epoch:
  description: Epoch of the mesh keys; while a rotation is under way, that of the hosts which have not moved.
  type: int
  returned: success
rotation_phase:
  description: Phase of the last rotation of mesh keys when the plan was made, or V(none) where there was none.
  type: str
  returned: success
relayed:
  description: Pairs of hosts that reach each other through hubs. C(count) is of all, C(pairs) has the first of them with
    C(one), C(other) and C(hubs) in the order of the way.
  type: dict
  returned: when O(relayed_pairs) is more than 0
  sample: {"count": 1, "pairs": [{"one": "desk1", "other": "tele1", "hubs": ["hub1"]}]}
not_enrolled:
  description: Managed hosts of the inventory without a verified enrolment, which nobody peers with.
  type: list
  elements: str
  returned: success
  sample: [desk7]
"""
