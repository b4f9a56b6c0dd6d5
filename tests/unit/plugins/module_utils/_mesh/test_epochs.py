# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces while two epochs are in use: what is chosen, and that there is a way to each peer at every moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._mesh.epochs import Epochs, HostKeys
from bocage_core._mesh.rotation import HostState, Rotation

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
PEERS = {"hub": "fd00:0:0::1", "gw": "fd00:0:0:1::1", "home": "fd00:0:0:2::1"}
PLAN: dict[str, Any] = {
    "addresses": ["fd00:0:0:1::9/128"],
    "mtu": 1420,
    "routes": [{"prefix": "fd00::/48", "source": "fd00:0:0:1::9"}, {"prefix": "10.1.0.0/24", "source": "10.9.0.9"}],
    "peers": [
        {"name": "gw", "public_key": "gw0", "endpoint": "198.18.0.21:51820", "keepalive_seconds": 0,
         "allowed_ips": ["fd00:0:0:1::1/128", "10.1.0.0/24"]},
        {"name": "home", "public_key": "home0", "endpoint": None, "keepalive_seconds": 0,
         "allowed_ips": ["fd00:0:0:2::1/128"]},
        {"name": "hub", "public_key": "hub0", "endpoint": "[2001:db8::10]:51820", "keepalive_seconds": 25,
         "allowed_ips": ["fd00::/48"]},
    ],
}  # fmt: skip


def hosts(*without: str) -> dict[str, HostKeys]:
    return {
        name: HostKeys(f"{name}0", 1, {} if name in without else {1: f"{name}1"})
        for name in ("me", "hub", "gw", "home")
    }


def state(phase: str = "rotating", moved: bool = False, unproven: tuple[str, ...] = ()) -> Rotation:
    known = {name: HostState(moved, moved, 1, (0,)) for name in ("hub", "gw", "home")}
    known["me"] = HostState(moved, moved, 1, (0,), unproven)
    return Rotation(0, 1, phase, NOW, NOW + timedelta(days=1), known)  # type: ignore[arg-type]


def interfaces(rotation: Rotation, keys: dict[str, HostKeys] | None = None) -> dict[str, dict[str, Any]]:
    made = Epochs(rotation, keys or hosts()).interfaces("me", PLAN, 51820)["interfaces"]
    return {one["name"]: one for one in made}


def way(made: dict[str, dict[str, Any]], address: str) -> str:
    """The interface that the kernel would take: the longest prefix, then the lowest metric."""
    target = ip_address(address)
    found = [
        (-ip_network(route["prefix"]).prefixlen, route.get("metric") or 0, name)
        for name, one in made.items()
        for route in one["routes"]
        if target in ip_network(route["prefix"])
    ]
    return min(found)[2]


def test_without_a_rotation_the_plan_is_as_it_was() -> None:
    assert Epochs(None, hosts()).interfaces("me", PLAN, 51820) == {}


def test_both_epochs_side_by_side() -> None:
    made = interfaces(state())
    assert list(made) == ["bocage1", "bocage0"], "the one that is used comes last"
    new = made["bocage1"]
    assert (new["listen_port"], new["private_key_file"], new["mtu"]) == (51821, "/etc/bocage/mesh/epoch-1.key", 1420)
    assert new["addresses"] == PLAN["addresses"]
    hub = new["peers"][2]
    assert (hub["public_key"], hub["endpoint"]) == ("hub1", "[2001:db8::10]:51821")
    assert hub["preshared_key_file"] == "/etc/bocage/mesh/psk-1/hub"
    assert made["bocage0"]["peers"] == PLAN["peers"]
    assert made["bocage0"]["routes"] == PLAN["routes"]
    assert [route["metric"] for route in new["routes"]] == [4097, 4097]
    assert {way(made, address) for address in (*PEERS.values(), "10.1.0.7")} == {"bocage0"}


def test_moved() -> None:
    made = interfaces(state(moved=True))
    assert list(made) == ["bocage0", "bocage1"]
    assert {way(made, address) for address in (*PEERS.values(), "10.1.0.7")} == {"bocage1"}
    assert [route["metric"] for route in made["bocage0"]["routes"]] == [4096, 4096]


@pytest.mark.parametrize("sleeper", ["hub", "gw", "home"])
def test_only_what_is_unproven_stays(sleeper: str) -> None:
    made = interfaces(state(moved=True, unproven=(sleeper,)))
    for name, address in PEERS.items():
        assert way(made, address) == ("bocage0" if name == sleeper else "bocage1"), name
    assert way(made, "10.1.0.7") == ("bocage0" if sleeper == "gw" else "bocage1")
    assert way(made, "fd00:0:0:9::9") == ("bocage0" if sleeper == "hub" else "bocage1"), "the hub carries the rest"


@pytest.mark.parametrize("sleeper", ["hub", "gw", "home"])
def test_a_host_without_a_key_of_the_epoch_is_a_peer_of_the_old_one_alone(sleeper: str) -> None:
    made = interfaces(state(moved=True), hosts(sleeper))
    assert sleeper not in {peer["name"] for peer in made["bocage1"]["peers"]}
    assert sleeper in {peer["name"] for peer in made["bocage0"]["peers"]}
    assert way(made, PEERS[sleeper]) == "bocage0"


