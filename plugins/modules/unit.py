#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: A systemd unit that runs with the configuration that is on the disk
version_added: 0.1.0
description:
  - Enables and starts a unit, or disables and stops it. What systemd knows is read in one call.
  - Keeps a digest of the contents with which the unit was last started by this module, and restarts the unit where
    they are others now. So a run that wrote a configuration and was interrupted is completed by the next one. A unit
    that this module has not started yet is restarted once. Times are not looked at.
  - Lets systemd read its files anew where they changed.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: A unit that does not exist yet would be started.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: The unit with its type, as in V(nginx.service).
    type: str
    required: true
  state:
    description: Whether it should run.
    type: str
    choices: [started, stopped]
    default: started
  enabled:
    description: Whether it should be started at each boot; left as it is when this is left out.
    type: bool
  restart_on:
    description:
      - Paths whose contents the unit reads when it starts. Of a file and a folder the content counts, of a link where
        it leads, of what is missing that it is.
    type: list
    elements: path
    default: []
  on_change:
    description: What is done when they are others.
    type: str
    choices: [restart, reload]
    default: restart
  changed_paths:
    description:
      - What a task before this one changed or, in check mode, would change, as M(bocage.fleet.config_files) returns it.
        Where O(restart_on) has one of these, the unit is restarted.
      - Only check mode needs this.
    type: list
    elements: path
    default: []
  other_units:
    description: Other units whose files may have changed, too; systemd reads them anew where they did.
    type: list
    elements: str
    default: []
  check_command:
    description: Command that must succeed before the unit is started, restarted or reloaded. One text is split into words.
    type: list
    elements: str
    default: []
  settle_seconds:
    description: After how long a unit that was started, restarted or reloaded is looked at again. One that failed by then
      fails the task.
    type: int
    default: 1
seealso:
  - module: bocage.fleet.config_files
notes:
  - The digests are in C(/var/lib/bocage/units/).
"""

EXAMPLES = r"""
- name: Run the web server
  bocage.fleet.unit:
    name: nginx.service
    enabled: true
    restart_on:
      - /etc/nginx/conf.d/bocage-registry.conf
      - /etc/bocage/registry-tls/registry.pem
    check_command: nginx -t
"""

RETURN = r"""
actions:
  description: What was done or, in check mode, would be done, in words and in order.
  type: list
  elements: str
  returned: success
  sample: [restart nginx.service]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._host.units import ensure_unit

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "enabled": {"type": "bool"},
    "restart_on": {"type": "list", "elements": "path", "default": []},
    "on_change": {"type": "str", "choices": ["restart", "reload"], "default": "restart"},
    "changed_paths": {"type": "list", "elements": "path", "default": []},
    "other_units": {"type": "list", "elements": "str", "default": []},
    "check_command": {"type": "list", "elements": "str", "default": []},
    "settle_seconds": {"type": "int", "default": 1},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        module.exit_json(**ensure_unit(module.params, run, module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
