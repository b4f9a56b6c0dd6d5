#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_rotation
short_description: One step of a rotation of mesh keys, on the controller
version_added: 0.1.0
description:
  - Keeps the state of a rotation in C(trust/rotation.json) and the hosts' statements in C(trust/epochs/), takes one step,
    and says what hosts have to do for the next. Contacts no host.
  - P(bocage.fleet.estate#inventory) and M(bocage.fleet.estate_plan) read both, so that every playbook renders what the
    rotation asks for.
  - Used by C(playbooks/rotate_keys.yml), which gives the steps their order.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  step:
    description:
      - V(begin) takes the operator's O(word). V(stated) keeps statements. V(pairs), V(deliver) and V(agree) are for
        pre-shared keys. V(proofs) and V(moved) are for proofs and what follows from them. V(applied) says that hosts are as
        planned. V(retire) and V(settle) end a rotation.
    type: str
    choices: [begin, stated, pairs, deliver, agree, proofs, moved, applied, retire, settle]
    required: true
  word:
    description: What the operator wants, with O(step=begin).
    type: str
    choices: [start, continue, pause, resume, abort, status]
    default: status
  ends_at:
    description: When hosts that sleep are left behind, for example V(2026-01-31T08:30:00Z).
    type: str
  hours:
    description: The same as hours from the start, where O(ends_at) is not given.
    type: float
    default: 24
  hosts:
    description: Hosts that take part in this step.
    type: list
    elements: str
    default: []
  answers:
    description: By host, what it answered in the step before.
    type: dict
    default: {}
  plans:
    description: By host, its plan from M(bocage.fleet.estate_plan).
    type: dict
    default: {}
  planned:
    description:
      - The phase in which the plan was made that the run applied, RV(bocage.fleet.estate_plan#module:rotation_phase).
      - The steps V(applied) and V(retire) need it, and end the run where somebody else gave the rotation up meanwhile.
    type: str
    choices: [rotating, paused, aborting, retiring, undoing, settled]
"""

EXAMPLES = r"""
- name: Begin
  bocage.fleet.mesh_rotation:
    step: begin
    word: start
    hours: 24
  run_once: true
"""

RETURN = r"""
message:
  description: How the rotation stands, in one sentence.
  type: str
  returned: success
mode:
  description: What the run is to do, V(rotate), V(join) (hosts that were left behind), V(end) (what is left of it), V(back)
    or V(stop).
  type: str
  returned: with O(step=begin)
epoch:
  description: The new epoch.
  type: int
  returned: with O(step=begin) and O(step=pairs)
hosts:
  description: By host, what it has to do next.
  type: dict
  returned: with O(step=pairs), O(step=deliver) and O(step=proofs)
go:
  description: Whether the other epoch may be taken away.
  type: bool
  returned: with O(step=retire)
"""
