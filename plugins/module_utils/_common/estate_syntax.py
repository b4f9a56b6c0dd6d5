# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses as an operator writes them, turned into typed values or a sentence."""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

from .option_check import shown

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

# Names become DNS labels; those of our own things begin with a letter, hosts may begin with a digit.
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_name(text: object) -> bool:
    """A name of an estate, a tenant or a site."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_label(text: object) -> bool:
    """A name of a host: one DNS label in small letters."""
    return isinstance(text, str) and _LABEL.fullmatch(text) is not None


def is_domain(text: object) -> bool:
    """A DNS domain in small letters, short enough to stand behind a host name."""
    return isinstance(text, str) and len(text) <= 189 and all(map(is_label, text.split(".")))


def network_of(value: object) -> Network | str:
    """The network, or why the value is none."""
    text = str(value)
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        loose = ipaddress.ip_interface(text).network
    except ValueError:
        return f"{shown(value)} is not an address prefix such as 198.18.1.0/24 or 2001:db8:2::/64."
    return f"{shown(value)} has bits set behind its prefix length; write {loose}."


def address_of(value: object) -> Address | str:
    """The address, or why the value is none."""
    try:
        return ipaddress.ip_address(str(value))
    except ValueError:
        return f"{shown(value)} is not an IP address (write it without port, brackets or prefix length)."


def contains(network: Network, address: Address) -> bool:
    """Whether an address lies in a network, of whatever family each is."""
    return address.version == network.version and address in network
