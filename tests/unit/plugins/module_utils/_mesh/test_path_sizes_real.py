# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured between two hosts with a router between them, in network namespaces, by the real tools and sockets."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bocage_core
import pytest
from network_namespace import NetworkNamespace, need

LIBRARY = Path(bocage_core.__file__).absolute().parent.parent
HUB, HOME = "fd7b:4c1e:90a2::1", "fd7b:4c1e:90a2:2::1"
MEASURE = """
import json, subprocess, sys
sys.path.insert(0, sys.argv[1])
from bocage_core._mesh.path_sizes import measure
def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
print(json.dumps([size.to_dict() for size in measure(run, json.loads(sys.argv[2]), timeout=0.4)]))
"""

ROUND_TRIPS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from bocage_core._mesh.echo import Echo, round_trips
with Echo(0.4) as echo:
    print(json.dumps(round_trips(echo, json.loads(sys.argv[2]))))
"""


class Pair:
    """A home behind a router and a hub before it, joined by a tunnel over IPv4 and one over IPv6."""

    def __init__(self, folder: Path) -> None:
        self.home, self.router, self.hub = (NetworkNamespace() for _ in range(3))
        self._folder = folder
        self._cable(self.home, "198.18.2.10", "2001:db8:2::10", self.router, "198.18.2.254", "2001:db8:2::fe")
        self._cable(self.hub, "198.18.0.10", "2001:db8:1::10", self.router, "198.18.0.50", "2001:db8:1::50")
        self.router.must("sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for port, version, hub in ((51820, 4, "198.18.0.10"), (51821, 6, "[2001:db8:1::10]")):
            keys = [self._device(one, port, version, name) for one, name in ((self.home, HOME), (self.hub, HUB))]
            self._peer(self.hub, keys[0], HOME, version)
            # begins at once
            self._peer(self.home, keys[1], HUB, version, "endpoint", f"{hub}:{port}", "persistent-keepalive", "5")
        deadline = time.monotonic() + 20
        for version in (4, 6):
            while self.home.must("wg", "show", f"bocage{version}", "latest-handshakes").split()[1] == "0":
                assert time.monotonic() < deadline, "the hosts did not meet"
                time.sleep(0.05)

    def _cable(self, one: NetworkNamespace, ip4: str, ip6: str, router: NetworkNamespace, via4: str, via6: str) -> None:
        far = f"far{via4.split('.')[2]}"
        one.must("ip", "link", "add", "near0", "type", "veth", "peer", "name", far, "netns", str(router.pid))
        for namespace, name, addresses in ((one, "near0", (ip4, ip6)), (router, far, (via4, via6))):
            namespace.must("ip", "address", "add", f"{addresses[0]}/24", "dev", name)
            namespace.must("ip", "address", "add", f"{addresses[1]}/64", "dev", name, "nodad")
            namespace.must("ip", "link", "set", name, "up")
        one.must("ip", "route", "add", "default", "via", via4)
        one.must("ip", "route", "add", "default", "via", via6)

    def _device(self, namespace: NetworkNamespace, port: int, version: int, address: str) -> str:
        name, key = f"bocage{version}", self._folder / f"{namespace.pid}-{port}"
        namespace.start("wireguard-go", "-f", name)
        deadline = time.monotonic() + 10
        while namespace.run(["wg", "show", name])[0] != 0:
            assert time.monotonic() < deadline, "wireguard-go did not come up"
            time.sleep(0.02)
        key.write_text(namespace.must("wg", "genkey"))
        namespace.must("wg", "set", name, "listen-port", str(port), "private-key", str(key))
        namespace.must("ip", "address", "add", f"{_inner(address, version)}/128", "dev", name, "nodad")
        namespace.must("ip", "link", "set", name, "up")
        return namespace.must("wg", "show", name, "public-key").strip()

    def _peer(self, namespace: NetworkNamespace, key: str, address: str, version: int, *more: str) -> None:
        inner = f"{_inner(address, version)}/128"
        namespace.must("wg", "set", f"bocage{version}", "peer", key, "allowed-ips", inner, *more)
        namespace.must("ip", "route", "add", inner, "dev", f"bocage{version}")

    def widths(self, home: int = 1500, tunnel: int = 1420) -> None:
        """The home's own network is behind a router for the hub."""
        self.home.must("ip", "link", "set", "near0", "mtu", str(home))
        self.router.must("ip", "link", "set", "far2", "mtu", str(home))
        for namespace in (self.home, self.hub):
            for name in ("bocage4", "bocage6"):
                namespace.must("ip", "link", "set", name, "mtu", str(tunnel))
            # what a host learned of paths
            namespace.must("ip", "route", "flush", "cache")
            namespace.must("ip", "-6", "route", "flush", "cache")

    def measure(self, namespace: NetworkNamespace, planned: int) -> dict[str, dict[str, Any]]:
        other = HUB if namespace is self.home else HOME
        paths = [{"peer": f"v{one}", "address": _inner(other, one), "mtu": planned} for one in (4, 6)]
        output = namespace.must(sys.executable, "-c", MEASURE, str(LIBRARY), json.dumps(paths))
        return {path["peer"]: path for path in json.loads(output)}

    def close(self) -> None:
        for namespace in (self.home, self.router, self.hub):
            namespace.close()


