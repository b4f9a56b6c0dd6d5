# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses this host has now, to know in which network it is."""

from __future__ import annotations

import ipaddress
import json

from bocage_core._common.estate_syntax import Address

from .commands import run


def own_addresses() -> list[Address]:
    """All but those of the loopback and of single links; none where the system does not tell."""
    status, output, _error = run(["ip", "-json", "address", "show", "up"])
    return addresses_in(output) if status == 0 else []


def addresses_in(output: str) -> list[Address]:
    """The addresses in what `ip -json address` prints."""
    found = [
        ipaddress.ip_address(address["local"])
        for link in json.loads(output or "[]")
        for address in link.get("addr_info", ())
        if "local" in address
    ]
    return [one for one in found if not one.is_loopback and not one.is_link_local]