def test_two_routes_of_one_prefix_never_have_one_metric() -> None:
    for rotation in (state(), state(moved=True), state(moved=True, unproven=("hub",)), state("aborting", moved=True)):
        routes = [
            (route["prefix"], route.get("metric")) for one in interfaces(rotation).values() for route in one["routes"]
        ]
        assert len(routes) == len(set(routes))


def test_given_up_all_routes_are_back_while_both_are_there() -> None:
    made = interfaces(state("aborting", moved=True))
    assert list(made) == ["bocage1", "bocage0"]
    assert {way(made, address) for address in PEERS.values()} == {"bocage0"}
    assert list(interfaces(state("undoing"))) == ["bocage0"]


def test_settled_only_the_new_one_is_left_with_the_routes_that_it_had() -> None:
    made = interfaces(state("settled", moved=True))
    assert list(made) == ["bocage1"]
    assert made["bocage1"]["routes"] == PLAN["routes"]


def test_left_behind_its_old_key_counts_no_more() -> None:
    epochs = Epochs(state("settled", moved=True), hosts("home"))
    assert (epochs.key("home", 1), epochs.any_key("home"), epochs.any_key("gw")) == (None, None, "gw1")


def test_who_came_later_uses_the_key_of_its_enrolment_and_no_secret() -> None:
    keys = hosts() | {"late": HostKeys("late0")}
    epochs = Epochs(state("settled", moved=True), keys)
    plan = PLAN | {"peers": [*PLAN["peers"], {**PLAN["peers"][1], "name": "late", "public_key": "late0"}]}
    (one,) = epochs.interfaces("me", plan, 51820)["interfaces"]
    assert one["peers"][3]["public_key"] == "late0"
    assert "preshared_key_file" not in one["peers"][3]
    assert epochs.interfaces("late", PLAN, 51820)["key_file"] == "/etc/bocage/mesh/private.key"


def test_installed_anew_a_host_uses_the_key_of_its_new_enrolment() -> None:
    keys = hosts() | {"gw": HostKeys("gw-new", 2)}
    key = Epochs(state("settled", moved=True), keys).key("gw", 1)
    assert key is not None
    assert key.public == "gw-new"


def test_attack_one_mesh_key_of_an_epoch_for_two_hosts() -> None:
    keys = hosts() | {"gw": HostKeys("gw0", 1, {1: "hub1"})}
    with pytest.raises(BadInput) as refused:
        Epochs(state(), keys)
    assert str(refused.value) == (
        "Hosts hub and gw have the same mesh key; one of them is a copy: make it a new key and enrol it again."
    )


def test_links_and_classes_rotate_with_the_rest() -> None:
    link = {"name": "bocage0-1-1", "listen_port": 52100, "addresses": [], "routes": [], "peers": [PLAN["peers"][0]]}
    made = Epochs(state(), hosts()).interfaces("me", PLAN | {"links": [link]}, 51820)["interfaces"]
    assert [(one["name"], one["listen_port"]) for one in made] == [
        ("bocage1", 51821), ("bocage1-1-1", 52101), ("bocage0", 51820), ("bocage0-1-1", 52100),
    ]  # fmt: skip
    heard = {"public_key": "gw0", "address": "fd00:0:0:1::1", "calls": False}
    watched = {
        "interfaces": [
            {"name": "bocage0v1", "follows": "bocage0", "class": 1, "port": 51826, "mark": 0x100, "peers": [heard]}
        ]
    }
    classes = Epochs(state(), hosts()).classes("me", watched)
    assert [(one["name"], one["follows"], one["port"], one["mark"]) for one in classes] == [
        ("bocage1v1", "bocage1", 51827, 0x180), ("bocage0v1", "bocage0", 51826, 0x100),
    ]  # fmt: skip
    assert classes[0]["peers"][0]["public_key"] == "gw1"


def test_an_interface_of_another_name_cannot_rotate() -> None:
    link = {"name": "wg7", "listen_port": 1, "addresses": [], "routes": [], "peers": [PLAN["peers"][0]]}
    with pytest.raises(BadInput) as refused:
        Epochs(state(), hosts()).interfaces("me", PLAN | {"links": [link]}, 51820)
    assert str(refused.value) == "The interface wg7 cannot rotate its key; the overlay's names begin with bocage0."


@pytest.mark.parametrize(
    ("rotation", "name"),
    [
        (None, "bocage0"),
        (state(), "bocage0"),
        (state(moved=True), "bocage1"),
        (state("paused", moved=True), "bocage1"),
        (state("aborting", moved=True), "bocage0"),
        (state("settled"), "bocage1"),
    ],
    ids=["never rotated", "not moved", "moved", "paused", "given up", "settled"],
)
def test_the_main_interface_is_the_one_that_a_host_sends_by(rotation: Rotation | None, name: str) -> None:
    assert Epochs(rotation, hosts()).main_interface("me") == name
