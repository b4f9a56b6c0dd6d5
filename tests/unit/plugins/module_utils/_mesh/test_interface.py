# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of an interface, what wg(8) shows of it, and the commands between the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._mesh.interface import (
    InterfaceState,
    PeerState,
    configured_endpoints,
    current_device,
    desired_state,
    plan,
    render_addresses,
    render_configuration,
)
from fake_host import Device, FakeHost
from hypothesis import given
from hypothesis import strategies as st

HUB = PeerState("A" * 43 + "=", "192.0.2.1:51820", frozenset({"fd7b:4c1e:90a2::/48", "198.19.1.0/24"}), 25, "hub1")
LAN = PeerState("B" * 43 + "=", None, frozenset({"fd7b:4c1e:90a2:1::2/128"}), 0, "desk1")
STATE = InterfaceState(
    listen_port=51820,
    mtu=1420,
    addresses=frozenset({"fd7b:4c1e:90a2:1::1/128", "198.19.1.1/32"}),
    routes={"fd7b:4c1e:90a2::/48": "fd7b:4c1e:90a2:1::1", "198.19.1.0/24": None},
    peers={peer.public_key: peer for peer in (LAN, HUB)},
    public_key="own",
)


def test_the_configuration_lists_peers_by_name_and_no_private_key() -> None:
    text = render_configuration(STATE)
    assert text == (
        "# Managed by Bocage. The private key is in a file of its own.\n"
        "[Interface]\n"
        "ListenPort = 51820\n"
        "\n"
        "# desk1\n"
        "[Peer]\n"
        f"PublicKey = {LAN.public_key}\n"
        "AllowedIPs = fd7b:4c1e:90a2:1::2/128\n"
        "\n"
        "# hub1\n"
        "[Peer]\n"
        f"PublicKey = {HUB.public_key}\n"
        "AllowedIPs = 198.19.1.0/24, fd7b:4c1e:90a2::/48\n"
        "Endpoint = 192.0.2.1:51820\n"
        "PersistentKeepalive = 25\n"
    )
    assert "PrivateKey" not in text
    assert configured_endpoints(text) == {HUB.public_key: "192.0.2.1:51820"}


def test_addresses_link_and_routes_in_the_order_that_the_kernel_needs() -> None:
    assert render_addresses("bocage0", STATE) == (
        "address replace 198.19.1.1/32 dev bocage0\n"
        "address replace fd7b:4c1e:90a2:1::1/128 dev bocage0 nodad\n"
        "link set dev bocage0 mtu 1420 up\n"
        "route replace 198.19.1.0/24 dev bocage0\n"
        "route replace fd7b:4c1e:90a2::/48 dev bocage0 src fd7b:4c1e:90a2:1::1\n"
    )


def parameters(*peers: dict[str, Any]) -> dict[str, Any]:
    return {"name": "bocage0", "listen_port": 1, "mtu": 1420, "addresses": [], "routes": [], "peers": list(peers)}


def test_absent_values_of_a_peer() -> None:
    state = desired_state(parameters({"public_key": "k", "allowed_ips": []}))
    assert state.peers["k"] == PeerState("k", None, frozenset(), 0)


@pytest.mark.parametrize("names", [("gw1", "gw2"), ("gw1", "gw1"), (None, None)])
def test_one_prefix_belongs_to_one_peer(names: tuple[str | None, str | None]) -> None:
    given = [
        {"name": name, "public_key": key, "allowed_ips": ["198.18.1.0/24"]}
        for name, key in zip(names, ("k1", "k2"), strict=True)
    ]
    with pytest.raises(BadInput) as refused:
        desired_state(parameters(*given))
    one, other = names[0] or "k1", names[1] or "k2"
    assert str(refused.value) == (
        f"Prefix 198.18.1.0/24 is given to peers {one} and {other} of interface bocage0; one prefix belongs to one peer."
    )


def test_one_key_belongs_to_one_peer() -> None:
    given = [{"name": name, "public_key": "k", "allowed_ips": []} for name in ("gw1", "gw2")]
    with pytest.raises(BadInput) as refused:
        desired_state(parameters(*given))
    assert str(refused.value) == ("Peer gw2 is listed twice on interface bocage0; each public key belongs to one peer.")