def _inner(address: str, version: int) -> str:
    return address.replace("90a2:", f"90a{version}:")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    need("ip", "wg", "wireguard-go", device="/dev/net/tun")
    made = Pair(tmp_path_factory.mktemp("keys"))
    yield made
    made.close()


def test_a_path_as_planned_has_no_finding(pair: Pair) -> None:
    pair.widths(tunnel=1420)
    for namespace in (pair.home, pair.hub):
        for path in pair.measure(namespace, 1420).values():
            assert (path["measured"], path["underlay"], path["beyond"], path["finding"]) == (1420, 1500, False, None)


def test_a_smaller_underlay_is_found_from_both_ends(pair: Pair) -> None:
    pair.widths(home=1400, tunnel=1420)
    for namespace in (pair.hub, pair.home):
        found = pair.measure(namespace, 1420)
        assert {name: (path["measured"], path["underlay"]) for name, path in found.items()} == {
            "v4": (1340, 1400),
            "v6": (1320, 1400),
        }
        assert found["v4"]["finding"] == (
            "The path to v4 carries 1340 bytes in one piece instead of the planned 1420: its underlay carries 1400; "
            "give the narrower end this underlay_mtu, and no mesh_mtu."
        )


def test_planned_for_a_smaller_underlay_it_passes_and_not_a_byte_more(pair: Pair) -> None:
    pair.widths(home=1400, tunnel=1320)
    for namespace in (pair.home, pair.hub):
        for path in pair.measure(namespace, 1320).values():
            assert (path["measured"], path["allowed"], path["beyond"], path["finding"]) == (1320, 1320, False, None)


def test_more_than_planned_is_told(pair: Pair) -> None:
    pair.widths(tunnel=1420)
    assert {path["beyond"] for path in pair.measure(pair.home, 1400).values()} == {True}


def test_an_interface_that_lets_less_pass_is_told(pair: Pair) -> None:
    pair.widths(tunnel=1300)
    path = pair.measure(pair.home, 1420)["v4"]
    assert path["finding"] == (
        "The path to v4 carries 1300 bytes instead of the planned 1420: its interface lets no more pass; apply the mesh."
    )


def test_a_router_that_drops_without_a_word_is_found_by_halves(pair: Pair) -> None:
    pair.widths(tunnel=1420)
    pair.router.must("nft", "add table inet silent; add chain inet silent forward { type filter hook forward priority 0; }; "
                     "add rule inet silent forward meta length 1450-1500 drop")  # fmt: skip
    try:
        path = pair.measure(pair.home, 1420)["v4"]
    finally:
        pair.router.must("nft", "delete table inet silent")
    assert 1374 <= path["measured"] <= 1389
    assert path["finding"].startswith("The path to v4 carries ")
    assert path["finding"].endswith(
        "larger packets are lost; look for a router on the way that drops them without a word, or set underlay_mtu to "
        "what it carries."
    )


def test_a_peer_that_does_not_answer_is_no_finding(pair: Pair) -> None:
    pair.widths(tunnel=1420)
    paths = json.dumps([{"peer": "gone", "address": "fd7b:4c1e:90a4:9::9", "mtu": 1420}])
    (path,) = json.loads(pair.home.must(sys.executable, "-c", MEASURE, str(LIBRARY), paths))
    assert (path["measured"], path["interface"], path["finding"]) == (None, None, None)


def test_how_long_a_packet_takes_is_measured_too(pair: Pair) -> None:
    pair.widths(tunnel=1420)
    addresses = [_inner(HUB, 4), _inner(HUB, 6), "fd7b:4c1e:90a4:9::9"]
    near = json.loads(pair.home.must(sys.executable, "-c", ROUND_TRIPS, str(LIBRARY), json.dumps(addresses)))
    assert near.keys() == {_inner(HUB, 4), _inner(HUB, 6)}, "who is silent is left out"
    assert all(0 < taken < 0.4 for taken in near.values())
