#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Files that belong together, in one call
version_added: 0.1.0
description:
  - Renders templates on the controller as M(ansible.builtin.template) does, sends all contents in one call, and
    writes only what differs. Each file is written beside its place and moved there.
  - All new contents that have a command in O(files[].validate) are checked before the first file is put in place.
  - Folders come first, in their order; then the others, in theirs.
  - A M(bocage.fleet.unit) that was started with a file which is changed here is restarted by its next run, also when
    this run is interrupted.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: An owner, a group or a validating command that is missing is taken for one that an earlier task would bring.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  files:
    description: The files, in order.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where, from the root on.
        type: path
        required: true
      template:
        description: Template of the role or playbook. One of this, O(files[].content) and O(files[].source) makes a file.
        type: str
      content:
        description: The text itself.
        type: str
      source:
        description: Text file on the controller, absolute or among the files of the role or playbook.
        type: str
      state:
        description:
          - What should be at the path.
          - V(absent) removes a file, a link or an empty folder.
        type: str
        choices: [file, directory, link, absent]
        default: file
      target:
        description: Where a link leads.
        type: str
      owner:
        description: User, by name or number; of files and folders.
        type: str
        default: root
      group:
        description: Group, by name or number; of files and folders.
        type: str
        default: root
      mode:
        description: Four octal digits. V("0644") for files and V("0755") for folders when it is left out.
        type: str
      validate:
        description: Command that must succeed on the new content; V(%s) stands for its file.
        type: str
seealso:
  - module: bocage.fleet.unit
"""

EXAMPLES = r"""
- name: Write what the name server reads
  bocage.fleet.config_files:
    files:
      - path: /etc/bocage/names
        state: directory
      - path: /etc/bocage/names/hosts
        template: etc/bocage/names/hosts.j2
      - path: /etc/bocage/names/dnsmasq.conf
        template: etc/bocage/names/dnsmasq.conf.j2
        validate: dnsmasq --test --conf-file=%s
      - path: /etc/dnsmasq.d/leftover.conf
        state: absent
"""

RETURN = r"""
changed_paths:
  description: What was changed, or would be in check mode.
  type: list
  elements: str
  returned: success
  sample: [/etc/bocage/names/hosts]
files:
  description: All of the paths, as they are now.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: The path.
      type: str
    state:
      description: What is there.
      type: str
    mode:
      description: Four octal digits; V(null) for what has no mode of its own.
      type: str
    owner:
      description: User; V(null) for what has none of its own.
      type: str
    group:
      description: Group; V(null) for what has none of its own.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._host.files import ensure_files
from ansible_collections.bocage.fleet.plugins.module_utils._host.units import forget

ARGUMENTS = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "template": {"type": "str"},
            "content": {"type": "str"},
            "source": {"type": "str"},
            "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
            "target": {"type": "str"},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "mode": {"type": "str"},
            "validate": {"type": "str"},
        },
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        module.exit_json(**ensure_files(module.params["files"], module.check_mode, run, forget))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
