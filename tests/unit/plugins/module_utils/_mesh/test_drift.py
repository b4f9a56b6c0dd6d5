# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

from bocage_core._mesh.drift import configured_state, differences
from bocage_core._mesh.interface import InterfaceState, PeerState, render_addresses, render_configuration

HUB = PeerState("A" * 43 + "=", "192.0.2.1:51820", frozenset({"fd7b:4c1e:90a2::/48"}), 25, "hub1")
LAN = PeerState("B" * 43 + "=", None, frozenset({"fd7b:4c1e:90a2:1::2/128", "198.18.1.0/24"}), 0, "gw1")
STATE = InterfaceState(
    listen_port=51820,
    mtu=1420,
    addresses=frozenset({"fd7b:4c1e:90a2:1::1/64", "198.19.1.1/24"}),
    routes={"198.18.1.0/24": "198.19.1.1", "198.19.9.0/24": None},
    peers={peer.public_key: peer for peer in (HUB, LAN)},
)


def test_the_rendered_files_are_read_back_whole() -> None:
    assert configured_state(render_configuration(STATE), render_addresses("bocage0", STATE)) == STATE


def test_a_live_interface_as_configured_has_no_drift() -> None:
    live = replace(STATE, peers={key: replace(peer, name="") for key, peer in STATE.peers.items()}, public_key="x")
    assert differences("bocage0", STATE, live) == []


def test_a_peer_that_roamed_is_no_drift() -> None:
    roamed = {**STATE.peers, HUB.public_key: replace(HUB, endpoint="198.51.100.7:4242")}
    assert differences("bocage0", STATE, replace(STATE, peers=roamed)) == []


def test_each_difference_is_one_sentence() -> None:
    stranger = "C" * 43 + "="
    live = InterfaceState(
        listen_port=4000,
        mtu=1280,
        addresses=frozenset({"fd7b:4c1e:90a2:1::1/64", "198.19.9.9/24"}),
        routes={"203.0.113.0/24": None},
        peers={
            HUB.public_key: replace(HUB, allowed_ips=frozenset()),
            stranger: replace(LAN, public_key=stranger),
        },
    )
    assert differences("bocage0", STATE, live) == [
        "The interface bocage0 listens on port 4000 instead of 51820.",
        "The interface bocage0 has an MTU of 1280 instead of 1420.",
        "The address 198.19.1.1/24 is missing.",
        "The address 198.19.9.9/24 is not configured.",
        "The route to 198.18.1.0/24 is missing or has another source than 198.19.1.1.",
        "The route to 198.19.9.0/24 is missing or has a source where none is configured.",
        "The route to 203.0.113.0/24 is not configured.",
        "The peer hub1 has other allowed addresses than configured.",
        "The peer gw1 is missing.",
        f"The peer {stranger} is not configured.",
    ]


def test_another_keepalive_is_told() -> None:
    live = replace(STATE, peers={**STATE.peers, HUB.public_key: replace(HUB, keepalive_seconds=0)})
    assert differences("bocage0", STATE, live) == [
        "The peer hub1 has another keepalive than the configured 25 seconds."
    ]


def test_lines_of_another_hand_do_not_break_the_reading() -> None:
    state = configured_state("[Peer]\n# x\nnonsense\n", "address\nroute replace x\n\nlink set dev a mtu\n")
    assert state == InterfaceState(0, 0, frozenset(), {}, {})


def test_a_link_that_is_down_is_told() -> None:
    assert differences("bocage0", STATE, replace(STATE, up=False)) == ["The interface bocage0 is down."]
