# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites' demands from the variables of all gateways, whoever is in the play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate_schema import GATEWAY_GROUP
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.sizing_estate import (
    SiteDemand,
    demands,
    gateways_by_site,
    reported_resources,
)


def site_demands(task_vars: Mapping[str, Any], connections: Mapping[str, Any] | None = None) -> dict[str, SiteDemand]:
    """Each site with its gateways, as the inventory has them and as they report themselves; raises BadInput.

    `connections` are figures by site that count in the place of those of the inventory.
    """
    hostvars = task_vars["hostvars"]
    names = list(task_vars["groups"].get(GATEWAY_GROUP, ()))
    if not names:
        raise BadInput(f"The inventory has no host in group {GATEWAY_GROUP}, so there is nothing to size.")
    hosts = {name: hostvars[name] for name in names}
    sites = dict(hosts[names[0]]["estate_sites"])
    for site, number in (connections or {}).items():
        if site not in sites:
            raise BadInput(f"Site {site}, for which connections are given, is not in estate_sites.")
        sites[site] = {**sites[site], "connections": number}
    sections = {name: (values.get("reported") or {}).get("sections") for name, values in hosts.items()}
    reported = {name: reported_resources(found) for name, found in sections.items() if found}
    return demands(sites, gateways_by_site(hosts, names, reported))
