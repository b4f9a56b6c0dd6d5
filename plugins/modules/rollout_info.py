#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Say how rollouts of packages stand
version_added: 0.1.0
description:
  - Reads the rollouts of a repository and what hosts reported of them. Decides and changes nothing.
  - Runs on the controller alone, once for all hosts, and tells of all managed hosts whatever the limit of the run.
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
  exported:
    description: File that C(bocage-package export) wrote on the publisher.
    type: path
    required: true
  trust_directory:
    description: Folder with C(root.json).
    type: path
    required: true
  name:
    description: The rollout that O(between) is about.
    type: str
  between:
    description: Names of two of its rings; RV(differences) then says what their hosts should not have alike.
    type: list
    elements: str
    default: []
seealso:
  - module: bocage.fleet.rollout
requirements:
  - cryptography
  - securesystemslib
  - tuf
"""

EXAMPLES = r"""
- name: Look at the rollouts
  bocage.fleet.rollout_info:
    exported: /run/user/1000/exported.tar
    trust_directory: "{{ inventory_dir }}/trust/packages"
  register: found

- name: Compare two rings
  bocage.fleet.rollout_info:
    exported: /run/user/1000/exported.tar
    trust_directory: "{{ inventory_dir }}/trust/packages"
    name: editor-2
    between: [pilots, rest]
  register: found
"""

RETURN = r"""
rollouts:
  description: By name C(phase) (C(pending), C(running), C(paused), C(stopped), C(rolling_back), C(rolled_back), C(aborted)
    or C(done)), C(ring) that was opened last, C(reason), C(opened_at), C(expires), C(rings) (C(name), C(open), C(hosts),
    how many C(changed), which C(failed) and why, and what it is C(waiting) for), C(changes) in words, and C(history).
  type: dict
  returned: success
differences:
  description: Of each package that differs, its name as C(package) and its version by ring, empty where it should be absent.
  type: list
  elements: dict
  returned: where O(between) names two rings
  sample: [{package: editor, pilots: 2.0-1, rest: 1.0-1}]
"""
