# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses by which a host knows its network."""

from __future__ import annotations

import json

from bocage_agent.packages_addresses import addresses_in, own_addresses


def test_neither_loopback_nor_addresses_of_a_single_link() -> None:
    links = [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}, {"local": "::1"}]},
        {"ifname": "eth0", "addr_info": [{"local": "192.0.2.9"}, {"local": "fe80::1"}, {"local": "2001:db8::9"}, {}]},
        {},
    ]
    assert [str(one) for one in addresses_in(json.dumps(links))] == ["192.0.2.9", "2001:db8::9"]
    assert addresses_in("") == []


def test_the_system_is_asked() -> None:
    assert all(not one.is_loopback for one in own_addresses())
