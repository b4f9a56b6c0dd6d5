#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_mtu
short_description: Measure how large packets may be on the paths of a host
version_added: 0.1.0
description:
  - Sends packets that nobody may cut up to all peers at once. Inside the tunnel it finds the largest that is answered;
    outside, with the ports of the tunnel, the largest that no router refuses. Both are compared with the plan.
  - A path as planned takes four packets. Changes nothing, and fails only where nothing could be measured at all.
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
  paths:
    description: The paths as M(bocage.fleet.estate_plan) plans them.
    type: list
    elements: dict
    required: true
    suboptions:
      peer:
        description: Name of the peer.
        type: str
        required: true
      address:
        description: Overlay address of the peer.
        type: str
        required: true
      mtu:
        description: Largest packet inside the tunnel, as planned.
        type: int
        required: true
  mtu:
    description: What was set for all paths in place of the plan; V(0) for nothing.
    type: int
    default: 0
  timeout_seconds:
    description: How long to wait for an answer.
    type: float
    default: 1.0
  deadline_seconds:
    description: After how long no more packets are sent to find out what does pass where the planned size does not.
    type: float
    default: 20.0
requirements:
  - wg (Debian package wireguard-tools)
"""

EXAMPLES = r"""
- name: Measure the paths of this host
  bocage.fleet.mesh_mtu:
    host: "{{ inventory_hostname }}"
    paths: "{{ __plan.hosts[inventory_hostname].mesh.paths }}"
  become: true
"""

RETURN = r"""
paths:
  description: One entry a path with C(peer), C(address), C(interface), C(planned), C(allowed) (what the interface lets
    pass), C(measured) (the largest packet that passes in one piece, none where the peer does not answer), C(underlay)
    (the largest packet outside, as far as that was tried), C(beyond) (whether a byte more than planned passes) and
    C(finding).
  type: list
  elements: dict
  returned: success
findings:
  description: A sentence for each path that is not as planned.
  type: list
  elements: str
  returned: success
results:
  description: Two entries a path in the form of M(bocage.fleet.probe). The planned size passes, and one byte more does
    not.
  type: list
  elements: dict
  returned: success
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.path_sizes import PathSize, measure

ARGUMENTS = {
    "host": {"type": "str", "default": "this host"},
    "paths": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "peer": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "mtu": {"type": "int", "required": True},
        },
    },
    "mtu": {"type": "int", "default": 0},
    "timeout_seconds": {"type": "float", "default": 1.0},
    "deadline_seconds": {"type": "float", "default": 20.0},
}


def proofs(host: str, size: PathSize, seconds: float) -> list[dict]:
    """The planned size passes in one piece, and a byte more does not pass."""
    about = f"{host} -> {size.peer}"
    passes = size.measured is not None and size.measured >= size.planned
    silent = "" if size.measured is not None else "the peer does not answer"
    more = "" if not size.beyond else f"a packet of {size.planned + 1} bytes passes: the interface is not as planned"
    return [
        _result(f"{about}, {size.planned} bytes", size.address, True, passes, size.finding or silent, seconds),
        _result(f"{about}, {size.planned + 1} bytes", size.address, False, size.beyond, more, seconds),
    ]


def _result(about: str, target: str, reach: bool, reached: bool, reason: str, seconds: float) -> dict:
    return {
        "proof": "mtu",
        "kind": "size",
        "target": target,
        "about": about,
        "reach": reach,
        "reached": reached,
        "passed": reached == reach,
        "reason": reason,
        "seconds": round(seconds, 3),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    override = module.params["mtu"]
    paths = [{**path, "mtu": override or path["mtu"]} for path in module.params["paths"]]

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    started = time.monotonic()
    try:
        sizes = measure(run, paths, module.params["timeout_seconds"], module.params["deadline_seconds"])
    except (BocageError, OSError, ValueError) as error:
        module.fail_json(msg=f"The paths of {module.params['host']} could not be measured: {error}")
    seconds = time.monotonic() - started
    module.exit_json(
        changed=False,
        paths=[size.to_dict() for size in sizes],
        findings=[size.finding for size in sizes if size.finding],
        results=[result for size in sizes for result in proofs(module.params["host"], size, seconds)],
    )


if __name__ == "__main__":
    main()
