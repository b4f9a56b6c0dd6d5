#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seal_check
short_description: Ask a host once whether its seals hold
version_added: 0.1.0
description:
  - One remote command, answered by the agent that is installed on the host, compares all seals of the host with what is
    desired now and with the host as it is, and returns the facts that roles declare as inputs.
  - The host becomes a member of the group C(bocage_converge_<role>) of each role that has to run, and of
    C(bocage_converge) where there is any. What has to run is printed with its reason.
  - A seal that does not hold is dropped on the host, so that an interrupted run leaves none that lies; not in check mode.
  - A host without an agent that knows seals runs everything.
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
  seals:
    description: With V(ignore), every role runs.
    type: str
    choices: [use, ignore]
    default: use
  max_age_days:
    description: How old a seal may be, as in M(bocage.fleet.seal_plan).
    type: int
    default: 7
"""

EXAMPLES = r"""
- name: Ask the host once
  bocage.fleet.seal_check:
    plan: "{{ __seal_plan }}"
  changed_when: false
  register: __seal_check
"""

RETURN = r"""
run:
  description: Roles that have to run.
  type: list
  elements: str
  returned: success
  sample: [mesh]
reasons:
  description: Why, as sentences or parts of them, by role.
  type: dict
  returned: success
  sample: {"mesh": ["variable mesh_mtu changed"]}
facts:
  description: The facts that roles declare as inputs.
  type: dict
  returned: success
  sample: {"kernel": "6.1.0-25-amd64"}
"""
