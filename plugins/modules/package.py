#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package
short_description: Have signed packages of the estate on a host, or not
version_added: 0.1.0
description:
  - Asks the agent of the host, which verifies, solves and installs; one call for all packages.
  - What is asked for here is remembered on the host as what somebody wants of it, beside what its settings and its own
    package ask for (C(packages_require), C(packages_host_package)), and the agent keeps it so.
  - A host on which a rollout runs gets the versions of its ring, whatever is named here.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: The agent plans as it would, and installs and removes nothing. Metadata is refreshed with O(update=true).
  diff_mode:
    support: full
    details: Versions, and what is asked for, before and after.
  idempotent:
    support: full
options:
  name:
    description:
      - Packages, with bounds on the version where they matter, as in V(editor(>=2)); several bounds of one package with
        commas.
      - Without a name, O(state=latest) brings the host to all that it should have.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) has them from now on; one that is installed and fits is left as it is.
      - V(latest) has the newest that fits, and without O(name) does what C(bocage-agent upgrade) does.
      - V(absent) removes them by their recorded uninstall, and asks for them no longer.
      - V(forgotten) knows nothing of them any more, and leaves on the host what they installed.
    type: str
    choices: [present, latest, absent, forgotten]
    default: present
  update:
    description: Whether to ask the repository for the newest metadata first, or to go by the last update.
    type: bool
    default: true
  wait_seconds:
    description: How long to wait for another agent that is at work.
    type: int
    default: 300
seealso:
  - module: bocage.fleet.package_info
  - module: bocage.fleet.signed_action
    description: Asks hosts that no connection reaches, and follows them.
"""

EXAMPLES = r"""
- name: Have an editor with fonts
  bocage.fleet.package:
    name: [editor(>=2), fonts]

- name: Remove a game
  bocage.fleet.package:
    name: [chess]
    state: absent

- name: Bring the host to all that it should have
  bocage.fleet.package:
    state: latest
"""

RETURN = r"""
changes:
  description:
    - What was done, or would be. C(action) is C(install), C(upgrade), C(downgrade), C(reinstall), C(remove),
      C(forget), or C(trial) for the agent itself, which counts as installed once it has proven itself.
  type: list
  elements: dict
  returned: success, and where the agent was asked
  sample:
    - {package: editor, action: upgrade, before: "1.0-1", after: "2.0-1"}
requests:
  description: What is asked for on the host itself, by package.
  type: dict
  returned: success, and where the agent was asked
  sample: {editor: "editor(>=2)"}
problems:
  description:
    - Packages of the host that failed or cannot be had, each with the reason, and in C(code) the rule by which a
      file was refused.
  type: list
  elements: dict
  returned: success, and where the agent was asked
  sample:
    - {package: chess, state: MISSING, version: null, wanted: null, reason: "The repository has no package chess", code: ""}
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._packages import agent_calls


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "latest", "absent", "forgotten"], "default": "present"},
            "update": {"type": "bool", "default": True},
            "wait_seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        words = agent_calls.words(
            options["state"],
            options["name"],
            update=options["update"],
            wait_seconds=options["wait_seconds"],
            plan=module.check_mode,
        )
        agent_calls.check(there=os.access(agent_calls.AGENT, os.X_OK), administrator=os.geteuid() == 0)
        document = agent_calls.read(*module.run_command(words))
        failure = agent_calls.failure(document, agent_calls.names(options["name"]))
    except BocageError as error:
        module.fail_json(msg=str(error))
    result = {
        "changed": agent_calls.is_changed(document),
        "changes": document["changes"],
        "requests": document["requests"]["after"],
        "problems": agent_calls.with_codes(document["problems"]),
        "diff": agent_calls.difference(document),
    }
    if failure:
        module.fail_json(msg=f"Not all packages are as asked for: {failure}", **result)
    if document["last_problem"]:
        module.warn(f"The host went on with what it has: {document['last_problem']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
