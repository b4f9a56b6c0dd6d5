#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_epoch
short_description: Make a host's mesh key for an epoch, and have the host vouch for it
version_added: 0.1.0
description:
  - Makes a WireGuard key for one epoch on the host, in a file that only root can read, and signs with the host's report
    key that it is this host's. Only this public statement is returned.
  - With O(state=retired) destroys keys, statements and pre-shared keys of all epochs but those that are kept.
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
  state:
    description: V(present) makes and vouches, V(retired) destroys what is not in O(keep).
    type: str
    choices: [present, retired]
    default: present
  epoch:
    description: Number of the epoch. Required with O(state=present).
    type: int
  keep:
    description: Epochs whose secrets stay with O(state=retired); V(0) is the key of the enrolment.
    type: list
    elements: int
    default: []
  name:
    description: Name of the host in the inventory. Required with O(state=present).
    type: str
  host_id:
    description: Identity of the host as it is enrolled. Required with O(state=present).
    type: str
  generation:
    description: Generation of its enrolment.
    type: int
    default: 1
  directory:
    description: Folder of the mesh's files.
    type: path
    default: /etc/bocage/mesh
  report_key_file:
    description: Private report key of the host.
    type: path
    default: /etc/bocage/report.key
seealso:
  - module: bocage.fleet.mesh_key
  - module: bocage.fleet.mesh_psk
requirements:
  - wg (Debian package wireguard-tools)
  - cryptography (Debian package python3-cryptography)
"""

EXAMPLES = r"""
- name: Make the key of the next epoch
  bocage.fleet.mesh_epoch:
    epoch: 1
    name: "{{ inventory_hostname }}"
    host_id: "{{ reported.enrolment.host_id }}"
    generation: "{{ reported.enrolment.generation }}"
  register: __epoch

- name: Destroy the keys of the epochs before
  bocage.fleet.mesh_epoch:
    state: retired
    keep: [1]
"""

RETURN = r"""
statement:
  description: The host's signed statement; V(null) in check mode where it does not exist yet.
  type: dict
  returned: with O(state=present)
destroyed:
  description: What was destroyed.
  type: list
  elements: str
  returned: with O(state=retired)
"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, dsse, timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.keys import destroy, ensure_key, of_other_epochs
from ansible_collections.bocage.fleet.plugins.module_utils._state import mesh_epoch


def known_statement(path: Path, wanted: mesh_epoch.Statement) -> dict | None:
    """The statement that the host made before, where it says the same."""
    try:
        envelope = dsse.load(atomic.read_bounded(path, mesh_epoch.MAX_FILE_BYTES))
        known = mesh_epoch.Statement.from_payload(dsse.unverified_payload(envelope))
    except (BocageError, OSError):
        return None  # made again below
    said = (known.host_id, known.name, known.generation, known.epoch, known.mesh_key)
    return envelope if said == (wanted.host_id, wanted.name, wanted.generation, wanted.epoch, wanted.mesh_key) else None


def ensure_present(module: AnsibleModule) -> dict:
    options, directory = module.params, Path(module.params["directory"])

    def run(command: list[str], data: str) -> tuple[int, str, str]:
        return module.run_command(command, data=data)

    result = ensure_key(run, directory / f"epoch-{options['epoch']}.key", module.check_mode)
    public = result.pop("public_key")
    if public is None:
        return {**result, "statement": None}
    wanted = mesh_epoch.Statement(
        host_id=options["host_id"],
        name=options["name"],
        generation=options["generation"],
        epoch=options["epoch"],
        mesh_key=public,
        issued_at=timestamps.now(),
    )
    path = directory / f"epoch-{options['epoch']}.json"
    statement = known_statement(path, wanted)
    if statement is None:
        result["changed"] = True
        result.setdefault("diff", {"before": "", "after": f"{path}: a new statement\n"})
        if not module.check_mode:
            report_key = atomic.read_bounded(Path(options["report_key_file"]), 4096)
            statement = mesh_epoch.sign(wanted, report_key)
            atomic.write_file(path, json.dumps(statement).encode() + b"\n", 0o644)
    return {**result, "statement": statement}


def ensure_retired(module: AnsibleModule) -> dict:
    paths = of_other_epochs(Path(module.params["directory"]), module.params["keep"])
    if not module.check_mode:
        destroy(paths)
    listed = [str(path) for path in paths]
    return {"changed": bool(paths), "destroyed": listed, "diff": {"before": "\n".join([*listed, ""]), "after": ""}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "retired"], "default": "present"},
            "epoch": {"type": "int"},
            "keep": {"type": "list", "elements": "int", "default": []},
            "name": {"type": "str"},
            "host_id": {"type": "str"},
            "generation": {"type": "int", "default": 1},
            "directory": {"type": "path", "default": "/etc/bocage/mesh"},
            "report_key_file": {"type": "path", "default": "/etc/bocage/report.key", "no_log": False},
        },
        required_if=[("state", "present", ("epoch", "name", "host_id"))],
        supports_check_mode=True,
    )
    try:
        ensure = ensure_present if module.params["state"] == "present" else ensure_retired
        module.exit_json(**ensure(module))
    except FileNotFoundError as error:
        module.fail_json(msg=f"The file {error.filename} is missing on this host; run playbooks/enrol.yml for it.")
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
