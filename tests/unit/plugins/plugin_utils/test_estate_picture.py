# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture: what it draws, that it stays the same, and that nobody's words become markup."""

from __future__ import annotations

import itertools
import random
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_icons import LIVE, SILENT, STATE_TINTS
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_layout import CARD_HEIGHT, MARGIN, WIDTH, lay_out
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_picture import draw

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {f"{SVG}{name}" for name in ("svg", "title", "desc", "g", "rect", "circle", "path", "text")}
HOSTILE = '"/><script>alert(1)</script><a href="javascript:x">\'&]]>'


def picture(estate: Any) -> Element:
    return ElementTree.fromstring(draw(estate.view, "Estate demo"))


def texts(root: Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def tunnels(root: Element) -> dict[str, Element]:
    """Paths that have words of their own, by those words."""
    found = {}
    for element in root.iter(f"{SVG}path"):
        hint = element.find(f"{SVG}title")
        if hint is not None:
            found[hint.text or ""] = element
    return found


def test_sites_hosts_and_addresses_are_there(demo: Any) -> None:
    found = texts(picture(demo))
    assert {"Estate demo", "lyon", "core", "remote", "Acme", "LAN 198.18.1.0/24, 2001:db8:2::/64"} <= set(found)
    assert {"hub1", "gw1", "gw2", "wrs1", "desk1", "tele1", "fd7b:4c1e:90a2:1::14"} <= set(found)
    assert "13 of 13 tunnels live" in found
    assert found.count("fresh") == 6 + 1, "once a host and once in the legend"


def test_it_stands_alone(demo: Any) -> None:
    data = draw(demo.view, "Estate demo").decode()
    assert not re.search(r"href|url\(|<style|<script|<image|@import|<foreignObject", data)
    assert re.findall(r"https?://[^\"]*", data) == ["http://www.w3.org/2000/svg"]
    root = ElementTree.fromstring(data)
    assert {element.tag for element in root.iter()} == ELEMENTS
    assert root.get("viewBox", "").startswith("0 0 1200 ")


def test_live_and_silent_tunnels(demo: Any) -> None:
    for name in ("gw2", "wrs1"):
        other = "wrs1" if name == "gw2" else "gw2"
        demo.peer(name, other)["latest_handshake"] -= 1000
    found = tunnels(picture(demo))
    assert len(found) == 13
    live, silent = found["hub1 and gw1: live"], found["gw2 and wrs1: silent"]
    assert (live.get("stroke"), live.get("stroke-dasharray")) == (LIVE, None)
    assert (silent.get("stroke"), silent.get("stroke-dasharray")) == (SILENT, "5 5")


def test_a_peer_that_is_nobody_is_not_drawn(demo: Any) -> None:
    before = draw(demo.view, "Estate demo")
    demo.reported["gw1"]["sections"]["mesh"]["peers"].append(
        {"public_key": HOSTILE, "latest_handshake": int(demo.now.timestamp()), "endpoint": HOSTILE}
    )
    assert draw(demo.view, "Estate demo") == before


def test_names_of_the_inventory_are_text(demo: Any) -> None:
    demo.hosts[HOSTILE] = {**demo.hosts.pop("desk1"), "public_key": "key of a strange host"}
    demo.sites[HOSTILE] = demo.sites.pop("remote")
    demo.hosts["tele1"]["host_site"] = HOSTILE
    demo.titles["acme"] = HOSTILE
    root = ElementTree.fromstring(draw(demo.view, HOSTILE))
    assert {element.tag for element in root.iter()} == ELEMENTS
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    assert any(HOSTILE in (title.text or "") for title in root.iter(f"{SVG}title"))


def test_what_is_reported_is_text(demo: Any) -> None:
    demo.reported["gw1"]["drift"]["mesh"] = [HOSTILE, "\x00\x1b[31m\ufffe\ud800"]
    demo.reported["gw1"]["reason"] = HOSTILE
    demo.reported["gw2"]["state"] = HOSTILE
    root = picture(demo)
    assert {element.tag for element in root.iter()} == ELEMENTS
    hints = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert f"gw1, gateway, fd7b:4c1e:90a2:1::1, fresh. {HOSTILE} \ufffd\ufffd[31m\ufffd\ufffd" in hints
    assert "drift" in texts(root)
    # A state that is none of ours is never shown as a good one.
    assert "1 untrusted" in texts(root)


def test_the_same_reports_give_the_same_bytes(demo: Any) -> None:
    first = draw(demo.view, "Estate demo")
    for values in (demo.hosts, demo.sites, demo.reported):
        names = list(values)
        random.Random(1).shuffle(names)
        for name in names:
            values[name] = values.pop(name)
    for name in demo.hosts:
        demo.reported[name]["sections"]["mesh"]["peers"].reverse()
    assert draw(demo.view, "Estate demo") == first


def test_newer_reports_of_the_same_give_the_same_bytes(demo: Any) -> None:
    first = draw(demo.view, "Estate demo")
    for name in demo.hosts:
        demo.report(name, age=1, handshake_age=100)
    assert draw(demo.view, "Estate demo") == first


def test_the_colour_of_a_card_is_its_state(demo: Any) -> None:
    demo.report("desk1", state="lost")
    fills = [element.get("fill") for element in picture(demo).iter(f"{SVG}rect")]
    assert fills.count(STATE_TINTS["lost"]) == 1


def test_an_estate_without_reports_or_hosts(demo: Any) -> None:
    demo.reported.clear()
    assert "no tunnel reported" in texts(picture(demo))
    del demo.hosts["tele1"]
    assert "no host" in texts(picture(demo))


def test_many_hosts_of_a_role_are_one_card(estate_of_size: Callable[..., Any]) -> None:
    estate = estate_of_size(1, 10)
    estate.report("site1-host7", state="lost")
    estate.report("site1-host1", handshake_age=500)
    estate.report("hub1", age=5)
    estate.peer("hub1", "site1-host9")["latest_handshake"] = 0
    root = picture(estate)
    assert {"9 hosts", "hypervisors", "1 lost"} <= set(texts(root))
    assert "site1-host7" not in texts(root)
    hubs = tunnels(root)["hub1 and 9 of role hypervisor: 8 of 9 tunnels live"]
    assert hubs.get("stroke") == LIVE
    assert "8/9" in texts(root)


def test_a_large_estate_counts_the_tunnels_of_a_site(estate_of_size: Callable[..., Any]) -> None:
    estate = estate_of_size(10, 6, tenants=2, hubs=2)
    root = picture(estate)
    found = tunnels(root)
    assert "site1 and hub2: 6 of 6 tunnels live" in found
    assert any(words.startswith("site1 and other sites of tenant1: ") for words in found)
    assert "within the site 15/15" in texts(root)


@pytest.mark.parametrize(
    ("sites", "hosts_each", "tenants", "hubs"),
    [(1, 0, 1, 0), (2, 3, 2, 1), (3, 2, 1, 4), (10, 6, 4, 2), (9, 3, 9, 7), (30, 12, 3, 2), (200, 2, 50, 12)],
)
def test_nothing_overlaps_or_leaves_the_page(
    estate_of_size: Callable[..., Any], sites: int, hosts_each: int, tenants: int, hubs: int
) -> None:
    estate = estate_of_size(sites, hosts_each, tenants, max(hubs, 1))
    if hubs == 0:
        estate.hosts.clear()
        estate.reported.clear()
    layout = lay_out(estate.view)
    boxes = [*layout.top, *layout.sites]
    assert len(boxes) == sites + 1
    for box in boxes:
        assert box.x >= MARGIN
        assert box.x + box.width <= WIDTH - MARGIN
        for card in [] if box.brief else box.cards:
            assert box.x < card.x
            assert card.x + card.width < box.x + box.width
            assert box.y < card.y
            assert card.y + CARD_HEIGHT < box.bottom
    if len(boxes) <= 40:
        for one, other in itertools.combinations(boxes, 2):
            beside = one.x + one.width < other.x or other.x + other.width < one.x
            assert beside or one.bottom < other.y or other.bottom < one.y
    shown = [host.name for card in layout.cards for host in card.hosts]
    assert sorted(shown) == sorted(estate.hosts)
    assert ElementTree.fromstring(draw(estate.view, "Estate demo")).tag == f"{SVG}svg"
