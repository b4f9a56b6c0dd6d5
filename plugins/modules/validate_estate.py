#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_estate
short_description: Check the whole inventory before anything is touched
version_added: 0.1.0
description:
  - Reads the desired variables of all hosts in group C(managed) from the inventory and says everything that is
    wrong with them at once, one sentence each, with the file and line or the host.
  - Finds unknown and misspelt variables, values of a wrong type or that are not a valid choice, missing or unknown
    tenants and sites, overlapping prefixes, duplicate addresses and indexes, gateways without a LAN and sites that
    nobody serves.
  - Needs no facts and contacts no host. It runs once, whatever C(--limit) says, and always looks at all hosts.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - action_common_attributes
  - action_common_attributes.conn
  - action_common_attributes.flow
  - bocage.fleet.attributes
attributes:
  action:
    support: full
  async:
    support: none
  become:
    support: none
  bypass_host_loop:
    support: full
  check_mode:
    support: full
  connection:
    support: none
  delegation:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: all
options:
  allowed_variables:
    description:
      - Names of variables that operators use for purposes of their own although they look like ours;
        patterns such as V(host_contact_*) work.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the whole inventory before anything is touched
  hosts: managed
  gather_facts: false
  tasks:
    - name: Say everything that is wrong with it
      bocage.fleet.validate_estate:
        allowed_variables:
          - host_contact
"""

RETURN = r"""
findings:
  description: What is wrong, one sentence each. Empty when the inventory is sound.
  returned: always
  type: list
  elements: str
  sample:
    - "inventories/example/hosts.yml:31: Hosts gw1 and gw2 have the same host_index 1 in site lyon."
"""
