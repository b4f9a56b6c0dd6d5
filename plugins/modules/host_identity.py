#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_identity
short_description: Make a host's identity on the host itself
version_added: 0.1.0
description:
  - Makes the host's id and its report key (Ed25519, RFC 8032) where there are none.
  - Returns the id and the public key. The private key never leaves the host and is never part of a result, a diff or a command line.
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
  key_file:
    description: File of the report key, in PKCS 8 form, for root alone.
    type: path
    default: /etc/bocage/report.key
  id_file:
    description: File of the host's id.
    type: path
    default: /var/lib/bocage/host_id
requirements:
  - openssl
"""

EXAMPLES = r"""
- name: Make the identity of this host
  bocage.fleet.host_identity:
  register: identity
"""

RETURN = r"""
host_id:
  description: The host's id, random (RFC 9562, version 4); V(null) in check mode where there is none yet.
  type: str
  returned: success
  sample: 7f6f2a1e-4a8e-4b0b-9b5e-0a8b2f6a5f0d
report_key:
  description: The raw public key in base64; V(null) in check mode where there is none yet.
  type: str
  returned: success
  sample: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
"""

import stat
import uuid
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.atomic import write_file
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state import identity


def report_key(module: AnsibleModule, path: Path) -> str:
    return identity.report_key(lambda command: module.run_command(command, encoding=None), path)


def ensure_key(module: AnsibleModule, path: Path, changes: list[str]) -> str | None:
    if not path.exists():
        changes.append(f"{path}: a new key")
        if module.check_mode:
            return None
        status, private, error = module.run_command(["openssl", "genpkey", "-algorithm", "ed25519"])
        if status != 0:
            raise BocageError(f"'openssl genpkey' failed on this host: {error.strip()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, private.encode(), 0o600)
    elif stat.S_IMODE(path.stat().st_mode) != 0o600:
        changes.append(f"{path}: mode 0600")
        if not module.check_mode:
            path.chmod(0o600)
    return report_key(module, path)


def ensure_id(module: AnsibleModule, path: Path, changes: list[str]) -> str | None:
    if path.exists():
        return identity.host_id(path)
    changes.append(f"{path}: a new id")
    if module.check_mode:
        return None
    made = str(uuid.uuid4())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, f"{made}\n".encode(), 0o644)
    return made


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "key_file": {"type": "path", "default": "/etc/bocage/report.key", "no_log": False},
            "id_file": {"type": "path", "default": "/var/lib/bocage/host_id"},
        },
        supports_check_mode=True,
    )
    changes: list[str] = []
    try:
        key = ensure_key(module, Path(module.params["key_file"]), changes)
        host_id = ensure_id(module, Path(module.params["id_file"]), changes)
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))
    after = "".join(f"{change}\n" for change in changes)
    module.exit_json(changed=bool(changes), host_id=host_id, report_key=key, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
