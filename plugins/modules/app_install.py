#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: app_install
short_description: Unpack a program of Bocage on a host
version_added: 0.1.0
description:
  - Unpacks an archive of M(bocage.fleet.app_archive) under C(/opt/bocage/<name>/<version>), byte-compiles it, and
    moves the link C(current) to it in one step. The version before stays.
  - Leaves a list of the version's files, with owner, mode and digest, where only root writes; the agent compares its own
    folder with it before each report.
  - The archive is sent only where the version is missing, or is not as its list says.
  - A version that a package put there and that is whole stays, unless the given one is of a newer release.
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
  name:
    description: Name of the program.
    type: str
    required: true
  version:
    description: Version to run.
    type: str
    required: true
  archive:
    description: The archive on the controller.
    type: path
    required: true
  directory:
    description: Where programs live on the host.
    type: path
    default: /opt/bocage
  keep:
    description: How many versions stay, the newest first.
    type: int
    default: 2
  lists:
    description: Where the lists of files are on the host.
    type: path
    default: /var/lib/bocage/programs
"""

EXAMPLES = r"""
- name: Put the agent on the host
  bocage.fleet.app_install:
    name: agent
    version: 0.1.0-3f1c2a9b7d10
    archive: ~/.cache/bocage/bocage-agent-0.1.0-3f1c2a9b7d10-x86_64.tar.gz
"""

RETURN = r"""
path:
  description: Folder of the version that runs.
  type: str
  returned: success
missing:
  description: Whether the version has still to be sent; for the controller's half of this module.
  type: bool
  returned: success
managed:
  description: Whether a package looks after the program, so that its version stayed.
  type: bool
  returned: success
removed:
  description: Versions that were removed.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import programs
from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import write_link
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError


def install(module: AnsibleModule) -> dict:
    parameters = module.params
    root = Path(parameters["directory"]) / parameters["name"]
    lists = Path(parameters["lists"]) / parameters["name"]
    version = programs.check_version(parameters["version"])
    before = programs.current(root)
    result = {"changed": False, "missing": False, "managed": False, "removed": []}
    by_package = before is not None and before == programs.managed(lists)
    # what a package put there stays, as long as it is whole and no newer release comes with the collection
    if by_package and not programs.is_newer(version, before) and programs.is_whole(root, before, lists):
        unchanged = {"before": f"{before}\n", "after": f"{before}\n"}
        return {**result, "path": str(root / before), "managed": True, "diff": unchanged}
    missing = not programs.is_whole(root, version, lists)
    result |= {
        "changed": missing or before != version,
        "path": str(root / version),
        "missing": missing,
        "diff": {"before": f"{before or 'absent'}\n", "after": f"{version}\n"},
    }
    if module.check_mode or not result["changed"] or (missing and not parameters["archive"]):
        return result
    if missing:

        def run(command: list[str]) -> tuple[int, str, str]:
            return module.run_command(command, umask=0o022)

        programs.unpack(run, Path(parameters["archive"]), root / version, lists)
        result["missing"] = False
    write_link(root / "current", version)
    programs.set_managed(lists, None)
    result["removed"] = programs.prune(root, lists, {version}, parameters["keep"], before)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "archive": {"type": "path", "required": True},
            "directory": {"type": "path", "default": "/opt/bocage"},
            "keep": {"type": "int", "default": 2},
            "lists": {"type": "path", "default": "/var/lib/bocage/programs"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**install(module))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
