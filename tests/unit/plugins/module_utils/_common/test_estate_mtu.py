# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared sizes of packets: those that fit, and those that fit IPv4 alone."""

from __future__ import annotations

from typing import Any


def test_sound_sizes_have_no_finding(inventory: Any) -> None:
    inventory.estate["estate_sites"]["lyon"].update(underlay_mtu=1492, lan_mtu=9000)
    inventory.hosts["tele1"].update(underlay_mtu=1340, mesh_mtu=1280)
    assert inventory.texts() == []


def test_a_narrow_host_that_reaches_a_hub_over_ipv6_has_a_finding(inventory: Any) -> None:
    inventory.hosts["hub1"]["mesh_endpoint"] = "2001:db8::1"
    inventory.estate["estate_sites"]["remote"]["underlay_mtu"] = 1359
    assert inventory.texts() == [
        "Host tele1 has underlay_mtu 1359 and reaches hub1 over IPv6, where the tunnel takes 80 bytes: it must be 1360 "
        "at least for IPv6 inside (RFC 8200)."
    ]
    inventory.estate["estate_sites"]["remote"]["underlay_mtu"] = 1360
    assert inventory.texts() == []


def test_a_narrow_hub_that_is_reached_over_ipv6_has_a_finding(inventory: Any) -> None:
    inventory.hosts["hub1"].update(mesh_endpoint="2001:db8::1", underlay_mtu=1340)
    assert inventory.texts() == [
        "Host hub1 has underlay_mtu 1340 and is reached over IPv6, where the tunnel takes 80 bytes: it must be 1360 at "
        "least for IPv6 inside (RFC 8200)."
    ]


def test_a_gateway_of_another_tenant_does_not_matter(inventory: Any) -> None:
    inventory.hosts["gw2"]["mesh_endpoint"] = "2001:db8::2"
    inventory.hosts["tele1"]["underlay_mtu"] = 1350
    assert inventory.texts() == []
