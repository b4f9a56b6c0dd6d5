#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: estate_show
short_description: Show the estate as it was reported
version_added: 0.1.0
description:
  - Prints a table of all managed hosts with role, site, overlay address, state, age of the last report and of the
    newest handshake, the epoch of the mesh key in use, and by which gateway they enter the LANs of sites; and one of all
    gateways with their health, the sessions of BFD that are up, how full the table of flows is, and which segments each
    is active for.
  - Draws sites, hosts and tunnels as an SVG picture. A tunnel is drawn where a host reported another enrolled host as
    its peer. It is live where its last handshake was within 3 minutes of the newest report about it, as a session of
    WireGuard ends then. In a large estate the hosts of one role of a site are one card, and the tunnels of a site one
    line with their count.
  - What is wanted comes from the inventory, what is shown as state from C(reported), which
    P(bocage.fleet.estate#inventory) verified. No host is contacted. All hosts are shown, whatever C(--limit) says.
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
    details:
      - The picture has no ages, so that it changes only when what was reported does.
options:
  picture:
    description:
      - File of the picture. A relative path is relative to the playbook; missing folders are made.
      - Without it nothing is drawn.
    type: path
  detail:
    description: V(services) prints no line for each host, but the gateways, and counts of hosts by exit and epoch.
    type: str
    choices: [hosts, services]
    default: hosts
  title:
    description: Title of table and picture. By default C(Estate) and the estate's name.
    type: str
"""

EXAMPLES = r"""
- name: Read the reports again
  ansible.builtin.meta: refresh_inventory

- name: Show the estate
  bocage.fleet.estate_show:
    picture: "{{ playbook_dir }}/../build/estate.svg"
  run_once: true
"""

RETURN = r"""
hosts:
  description:
    - All managed hosts by site and role, with C(name), C(roles), C(site), C(address), C(state), C(reason), C(drift),
      C(reported_at) and C(newest_handshake) (Unix seconds, 0 for never).
    - C(epoch) is that of the mesh key in use, C(live_epochs) are all that have interfaces, C(exits) have C(site) and
      C(gateway). C(gateway) has, of gateways, C(health) (V(healthy), V(unhealthy), V(drained), V(forwards) or
      V(does not forward) where no other one could take over, V(not heard)), C(sessions_up), C(session_count),
      C(flows_percent) and C(segments) with C(name) and C(active).
  type: list
  elements: dict
  returned: success
tunnels:
  description: Reported pairs of hosts, with C(one), C(other) and C(live).
  type: list
  elements: dict
  returned: success
  sample: [{one: gw1, other: hub1, live: true}]
picture:
  description: Where the picture is.
  type: str
  returned: when O(picture) is given
"""
