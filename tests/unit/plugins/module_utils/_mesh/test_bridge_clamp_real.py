# SPDX-License-Identifier: GPL-3.0-or-later
"""The clamp of bridges, with two hosts on a bridge in network namespaces, by the kernel itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from bocage_core._mesh.mtu import largest_segment
from bocage_core._segments.rules import clamp_rules
from network_namespace import NetworkNamespace, need

ADDRESSES = {4: ("198.18.2.1", "198.18.2.2"), 6: ("2001:db8:2::1", "2001:db8:2::2")}
SERVE = """
import socket
with socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
    while True:
        connection, _address = listener.accept()
        connection.sendall(str(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)).encode())
        connection.close()
"""
ASK = """
import socket, sys, time
for attempt in range(100):
    try:
        with socket.create_connection((sys.argv[1], 8080), timeout=2) as connection:
            print(connection.recv(100).decode())
            break
    except ConnectionRefusedError:
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[NetworkNamespace, NetworkNamespace]]:
    """The bridge and a host on it; the other host serves."""
    need("ip", "nft")
    with NetworkNamespace() as bridge, NetworkNamespace() as client, NetworkNamespace() as server:
        bridge.must("ip", "link", "add", "br0", "type", "bridge")
        bridge.must("ip", "link", "set", "br0", "up")
        for number, host in enumerate((client, server)):
            port = f"port{number}"
            host.must("ip", "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", str(bridge.pid))
            host.must("ip", "address", "add", f"{ADDRESSES[4][number]}/24", "dev", "eth0")
            host.must("ip", "address", "add", f"{ADDRESSES[6][number]}/64", "dev", "eth0", "nodad")
            host.must("ip", "link", "set", "eth0", "up")
            bridge.must("ip", "link", "set", port, "master", "br0", "up")
        server.start(sys.executable, "-c", SERVE)
        yield bridge, client


@pytest.mark.parametrize(("version", "headers"), [(4, 40), (6, 60)])
def test_connections_over_a_bridge_agree_on_what_fits(
    hosts: tuple[NetworkNamespace, NetworkNamespace], version: int, headers: int
) -> None:
    bridge, client = hosts
    # 12 bytes of each segment are for the time stamps
    assert int(client.must(sys.executable, "-c", ASK, ADDRESSES[version][1])) == 1500 - headers - 12
    sizes = {"ip": largest_segment(1370, 4), "ip6": largest_segment(1370, 6)}
    rules = "; ".join(f"add rule bridge clamp forward {rule}" for rule in clamp_rules(sizes))
    bridge.must(
        "nft",
        f"add table bridge clamp; add chain bridge clamp forward {{ type filter hook forward priority 0; }}; {rules}",
    )
    try:
        assert int(client.must(sys.executable, "-c", ASK, ADDRESSES[version][1])) == 1370 - headers - 12
    finally:
        bridge.must("nft", "delete", "table", "bridge", "clamp")
