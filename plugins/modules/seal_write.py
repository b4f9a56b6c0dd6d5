#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seal_write
short_description: Have a host seal the roles that ran on it
version_added: 0.1.0
description:
  - For each role that ran to its end on the host, signs what was desired with O(key_file) and has the agent of the host
    look at everything that the role made true and sign what it sees. One remote command for all roles.
  - What a role made true is what P(bocage.fleet.seal_recorder#callback) recorded from its tasks. A role with a task that
    it does not know, or that failed, is not sealed.
  - Seals nothing in check mode, with C(--start-at-task) and without a key. In a run of some tags, a role some of whose
    own tasks have tags is not sealed.
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
  plan:
    description: What M(bocage.fleet.seal_plan) returned.
    type: dict
    required: true
  facts:
    description: Facts that M(bocage.fleet.seal_check) returned. What is missing is asked for.
    type: dict
    default: {}
  host_id:
    description: The host's identity, from its verified enrolment. Without one nothing is sealed.
    type: str
    default: ""
  key_file:
    description: The controller's seal key; it does not leave the controller.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Seal the roles that ran
  bocage.fleet.seal_write:
    plan: "{{ __seal_plan }}"
    facts: "{{ __seal_check.facts }}"
    host_id: "{{ reported.enrolment.host_id }}"
    key_file: "{{ trust_secret_directory }}/seal.key"
"""

RETURN = r"""
sealed:
  description: Roles that were sealed.
  type: list
  elements: str
  returned: success
refused:
  description: Roles that ran and were not sealed, with the reason.
  type: dict
  returned: success
reason:
  description: Why nothing at all was sealed.
  type: str
  returned: where nothing was sealed
"""
