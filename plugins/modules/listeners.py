#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: listeners
short_description: List what listens on a host, and where
version_added: 0.1.0
description:
  - Reads the listening TCP and UDP sockets of a host and tells which of them are open on other interfaces than the allowed ones. Changes nothing.
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
  host:
    description: Name of the host, for the sentences.
    type: str
    default: this host
  allowed_interfaces:
    description: Interfaces on whose addresses anything may listen.
    type: list
    elements: str
    default: [lo]
  allowed_ports:
    description: Ports that may be open everywhere.
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: Transport protocol.
        type: str
        choices: [tcp, udp]
        required: true
      port:
        description: Port number.
        type: int
        required: true
  allowed_udp_ports:
    description: More UDP ports that may be open everywhere.
    type: list
    elements: int
    default: []
  allowed_processes:
    description: Names of processes that may have any port open, such as one that only sends from it.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Nothing but the mesh port and SSH is open outside the overlay
  bocage.fleet.listeners:
    allowed_interfaces: [lo, bocage0]
    allowed_ports:
      - {protocol: udp, port: 51820}
      - {protocol: tcp, port: 22}
"""

RETURN = r"""
results:
  description: One entry a socket in the form of M(bocage.fleet.probe), which passes where the socket may be there.
  type: list
  elements: dict
  returned: success
"""

import ipaddress
import json

from ansible.module_utils.basic import AnsibleModule


def sockets(text: str) -> list[tuple[str, str, str | None, int, str]]:
    """``(protocol, address, interface, port, process)`` of each line of ``ss -H -l -n -t -u -p`` (ss(8))."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 5:
            continue
        address, _separator, port = fields[4].rpartition(":")
        # the interface stands outside of the brackets
        address, _percent, interface = address.partition("%")
        address = address.strip("[]")
        process = fields[6].split('"')[1] if len(fields) > 6 and '"' in fields[6] else "?"
        found.append((fields[0], "::" if address == "*" else address, interface or None, int(port), process))
    return found


def judge(
    host: str, found: list, addresses: dict[str, str], allowed_interfaces: list[str], allowed_ports: set
) -> list[dict]:
    """Results of the sockets; ``addresses`` maps an address to its interface."""
    results = []
    for protocol, address, interface, port, process in found:
        parsed = ipaddress.ip_address(address)
        # IPv4 on a socket of both families
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        own = interface or addresses.get(str(parsed))
        inside = own in allowed_interfaces or parsed.is_loopback
        passed = inside or (protocol, port) in allowed_ports
        results.append(
            {
                "proof": "listeners",
                "kind": protocol,
                "target": f"{address} port {port}",
                "about": f"{process} of {host} listens",
                "reach": False,
                "reached": not inside,
                "passed": passed,
                "reason": "" if passed else "is open outside overlay and loopback",
                "seconds": 0.0,
            }
        )
    return results


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "this host"},
            "allowed_interfaces": {"type": "list", "elements": "str", "default": ["lo"]},
            "allowed_ports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "required": True},
                    "port": {"type": "int", "required": True},
                },
            },
            "allowed_udp_ports": {"type": "list", "elements": "int", "default": []},
            "allowed_processes": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    _status, listening, _error = module.run_command(["ss", "-H", "-l", "-n", "-t", "-u", "-p"], check_rc=True)
    _status, shown, _error = module.run_command(["ip", "-json", "address", "show"], check_rc=True)
    addresses: dict[str, str] = {}
    for link in json.loads(shown):
        for address in link.get("addr_info", []):
            # an overlay address is on the main interface and on the links beside it
            if addresses.get(address["local"]) not in module.params["allowed_interfaces"]:
                addresses[address["local"]] = link["ifname"]
    allowed = {(one["protocol"], one["port"]) for one in module.params["allowed_ports"]}
    allowed |= {("udp", port) for port in module.params["allowed_udp_ports"]}
    found = [one for one in sockets(listening) if one[4] not in module.params["allowed_processes"]]
    results = judge(module.params["host"], found, addresses, module.params["allowed_interfaces"], allowed)
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
