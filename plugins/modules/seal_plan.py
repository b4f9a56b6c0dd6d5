#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: seal_plan
short_description: Digest what each role should make of each host
version_added: 0.1.0
description:
  - Works out on the controller, for each role in a host's C(sealed_roles), the digest of what is desired. It covers the
    files of the role and of those that it imports, the code of this collection that they call, the resolved value of
    every variable of its argument spec, and the inputs that C(roles/<role>/meta/seal.yml) declares.
  - Digests are keyed with a key derived from O(key_file), because values may be secrets. No host is contacted.
  - Runs once for all hosts of the play.
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
  key_file:
    description: The controller's seal key. Where it does not exist nothing is sealed and every role runs.
    type: path
    required: true
  variables_file:
    description: File of variables that the plays hand to roles, as in their C(vars_files), below C(vars).
    type: path
  converge:
    description:
      - With V(changed), RV(contact) holds only hosts whose last report does not say that all is as desired. These are
        hosts with another digest, with a seal that is broken, old or missing, and with a state that is not fresh.
    type: str
    choices: [all, changed]
    default: all
  max_age_days:
    description: How old a seal may be; each host has a limit of its own up to a quarter below it. 0 for any age.
    type: int
    default: 7
  roles:
    description: Only these of the roles of each host; all of them when left out.
    type: list
    elements: str
    default: []
  role_folders:
    description:
      - Folders with further roles that C(sealed_roles) may name, beside those of this collection. They are digested and
        recorded in the same way; a role that has the name of one of this collection is never taken from here.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Digest what each role should make of each host
  bocage.fleet.seal_plan:
    hosts: "{{ ansible_play_hosts_all }}"
    key_file: "{{ trust_secret_directory }}/seal.key"
    variables_file: roles.yml
  run_once: true
  register: __seal_plan
"""

RETURN = r"""
hosts:
  description: By host and role, the digest C(base), the digests of its C(parts) and the names of the C(facts) it needs,
    for the hosts in RV(contact).
  type: dict
  returned: success
content:
  description: By role, the digests of its content, which are the same for all hosts.
  type: dict
  returned: success
contact:
  description: Hosts that have to be asked.
  type: list
  elements: str
  returned: success
sealing:
  description: Whether seals are made and believed in this run.
  type: bool
  returned: success
reason:
  description: Why not.
  type: str
  returned: success
"""
