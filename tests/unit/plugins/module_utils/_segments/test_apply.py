# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments of a host, made with the real tools in a network of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from network_namespace import NetworkNamespace, need
from segment_host import GW1, GW2, OTHER, SegmentHost, of_gateway, of_hypervisor


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SegmentHost]:
    need("ip", "bridge", "nft")
    with NetworkNamespace() as namespace:
        # which shows the links of the namespace
        namespace.must("mount", "-t", "sysfs", "sysfs", "/sys")
        if namespace.run(["ip", "link", "add", "vx", "type", "vxlan", "id", "1", "dstport", "4789"])[0] != 0:
            pytest.skip("this kernel has no VXLAN")
        namespace.must("ip", "link", "delete", "vx")
        yield SegmentHost(namespace, tmp_path / "segments")


@pytest.fixture
def gateway(host: SegmentHost) -> SegmentHost:
    run = host.namespace.must
    run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "switch0")
    run("ip", "link", "set", "switch0", "up")
    run("ip", "link", "set", "lan0", "up")
    run("ip", "address", "add", "198.18.1.21/24", "dev", "lan0")
    run("ip", "address", "add", "2001:db8:2::21/64", "dev", "lan0", "nodad")
    run("ip", "route", "add", "198.18.99.0/24", "via", "198.18.1.254", "metric", "7")
    run("ip", "-6", "route", "add", "2001:db8:99::/64", "via", "2001:db8:2::fe")
    return host


def link(host: SegmentHost, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.namespace.must("ip", "-json", "-details", "link", "show", "dev", name))[0]
    return found


def names(host: SegmentHost) -> set[str]:
    return {one["ifname"] for one in json.loads(host.namespace.must("ip", "-json", "link"))}


def floods(host: SegmentHost) -> set[str]:
    table = json.loads(host.namespace.must("bridge", "-json", "fdb", "show", "dev", "vx1001"))
    return {one["dst"] for one in table if "dst" in one}


def test_check_do_check_do(host: SegmentHost) -> None:
    predicted = host.ensure(of_hypervisor(), check=True)
    assert predicted["changed"]
    assert "seg1001" not in names(host)
    done = host.ensure(of_hypervisor())
    assert done["changed"]
    assert floods(host) == {GW1, GW2}
    assert link(host, "vx1001")["master"] == "seg1001"
    assert "UP" in link(host, "vx1001")["flags"]
    assert (link(host, "vx1001")["mtu"], link(host, "seg1001")["mtu"]) == (1350, 1350)
    assert not host.ensure(of_hypervisor(), check=True)["changed"]
    again = host.ensure(of_hypervisor())
    assert (again["changed"], again["actions"]) == (False, [])


def test_only_the_difference_is_applied(host: SegmentHost) -> None:
    host.ensure(of_hypervisor())
    host.namespace.must("bridge", "fdb", "add", "02:00:00:00:00:01", "dev", "vx1001", "dst", GW1, "self", "dynamic")
    number = link(host, "vx1001")["ifindex"]
    changed = host.ensure(of_hypervisor(ends=[GW2, OTHER]))
    assert changed["actions"] == ["load the rules", f"vx1001 leaves {GW1}", f"vx1001 reaches {OTHER}"]
    # the segment keeps what it learned
    assert link(host, "vx1001")["ifindex"] == number
    assert "02:00:00:00:00:01" in host.namespace.must("bridge", "fdb", "show", "dev", "vx1001")


def test_the_dscp_of_a_guest_stands_outside_too(host: SegmentHost) -> None:
    """Also on a link of an earlier version, which keeps what it learned."""
    host.ensure(of_hypervisor())
    assert link(host, "vx1001")["linkinfo"]["info_data"]["tos"] == "0x1"
    host.namespace.must("bridge", "fdb", "add", "02:00:00:00:00:01", "dev", "vx1001", "dst", GW1, "self", "dynamic")
    host.namespace.must("ip", "link", "set", "dev", "vx1001", "type", "vxlan", "id", "1001", "tos", "0")
    number = link(host, "vx1001")["ifindex"]
    assert host.ensure(of_hypervisor())["actions"] == ["let vx1001 carry the DSCP of its frames"]
    assert link(host, "vx1001")["linkinfo"]["info_data"]["tos"] == "0x1"
    assert link(host, "vx1001")["ifindex"] == number
    assert "02:00:00:00:00:01" in host.namespace.must("bridge", "fdb", "show", "dev", "vx1001")
    assert floods(host) == {GW1, GW2}
    assert not host.ensure(of_hypervisor())["changed"]


