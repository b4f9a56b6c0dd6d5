# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How gateways do, which exits are in use, and epochs of keys: in the table, before a proof and in the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_picture import draw
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_services import (
    EpochsView,
    GatewayView,
    exit_words,
)
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_table import services, table

SVG = "{http://www.w3.org/2000/svg}"


def text(estate: Any) -> list[str]:
    return [line for line, _colour in table(estate.view, "Estate demo", estate.now)]


def test_a_line_for_each_gateway_and_what_each_host_uses(demo: Any) -> None:
    demo.serve()
    assert text(demo)[3:15] == [
        "  host   role        site    overlay address       state  last report  handshake  epoch  exits",
        "  -----  ----------  ------  --------------------  -----  -----------  ---------  -----  -----------",
        "  hub1   hub         core    fd7b:4c1e:90a2::1     fresh  12 s ago     52 s ago   1      lyon by gw1",
        "  gw1    gateway     lyon    fd7b:4c1e:90a2:1::1   fresh  12 s ago     52 s ago   1      -",
        "  gw2    gateway     lyon    fd7b:4c1e:90a2:1::2   fresh  12 s ago     52 s ago   1      -",
        "  wrs1   cache       lyon    fd7b:4c1e:90a2:1::a   fresh  12 s ago     52 s ago   1      -",
        "  desk1  hypervisor  lyon    fd7b:4c1e:90a2:1::14  fresh  12 s ago     52 s ago   1      -",
        "  tele1  hypervisor  remote  fd7b:4c1e:90a2:2::1   fresh  12 s ago     52 s ago   1      lyon by gw1",
        "",
        "  gateway  site  health   BFD  flows  segments",
        "  -------  ----  -------  ---  -----  -------------",
        "  gw1      lyon  healthy  3/3  12 %   floor active",
    ]
    colours = {line.split()[0]: colour for line, colour in services(demo.view) if line}
    assert (colours["gw1"], colours["gw2"]) == (None, "yellow")


def test_for_a_proof_hosts_are_counted(demo: Any) -> None:
    demo.serve()
    demo.reported["tele1"]["sections"]["mesh"] |= {"live_epochs": [0, 1]}
    assert [line for line, _colour in services(demo.view)] == [
        "",
        "  gateway  site  health   BFD  flows  segments",
        "  -------  ----  -------  ---  -----  -------------",
        "  gw1      lyon  healthy  3/3  12 %   floor active",
        "  gw2      lyon  drained  2/3  12 %   floor standby",
        "",
        "  lyon is entered by gw1 (2 hosts)",
        "  mesh keys of epoch 1: 5 hosts, 1 (and 0): 1 host",
    ]


def test_nothing_is_said_where_nothing_was_reported(demo: Any) -> None:
    assert services(demo.view) == []
    assert not any("not heard" in line for line in text(demo))


@pytest.mark.parametrize("state", ["lost", "untrusted"])
def test_the_word_of_a_gateway_that_is_not_heard_counts_for_nothing(demo: Any, state: str) -> None:
    demo.serve()
    demo.reported["gw1"]["state"] = state
    (line,) = [line for line, _colour in services(demo.view) if "  gw1 " in line]
    assert line.split() == ["gw1", "lyon", "not", "heard", "-", "-", "-"]


@pytest.mark.parametrize(
    ("section", "health"),
    [
        ({"forwarding": True}, "forwards"),
        ({"forwarding": False}, "does not forward"),
        ({"forwarding": True, "health": {"healthy": False, "drained": False}}, "unhealthy"),
        ({"forwarding": True, "health": {"healthy": False, "drained": True}}, "drained"),
    ],
)
def test_health_of_a_gateway(demo: Any, section: dict[str, Any], health: str) -> None:
    demo.reported["gw1"]["sections"]["gateway"] = section
    (gateway,) = [host.gateway for host in demo.view.hosts if host.name == "gw1"]
    assert gateway == GatewayView(health)
    assert gateway.is_sound is (health == "forwards")


def test_exits_are_those_of_the_hosts_own_tenant(demo: Any) -> None:
    demo.serve()
    demo.sites["rival"] = {"index": 9, "tenant": "rival", "lan_prefixes": ["198.18.1.0/24"]}
    demo.reported["tele1"]["sections"]["routing"]["exits"] += [
        {"prefix": "203.0.113.0/24", "gateway": "fd7b:4c1e:90a2:1::1"},
        {"prefix": "198.18.1.0/24", "gateway": "fd7b:4c1e:90a2:77::1"},
    ]
    exits = {host.name: host.exits for host in demo.view.hosts}
    assert exits["tele1"] == (("lyon", "gw1"),)
    assert exits["hub1"] == (("lyon", "gw1"),), "a hub serves both tenants, the gateway one"


def test_many_exits_and_sites_are_counted(demo: Any) -> None:
    exits = tuple((f"site{number}", "gw1") for number in range(5))
    assert exit_words(exits) == "site0 by gw1, site1 by gw1, 3 more"
    for number in range(30):
        demo.sites[f"far{number:02}"] = {
            "index": 100 + number, "tenant": "acme", "lan_prefixes": [f"2001:db8:f{number:02}::/64"],
        }  # fmt: skip
    demo.serve()
    demo.reported["tele1"]["sections"]["routing"]["exits"] = [
        {"prefix": f"2001:db8:f{number:02}::/64", "gateway": "fd7b:4c1e:90a2:1::1"} for number in range(30)
    ]
    lines = [line for line, _colour in services(demo.view)]
    assert sum(" is entered by " in line for line in lines) == 20
    assert "  and 11 sites more" in lines


@pytest.mark.parametrize(
    ("epochs", "words"),
    [
        (EpochsView(), ""),
        (EpochsView(2, (2,)), "2"),
        (EpochsView(0, (0, 1)), "0 (and 1)"),
        (EpochsView(None, (1,)), "none (and 1)"),
    ],
)
def test_epochs_in_words(epochs: EpochsView, words: str) -> None:
    assert str(epochs) == words


@pytest.mark.parametrize(
    ("most", "words"),
    [(40, "healthy, BFD 3/3, flows 12 %"), (24, "healthy, BFD 3/3, 12 %"), (20, "healthy, 3/3, 12 %")],
)
def test_a_line_of_the_picture_says_what_has_room(most: int, words: str) -> None:
    assert GatewayView("healthy", 3, 3, 12).short_words(most) == words
    assert GatewayView("forwards").short_words(most) == "forwards"


def test_the_picture_has_it_too(demo: Any) -> None:
    demo.serve()
    root = ElementTree.fromstring(draw(demo.view, "Estate demo"))
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert "healthy, BFD 3/3, 12 %" in words
    assert "drained, BFD 2/3, 12 %" in words
    assert "demo.internal, overlay fd7b:4c1e:90a2::/48, mesh keys of epoch 1: 6 hosts" in words
    hints = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert (
        "gw1, gateway, fd7b:4c1e:90a2:1::1, fresh. Gateway healthy, BFD 3/3, flows 12 %. Segments: floor active. "
        "Mesh keys of epoch 1."
    ) in hints
    assert ("tele1, hypervisor, fd7b:4c1e:90a2:2::1, fresh. Enters lyon by gw1. Mesh keys of epoch 1.") in hints
