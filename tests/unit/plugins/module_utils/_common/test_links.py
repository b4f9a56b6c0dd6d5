# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and ports of interfaces: short enough, apart, in pairs for two epochs, and left alone by those who join."""

from __future__ import annotations

from dataclasses import replace

from bocage_core._common.links import link_interface, link_ports, main_interface, main_port
from several_gateways import estate


def test_two_epochs_live_side_by_side() -> None:
    assert [main_interface(epoch) for epoch in (0, 1, 2)] == ["bocage0", "bocage1", "bocage0"]
    assert [main_port(51820, epoch) for epoch in (0, 1, 2)] == [51820, 51821, 51820]
    gateway = estate().hosts["gw2"]
    assert [link_interface(gateway, epoch) for epoch in (0, 1, 2)] == ["bocage0-1-2", "bocage1-1-2", "bocage0-1-2"]


def far(site_index: int, host_index: int) -> str:
    """The name for a gateway with large numbers."""
    gateway = estate().hosts["north1"]
    return link_interface(replace(gateway, site=replace(gateway.site, index=site_index), index=host_index))


def test_long_numbers_become_a_digest_that_does_not_change() -> None:
    name = far(0xFFFF, 0xFFFE)
    assert len(name) == 15 and name == far(0xFFFF, 0xFFFE)
    names = {far(site, index) for site in range(0xFF00, 0xFF20) for index in range(0xFF00, 0xFF20)}
    assert len(names) == 32 * 32
    assert far(0xF, 0xFFFF) == "bocage0-f-ffff"


def test_ports_are_apart_for_both_epochs() -> None:
    gateways = [host for host in estate(gateways=40).hosts.values() if host.is_gateway]
    even, odd = link_ports(51820, gateways, 0), link_ports(51820, gateways, 1)
    assert set(even) == set(odd) == {host.name for host in gateways}
    assert len({*even.values(), *odd.values()}) == 2 * len(gateways)
    assert all(1024 <= port <= 65535 for port in (*even.values(), *odd.values()))
    assert not {51820, 51821} & {*even.values(), *odd.values()}


def test_the_order_of_gateways_says_nothing() -> None:
    gateways = [host for host in estate(gateways=40).hosts.values() if host.is_gateway]
    assert link_ports(51820, gateways) == link_ports(51820, reversed(gateways))


def test_who_joins_moves_nobody() -> None:
    few = [host for host in estate(gateways=4).hosts.values() if host.is_gateway]
    before = link_ports(51820, few)
    after = link_ports(51820, [host for host in estate(gateways=5).hosts.values() if host.is_gateway])
    assert {name: after[name] for name in before} == before


def test_high_ports_begin_again_at_the_low_ones() -> None:
    gateways = [host for host in estate(gateways=40).hosts.values() if host.is_gateway]
    ports = link_ports(65000, gateways)
    assert all(1024 <= port <= 65535 for port in ports.values())
    assert len(set(ports.values())) == len(gateways)
