#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_change
short_description: Make and sign a change of a package repository, for its publisher to take in
version_added: 0.1.0
description:
  - Runs beside the keys that sign lists of packages, and never on the publisher. Reads the metadata that the publisher
    exported, believes of it only what the pinned root vouches for, and writes one file with new signed lists and the
    files that they name.
  - Without O(exported) the change begins a repository. With it, delegations that are others than those declared are
    brought to them, or else packages are listed and retired. What is listed already changes nothing.
  - Lists of the same signers that end within two weeks are signed anew with them.
  - Each package is judged first as hosts judge it, under the authorities and lists of revoked certificates in
    O(trust_directory). One that they would refuse is refused with their reason, and so is one whose version is listed
    already with other bytes.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Signs, and writes nothing.
  diff_mode:
    support: full
    details: No key and no passphrase is part of a diff or a result.
  idempotent:
    support: full
options:
  output:
    description: File for the change, which C(bocage-package commit) takes in. Not written where there is nothing to do.
    type: path
    required: true
  exported:
    description: File that C(bocage-package export) wrote on the publisher; left out where there is no repository yet.
    type: path
  trust_directory:
    description: >-
      Folder with C(root.json), in C(keys) the public keys of holders by name, C(authorities.pem), and in C(crl) the
      lists of revoked certificates.
    type: path
    required: true
  secret_directory:
    description: Folder with private keys of holders by name. Those that are not here cannot sign.
    type: path
    required: true
  passphrase_file:
    description: File whose one line is the passphrase of these keys.
    type: path
    required: true
  targets_holders:
    description: Names of the keys of the top list.
    type: list
    elements: str
    default: [targets-1, targets-2, targets-3]
  delegations:
    description: Names of delegations, each with a key of that name (base, deployers, crl, masters, rollouts, host-SITE).
    type: list
    elements: str
    default: [base, deployers, crl, rollouts]
  packages:
    description: Signed packages to publish.
    type: list
    elements: dict
    default: []
    suboptions:
      file:
        description: The C(.wapt) file, with the name that its control file gives it.
        type: path
        required: true
      site:
        description: Site of the host, for the package of a host.
        type: str
        default: ""
  files:
    description: Other targets to publish, such as lists of revoked certificates and rollouts.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Its path in the repository, such as C(crl/authority.crl).
        type: str
        required: true
      file:
        description: The file.
        type: path
        required: true
  retired:
    description: Paths of targets that are listed no longer.
    type: list
    elements: str
    default: []
seealso:
  - module: bocage.fleet.package_root
requirements:
  - cryptography
  - securesystemslib
  - tuf
"""

EXAMPLES = r"""
- name: Publish an editor
  bocage.fleet.package_change:
    exported: /run/user/1000/exported.tar
    output: /run/user/1000/editor.change
    trust_directory: "{{ inventory_dir }}/trust/packages"
    secret_directory: ~/.config/bocage/packages
    passphrase_file: ~/.config/bocage/packages.passphrase
    packages:
      - file: editor_2.0-1_PROD.wapt
"""

RETURN = r"""
steps:
  description: What the change does, in words.
  type: list
  elements: str
  returned: success
  sample: ["publish base/editor_2.0-1_PROD.wapt"]
again:
  description: Whether this change has to be taken in before packages can be listed, as it begins or delegates.
  type: bool
  returned: success
lists:
  description: Lists that it brings.
  type: list
  elements: str
  returned: success
  sample: ["base"]
bytes:
  description: Size of the files that it brings.
  type: int
  returned: changed
"""

import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

MISSING_LIBRARY = None
try:
    from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
    from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
    from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
        change_archive,
        change_plan,
        publishable,
        repository_keys,
        repository_roles,
    )

    MISSING_LIBRARY = repository_keys.MISSING_LIBRARY
except ImportError as error:
    # Said by name when the module runs, not as a trace when it is read.
    MISSING_LIBRARY = error.name or str(error)

MAX_ROOT = 1 << 20


def read(path: Path, maximum: int, what: str) -> bytes:
    try:
        return atomic.read_bounded(path, maximum)
    except OSError as error:
        raise BadInput(f"{what} {path} cannot be read: {error.strerror}.") from error


def plan(options: dict, work: Path):
    """The change that the options ask for, and whether another one has to follow it; raises BocageError."""
    trust, now = Path(options["trust_directory"]), timestamps.now()
    root = read(trust / "root.json", MAX_ROOT, "The root of packages")
    names = {"targets": options["targets_holders"], **{name: [name] for name in options["delegations"]}}
    public = {
        name: [
            repository_keys.read_public_key(
                read(trust / "keys" / f"{one}.pub", 16384, "The public key"), f"the key {one}"
            )
            for one in holders
        ]
        for name, holders in names.items()
    }
    secret = Path(options["secret_directory"])
    here = {name: [secret / f"{one}.key" for one in holders] for name, holders in names.items()}
    here = {name: [path for path in paths if path.exists()] for name, paths in here.items()}
    lines = read(Path(options["passphrase_file"]), 4096, "The passphrase file").splitlines()
    signers = change_plan.sign_with(here, {"": lines[0] if lines else b""})
    wanted = repository_roles.delegations_of({name: public[name] for name in options["delegations"]})
    if not options["exported"]:
        return change_plan.begin(root, wanted, signers, now), True
    store = change_plan.take_exported(Path(options["exported"]), work, root, now)
    planned = change_plan.delegate(store, wanted, signers, now, root)
    if not planned.empty or planned.change.root is not None:
        return planned, True
    packages = [(Path(one["file"]), one["site"]) for one in options["packages"]]
    additions = change_plan.additions_of(store, packages, lambda: publishable.estate_trust(trust), now)
    additions += [publishable.other_file(one["path"], Path(one["file"])) for one in options["files"]]
    return change_plan.publish(store, additions, options["retired"], signers, now), False


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "output": {"type": "path", "required": True},
            "exported": {"type": "path"},
            "trust_directory": {"type": "path", "required": True},
            "secret_directory": {"type": "path", "required": True, "no_log": False},
            "passphrase_file": {"type": "path", "required": True, "no_log": False},
            "targets_holders": {
                "type": "list",
                "elements": "str",
                "default": ["targets-1", "targets-2", "targets-3"],
            },
            "delegations": {
                "type": "list",
                "elements": "str",
                "default": ["base", "deployers", "crl", "rollouts"],
            },
            "packages": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "file": {"type": "path", "required": True},
                    "site": {"type": "str", "default": ""},
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "file": {"type": "path", "required": True},
                },
            },
            "retired": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if MISSING_LIBRARY is not None:
        module.fail_json(msg=missing_required_lib(MISSING_LIBRARY))
    try:
        with tempfile.TemporaryDirectory(prefix="bocage-change-") as work:
            planned, again = plan(module.params, Path(work))
            changed = bool(planned.steps)
            result = {
                "changed": changed,
                "steps": list(planned.steps),
                "lists": sorted(planned.change.lists),
                "again": again,
            }
            if changed:
                result["diff"] = {"before": "", "after": "".join(f"{step}\n" for step in planned.steps)}
                if not module.check_mode:
                    result["bytes"] = change_archive.write_change(planned.change, Path(module.params["output"]))
    except BocageError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