def test_ports_of_classes_are_taken_by_the_real_tools(host: SegmentHost) -> None:
    marked = [{"dscp": "ef", "ports": ["udp/16384-32767", "tcp/5061"]}]
    host.ensure(of_hypervisor())
    assert host.ensure(of_hypervisor(marked_ports=marked))["actions"] == ["load the rules"]
    assert not host.ensure(of_hypervisor(marked_ports=marked))["changed"]
    assert host.ensure(of_hypervisor())["actions"] == ["load the rules"]


DAMAGES = {
    "ip link set vx1001 down": "bring vx1001 up",
    "ip link set vx1001 nomaster": "put vx1001 into seg1001",
    "ip link set seg1001 type bridge stp_state 1": "set seg1001 anew",
    "ip link set vx1001 mtu 1200": "set MTU 1350 on vx1001",
    "ip link set seg1001 addrgenmode eui64": "leave seg1001 without an address",
    "ip link delete vx1001": "make vx1001",
    "nft flush table bridge bocage_segments": "load the rules",
    "nft delete table inet bocage_segments": "load the rules",
}


def test_what_somebody_altered_is_repaired(host: SegmentHost) -> None:
    host.ensure(of_hypervisor())
    for damage, word in DAMAGES.items():
        host.namespace.must(*damage.split())
        assert word in host.ensure(of_hypervisor())["actions"], damage
    assert not host.ensure(of_hypervisor())["changed"]


def test_a_boot_makes_the_same(host: SegmentHost) -> None:
    host.ensure(of_hypervisor())
    for name in ("vx1001", "seg1001"):
        host.namespace.must("ip", "link", "delete", name)
    host.boot()
    assert not host.ensure(of_hypervisor())["changed"]


def test_a_segment_that_is_gone_leaves_nothing(host: SegmentHost) -> None:
    before = names(host)
    host.ensure(of_hypervisor())
    assert host.ensure()["changed"]
    assert names(host) == before
    assert not host.ensure()["changed"]
    assert list(host.folder.iterdir()) == []
    assert "bocage" not in host.namespace.must("nft", "list", "ruleset")


def test_the_lan_keeps_its_addresses_and_routes_under_a_bridge(gateway: SegmentHost) -> None:
    address = link(gateway, "lan0")["address"]
    routes = gateway.namespace.must("ip", "route"), gateway.namespace.must("ip", "-6", "route", "show", "proto", "boot")
    gateway.ensure(of_gateway())
    assert link(gateway, "lan0")["linkinfo"]["info_kind"] == "bridge"
    assert link(gateway, "lan0")["address"] == address
    assert link(gateway, "lan1001")["master"] == "lan0"
    shown = gateway.namespace.must("ip", "-brief", "address", "show", "dev", "lan0")
    assert "198.18.1.21/24" in shown
    assert "2001:db8:2::21/64" in shown
    after = gateway.namespace.must("ip", "route"), gateway.namespace.must("ip", "-6", "route", "show", "proto", "boot")
    assert [text.replace(" onlink", "") for text in after] == list(routes)
    assert gateway.namespace.must("ip", "-brief", "address", "show", "dev", "lan1001").split()[2:] == []
    assert not gateway.ensure(of_gateway())["changed"]


def test_the_port_of_a_gateway_stays_closed(gateway: SegmentHost) -> None:
    done = gateway.ensure(of_gateway())
    assert done["lan_ports"] == {"1001": "lan1001"}
    assert "UP" not in link(gateway, "vx1001")["flags"]
    assert link(gateway, "vx1001")["mtu"] == 1500
    # and is the elector's: an open one is no change
    gateway.namespace.must("ip", "link", "set", "vx1001", "up")
    assert not gateway.ensure(of_gateway())["changed"]
    gateway.namespace.must("ip", "-force", "-batch", str(gateway.folder / "close.ip"))
    assert "UP" not in link(gateway, "vx1001")["flags"]


