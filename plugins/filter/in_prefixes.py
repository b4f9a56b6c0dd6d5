# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: whether one of some addresses is in one of some prefixes."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: in_prefixes
short_description: Whether one of some addresses is in one of some prefixes
version_added: 0.1.0
description:
  - Tells whether at least one address lies in at least one of the prefixes. Families may be mixed.
author:
  - The Bocage maintainers (@bocage-fleet)
options:
  _input:
    description: Addresses.
    type: list
    elements: str
    required: true
  prefixes:
    description: Prefixes.
    type: list
    elements: str
    required: true
positional: prefixes
"""

EXAMPLES = r"""
on_the_lan: "{{ ['198.51.100.7'] | bocage.fleet.in_prefixes(['198.51.100.0/24']) }}"
"""

RETURN = r"""
_value:
  description: Whether an address was found in a prefix.
  type: bool
"""


def in_prefixes(addresses: Iterable[str], prefixes: Iterable[str]) -> bool:
    try:
        networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
        found = [ipaddress.ip_address(address) for address in addresses]
    except ValueError as error:
        raise AnsibleFilterError(f"in_prefixes: {error}; give addresses and prefixes as text.") from error
    return any(address.version == network.version and address in network for address in found for network in networks)


class FilterModule:
    """The filter by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"in_prefixes": in_prefixes}
