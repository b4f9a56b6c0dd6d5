# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules around segments as text; that nft takes them is in test_apply.py."""

from __future__ import annotations

import re

from bocage_core._segments.rules import render
from segment_host import of_gateway, of_hypervisor


def chain(text: str, name: str) -> str:
    found = re.search(rf"\tchain {name} \{{\n(.*?)\n\t\}}", text, re.DOTALL)
    assert found
    return found[1]


def test_guests_are_no_routers_and_no_dhcp_servers() -> None:
    home, gateway = render([of_hypervisor()], 14789), render([of_gateway()], 14789)
    for text, outgoing in ((home, "to_vx1001"), (gateway, "from_vx1001")):
        assert "udp sport 67 drop" in chain(text, outgoing)
        assert "nd-router-advert drop" in chain(text, outgoing)
    # and the LAN's own pass the other way
    assert "udp sport 67 drop" not in chain(home, "from_vx1001")
    assert "nd-router-advert" not in chain(gateway, "to_vx1001")


def test_storms_and_protocols_of_one_link_end_in_both_directions() -> None:
    text = render([of_gateway(storm_frames_per_second=50)], 14789)
    for name in ("to_vx1001", "from_vx1001"):
        assert "limit rate over 50/second burst 100 packets counter drop" in chain(text, name)
        assert "01:80:c2:00:00:00 drop" in chain(text, name)
    assert 'ether type 0x88b5 oifname { "vx1001" } drop' in chain(text, "forward")


def test_a_frame_is_routed_anew_and_the_mark_ends_with_the_segment() -> None:
    """Linux would keep the route of an address that moved to another gateway."""
    text = render([of_hypervisor()], 14789)
    assert chain(text, "to_vx1001").strip().startswith("meta mark set 0x7678")
    assert "udp dport 4789 notrack meta mark set 0" in chain(text, "untracked_out")


def test_ports_of_a_class_become_the_dscp_outside() -> None:
    """The class before others has the last word, and a DSCP of the guest's own stays."""
    marked = [
        {"dscp": "ef", "ports": ["udp/16384-32767", "tcp/5061"]},
        {"dscp": "af41", "ports": ["udp/20000", "udp/4000-4001"]},
    ]
    text = render([of_hypervisor(marked_ports=marked)], 14789)
    rules = [line.strip() for line in chain(text, "to_vx1001").splitlines()][:7]
    assert rules[0].startswith("meta mark set 0x7678 ")
    assert rules[1:] == [
        "udp dport { 20000, 4000-4001 } meta mark set 0x76780022",
        "udp sport { 20000, 4000-4001 } meta mark set 0x76780022",
        "tcp dport { 5061 } meta mark set 0x7678002e",
        "tcp sport { 5061 } meta mark set 0x7678002e",
        "udp dport { 16384-32767 } meta mark set 0x7678002e",
        "udp sport { 16384-32767 } meta mark set 0x7678002e",
    ]
    assert "mark set 0x7678002e" not in chain(text, "from_vx1001")
    *_head, first, second, last = chain(text, "untracked_out").splitlines()
    assert first.strip() == "udp dport 4789 meta mark 0x76780022 ip6 dscp cs0 ip6 dscp set af41"
    assert second.strip() == "udp dport 4789 meta mark 0x7678002e ip6 dscp cs0 ip6 dscp set ef"
    assert last.strip() == "udp dport 4789 notrack meta mark set 0"


def test_without_ends_the_ports_are_closed() -> None:
    text = chain(render([of_gateway(ends=[], peers={})], 14789), "input")
    assert "udp dport 4789 drop" in text
    assert "udp dport 14789 drop" in text
