#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_key
short_description: Make a host's WireGuard key on the host itself
version_added: 0.1.0
description:
  - Makes a Curve25519 key for WireGuard where there is none, in a file that only root can read.
  - Returns the public key. The private key never leaves the host and is never part of a result, a diff or a command line.
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
  path:
    description: File that holds the private key.
    type: path
    default: /etc/bocage/mesh/private.key
requirements:
  - wg (Debian package wireguard-tools)
"""

EXAMPLES = r"""
- name: Make the key of this host
  bocage.fleet.mesh_key:
  register: mesh_key

- name: Show its public half
  ansible.builtin.debug:
    var: mesh_key.public_key
"""

RETURN = r"""
public_key:
  description: The public key in WireGuard's base64 form; V(null) in check mode where no key exists yet.
  type: str
  returned: success
  sample: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.keys import ensure_key


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "default": "/etc/bocage/mesh/private.key", "no_log": False}},
        supports_check_mode=True,
    )

    def run(command: list[str], data: str) -> tuple[int, str, str]:
        return module.run_command(command, data=data)

    try:
        if module.get_bin_path("wg") is None:
            if not module.check_mode:
                raise BocageError("The command wg is missing on this host; install the package wireguard-tools.")
            module.exit_json(changed=True, public_key=None, diff={"before": "", "after": "a new key\n"})
        module.exit_json(**ensure_key(run, Path(module.params["path"]), module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
