#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_psk
short_description: Pre-shared keys of a host's pairs, made on one end and boxed for the other
version_added: 0.1.0
description:
  - Makes a random pre-shared key for each pair of which this host is the maker, in a file that only root can read, and
    returns it in a box that only the other end's mesh key of the same epoch opens.
  - Opens the boxes that other hosts made for this one, and keeps what is in them in the same way.
  - No key is part of an argument, a result, a diff or a command line; the controller carries boxes that it cannot open.
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
    details: Boxes differ each time, keys do not.
options:
  epoch:
    description: Number of the epoch.
    type: int
    required: true
  name:
    description: Name of this host in the inventory.
    type: str
    required: true
  make:
    description: By peer, its public mesh key of the epoch. This host makes the key of these pairs where there is none.
    type: dict
    default: {}
  boxes:
    description: By peer, the box that it made for this host.
    type: dict
    default: {}
  directory:
    description: Folder of the mesh's files.
    type: path
    default: /etc/bocage/mesh
seealso:
  - module: bocage.fleet.mesh_epoch
requirements:
  - cryptography (Debian package python3-cryptography)
"""

EXAMPLES = r"""
- name: Make the keys of this host's pairs
  bocage.fleet.mesh_psk:
    epoch: 1
    name: gw1
    make:
      tele1: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
  register: __made

- name: Take what others made
  bocage.fleet.mesh_psk:
    epoch: 1
    name: tele1
    boxes: "{{ boxes_for_this_host }}"
"""

RETURN = r"""
boxes:
  description: By peer of O(make), the box for it; empty in check mode.
  type: dict
  returned: success
fingerprints:
  description: By peer, what both ends of a pair have alike when they have the same key; it tells nothing about the key.
  type: dict
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import read_bounded, write_file
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import psk


def read_key(path: Path) -> str | None:
    try:
        return read_bounded(path, 256).decode("ascii", errors="replace").strip()
    except FileNotFoundError:
        return None


def ensure_keys(options: dict, check_mode: bool) -> dict:
    psk.require_library()
    epoch, name = options["epoch"], options["name"]
    folder = Path(options["directory"]) / f"psk-{epoch}"
    private = read_key(Path(options["directory"]) / f"epoch-{epoch}.key")
    for peer in (*options["make"], *options["boxes"]):
        if "/" in peer or peer.startswith("."):
            raise BadInput(f"'{peer}' is no name of a host.")
    boxes: dict[str, str] = {}
    written: list[str] = []

    def keep(peer: str, key: str) -> None:
        written.append(f"{folder / peer}: a new key")
        if not check_mode:
            folder.mkdir(mode=0o700, exist_ok=True)
            write_file(folder / peer, f"{key}\n".encode(), 0o600)

    for peer, public in sorted(options["make"].items()):
        key = read_key(folder / peer)
        if key is None:
            key = psk.new_key()
            keep(peer, key)
        if not check_mode:
            boxes[peer] = psk.close_box(key, epoch, name, peer, public)
    for peer, box in sorted(options["boxes"].items()):
        if private is None:
            raise BocageError(f"The key of epoch {epoch} is missing on this host; run playbooks/rotate_keys.yml again.")
        key = psk.open_box(box, epoch, peer, name, private)
        if key != read_key(folder / peer):
            keep(peer, key)
    held = sorted(folder.iterdir()) if folder.is_dir() else []
    return {
        "changed": bool(written),
        "boxes": boxes,
        "fingerprints": {
            path.name: psk.fingerprint(key, epoch, name, path.name)
            for path in held
            if not path.name.startswith(".") and (key := read_key(path)) is not None
        },
        "diff": {"before": "", "after": "".join(f"{one}\n" for one in written)},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "epoch": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
            "make": {"type": "dict", "default": {}},
            "boxes": {"type": "dict", "default": {}},
            "directory": {"type": "path", "default": "/etc/bocage/mesh"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ensure_keys(module.params, module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
