#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link_resolver
short_description: Names that systemd-resolved asks for over one interface
version_added: 0.1.0
description:
  - Sets servers and domains of a running interface by C(resolvectl), where they differ.
  - systemd-resolved forgets them when it restarts. They are read each time, so the next run sets them again.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Also where the interface or the resolver does not exist yet.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  interface:
    description: Name of the interface.
    type: str
    required: true
  servers:
    description: Addresses of name servers, in their order.
    type: list
    elements: str
    default: []
  domains:
    description: Domains, in their order; one that begins with V(~) only says which names are asked for here.
    type: list
    elements: str
    default: []
requirements:
  - resolvectl (Debian package systemd-resolved)
"""

EXAMPLES = r"""
- name: Ask the hub for names of the estate
  bocage.fleet.link_resolver:
    interface: bocage0
    servers: ["fd7b:4c1e:90a2::1"]
    domains: ["~demo.internal"]
"""

RETURN = r"""
found:
  description: Servers and domains from before; V(null) where the link or the resolver does not exist yet.
  type: dict
  returned: success
  sample: {"dns": ["fd7b:4c1e:90a2::1"], "domain": ["~demo.internal"]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._host.resolver import ensure_link


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "interface": {"type": "str", "required": True},
            "servers": {"type": "list", "elements": "str", "default": []},
            "domains": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    options = module.params

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    try:
        if module.get_bin_path("resolvectl") is None:
            if not module.check_mode:
                raise BocageError(
                    "The command resolvectl is missing on this host; install the package systemd-resolved."
                )
            module.exit_json(
                changed=True, found=None, diff={"before": "", "after": "servers and domains of the interface\n"}
            )
        result = ensure_link(options["interface"], options["servers"], options["domains"], run, module.check_mode)
        module.exit_json(**result)
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
