# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: action_keys
short_description: Public keys that signed actions count with
version_added: 0.1.0
author:
  - The Bocage maintainers (@bocage-fleet)
description:
  - Reads the public keys in C(actions/*.pub) of a trust folder.
options:
  _terms:
    description: Trust folders.
    type: list
    elements: path
    required: true
seealso:
  - module: bocage.fleet.signed_action
  - module: bocage.fleet.trust_root
"""

EXAMPLES = r"""
- name: Say whose actions count
  ansible.builtin.debug:
    msg: "{{ query('bocage.fleet.action_keys', inventory_dir ~ '/trust') | first }}"
"""

RETURN = r"""
_raw:
  description: For each folder its keys, the 32 bytes of each in base64, by the names of their files; empty where there
    are none.
  type: list
  elements: dict
  sample: [{estate: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=}]
"""

import base64
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state.trust import read_action_keys


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        return [_keys(Path(str(term)).expanduser()) for term in terms]


def _keys(folder: Path) -> dict[str, str]:
    try:
        found = read_action_keys(folder)
    except BocageError as error:
        raise AnsibleError(str(error)) from error
    except OSError as error:
        raise AnsibleError(f"A key in {folder}/actions cannot be read: {error.strerror}: {error.filename}.") from error
    return {name: base64.b64encode(key).decode("ascii") for name, key in found.items()}
