# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the gateways of each site against what the site asks of them; their size is checked beside their sizing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .estate_schema import GATEWAY_GROUP
from .estate_wide import EstateWide
from .findings import Finding, listed


def check_gateways(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], estate: EstateWide
) -> Iterable[Finding]:
    """A finding for each site that asks for high availability and has fewer than two gateways."""
    members = frozenset(groups.get(GATEWAY_GROUP, ()))
    for site in estate.sites.values():
        if not site.high_availability:
            continue
        path = ("estate_sites", site.name, "high_availability")
        serving = [name for name, values in hosts.items() if name in members and values.get("host_site") == site.name]
        if not site.has_lan:
            yield Finding(f"Site {site.name} asks for high availability but has no lan_prefixes to serve.", path)
        elif len(serving) < 2:
            has = f"one gateway, {listed(serving)}" if serving else "no gateway"
            yield Finding(
                f"Site {site.name} asks for high availability but has {has}; "
                "it needs two or more hosts of group gateways.",
                path,
            )
