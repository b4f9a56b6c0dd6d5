# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prefixes a host routes into the overlay interface."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from .._common.estate import Estate, Host

# FRR takes the upper byte of a kernel route's metric for its distance: any route of a protocol is better than this one.
LAST_RESORT = 250 << 24


def route_prefixes(estate: Estate, host: Host, lan_prefixes: Iterable[str]) -> list[str]:
    """The estate's addresses that the host may reach, and the LANs that it enters through the overlay.

    IPv4 only where the host could answer from an address of its own, or relays.
    """
    prefixes = {estate.ula_prefix, *lan_prefixes}
    if host.is_hub or host.address4 is not None:
        prefixes.update(
            site.prefix4
            for site in estate.sites.values()
            if site.prefix4 is not None and (site.tenant is None or host.site.tenant in (None, site.tenant))
        )
    return not_covered(prefixes)


def not_covered(prefixes: Iterable[str]) -> list[str]:
    """The prefixes that no shorter one of them covers, IPv4 first, by address."""
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    kept: list[str] = []
    last = {4: -1, 6: -1}
    # sorted by first address and length, what is covered follows what covers it
    for network in sorted(networks, key=lambda one: (one.version, int(one.network_address), one.prefixlen)):
        if int(network.broadcast_address) > last[network.version]:
            kept.append(str(network))
            last[network.version] = int(network.broadcast_address)
    return kept
