#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_info
short_description: What a host has of signed packages, what is due, and what went wrong
version_added: 0.1.0
description:
  - Asks the agent of the host what it knows, without a network and beside an agent that is at work. Changes nothing.
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
options: {}
seealso:
  - module: bocage.fleet.package
"""

EXAMPLES = r"""
- name: Look at the packages of a host
  bocage.fleet.package_info:
  register: __packages

- name: Stop where something failed
  ansible.builtin.assert:
    that: __packages.problems | length == 0
    fail_msg: "{{ __packages.problems | map(attribute='reason') | join('; ') }}"
"""

RETURN = r"""
versions:
  description: Installed versions by package.
  type: dict
  returned: success
  sample: {editor: "2.0-1"}
packages:
  description: All that the agent knows of each package, such as C(state), C(version), C(wanted).
  type: dict
  returned: success
due:
  description: By package, what the next upgrade would install, upgrade or remove, as of the last update.
  type: dict
  returned: success
  sample: {editor: {state: NEED-UPGRADE, version: "1.0-1", wanted: "2.0-1"}}
problems:
  description: Packages that failed or cannot be had, each with the reason, and the code of the rule that refused it.
  type: list
  elements: dict
  returned: success
audits:
  description: By package, what its audit answered last.
  type: dict
  returned: success
requests:
  description: What was asked for on the host itself, by package.
  type: dict
  returned: success
history:
  description: The last steps of the agent, the newest first.
  type: list
  elements: dict
  returned: success
refused:
  description: The last files that were refused, the newest first.
  type: list
  elements: dict
  returned: success
interrupted:
  description: Packages with which an agent was cut off, and that the next run repairs.
  type: list
  elements: str
  returned: success
rollouts:
  description: By rollout, the ring of this host, and whether the ring has the change.
  type: dict
  returned: success
metadata:
  description: Versions of the repository's metadata, by role.
  type: dict
  returned: success
last_update_at:
  description: When the repository answered last; null where it never did.
  type: str
  returned: success
last_problem:
  description: Why it did not since then; empty where it did.
  type: str
  returned: success
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._packages import agent_calls


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        agent_calls.check(there=os.access(agent_calls.AGENT, os.X_OK), administrator=os.geteuid() == 0)
        document = agent_calls.read(*module.run_command([agent_calls.AGENT, "packages", "--json"]))
    except BocageError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **agent_calls.information(document))


if __name__ == "__main__":
    main()
