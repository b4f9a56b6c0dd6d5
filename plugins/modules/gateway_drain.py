#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_drain
short_description: Take a gateway out of service, or back, without losing a packet
version_added: 0.1.0
description:
  - With O(state=drained) writes C(/etc/bocage/gateway/drain), which has the gateway's health daemon withdraw it from
    routing and give up its floating addresses, and waits, saying how far it is, until nothing passes through it any
    more. The file stays over a reboot.
  - With O(state=serving) removes the file and waits until the gateway is healthy.
  - Before it drains, it refuses in one sentence what would leave the site without a gateway, with more than one away, or
    with gateways that cannot carry its C(connections) (M(bocage.fleet.gateway_sizing)).
  - A drain that the health daemon does not take up within O(acknowledge_seconds) is taken back, and the task fails.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Refuses as it would; waits for nothing.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: What the gateway is to be.
    type: str
    choices: [drained, serving]
    default: drained
  reason:
    description: Why, for whoever finds the file.
    type: str
    default: Drained by an operator.
  others:
    description:
      - Results of M(bocage.fleet.gateway_status) in a loop over the other gateways of the site. One that is not among
        them, or did not answer, counts as away.
      - Needed with O(state=drained) unless the gateway is drained already.
    type: list
    elements: dict
    default: []
  allow_fewer:
    description:
      - Whether it may be drained while another gateway of the site is away, too. One must still serve, and those that do
        must carry the site.
    type: bool
    default: false
  threshold_flows:
    description: The gateway is quiet when at most so many flows pass through it.
    type: int
    default: 0
  quiet_seconds:
    description: For how long it must be quiet.
    type: int
    default: 3
  deadline_seconds:
    description: How long to wait, until the gateway is quiet or until it is healthy.
    type: int
    default: 120
  after_deadline:
    description:
      - With V(continue), what still passes through a gateway at the deadline is told, and left to whatever comes next.
      - With V(fail), the task fails and the gateway stays drained.
    type: str
    choices: [continue, fail]
    default: continue
  acknowledge_seconds:
    description: How long the health daemon may take to see the change.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Ask the other gateways of the site
  bocage.fleet.gateway_status:
  loop: "{{ groups['gateways'] | difference([inventory_hostname]) }}"
  delegate_to: "{{ item }}"
  register: __others

- name: Drain this gateway
  bocage.fleet.gateway_drain:
    reason: New memory, ticket 4711
    others: "{{ __others.results }}"

- name: Let it serve again
  bocage.fleet.gateway_drain:
    state: serving
"""

RETURN = r"""
quiet:
  description: Whether the gateway was quiet in the end.
  type: bool
  returned: with O(state=drained), where it waited
flows:
  description: Flows that passed when it was looked at last, at most.
  type: int
  returned: with O(state=drained), where it waited
waited_seconds:
  description: How long it waited.
  type: float
  returned: where it waited
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drain import set_drained


def main() -> None:
    """The host's half: the file alone. What is asked before and waited for after it is done from the controller."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["drained", "serving"], "default": "drained"},
            "reason": {"type": "str", "default": "Drained by an operator."},
            "others": {"type": "list", "elements": "dict", "default": []},
            "allow_fewer": {"type": "bool", "default": False},
            "threshold_flows": {"type": "int", "default": 0},
            "quiet_seconds": {"type": "int", "default": 3},
            "deadline_seconds": {"type": "int", "default": 120},
            "after_deadline": {"type": "str", "choices": ["continue", "fail"], "default": "continue"},
            "acknowledge_seconds": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        module.exit_json(**set_drained(options["state"] == "drained", options["reason"], module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
