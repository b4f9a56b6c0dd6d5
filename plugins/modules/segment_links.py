#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: segment_links
short_description: All layer 2 segments of a host in one call
version_added: 0.1.0
description:
  - Makes for each segment a VXLAN interface with a static list of ends, its bridge on a hypervisor, and the rules that
    keep frames sane. Writes the files from which C(bocage-segments.service) makes them at each boot, and applies only
    the difference to what is live, so that a segment which did not change keeps what it learned.
  - On a gateway, a bridge takes the place of the LAN interface, with its name and all its addresses. That change is made
    with a timer that takes it back; the controller then opens a B(new) connection to confirm it. A bridge that is
    there already is used as it is.
  - The port of a gateway is left closed. The elector of the role C(segments) opens it on one gateway.
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
  segments:
    description: All segments of the host, from M(bocage.fleet.estate_plan); others are removed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name for messages.
        type: str
        required: true
      site:
        description: Whose LAN it is.
        type: str
      id:
        description: VXLAN network identifier.
        type: int
        required: true
      kind:
        description: What this host is for the segment.
        type: str
        choices: [gateway, hypervisor]
        required: true
      port:
        description: Name of the VXLAN interface.
        type: str
        required: true
      bridge:
        description: Name of the bridge on a hypervisor.
        type: str
      lan_interface:
        description: Interface on the LAN on a gateway; O(lan_interface) when it is left out.
        type: str
      lan_port:
        description: What that interface is called as a port of the bridge.
        type: str
      local:
        description: Overlay address of this host.
        type: str
        required: true
      ends:
        description: Overlay addresses that get unknown, broadcast and multicast frames.
        type: list
        elements: str
        required: true
      mtu:
        description: Of the segment and its guests, in bytes.
        type: int
        required: true
      port_mtu:
        description: Of the VXLAN interface; O(segments[].mtu) when it is left out.
        type: int
      storm_frames_per_second:
        description: How many broadcast and multicast frames pass in each direction.
        type: int
        default: 500
      largest_tcp:
        description: By C(ip) and C(ip6) the largest TCP segment that fits.
        type: dict
        default: {}
      marked_ports:
        description: Ports by which a class of traffic knows packets of guests that have no DSCP of their own.
        type: list
        elements: dict
        default: []
        suboptions:
          dscp:
            description: What the header of VXLAN gets, as in V(ef).
            type: str
            required: true
          ports:
            description: Ports at either end, as in V(udp/16384-32767).
            type: list
            elements: str
            required: true
      rank:
        description: Place among the gateways of the segment; for the elector.
        type: int
      peers:
        description: Overlay addresses of the other gateways by name.
        type: dict
        default: {}
      overlay_targets:
        description: Overlay addresses that the elector asks; not used here.
        type: list
        elements: str
        default: []
      lan_targets:
        description: Addresses on the LAN that the elector asks; not used here.
        type: list
        elements: str
        default: []
  lan_interface:
    description: Interface on the LAN of a gateway.
    type: str
  elector_port:
    description: UDP port on which electors hear each other over the overlay.
    type: int
    default: 14789
  directory:
    description: Folder for the files.
    type: path
    default: /etc/bocage/segments
  confirm_seconds:
    description: After how long an unconfirmed change of a LAN interface is taken back. V(0) for a change without a way back.
    type: int
    default: 30
  phase:
    description: Used between the controller's half and the host's half of this module.
    type: str
    choices: [apply, confirm]
    default: apply
requirements:
  - ip and bridge (Debian package iproute2)
  - nft (Debian package nftables)
"""

EXAMPLES = r"""
- name: Make the segments of this host
  bocage.fleet.segment_links:
    segments: "{{ __estate_plan.hosts[inventory_hostname].segments }}"
    lan_interface: "{{ gateway_lan_interface | default(omit) }}"
"""

RETURN = r"""
actions:
  description: What was done or, in check mode, would be done, in words and in order.
  type: list
  elements: str
  returned: success
  sample: ["make vx1001"]
lan_ports:
  description: On a gateway, by the identifier of a segment, the port of its bridge that leads to the LAN.
  type: dict
  returned: success
  sample: {"1001": "lan1001"}
token:
  description: Not empty while a change of a LAN interface waits for its confirmation.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._segments.apply import ensure

ARGUMENTS = {
    "segments": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "site": {"type": "str"},
            "id": {"type": "int", "required": True},
            "kind": {"type": "str", "choices": ["gateway", "hypervisor"], "required": True},
            "port": {"type": "str", "required": True},
            "bridge": {"type": "str"},
            "lan_interface": {"type": "str"},
            "lan_port": {"type": "str"},
            "local": {"type": "str", "required": True},
            "ends": {"type": "list", "elements": "str", "required": True},
            "mtu": {"type": "int", "required": True},
            "port_mtu": {"type": "int"},
            "storm_frames_per_second": {"type": "int", "default": 500},
            "largest_tcp": {"type": "dict", "default": {}},
            "marked_ports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "dscp": {"type": "str", "required": True},
                    "ports": {"type": "list", "elements": "str", "required": True},
                },
            },
            "rank": {"type": "int"},
            "peers": {"type": "dict", "default": {}},
            "overlay_targets": {"type": "list", "elements": "str", "default": []},
            "lan_targets": {"type": "list", "elements": "str", "default": []},
        },
    },
    "lan_interface": {"type": "str"},
    "elector_port": {"type": "int", "default": 14789},
    "directory": {"type": "path", "default": "/etc/bocage/segments"},
    "confirm_seconds": {"type": "int", "default": 30},
    "phase": {"type": "str", "choices": ["apply", "confirm"], "default": "apply"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        module.exit_json(**ensure(module.params, run, module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
