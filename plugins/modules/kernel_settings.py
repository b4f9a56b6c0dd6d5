#!/usr/bin/python
# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Settings of the kernel for each boot and now
version_added: 0.1.0
description:
  - Writes C(/etc/sysctl.d/NAME.conf), and sets what differs in the running kernel, in one call.
author:
  - The Bocage maintainers (@bocage-fleet)
extends_documentation_fragment:
  - bocage.fleet.attributes
attributes:
  check_mode:
    support: full
    details: Also where the kernel does not have a setting yet.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the file, without C(.conf). Its beginning says where it stands in the order of files.
    type: str
    required: true
  settings:
    description:
      - Values by name, in the order in which they are set.
      - Write a name with slashes where a part of it has dots, such as an interface of a VLAN.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Forward packets
  bocage.fleet.kernel_settings:
    name: 60-bocage-forwarding
    settings:
      net.ipv4.ip_forward: 1
      net.ipv6.conf.all.forwarding: 1
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
  sample: /etc/sysctl.d/60-bocage-forwarding.conf
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._host.kernel import ensure_settings


def main() -> None:
    module = AnsibleModule(
        argument_spec={"name": {"type": "str", "required": True}, "settings": {"type": "dict", "required": True}},
        supports_check_mode=True,
    )
    options = module.params
    try:
        module.exit_json(**ensure_settings(options["name"], options["settings"], module.check_mode))
    except (BocageError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
