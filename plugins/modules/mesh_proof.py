#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_proof
short_description: Prove that peers answer over certain interfaces of the overlay
version_added: 0.1.0
description:
  - Sends to each peer through one interface, whatever the routes say, until it answers or the time is over, and reads
    whether there was a handshake with its key. Changes nothing.
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
  interfaces:
    description: Interfaces with their peers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the interface.
        type: str
        required: true
      peers:
        description: Peers to prove.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of the peer.
            type: str
            required: true
          public_key:
            description: Its public key.
            type: str
            required: true
          address:
            description: Its IPv6 address in the overlay.
            type: str
            required: true
  timeout_seconds:
    description: How long to wait for peers that do not answer.
    type: float
    default: 10
requirements:
  - wg (Debian package wireguard-tools)
"""

EXAMPLES = r"""
- name: Prove the new epoch
  bocage.fleet.mesh_proof:
    interfaces:
      - name: bocage1
        peers:
          - name: hub1
            public_key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
            address: fd7b:4c1e:90a2::1
  register: __proof
"""

RETURN = r"""
proofs:
  description: By peer, C(handshake) and C(answer).
  type: dict
  returned: success
  sample: {"hub1": {"handshake": true, "answer": true}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.handshakes import Icmpv6Echo, prove

PEER = {
    "name": {"type": "str", "required": True},
    "public_key": {"type": "str", "required": True, "no_log": False},
    "address": {"type": "str", "required": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "interfaces": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "peers": {"type": "list", "elements": "dict", "required": True, "options": PEER},
                },
            },
            "timeout_seconds": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        echo = Icmpv6Echo()
        try:
            proofs = prove(module.params["interfaces"], module.params["timeout_seconds"], run, echo)
        finally:
            echo.close()
        module.exit_json(changed=False, proofs=proofs)
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