def test_the_lan_interface_comes_back(gateway: SegmentHost) -> None:
    routes = gateway.namespace.must("ip", "route")
    gateway.ensure(of_gateway())
    gateway.elector = True
    assert not gateway.ensure(of_gateway())["changed"]
    gateway.ensure()
    assert not gateway.elector
    assert names(gateway) == {"lo", "lan0", "switch0"}
    assert link(gateway, "lan0")["linkinfo"]["info_kind"] == "veth"
    assert "198.18.1.21/24" in gateway.namespace.must("ip", "-brief", "address", "show", "dev", "lan0")
    assert gateway.namespace.must("ip", "route").replace(" onlink", "") == routes


def test_a_change_of_the_lan_waits_for_its_confirmation(gateway: SegmentHost) -> None:
    first = gateway.ensure(of_gateway(), confirm_seconds=30)
    assert first["token"]
    assert not (gateway.folder / "links.ip").exists()
    ((*_timer, back),) = gateway.timers
    assert back == "/etc/bocage/segments/lan-bridge down lan0 lan1001"
    confirmed = gateway.ensure(of_gateway(), confirm_seconds=30, phase="confirm")
    assert (confirmed["token"], gateway.timers) == ("", [])
    assert not gateway.ensure(of_gateway(), confirm_seconds=30)["changed"]


def test_what_was_taken_back_cannot_be_confirmed(gateway: SegmentHost) -> None:
    gateway.ensure(of_gateway(), confirm_seconds=30)
    gateway.run(["/etc/bocage/segments/lan-bridge", "down", "lan0", "lan1001"])
    with pytest.raises(BocageError, match="was already taken back on this host, because no new connection"):
        gateway.ensure(of_gateway(), confirm_seconds=30, phase="confirm")


def test_a_bridge_of_the_operator_is_used_as_it_is(gateway: SegmentHost) -> None:
    run = gateway.namespace.must
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "link", "set", "lan0", "master", "br0")
    done = gateway.ensure(of_gateway(), lan_interface="br0")
    assert done["lan_ports"] == {"1001": "lan0"}
    assert names(gateway) == {"lo", "lan0", "switch0", "br0", "vx1001"}
    run("ip", "link", "add", "more0", "master", "br0", "type", "veth")
    with pytest.raises(BocageError, match="has 2 ports beside vx1001, and a segment needs to know the one"):
        gateway.ensure(of_gateway(), lan_interface="br0")


def test_a_lan_that_is_not_there_is_said(host: SegmentHost) -> None:
    with pytest.raises(BocageError, match="The LAN interface lan0 does not exist on this host; correct"):
        host.ensure(of_gateway())
    with pytest.raises(
        BadInput, match="Segment office has no LAN interface on this gateway; set gateway_lan_interface"
    ):
        host.ensure(of_gateway(), lan_interface=None)


def test_bad_input_is_refused(host: SegmentHost) -> None:
    with pytest.raises(BadInput, match="would join another one on interface seg1001 of this host"):
        host.ensure(of_hypervisor(), of_hypervisor(name="other", port="vx1002", id=1002))
    with pytest.raises(BadInput, match="names an interface 'a b', which cannot be one"):
        host.ensure(of_hypervisor(port="a b"))
    with pytest.raises(BadInput, match="has an end that is no IPv6 address"):
        host.ensure(of_hypervisor(ends=["198.18.1.1"]))


def test_outside_of_the_overlay_nothing_reaches_the_ports(gateway: SegmentHost) -> None:
    """Attack: VXLAN from the LAN, and from an overlay address that is no end."""
    gateway.ensure(of_gateway())
    rules = gateway.namespace.must("nft", "list", "table", "inet", "bocage_segments")
    for port in (4789, 14789):
        assert f'udp dport {port} iifname != "bocage*" drop' in rules
        assert f"meta nfproto ipv4 udp dport {port} drop" in rules.replace(
            "udp dport {port} meta nfproto ipv4", ""
        ) or (f"udp dport {port} meta nfproto ipv4 drop" in rules)
    assert "udp dport 4789 ip6 saddr != fd7b:4c1e:90a2:2::1 drop" in rules
    assert "udp dport 14789 ip6 saddr != fd7b:4c1e:90a2:1::2 drop" in rules
