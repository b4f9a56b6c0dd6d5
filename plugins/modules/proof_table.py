#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proof_table
short_description: Print the proofs of an estate as a table
version_added: 0.1.0
description:
  - Prints one line a proof with how many probes passed, names every probe that failed, and fails where one did.
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
  results:
    description: Results of M(bocage.fleet.probe), of all hosts.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what was proved
  bocage.fleet.proof_table:
    results: "{{ ansible_play_hosts | map('extract', hostvars, ['__probe', 'results']) | flatten }}"
  run_once: true
"""

RETURN = r"""
proofs:
  description: One entry a proof, with C(proof), C(passed), C(total) and C(slowest_seconds).
  type: list
  elements: dict
  returned: success
"""