def test_what_wg_shows_is_read() -> None:
    shown = "own\t51820\nk1\t[2001:db8::1]:51820\t198.18.1.0/24,fd00::/8\t25\nk2\t(none)\t(none)\toff\n"
    assert current_device(shown) == (
        "own",
        51820,
        {
            "k1": PeerState("k1", "[2001:db8::1]:51820", frozenset({"198.18.1.0/24", "fd00::/8"}), 25),
            "k2": PeerState("k2", None, frozenset(), 0),
        },
    )
    assert current_device("own\t51820\n") == ("own", 51820, {})
    assert current_device("") == ("", 0, {})


def test_nothing_to_do_is_an_empty_plan() -> None:
    planned = plan("bocage0", STATE, STATE, {}, "/key")
    assert (planned.actions, planned.changed) == ([], False)


def test_many_peers_are_set_in_commands_of_a_bearable_length() -> None:
    prefixes = {f"{number:044}": f"fd00::{number:x}/128" for number in range(1, 1001)}
    peers = {key: PeerState(key, None, frozenset({prefix}), 0) for key, prefix in prefixes.items()}
    many = InterfaceState(1, 1420, frozenset(), {}, peers, "own")
    none = InterfaceState(1, 1420, frozenset(), {}, {}, "own")
    setting = plan("bocage0", many, none, {}, "/key").actions
    assert [action.about for action in setting] == ["set 200 peers"] * 5
    removing = plan("bocage0", none, many, {}, "/key").actions
    assert [action.about for action in removing] == ["remove 200 peers"] * 5
    assert all(len(" ".join(action.command)) < 100_000 for action in (*setting, *removing))


KEYS = ("k1", "k2", "k3", "k4")
PREFIXES = [f"198.18.{number}.0/24" for number in range(5)]


@st.composite
def states(draw: st.DrawFn) -> InterfaceState:
    """An interface whose prefixes each belong to one peer."""
    owners = {prefix: draw(st.sampled_from([None, *KEYS])) for prefix in PREFIXES}
    peers = {
        key: PeerState(
            key,
            draw(st.sampled_from([None, "192.0.2.1:1", "192.0.2.2:1"])),
            frozenset(prefix for prefix, owner in owners.items() if owner == key),
            draw(st.sampled_from([0, 25])),
        )
        for key in draw(st.sets(st.sampled_from(KEYS)))
    }
    return InterfaceState(
        listen_port=draw(st.integers(1, 3)),
        mtu=draw(st.sampled_from([1280, 1420])),
        addresses=frozenset(draw(st.sets(st.sampled_from(["198.19.1.1/32", "fd00::1/128", "fd00::2/128"])))),
        routes=draw(st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from([None, "198.19.1.1"]))),
        peers=peers,
        public_key=draw(st.sampled_from([None, "own"])),
        up=draw(st.booleans()),
    )


@given(desired=states(), current=states())
def test_any_interface_becomes_what_is_desired(
    desired: InterfaceState, current: InterfaceState, tmp_path_factory: pytest.TempPathFactory
) -> None:
    host = FakeHost(tmp_path_factory.getbasetemp())
    device = host.device = Device(up=current.up, mtu=current.mtu, port=current.listen_port)
    device.addresses = dict.fromkeys(current.addresses)
    device.routes = dict(current.routes)
    for key, peer in current.peers.items():
        device.peers[key] = {
            "endpoint": peer.endpoint, "keepalive": peer.keepalive_seconds, "allowed": set(peer.allowed_ips)
        }  # fmt: skip
    key_file = str(Path(tmp_path_factory.getbasetemp()) / "private.key")
    for action in plan("bocage0", desired, current, {}, key_file).actions:
        assert host(list(action.command)) == (0, "", ""), action
    assert (device.mtu, device.port) == (desired.mtu, desired.listen_port)
    assert set(device.addresses) == desired.addresses
    assert device.routes == desired.routes
    assert device.up
    assert set(device.peers) == set(desired.peers)
    for key, peer in desired.peers.items():
        live = device.peers[key]
        assert (live["keepalive"], live["allowed"]) == (peer.keepalive_seconds, peer.allowed_ips)
        # an endpoint can be given and not be taken away
        assert peer.endpoint is None or live["endpoint"] == peer.endpoint
