#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_fault
short_description: Take a gateway away for some seconds, for a drill
version_added: 0.1.0
description:
  - Waits until the gateway does well, makes one fault, waits, and puts everything back.
  - Should this module be interrupted, a timer of systemd puts back what was cut or taken down, O(seconds) and five more
    after the fault began. A process that was killed needs none.
  - What is cut is cut in a table of its own of nftables, before any rule sees it and without a word to anybody.
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
    support: none
    details: Each call is a fault.
options:
  cause:
    description:
      - What fails. V(routing), and V(wireguard) in user space, are processes killed as it happens. Their units start them
        again at once, so that the fault lasts as long as that takes, and not O(seconds).
      - With WireGuard in the kernel, V(wireguard) is O(mesh_interface) down for O(seconds).
      - V(host) is a host that stops without a word, all its interfaces but O(spare_interfaces) cut.
      - V(lan) and V(wan) are one side cut, with V(_in) and V(_out) in one direction alone.
    type: str
    choices: [wireguard, routing, host, lan, wan, lan_in, lan_out, wan_in, wan_out]
    required: true
  seconds:
    description: How long it lasts, where it is not a process that was killed.
    type: float
    default: 3
  settled_seconds:
    description: For how long nothing of the gateway's health may have changed before it fails.
    type: float
    default: 3
  patience_seconds:
    description: How long to wait for that.
    type: float
    default: 60
  lan_interface:
    description: Interface on the site's LAN.
    type: str
    required: true
  wan_interface:
    description: Interface of the way out; without, that of the route to O(wan_towards).
    type: str
  wan_towards:
    description: An address outside, such as a hub's.
    type: str
  mesh_interface:
    description: Main interface of the overlay, of those that rotate the one in use.
    type: str
    default: bocage0
  spare_interfaces:
    description: Interfaces that are never cut, such as one that only operators use.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Cut the way out for three seconds
  bocage.fleet.gateway_fault:
    cause: wan
    lan_interface: eth1
    wan_towards: 198.51.100.10
"""

RETURN = r"""
cause:
  description: What failed.
  type: str
  returned: success
started_at:
  description: When the fault began, in seconds since 1970 by the host's clock.
  type: float
  returned: success
ended_at:
  description: When it was put back.
  type: float
  returned: success
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.commands import Run, must
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.places import HEALTH_FILE

TABLE = "bocage_drill"
# Also where there is no such table any more.
UNDO = ["nft", f"add table netdev {TABLE}; delete table netdev {TABLE}"]
TIMER = "bocage-drill-end"
SPARE_SECONDS = 5


def promise(run: Run, undo: list[str], seconds: float) -> None:
    """Have systemd put it back, whatever becomes of this module; before anything is taken away."""
    # one of a drill that was interrupted
    run(["systemctl", "stop", f"{TIMER}.timer"])
    run(["systemctl", "reset-failed", f"{TIMER}.timer", f"{TIMER}.service"])
    # a timer is as late as a minute otherwise
    timer = [f"--on-active={seconds + SPARE_SECONDS}s", "--timer-property=AccuracySec=100ms"]
    must(run, ["systemd-run", "--quiet", f"--unit={TIMER}", *timer, *undo])


def put_back(run: Run, undo: list[str]) -> None:
    """Whether the timer was faster or not; it is done with when this worked."""
    must(run, undo)
    run(["systemctl", "stop", f"{TIMER}.timer"])


def cut(run: Run, interfaces: list[str], ways: tuple[str, ...], seconds: float) -> None:
    """Drop all packets of the interfaces, in the given ways (ingress, egress)."""
    # what a drill that was interrupted has left goes first
    lines = [f"add table netdev {TABLE}", f"delete table netdev {TABLE}", f"table netdev {TABLE} {{"]
    for number, interface in enumerate(interfaces):
        lines += [
            f'chain {way}{number} {{ type filter hook {way} device "{interface}" priority -500; policy drop; }}'
            for way in ways
        ]
    lines.append("}")
    promise(run, UNDO, seconds)
    must(run, ["sh", "-c", 'printf "%s" "$1" | nft -f -', "sh", "\n".join(lines)])


