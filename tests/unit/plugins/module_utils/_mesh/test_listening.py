# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that a proof finds open: those of all interfaces that live, in whatever epoch of keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bocage_core._common.exits import Exits
from bocage_core._gateway.routing import plan_routing
from bocage_core._mesh.classes import ClassPlanner
from bocage_core._mesh.epochs import Epochs, HostKeys, with_epochs
from bocage_core._mesh.listening import VXLAN_PORT, plan_listening
from bocage_core._mesh.peers import MeshPlanner
from bocage_core._mesh.rotation import HostState, Rotation
from bocage_core._segments import rules
from several_gateways import estate
from test_epochs import state

CLASSES = [{"name": "voice", "percent": 30, "dscp": ["ef"]}, {"name": "bulk", "percent": 70}]
VOICE: dict[str, Any] = {name: {"voice_classes": CLASSES} for name in ("hub1", "desk1", "tele1", "gw1", "gw2")}
MAIN, BFD = {51820, 51821}, {3784, 3785, 4784}


def mesh_of(name: str, rotation: Rotation | None, voice: bool = True) -> dict[str, Any]:
    made = estate(**(VOICE if voice else {}))
    keys = {
        host.name: HostKeys(host.public_key, 1, {1: f"{host.name} in epoch 1"} if rotation is not None else {})
        for host in made.hosts.values()
    }
    if rotation is not None:
        rotation = replace(rotation, hosts=dict.fromkeys(keys, HostState(enrolled_in=(0,))))
    planned = ClassPlanner(made, MeshPlanner(made).host).mesh(name)
    return with_epochs(Epochs(rotation, keys), made.hosts[name], planned)


def ports(name: str, rotation: Rotation | None = None, **more: Any) -> set[int]:
    made = estate()
    given = {"routing": None, "segments": [], **more}
    return set(plan_listening(made.hosts[name], mesh_of(name, rotation), **given))


def test_before_any_rotation_links_and_classes_are_those_of_epoch_0() -> None:
    links = {int(one["listen_port"]) for one in mesh_of("tele1", None)["links"]}
    assert 51826 in links, "the class beside the main interface"
    assert len(links) > 3, "links to gateways, and the classes beside them"
    assert ports("tele1") == MAIN | links


def test_settled_in_an_odd_epoch_everything_is_one_port_above() -> None:
    before = ports("tele1") - MAIN
    assert ports("tele1", state("settled")) - MAIN == {port + 1 for port in before}


@pytest.mark.parametrize("phase", ["rotating", "aborting"])
def test_while_keys_rotate_both_epochs_listen(phase: str) -> None:
    before = ports("tele1") - MAIN
    assert ports("tele1", state(phase)) - MAIN == before | {port + 1 for port in before}


def test_paths_are_watched_where_there_is_routing() -> None:
    made = estate()
    assert ports("gw1", routing=plan_routing(made, "gw1", Exits(made))) - ports("gw1") == BFD
    assert not ports("tele1") & BFD


def test_the_port_of_segments_is_for_hosts_that_have_segments() -> None:
    assert VXLAN_PORT not in ports("gw1")
    assert ports("gw1", segments=[{"id": 7}]) - ports("gw1") == {VXLAN_PORT}
    assert VXLAN_PORT == rules.VXLAN_PORT
