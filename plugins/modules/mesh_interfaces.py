#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_interfaces
short_description: All WireGuard interfaces of a host in one call
version_added: 0.1.0
description:
  - Writes the files from which C(bocage-mesh@NAME.service) brings each interface up at each boot, and applies only the difference to live ones.
  - Peers that did not change keep their sessions; nothing restarts an interface to change a peer.
  - New interfaces come first, and those that are no longer wanted go last. The private keys stay.
  - A change is made with a timer that takes it back. The controller then opens a B(new) connection to confirm it;
    where that fails, the host returns to what it had, without interrupting sessions that the change did not touch,
    and the task says so. A boot before the confirmation reverts, too.
  - Uses the kernel's WireGuard where it exists, and wireguard-go under systemd elsewhere.
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
  interfaces:
    description: All interfaces of the overlay that the host should have; others whose files are in O(configuration_directory) are removed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the interface, at most 15 characters.
        type: str
        required: true
      private_key_file:
        description: File on the host with the private key, as M(bocage.fleet.mesh_key) makes it.
        type: path
        default: /etc/bocage/mesh/private.key
      listen_port:
        description: UDP port.
        type: int
        default: 51820
      mtu:
        description: Largest packet inside the tunnel, in bytes.
        type: int
        default: 1420
      addresses:
        description: Overlay addresses with prefix length.
        type: list
        elements: str
        default: []
      routes:
        description: Routes into the interface.
        type: list
        elements: dict
        default: []
        suboptions:
          prefix:
            description: Destination.
            type: str
            required: true
          source:
            description: Source address to use for it, or none where the host has no address of that family.
            type: str
          metric:
            description: Metric of the route, or none for the usual one of its family.
            type: int
          table:
            description: Number of the routing table, or none for the main one.
            type: int
      peers:
        description: All peers of the interface; others are removed.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name for comments and messages.
            type: str
          public_key:
            description: Public key in base64.
            type: str
            required: true
          endpoint:
            description: Address and port, or none where only the peer can begin.
            type: str
          allowed_ips:
            description: Prefixes that belong to this peer and to no other of the interface.
            type: list
            elements: str
            required: true
          keepalive_seconds:
            description: Interval of persistent keepalive; V(0) is off.
            type: int
            default: 0
          preshared_key_file:
            description: File on the host with the pre-shared key of the pair, as M(bocage.fleet.mesh_psk) keeps it. A peer whose file is
              not there is left out.
            type: path
  configuration_directory:
    description: Folder for the files of the interfaces.
    type: path
    default: /etc/bocage/mesh
  backend:
    description:
      - V(auto) probes by making a link, and chooses the kernel where that works.
      - A running interface keeps its backend under V(auto).
    type: str
    choices: [auto, kernel, userspace]
    default: auto
  confirm_seconds:
    description: After how long an unconfirmed change is taken back; with V(0) a change is kept without being confirmed.
    type: int
    default: 30
  phase:
    description: Used between the controller's half and the host's half of this module.
    type: str
    choices: [apply, confirm]
    default: apply
  token:
    description: Names the change to confirm; used between the two halves of this module.
    type: str
requirements:
  - wg (Debian package wireguard-tools)
"""

EXAMPLES = r"""
- name: Join the overlay
  bocage.fleet.mesh_interfaces:
    interfaces:
      - name: bocage0
        addresses: ["fd7b:4c1e:90a2:2::1/128"]
        routes:
          - prefix: fd7b:4c1e:90a2::/48
            source: fd7b:4c1e:90a2:2::1
        peers:
          - name: hub1
            public_key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
            endpoint: 198.51.100.10:51820
            allowed_ips: ["fd7b:4c1e:90a2::/48"]
            keepalive_seconds: 25

- name: Leave the overlay
  bocage.fleet.mesh_interfaces:
    interfaces: []
"""

RETURN = r"""
actions:
  description: What was done to the live interfaces, in words and in order.
  type: list
  elements: str
  returned: success
  sample: ["bocage0: set 1 peers"]
interfaces:
  description: By name, the backend of each wanted interface, V(kernel), V(userspace), or V(auto) where check mode could not know.
  type: dict
  returned: success
removed:
  description: Names of the interfaces that were removed.
  type: list
  elements: str
  returned: success
token:
  description: Names the change that waits for confirmation; empty where nothing waits.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.apply import confirm_interfaces, ensure_interfaces

ARGUMENTS = {
    "interfaces": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "private_key_file": {"type": "path", "default": "/etc/bocage/mesh/private.key", "no_log": False},
            "listen_port": {"type": "int", "default": 51820},
            "mtu": {"type": "int", "default": 1420},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "routes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "prefix": {"type": "str", "required": True},
                    "source": {"type": "str"},
                    "metric": {"type": "int"},
                    "table": {"type": "int"},
                },
            },
            "peers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str"},
                    "public_key": {"type": "str", "required": True, "no_log": False},
                    "endpoint": {"type": "str"},
                    "allowed_ips": {"type": "list", "elements": "str", "required": True},
                    "keepalive_seconds": {"type": "int", "default": 0},
                    "preshared_key_file": {"type": "path", "no_log": False},
                },
            },
        },
    },
    "configuration_directory": {"type": "path", "default": "/etc/bocage/mesh"},
    "backend": {"type": "str", "choices": ["auto", "kernel", "userspace"], "default": "auto"},
    "confirm_seconds": {"type": "int", "default": 30},
    "phase": {"type": "str", "choices": ["apply", "confirm"], "default": "apply"},
    "token": {"type": "str", "no_log": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        if module.params["phase"] == "confirm":
            confirm_interfaces(module.params, run)
            module.exit_json(changed=True)
        module.exit_json(**ensure_interfaces(module.params, run, module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
