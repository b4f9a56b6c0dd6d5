#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_status
short_description: Whether a gateway serves, and what passes through it
version_added: 0.1.0
description:
  - Reads on a gateway whether it is drained and what its health daemon found last, and watches for a moment how many
    packets and flows pass through it. Changes nothing.
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
  watch_seconds:
    description: How long to watch what passes; V(0) does not.
    type: float
    default: 0
  sessions:
    description: Whether to ask with whom it exchanges routes, and which of the paths to them live.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what passes through a gateway
  bocage.fleet.gateway_status:
    watch_seconds: 1
  register: __gateway_status
"""

RETURN = r"""
drained:
  description: Whether the gateway is drained.
  type: bool
  returned: success
reason:
  description: Why, as whoever drained it said.
  type: str
  returned: success
serves:
  description: Whether it carries its share; it is healthy and not drained.
  type: bool
  returned: success
excuse:
  description: Why it does not serve, as the end of a sentence.
  type: str
  returned: success
health:
  description: What C(bocage-gateway-health) wrote last, or null where nothing watches this gateway.
  type: dict
  returned: success
packets:
  description: Packets that were forwarded while it was watched.
  type: int
  returned: when O(watch_seconds) is not 0
sessions:
  description: Addresses of neighbours whose BGP sessions stand.
  type: list
  elements: str
  returned: with O(sessions=true)
paths:
  description: Addresses of neighbours to which BFD sees a living path. A session stands before its path is watched.
  type: list
  elements: str
  returned: with O(sessions=true)
flows:
  description: Flows of which packets were forwarded, at most.
  type: int
  returned: when O(watch_seconds) is not 0
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drain import read_status
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.flows import watch
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.sessions import established, living


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "watch_seconds": {"type": "float", "default": 0},
            "sessions": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        status = read_status()
        result: dict[str, Any] = {
            "drained": status.drained,
            "reason": status.reason,
            "serves": status.serves,
            "excuse": "" if status.serves else status.excuse,
            "health": status.health,
        }
        if module.params["watch_seconds"] > 0:
            passing = watch(module.run_command, module.params["watch_seconds"])
            result.update(packets=passing.packets, flows=passing.flows)
        if module.params["sessions"]:

            def run(command: list[str]) -> tuple[int, str, str]:
                return module.run_command(command, handle_exceptions=False)

            result.update(sessions=established(run), paths=living(run))
    except BocageError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
