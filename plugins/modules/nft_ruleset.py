#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_ruleset
short_description: The firewall of one host from its policy, taken back unless a new connection confirms it
version_added: 0.1.0
description:
  - Renders one nftables table of Bocage's own from a policy with default deny, checks it with C(nft --check), and
    loads it in one transaction. The rules of others are never touched.
  - A change is loaded with a timer that takes it back. The controller then opens a B(new) connection to confirm it;
    where that fails, the host returns to what it had, and the task says so. A reboot before the confirmation
    reverts, too.
  - A table that somebody altered on the host is repaired.
  - Who gains and who loses access by a change is said in words before it is loaded, and in check mode.
  - Files C(site.d/*.nft) in O(directory) are a site's own rules and are kept by every run. They hold chains and sets as
    inside of a table. Their chains begin with C(site_); rules of C(site_input) and C(site_forward) are asked before ours
    accept anything that begins. They are checked with the rest, and one that is wrong is named and changes nothing.
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
  mesh_interface:
    description: The overlay's interfaces, a name or, with an asterisk at its end, what all their names begin with.
    type: str
    default: bocage*
  mesh_ports:
    description: UDP ports of the overlay, open to everyone.
    type: list
    elements: int
    default: [51820]
  management_prefixes:
    description:
      - From where SSH is accepted.
      - A prefix inside O(overlay_sources) is accepted from the overlay alone, any other from everywhere but the overlay.
    type: list
    elements: str
    required: true
  overlay_sources:
    description: Overlay prefixes from which packets are accepted.
    type: list
    elements: str
    required: true
  services:
    description: Ports that roles of this host open.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name for the comment.
        type: str
        required: true
      protocol:
        description: Transport protocol.
        type: str
        choices: [tcp, udp]
        required: true
      port:
        description: Port number.
        type: int
        required: true
      source:
        description: Who may reach it.
        type: str
        choices: [overlay, management, lan, anywhere]
        default: overlay
  relays:
    description: Sets of prefixes that a hub forwards among themselves.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Tenant.
        type: str
        required: true
      prefixes:
        description: Overlay prefixes.
        type: list
        elements: str
        required: true
      destinations:
        description: Prefixes of LANs that may be reached from there, too.
        type: list
        elements: str
        default: []
  exits:
    description: What a gateway lets from the overlay into its LAN.
    type: dict
    suboptions:
      sources:
        description: Overlay prefixes.
        type: list
        elements: str
        required: true
      destinations:
        description: Prefixes of the LAN.
        type: list
        elements: str
        required: true
      lan_translation:
        description: Prefixes of the LAN, each with the one of the same length by which the overlay knows it. The gateway
          translates between the two, address by address.
        type: dict
        default: {}
  lan_interface:
    description: Interface on the site's LAN, required with O(exits).
    type: str
  translation:
    description: What the LAN sees of IPv4, the gateway's own address, the first one of O(floating_addresses), or the overlay's.
    type: str
    choices: [masquerade, floating, none]
    default: masquerade
  translation_ipv6:
    description: What the LAN sees of IPv6, as with O(translation).
    type: str
    choices: [masquerade, floating, none]
    default: masquerade
  floating_addresses:
    description: Addresses on the LAN that another gateway takes over.
    type: list
    elements: str
    default: []
  sibling_addresses:
    description: Addresses on the LAN of the other gateways of the site, with whom floating addresses are agreed on (VRRP).
    type: list
    elements: str
    default: []
  sibling_interfaces:
    description: Interfaces of the overlay by which the other gateways of the site come.
    type: list
    elements: str
    default: []
  untracked_ports:
    description: UDP ports that make no connections in the kernel's table.
    type: list
    elements: int
    default: []
  helpers:
    description: Protocols that name addresses inside their packets, which the gateway follows on their way into the LAN
      and translates there, too.
    type: list
    elements: str
    choices: [sip, h323]
    default: []
  directory:
    description: Folder for the ruleset.
    type: path
    default: /etc/bocage/nftables
  confirm_seconds:
    description: After how long an unconfirmed change is taken back.
    type: int
    default: 30
  phase:
    description: Used between the controller's half and the host's half of this module.
    type: str
    choices: [plan, apply, confirm]
    default: apply
  token:
    description: Names the change to confirm; used between the two halves of this module.
    type: str
"""

EXAMPLES = r"""
- name: Default deny, SSH from the operators, DNS for the overlay
  bocage.fleet.nft_ruleset:
    management_prefixes: [198.51.100.0/28]
    overlay_sources: ["fd7b:4c1e:90a2::/48"]
    services:
      - name: names
        protocol: udp
        port: 53
"""

RETURN = r"""
ruleset:
  description: The file for C(nft -f).
  type: str
  returned: success
reachability:
  description: Who gains and who loses access, a line each.
  type: list
  elements: str
  returned: changed
  sample: [acme remote gain 198.18.1.0/24]
token:
  description: Names the change that waits for confirmation; empty where nothing changed.
  type: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.commands import Run
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.additions import read_additions
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.confirm import (
    Paths,
    apply_pending,
    check,
    clear_way_back,
    confirm,
    differs,
    live_digest,
    read_state,
)
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.ruleset import policy_from, render

ARGUMENTS = {
    "mesh_interface": {"type": "str", "default": "bocage*"},
    "mesh_ports": {"type": "list", "elements": "int", "default": [51820]},
    "management_prefixes": {"type": "list", "elements": "str", "required": True},
    "overlay_sources": {"type": "list", "elements": "str", "required": True},
    "services": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "required": True},
            "port": {"type": "int", "required": True},
            "source": {"type": "str", "choices": ["overlay", "management", "lan", "anywhere"], "default": "overlay"},
        },
    },
    "relays": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "prefixes": {"type": "list", "elements": "str", "required": True},
            "destinations": {"type": "list", "elements": "str", "default": []},
        },
    },
    "exits": {
        "type": "dict",
        "options": {
            "sources": {"type": "list", "elements": "str", "required": True},
            "destinations": {"type": "list", "elements": "str", "required": True},
            "lan_translation": {"type": "dict", "default": {}},
        },
    },
    "lan_interface": {"type": "str"},
    "translation": {"type": "str", "choices": ["masquerade", "floating", "none"], "default": "masquerade"},
    "translation_ipv6": {"type": "str", "choices": ["masquerade", "floating", "none"], "default": "masquerade"},
    "floating_addresses": {"type": "list", "elements": "str", "default": []},
    "sibling_addresses": {"type": "list", "elements": "str", "default": []},
    "sibling_interfaces": {"type": "list", "elements": "str", "default": []},
    "untracked_ports": {"type": "list", "elements": "int", "default": []},
    "helpers": {"type": "list", "elements": "str", "choices": ["sip", "h323"], "default": []},
    "directory": {"type": "path", "default": "/etc/bocage/nftables"},
    "confirm_seconds": {"type": "int", "default": 30},
    "phase": {"type": "str", "choices": ["plan", "apply", "confirm"], "default": "apply"},
    "token": {"type": "str", "no_log": False},
}


def apply_phase(module: AnsibleModule, paths: Paths, run: Run) -> dict:
    additions = read_additions(paths.additions)
    ruleset = render(policy_from(module.params), additions)
    result = {"changed": differs(paths, ruleset, run), "ruleset": ruleset, "token": ""}
    if not result["changed"]:
        if not module.check_mode:
            clear_way_back(paths)
            paths.additions.mkdir(exist_ok=True)
        return result
    check(paths, ruleset, additions, run)
    before = paths.active.read_text() if paths.active.exists() else ""
    altered = before == ruleset and live_digest(run) != read_state(paths).get("live_digest")
    result["diff"] = {
        "before_header": str(paths.active),
        "after_header": str(paths.active),
        "before": before + ("# the live table was altered on the host\n" if altered else ""),
        "after": ruleset,
    }
    if not module.check_mode and module.params["phase"] == "apply":
        paths.additions.mkdir(parents=True, exist_ok=True)
        result["token"] = apply_pending(paths, ruleset, run, module.params["confirm_seconds"])
        if not module.params["confirm_seconds"]:
            confirm(paths, result["token"], run)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    paths = Paths(Path(module.params["directory"]))

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        if module.params["phase"] == "confirm":
            confirm(paths, module.params["token"], run)
            module.exit_json(changed=True)
        module.exit_json(**apply_phase(module, paths, run))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
