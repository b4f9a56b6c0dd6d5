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
  - The archive is sent only where the version is missing.
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
removed:
  description: Versions that were removed.
  type: list
  elements: str
  returned: success
"""

import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import write_link
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError


def make_folders(path: Path) -> None:
    """Folders that the users of programs may enter, whatever the umask of the run."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(0o755)


def unpack(module: AnsibleModule, archive: Path, target: Path) -> None:
    """Unpack beside the target and move it there whole, so that a version exists entirely or not at all."""
    make_folders(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
        inside = Path(folder) / "root"
        make_folders(inside)
        tar = ["tar", "--extract", "--gzip", "--no-same-owner", "--file", str(archive), "--directory", str(inside)]
        status, output, error = module.run_command(tar, umask=0o022)
        if status != 0:
            raise BocageError(f"The archive {archive} cannot be unpacked on this host: {(error or output).strip()}")
        # compiled for where it will be, so that tracebacks name files that exist
        compiling = ["-m", "compileall", "-q", "-s", str(inside), "-p", str(target), "-j", "1", str(inside)]
        status, output, error = module.run_command(["/usr/bin/python3", *compiling], umask=0o022)
        if status != 0:
            raise BocageError(
                f"The archive {archive} does not compile with this host's Python: {(error or output).strip()}"
            )
        inside.replace(target)


def install(module: AnsibleModule) -> dict:
    parameters = module.params
    root = Path(parameters["directory"]) / parameters["name"]
    target, link = root / parameters["version"], root / "current"
    before = str(link.readlink()) if link.is_symlink() else None
    missing = not target.is_dir()
    result = {
        "changed": missing or before != parameters["version"],
        "path": str(target),
        "missing": missing,
        "removed": [],
        "diff": {"before": f"{before or 'absent'}\n", "after": f"{parameters['version']}\n"},
    }
    if module.check_mode or not result["changed"] or (missing and not parameters["archive"]):
        return result
    if missing:
        unpack(module, Path(parameters["archive"]), target)
        result["missing"] = False
    write_link(link, parameters["version"])
    others = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and path != target]
    for left in [path for path in others if path.name.startswith(".")]:
        # of a run that was interrupted
        shutil.rmtree(left)
        others.remove(left)
    others.sort(key=lambda path: (path.name != before, -path.stat().st_mtime))
    for old in others[max(parameters["keep"] - 1, 0) :]:
        shutil.rmtree(old)
        result["removed"].append(old.name)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "archive": {"type": "path", "required": True},
            "directory": {"type": "path", "default": "/opt/bocage"},
            "keep": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**install(module))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
