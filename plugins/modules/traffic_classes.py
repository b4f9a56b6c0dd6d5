#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_classes
short_description: Shares of the uplink for classes of traffic, told apart outside the tunnel
version_added: 0.1.0
description:
  - Writes what tells packets of a class apart (a table of nftables of its own, the settings of the watcher) and the
    queues of the uplink, and brings what is live to it, in one call. Rules and queues of others are never touched.
  - What the kernel can shape with is found out by trying, in a network namespace of its own. HTB comes first, because
    it keeps the declared shares; with fq_codel inside where there is one. Where there is no HTB, cake shapes with
    its own shares by DSCP. Where there is neither, packets carry their DSCP and nothing is shaped.
  - An uplink that has a queueing discipline of somebody else is refused.
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
  state:
    description: Whether there are classes. Without them all traffic takes the ordinary interfaces.
    type: str
    choices: [present, absent]
    default: present
  classes:
    description: Classes in the order of their priority, of which the last one takes the rest.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the class.
        type: str
        required: true
      number:
        description: Number of the class, as the plan has it; counted here as well.
        type: int
      percent:
        description: Its share of the uplink. The shares of all classes sum to 100.
        type: int
        required: true
      dscp:
        description: Names of the DSCP of inner packets that belong to it. The first is written on outer packets.
        type: list
        elements: str
        default: []
      ports:
        description: Ports of inner packets that belong to it, as in V(udp/16384-32767).
        type: list
        elements: str
        default: []
  interfaces:
    description: Interfaces of the classes, from M(bocage.fleet.estate_plan).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The interface of the class.
        type: str
        required: true
      follows:
        description: The interface that it stands beside.
        type: str
        required: true
      class:
        description: Number of the class.
        type: int
        required: true
      port:
        description: UDP port that it sends from.
        type: int
        required: true
      mark:
        description: Mark of its packets, and number of its table of routes.
        type: int
        required: true
      peers:
        description: Its peers, which are listened for. None is called that calls by itself.
        type: list
        elements: dict
        default: []
        suboptions:
          public_key:
            description: Public key in base64.
            type: str
            required: true
          address:
            description: The peer's own overlay address.
            type: str
            required: true
          calls:
            description: Whether only the peer can begin.
            type: bool
            required: true
  source:
    description: The overlay address with which this host asks its peers whether they hear it.
    type: str
    default: ""
  uplink_interface:
    description: The interface to shape; that of the default route where this is empty.
    type: str
    default: ""
  uplink_kbit:
    description: What the uplink carries, in kbit/s. With 0 nothing is shaped.
    type: int
    default: 0
  directory:
    description: Folder for rules and settings.
    type: path
    default: /etc/bocage/traffic
"""

EXAMPLES = r"""
- name: Voice first
  bocage.fleet.traffic_classes:
    classes:
      - {name: voice, percent: 30, dscp: [ef]}
      - {name: bulk, percent: 70}
    interfaces:
      - name: bocage0v1
        follows: bocage0
        class: 1
        port: 51826
        mark: 185336064
        peers:
          - public_key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
            address: fd7b:4c1e:90a2::1
            calls: false
    source: fd7b:4c1e:90a2:2::1
    uplink_kbit: 20000
"""

RETURN = r"""
actions:
  description: What was done to the live rules and queues or, in check mode, would be done.
  type: list
  elements: str
  returned: success
  sample: [load the rules for outer packets, shape eth0]
shaping:
  description: What shapes the uplink; V(off) where that is not asked for, V(none) where the kernel cannot.
  type: str
  returned: success
  sample: htb+fq_codel
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._traffic.apply import ensure_absent, ensure_present

ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "classes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "number": {"type": "int"},
            "percent": {"type": "int", "required": True},
            "dscp": {"type": "list", "elements": "str", "default": []},
            "ports": {"type": "list", "elements": "str", "default": []},
        },
    },
    "interfaces": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "follows": {"type": "str", "required": True},
            "class": {"type": "int", "required": True},
            "port": {"type": "int", "required": True},
            "mark": {"type": "int", "required": True},
            "peers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "public_key": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "calls": {"type": "bool", "required": True},
                },
            },
        },
    },
    "source": {"type": "str", "default": ""},
    "uplink_interface": {"type": "str", "default": ""},
    "uplink_kbit": {"type": "int", "default": 0},
    "directory": {"type": "path", "default": "/etc/bocage/traffic"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(module.params, run, module.check_mode)
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))
    if result["shaping"] == "none":
        module.warn(
            "The kernel of this host has neither HTB nor cake: classes are marked, but its uplink is not shaped."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
