# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names inside the overlay: who serves them, and what the records are."""

from __future__ import annotations

from typing import Any

from .._common.estate import Estate


def plan_names(estate: Estate, host_name: str) -> dict[str, Any]:
    """Servers that the host asks, and the records that it serves where it is a hub.

    ``records`` are ``{"address", "name"}``, sorted. A host is ``<host>.<domain>``,
    a declared name of a site is ``<name>.<site>.<domain>``.
    """
    host = estate.hosts[host_name]
    home = host if host.is_hub else estate.home_hub(host.site)
    records: list[tuple[str, str]] = []
    if host.is_hub:
        for other in estate.hosts.values():
            records += [(f"{other.name}.{estate.domain}", address.split("/")[0]) for address in other.allowed_ips]
        for site in estate.sites.values():
            for name, addresses in site.names.items():
                records += [
                    (f"{name}.{site.name}.{estate.domain}", site.reached_address(address)) for address in addresses
                ]
    return {
        "domain": estate.domain,
        "servers": [home.address6],
        "records": [{"name": name, "address": address} for name, address in sorted(records)],
    }
