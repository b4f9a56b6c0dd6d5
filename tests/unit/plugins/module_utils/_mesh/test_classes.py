# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces of traffic classes beside those that carry traffic anyway."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._mesh.classes import ClassPlanner, class_name, class_port
from bocage_core._mesh.peers import MeshPlanner
from demo_estate import demo
from random_estates import Written, key_of

CLASSES = [
    {"name": "voice", "percent": 30, "dscp": ["ef"]},
    {"name": "interactive", "percent": 40, "dscp": ["af41"]},
    {"name": "bulk", "percent": 30},
]


def estate(without: tuple[str, ...] = ()) -> Written:
    written = demo()
    for name, values in written.hosts.items():
        if name not in without:
            values["voice_classes"] = copy.deepcopy(CLASSES)
    return written


def links_of(written: Written, name: str) -> dict[str, dict[str, Any]]:
    made = written.estate()
    return {one["name"]: one for one in ClassPlanner(made, MeshPlanner(made).host).links(name)}


def test_an_interface_for_each_class_but_the_last() -> None:
    links = links_of(estate(), "tele1")
    assert {"bocage0v1", "bocage0v2"} <= links.keys()
    assert links["bocage0v1"]["listen_port"] == 51820 + 6
    assert links["bocage0v2"]["listen_port"] == 51820 + 8
    assert links["bocage0v1"]["addresses"] == links["bocage0v1"]["routes"] == []


def test_peers_are_those_of_the_interface_beside_it_at_the_ports_of_the_class() -> None:
    written = estate()
    main = {peer["name"]: peer for peer in MeshPlanner(written.estate()).host("tele1")["peers"]}
    mirrored = {peer["name"]: peer for peer in links_of(written, "tele1")["bocage0v1"]["peers"]}
    assert mirrored.keys() == main.keys()
    for name, peer in mirrored.items():
        assert peer["allowed_ips"] == main[name]["allowed_ips"]
        assert peer["public_key"] == main[name]["public_key"]
        assert peer["keepalive_seconds"] == main[name]["keepalive_seconds"]
    assert mirrored["hub1"]["endpoint"] == "192.0.2.10:51826"


def test_both_ends_must_have_the_class() -> None:
    names = [peer["name"] for peer in links_of(estate(without=("hub1",)), "gw1")["bocage0v1"]["peers"]]
    assert "hub1" not in names
    assert "tele1" in names
    assert links_of(estate(without=("gw1",)), "gw1") == {}


def test_a_class_of_another_form_is_another_class() -> None:
    written = estate()
    written.hosts["hub1"]["voice_classes"][0]["dscp"] = ["cs5"]
    links = links_of(written, "gw1")
    assert "hub1" not in [peer["name"] for peer in links["bocage0v1"]["peers"]]
    assert "hub1" in [peer["name"] for peer in links["bocage0v2"]["peers"]]


def test_shares_may_differ() -> None:
    written = estate()
    written.hosts["hub1"]["voice_classes"][0]["percent"] = 20
    written.hosts["hub1"]["voice_classes"][2]["percent"] = 40
    assert "hub1" in [peer["name"] for peer in links_of(written, "gw1")["bocage0v1"]["peers"]]


def test_gateways_of_one_site_need_no_class_between_them() -> None:
    found = [peer["name"] for link in links_of(estate(), "gw1").values() for peer in link["peers"]]
    assert "gw2" not in found
    assert "tele1" in found


def test_each_link_has_its_own_interface_of_a_class() -> None:
    """So that a class takes the gateway that routing chose, and another one after a takeover."""
    written = estate()
    made = written.estate()
    base = {**MeshPlanner(made).host("tele1"), "mtu": 1420}
    base["links"] = [{**link, "mtu": 1380} for link in base["links"]]
    planner = ClassPlanner(made, lambda _name: base)
    links = [one for one in planner.links("tele1") if one["class"] == 1]
    assert [one["follows"] for one in links] == ["bocage0", *(one["name"] for one in base["links"])]
    assert len(links) == 3
    assert len({one["name"] for one in links}) == len({one["listen_port"] for one in links}) == 3
    assert all(len(one["name"]) <= 15 for one in links)
    assert [one["mtu"] for one in links] == [1420, 1380, 1380]
    for link, mirror in zip(base["links"], links[1:], strict=True):
        assert mirror["peers"][0]["allowed_ips"] == link["peers"][0]["allowed_ips"]
    assert "198.18.1.0/24" in links[1]["peers"][0]["allowed_ips"]
    assert "198.18.1.0/24" in links[2]["peers"][0]["allowed_ips"]
    assert len({one["mark"] for one in planner.host("tele1")["interfaces"]}) == 6
    # the module of the interfaces takes no more than it knows
    assert all("class" not in one and "follows" not in one for one in planner.mesh("tele1")["links"])


def test_both_ends_agree_on_ports() -> None:
    """Whom a host calls at a port has an interface of that class there, and the host among its peers."""
    written = estate()
    written.add("pub1", "remote", ["hypervisors"], mesh_endpoint="192.0.2.77", public_key=key_of("pub1"))
    written.hosts["pub1"]["voice_classes"] = copy.deepcopy(CLASSES)
    made = written.estate()
    planner = ClassPlanner(made, MeshPlanner(made).host)
    called = 0
    for name in made.hosts:
        for link in planner.links(name):
            for peer in link["peers"]:
                if peer["endpoint"] is None:
                    continue
                port = int(peer["endpoint"].rpartition(":")[2])
                (other,) = [one for one in planner.links(peer["name"]) if one["listen_port"] == port]
                assert other["class"] == link["class"]
                back = {one["name"]: one for one in other["peers"]}[name]
                assert back["endpoint"] is None or int(back["endpoint"].rpartition(":")[2]) == link["listen_port"]
                called += 1
    assert called > 20


def test_ports_of_classes_are_open_for_both_epochs() -> None:
    made = estate().estate()
    planner = ClassPlanner(made, MeshPlanner(made).host)
    assert planner.with_ports("hub1", {"mesh_ports": [51820, 51821]})["mesh_ports"] == [
        51820, 51821, 51826, 51827, 51828, 51829
    ]  # fmt: skip


def test_two_interfaces_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bocage_core._mesh.classes.class_name", lambda _follows, number: f"v{number}")
    made = estate().estate()
    with pytest.raises(BocageError, match=r"^Two interfaces of classes of host tele1 would have one name; give a "):
        ClassPlanner(made, MeshPlanner(made).host).mesh("tele1")


def test_names_fit_and_a_long_one_is_refused() -> None:
    assert class_name("bocage0", 1) == "bocage0v1"
    assert class_name("bocage1-1-2", 3).startswith("bocage1v3-")
    with pytest.raises(BocageError, match=r"^The interface abcdefghijklmn has no room .* of at most 13 characters\.$"):
        class_name("abcdefghijklmn", 1)


def test_ports_keep_the_parity_of_epochs_and_stay_apart() -> None:
    assert class_port(51821, 51820, 1) == class_port(51820, 51820, 1) + 1
    links = range(51920, 51920 + 8192)
    taken = [class_port(port, 51820, number) for number in range(1, 7) for port in (51820, 51821, *links)]
    assert len(set(taken)) == len(taken)
    assert not set(taken) & {51820, 51821, *links}
    assert all(1024 <= port <= 65535 for port in taken)


def test_a_host_without_classes_has_nothing_to_do() -> None:
    made = demo().estate()
    planner = ClassPlanner(made, MeshPlanner(made).host)
    assert planner.host("tele1")["interfaces"] == []
    assert planner.mesh("tele1") == MeshPlanner(made).host("tele1")
