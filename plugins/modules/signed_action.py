#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: signed_action
short_description: Ask hosts to do something now, signed
version_added: 0.1.0
description:
  - Signs actions with an operator's key, hands them to the registry, which only relays them, and follows them by the
    reports of the hosts until each has answered. No connection to a host is made, and nothing listens there.
  - Hosts do what they are asked when the key is pinned on them, when it has O(role), when the role has O(verb), and
    when the action is not older than a minute; each action once.
  - A host that does not answer is told apart from one that says no. Whoever keeps the registry can hold an action or a
    report back; that shows as C(withheld) or C(silent), and is all that can be done there.
  - Runs on the controller alone, once for all hosts of a play.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Nothing is signed or sent.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each run is a word of its own.
options:
  verb:
    description: What is asked for, as C(update), C(upgrade), C(install), C(remove), C(report) or C(audit).
    type: str
    required: true
  packages:
    description: Packages, with V(install), V(remove) and V(forget) at least one; with V(audit) all when it is left out.
    type: list
    elements: str
    default: []
  role:
    description: Role in which the operator asks, as the option C(agent_action_roles) of the role C(agent) has them.
    type: str
    default: operator
  hosts:
    description: Whom to ask, by their names in the inventory. All must be enrolled.
    type: list
    elements: str
    required: true
  key_file:
    description: The operator's private key, an Ed25519 key in PKCS#8 PEM that others cannot read.
    type: path
    required: true
  key_passphrase:
    description: Its passphrase, if it has one.
    type: str
  inventory_file:
    description: The file of the inventory plugin P(bocage.fleet.estate#inventory), which says how to reach the registry.
    type: path
    required: true
  batch_size:
    description: How many hosts are asked at a time, V(500) at most; the next ones when these have answered.
    type: int
    default: 100
  valid_seconds:
    description: How long each action counts, V(60) at most.
    type: int
    default: 60
  patience_seconds:
    description: How long after the end of an action the report of a host may take to come.
    type: int
    default: 60
  busy_seconds:
    description:
      - How long after that a host that said that it has begun is waited for. Without it, as long as the verb may take at most,
        which are two hours for an upgrade.
    type: int
  wait_for:
    description: When a host has answered; with V(accepted), when it has begun.
    type: str
    choices: [sent, accepted, finished]
    default: finished
  allowed_failures:
    description: With more hosts than these that failed, refused or kept silent, no further batch is asked and the task
      fails.
    type: int
    default: 0
seealso:
  - module: bocage.fleet.trust_root
requirements:
  - cryptography
  - httpx
  - securesystemslib
"""

EXAMPLES = r"""
- name: Upgrade the packages of the desktops, twenty at a time
  bocage.fleet.signed_action:
    verb: upgrade
    hosts: "{{ groups['desktops'] }}"
    batch_size: 20
    key_file: ~/.config/bocage/acme/actions/anna.key
    inventory_file: "{{ inventory_dir }}/reported.estate.yml"
"""

RETURN = r"""
message:
  description: How it ended, in one sentence.
  type: str
  returned: success
  sample: "upgrade: 12 hosts: 11 done, 1 silent."
hosts:
  description: By host C(state) (C(done), C(failed), C(refused), C(silent), C(withheld), C(untrusted), C(unknown); or
    C(waiting), C(accepted), C(running) where it was not waited for) and C(result), what the host said.
  type: dict
  returned: success
  sample: {desk7: {state: done, result: 3 packages were upgraded.}}
nonces:
  description: The names of the actions, one for each batch.
  type: list
  elements: str
  returned: success
  sample: [5f8c8a4b1d0e4f0f9a3c2b1a0f9e8d7c]
"""