def interfaces_for(run: Run, cause: str, parameters: dict) -> list[str]:
    if cause.startswith("lan"):
        return [parameters["lan_interface"]]
    if cause.startswith("wan"):
        if parameters["wan_interface"]:
            return [parameters["wan_interface"]]
        if not parameters["wan_towards"]:
            raise BocageError("The way out is not known; give wan_interface or wan_towards.")
        route = json.loads(must(run, ["ip", "-json", "route", "get", parameters["wan_towards"]]))
        return [route[0]["dev"]]
    links = json.loads(must(run, ["ip", "-json", "link", "show"]))
    return [
        link["ifname"]
        for link in links
        if link.get("link_type") != "loopback"
        and not link["ifname"].startswith("bocage")
        and link["ifname"] not in parameters["spare_interfaces"]
        # what lies on another one falls with it
        and (link.get("link") is None or "link_netnsid" in link)
    ]


def kill(run: Run, unit: str) -> None:
    """End the main process of a unit at once; the unit starts it again."""
    must(run, ["systemctl", "kill", "--signal=KILL", "--kill-whom=main", unit])


def await_health(settled_seconds: float, patience_seconds: float) -> None:
    """Until the gateway does well and carries its part: taken away before, it would not be missed."""
    until = time.monotonic() + patience_seconds
    while time.monotonic() < until:
        try:
            health = json.loads(HEALTH_FILE.read_text())
        except (OSError, ValueError):
            health = {}
        well = health.get("healthy") and not health.get("drained") and not health.get("released")
        if well and time.time() - health.get("since", 0) >= settled_seconds:
            return
        time.sleep(0.2)
    raise BocageError(f"the gateway does not do well after {patience_seconds:g} seconds, see {HEALTH_FILE}")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cause": {
                "type": "str",
                "required": True,
                "choices": ["wireguard", "routing", "host", "lan", "wan", "lan_in", "lan_out", "wan_in", "wan_out"],
            },
            "seconds": {"type": "float", "default": 3},
            "settled_seconds": {"type": "float", "default": 3},
            "patience_seconds": {"type": "float", "default": 60},
            "lan_interface": {"type": "str", "required": True},
            "wan_interface": {"type": "str"},
            "wan_towards": {"type": "str"},
            "mesh_interface": {"type": "str", "default": "bocage0"},
            "spare_interfaces": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    cause, seconds = module.params["cause"], module.params["seconds"]
    if module.check_mode:
        module.exit_json(changed=True, cause=cause, started_at=0.0, ended_at=0.0)
    try:
        await_health(module.params["settled_seconds"], module.params["patience_seconds"])
        if cause == "wireguard":
            interface = module.params["mesh_interface"]
            unit = f"bocage-wireguard-go@{interface}.service"
            process = run(["systemctl", "is-active", "--quiet", unit])[0] == 0
            started = time.time()
            if process:
                kill(run, unit)
                time.sleep(seconds)
            else:
                # in the kernel there is no process: the interface goes away and comes back
                undo = ["systemctl", "restart", f"bocage-mesh@{interface}.service"]
                promise(run, undo, seconds)
                must(run, ["ip", "link", "set", "dev", interface, "down"])
                time.sleep(max(0.0, started + seconds - time.time()))
                put_back(run, undo)
        elif cause == "routing":
            started = time.time()
            must(run, ["pkill", "-KILL", "-x", "bgpd"])
            run(["pkill", "-KILL", "-x", "bfdd"])
            time.sleep(seconds)
        else:
            ways = {"in": ("ingress",), "out": ("egress",)}.get(cause.rpartition("_")[2], ("ingress", "egress"))
            interfaces = interfaces_for(run, cause, module.params)
            started = time.time()
            cut(run, interfaces, ways, seconds)
            time.sleep(max(0.0, started + seconds - time.time()))
            put_back(run, UNDO)
        ended = time.time()
    except (BocageError, OSError, KeyError) as error:
        module.fail_json(msg=f"The fault {cause} could not be made or put back: {error}")
    module.exit_json(changed=True, cause=cause, started_at=started, ended_at=ended)


if __name__ == "__main__":
    main()
