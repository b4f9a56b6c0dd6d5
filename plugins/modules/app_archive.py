#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: app_archive
short_description: Build the archive of an application with its dependencies inside
version_added: 0.1.0
description:
  - Runs on the controller. Takes the sources of this collection and the dependencies of a lock file with hashes, and
    writes one archive that a host unpacks and runs; hosts need no package index and no compiler.
  - The archive is named by the digest of what makes it, and is not built again while it exists.
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
  app:
    description: Which application.
    type: str
    choices: [agent, packager, registry, segments]
    required: true
  collection_directory:
    description: Folder of this collection, with its sources and lock files.
    type: path
    required: true
  directory:
    description: Folder on the controller for finished archives.
    type: path
    required: true
  python:
    description: Python with pip that fetches the dependencies.
    type: path
    required: true
  python_version:
    description: Version of Python on the hosts.
    type: str
    default: "3.11"
  machine:
    description: Processor architecture of the hosts.
    type: str
    default: x86_64
"""

EXAMPLES = r"""
- name: Build the agent
  bocage.fleet.app_archive:
    app: agent
    collection_directory: "{{ playbook_dir }}/.."
    directory: ~/.cache/bocage
    python: "{{ ansible_playbook_python }}"
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The archive.
  type: str
  returned: success
version:
  description: Version of the collection and the first digits of the archive's digest.
  type: str
  returned: success
  sample: 0.1.0-3f1c2a9b7d10
"""

import re
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.archive import digest, packages_of, write_archive
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError

# Where the program has another name than its application.
PROGRAMS = {"packager": "bocage-package"}
# Wheels for any C library of the last years; the newest first.
PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")


def fetch(module: AnsibleModule, lock: Path, target: Path) -> None:
    parameters = module.params
    if not any(line.strip() and not line.startswith("#") for line in lock.read_text().splitlines()):
        # a program that needs the standard library alone
        return
    command = [parameters["python"], "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--no-compile"]
    command += ["--only-binary=:all:", "--python-version", parameters["python_version"], "--implementation", "cp"]
    command += [word for platform in PLATFORMS for word in ("--platform", f"{platform}_{parameters['machine']}")]
    command += ["--target", str(target), "--requirement", str(lock)]
    status, _output, error = module.run_command(command)
    if status != 0:
        raise BocageError(f"The dependencies of {lock} could not be fetched on the controller: {error.strip()}")


def build(module: AnsibleModule) -> dict:
    parameters = module.params
    root, app = Path(parameters["collection_directory"]), parameters["app"]
    lock = root / "requirements" / f"{app}.txt"
    packages = packages_of(root, app)
    for path in (lock, *packages.values()):
        if not path.exists():
            raise BocageError(
                f"The collection at {root} has no {path.relative_to(root)}; give the folder of bocage.fleet."
            )
    metadata = root / "galaxy.yml"
    text = metadata.read_text() if metadata.exists() else (root / "MANIFEST.json").read_text()
    release = re.search(r"""["']?version["']?:\s*["']?([0-9][^\s"',]*)""", text)
    if release is None:
        raise BocageError(f"The collection at {root} does not say its version.")
    target = f"{parameters['python_version']} {parameters['machine']}"
    version = f"{release[1]}-{digest(packages, lock.read_bytes(), target)[:12]}"
    output = Path(parameters["directory"]) / f"bocage-{app}-{version}-{parameters['machine']}.tar.gz"
    result = {"changed": not output.exists(), "path": str(output), "version": version}
    if output.exists() or module.check_mode:
        return result
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fetch(module, lock, Path(folder))
        write_archive(output, PROGRAMS.get(app, f"bocage-{app}"), f"bocage_{app}", packages, Path(folder))
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "choices": ["agent", "packager", "registry", "segments"], "required": True},
            "collection_directory": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
            "python_version": {"type": "str", "default": "3.11"},
            "machine": {"type": "str", "default": "x86_64"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**build(module))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
