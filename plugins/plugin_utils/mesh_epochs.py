# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rotation of mesh keys stands, from the trust folder and from what the inventory verified."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate_schema import MANAGED_GROUP
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.epochs import Epochs, HostKeys
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.rotation import MAX_BYTES, Rotation

ROTATION_FILE = "rotation.json"


def trust_folder(task_vars: Mapping[str, Any]) -> Path:
    """The trust folder beside the inventory, as the playbooks find it."""
    names = list(task_vars["groups"].get(MANAGED_GROUP, ()))
    first = task_vars["hostvars"][names[0]] if names else {}
    given = first.get("trust_directory")
    return Path(str(given)) if given else Path(str(first.get("inventory_dir") or ".")) / "trust"


def read_rotation(folder: Path) -> Rotation | None:
    path = folder / ROTATION_FILE
    try:
        return Rotation.from_bytes(atomic.read_bounded(path, MAX_BYTES), f"the file {path}")
    except FileNotFoundError:
        return None


def write_rotation(folder: Path, rotation: Rotation) -> None:
    content = json.dumps(rotation.to_document(), indent=2).encode() + b"\n"
    atomic.write_file(folder / ROTATION_FILE, content, 0o644)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """One step at a time, whoever else runs a playbook beside."""
    if not folder.is_dir():
        raise BadInput(f"The trust folder {folder} is missing; run playbooks/trust.yml and playbooks/enrol.yml first.")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def host_keys(task_vars: Mapping[str, Any], placeholder: Any = None) -> dict[str, HostKeys]:
    """The verified keys of all managed hosts; `placeholder` makes one from a name where there is none."""
    hostvars = task_vars["hostvars"]
    found: dict[str, HostKeys] = {}
    for name in task_vars["groups"].get(MANAGED_GROUP, ()):
        enrolment = (hostvars[name].get("reported") or {}).get("enrolment") or {}
        enrolled = enrolment.get("mesh_key") or (None if placeholder is None else placeholder(name))
        epochs = {int(epoch): str(key) for epoch, key in (enrolment.get("epochs") or {}).items()}
        found[name] = HostKeys(enrolled, int(enrolment.get("generation") or 1), epochs)
    return found


def epochs_of(task_vars: Mapping[str, Any], placeholder: Any = None) -> Epochs:
    """Raises BadInput where two hosts have one key, and Refused where the state of the rotation is damaged."""
    return Epochs(read_rotation(trust_folder(task_vars)), host_keys(task_vars, placeholder))
