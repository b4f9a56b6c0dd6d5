#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_info
short_description: In which units and groups of a directory hosts are
version_added: 0.1.0
description:
  - Reads all computers and groups of a directory (LDAP) in two searches, in pages, and says for each host in which
    organisational units it lies and of which groups it is a member, also by groups in groups. Changes nothing.
  - Runs on the controller, so it is delegated to it, and is told of all hosts of the estate, so that its answer is the same
    whatever the limit of the run.
  - What the directory says unclearly is in RV(problems), and leaves a host as O(before) has it. A directory that does not
    answer in full is a failure.
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
  url:
    description: Address of the directory, as C(ldaps://NAME) or C(ldap://NAME) with a port where it is another one. Nothing is
      said without TLS; with C(ldap) it begins by StartTLS.
    type: str
    required: true
  ca_file:
    description: Certificate of the authority that signed the directory's. No other is believed.
    type: path
    required: true
  bind_dn:
    description: As whom the directory is asked; anonymously when it is left out.
    type: str
  password_file:
    description: File with the password of O(bind_dn), which others cannot read.
    type: path
  computers_base:
    description: Below which entry the computers are.
    type: str
    required: true
  computers_filter:
    description: Which entries there are computers.
    type: str
    default: (|(objectClass=computer)(objectClass=device))
  computer_attribute:
    description: Which of their attributes has the name by which O(hosts) knows them.
    type: str
    default: cn
  groups_base:
    description: Below which entry the groups are; no groups are read when it is left out.
    type: str
  groups_filter:
    description: Which entries there are groups.
    type: str
    default: (|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))
  group_attribute:
    description: Which of their attributes has the name of the profile.
    type: str
    default: cn
  hosts:
    description: All hosts of the estate, each with its name in the directory.
    type: dict
    required: true
  before:
    description: What RV(hosts) was the last time.
    type: dict
    default: {}
  timeout_seconds:
    description: How long the directory may be silent.
    type: int
    default: 10
  total_seconds:
    description: How long all of it may take.
    type: int
    default: 300
requirements:
  - ldap3
"""

EXAMPLES = r"""
- name: Read where the directory has the hosts
  bocage.fleet.directory_info:
    url: ldap://dc1.acme.example
    ca_file: "{{ inventory_dir }}/trust/directory-ca.pem"
    bind_dn: CN=bocage,OU=Services,DC=acme,DC=example
    password_file: ~/.config/bocage/directory-password
    computers_base: DC=acme,DC=example
    groups_base: OU=Software,DC=acme,DC=example
    hosts: {lyon-desk1: DESK1, lyon-desk2: DESK2}
    before: "{{ directory_hosts | default({}) }}"
  delegate_to: localhost
  run_once: true
  register: __directory
"""

RETURN = r"""
hosts:
  description: By host that is in a unit or a group, its C(units), outermost first, and its C(profiles), by name.
  type: dict
  returned: success
  sample:
    lyon-desk1: {units: ['OU=Lyon,DC=acme,DC=example'], profiles: [Editors]}
problems:
  description: What the directory says unclearly, a sentence for each.
  type: list
  elements: str
  returned: success
  sample: ['Groups are members of one another: Editors, Pilots.']
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._packages import directory, directory_reading
    from ansible_collections.bocage.fleet.plugins.module_utils._packages.ldap_library import MISSING_LIBRARY
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)

ARGUMENT_SPEC = {
    "url": {"type": "str", "required": True},
    "ca_file": {"type": "path", "required": True},
    "bind_dn": {"type": "str"},
    "password_file": {"type": "path", "no_log": False},
    "computers_base": {"type": "str", "required": True},
    "computers_filter": {"type": "str", "default": "(|(objectClass=computer)(objectClass=device))"},
    "computer_attribute": {"type": "str", "default": "cn"},
    "groups_base": {"type": "str"},
    "groups_filter": {
        "type": "str",
        "default": "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
    },
    "group_attribute": {"type": "str", "default": "cn"},
    "hosts": {"type": "dict", "required": True},
    "before": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "int", "default": 10},
    "total_seconds": {"type": "int", "default": 300},
}


def places(options: dict) -> dict:
    for name in ("timeout_seconds", "total_seconds"):
        if options[name] < 1:
            raise BadInput(f"{name} must be at least 1.")
    source = directory_reading.Source(
        url=options["url"],
        ca_file=Path(options["ca_file"]),
        computers_base=options["computers_base"],
        groups_base=options["groups_base"] or "",
        bind_dn=options["bind_dn"] or "",
        password_file=Path(options["password_file"]) if options["password_file"] else None,
        computers_filter=options["computers_filter"],
        groups_filter=options["groups_filter"],
        computer_attribute=options["computer_attribute"],
        group_attribute=options["group_attribute"],
        timeout_seconds=options["timeout_seconds"],
        total_seconds=options["total_seconds"],
    )
    hosts = {str(host): str(name) for host, name in options["hosts"].items()}
    before = directory.read_places(options["before"])
    read = directory_reading.read(source)
    found = directory.plan(hosts, read.computers, read.groups if source.groups_base else None, before)
    return {
        "changed": False,
        "hosts": {host: place.to_plain() for host, place in sorted(found.hosts.items())},
        "problems": [*read.problems, *found.problems],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_by={"password_file": ["bind_dn"]},
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    try:
        module.exit_json(**places(module.params))
    except BocageError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
