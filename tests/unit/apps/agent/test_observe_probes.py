# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to the live state that a seal probes is told."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from sealed_host import SealedHost, probe

KEY = "zQCBKZuf+NPbLBbhRF+1OABCXXtAh93MWpNWCtvCxhM="
WG = f"""\
interface: bocage0
  public key: /eP1qszCUGCTWNrvh/qCmuEBu/aJZkYJjH0LRhPEyw8=
  private key: (hidden)
  listening port: 51820

peer: X+NnbbPWu7fAmhmDMJUjeqNKkn0BLg7uu2v8Bge/Zz4=
  endpoint: 198.18.0.50:51820
  allowed ips: 198.19.2.1/32, fd7b:4c1e:90a2:2::1/128
  latest handshake: 1 minute, 26 seconds ago
  transfer: 6.83 KiB received, 6.12 KiB sent

peer: {KEY}
  endpoint: [2001:db8::1]:51820
  allowed ips: 198.19.1.0/24
  persistent keepalive: every 25 seconds
"""
SHOW = "wg show bocage0"
ADDRESSES: list[dict[str, Any]] = [
    {"ifname": "lo", "flags": ["UP"], "mtu": 65536, "addr_info": []},
    {
        "ifname": "eth1",
        "flags": ["BROADCAST", "UP"],
        "mtu": 1500,
        "addr_info": [
            {"local": "198.18.1.2", "prefixlen": 24, "scope": "global"},
            {"local": "198.18.1.99", "prefixlen": 24, "scope": "global", "dynamic": True},
            {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
        ],
    },
]
ROUTES: list[dict[str, Any]] = [
    {"dst": "198.18.7.0/24", "dev": "eth1", "prefsrc": "198.18.1.2", "flags": []},
    {"dst": "198.18.8.0/24", "dev": "eth2", "flags": []},
    {"dst": "198.18.1.0/24", "dev": "eth1", "protocol": "kernel", "flags": []},
    {"dst": "default", "dev": "eth1", "protocol": "dhcp", "gateway": "198.18.1.1", "flags": []},
    {"dst": "default", "dev": "eth1", "metric": 1024, "pref": "medium", "gateway": "fe80::9", "flags": []},
    {"type": "multicast", "dst": "ff00::/8", "dev": "eth1", "table": "local", "pref": "medium"},
]
SHOW_ADDRESSES, SHOW_ROUTES = "ip -json address show", "ip -json route show table all"
NFT = "nft --stateless list table inet bocage"
DNS, DOMAIN = "resolvectl dns bocage0", "resolvectl domain bocage0"
FORWARD = "/proc/sys/net/ipv4/conf/eth0.1/forwarding"
PROBES = {
    "wireguard": "wireguard:bocage0",
    "link": "link:eth1",
    "nftables": "nftables:inet bocage",
    "resolver": "resolver:bocage0",
    "sysctl": "sysctl:net.ipv4.conf.eth0/1.forwarding",
}


def answer(sealed: SealedHost, command: str, output: Any) -> None:
    sealed.answers[command] = (0, output if isinstance(output, str) else json.dumps(output), "")


@pytest.fixture
def probed(sealed: SealedHost) -> SealedHost:
    """A host that was sealed with every probe there is."""
    answer(sealed, SHOW, WG)
    answer(sealed, SHOW_ADDRESSES, ADDRESSES)
    answer(sealed, SHOW_ROUTES, ROUTES)
    answer(sealed, NFT, "table inet bocage {\n}\n")
    answer(sealed, DNS, "Link 5 (bocage0): fd7b::1 fd7b::2\n")
    answer(sealed, DOMAIN, "Link 5 (bocage0): ~demo.internal\n")
    sealed.put(FORWARD, "1\n")
    sealed.seal(*map(probe, PROBES.values()))
    assert sealed.findings() == []
    return sealed


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("198.18.0.50:51820", "203.0.113.7:4500", None),
        ("1 minute, 26 seconds ago", "1 second ago", None),
        ("6.83 KiB", "7.00 KiB", None),
        ("198.19.2.1/32, fd7b:4c1e:90a2:2::1/128", "fd7b:4c1e:90a2:2::1/128, 198.19.2.1/32", None),
        ("198.19.2.1/32, ", "", "the peers of the interface bocage0 are not those that were sealed."),
        ("every 25", "every 15", "the peers of the interface bocage0 are not those that were sealed."),
        (KEY, KEY[::-1], "the peers of the interface bocage0 are not those that were sealed."),
        ("port: 51820", "port: 51821", "the interface bocage0 does not listen on the port that was sealed."),
        ("/eP1", "/eP2", "the interface bocage0 has another key than the one that was sealed."),
        (
            "(hidden)",
            "(hidden)\n  fwmark: 0x7",
            "the interface bocage0 marks its packets otherwise than was sealed.",
        ),
    ],
)
def test_wireguard(probed: SealedHost, old: str, new: str, finding: str | None) -> None:
    answer(probed, SHOW, WG.replace(old, new))
    assert probed.findings() == ([] if finding is None else [finding])


def test_peers_in_another_order_are_the_same_peers(probed: SealedHost) -> None:
    head, *peers = WG.split("\npeer: ")
    answer(probed, SHOW, "\npeer: ".join([head, *(f"{one.rstrip()}\n" for one in reversed(peers))]))
    assert probed.findings() == []


def test_no_key_is_ever_asked_for(probed: SealedHost) -> None:
    assert not [one for one in probed.ran if "dump" in one or "showconf" in one or "private" in one]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"mtu": 1400}, "the interface eth1 has another MTU than was sealed."),
        ({"flags": ["BROADCAST"]}, "the interface eth1 is not up or down as was sealed."),
        ({"addr_info": []}, "the addresses of the interface eth1 are not those that were sealed."),
        ({"ifname": "eth7"}, "the interface eth1 does not exist."),
    ],
)
def test_link(probed: SealedHost, change: dict[str, Any], finding: str) -> None:
    answer(probed, SHOW_ADDRESSES, [ADDRESSES[0], {**ADDRESSES[1], **change}])
    assert probed.findings() == [finding]


@pytest.mark.parametrize(
    ("routes", "same"),
    [
        (ROUTES[::-1], True),
        ([ROUTES[0], ROUTES[4]], True),
        ([*ROUTES, {"dst": "10.0.0.0/8", "dev": "eth2"}], True),
        ([*ROUTES, {"dst": "10.0.0.0/8", "dev": "eth1"}], False),
        (ROUTES[1:], False),
        ([{**ROUTES[0], "prefsrc": "198.18.1.3"}, *ROUTES[1:]], False),
        ([*ROUTES[:4], {**ROUTES[4], "gateway": "fe80::66"}], False),
        ([{**ROUTES[0], "type": "blackhole"}, *ROUTES[1:]], False),
    ],
)
def test_routes(probed: SealedHost, routes: list[dict[str, Any]], same: bool) -> None:
    answer(probed, SHOW_ROUTES, routes)
    assert probed.findings() == ([] if same else ["the routes of the interface eth1 are not those that were sealed."])


def test_nftables(probed: SealedHost) -> None:
    answer(probed, NFT, "table inet bocage {\n\tchain x\n}\n")
    assert probed.findings() == ["the rules in the table inet bocage are not those that were sealed."]
    probed.answers[NFT] = (1, "", "Error: No such file or directory\nlist table inet bocage\n")
    assert probed.findings() == ["the table inet bocage does not exist."]


def test_resolver(probed: SealedHost) -> None:
    answer(probed, DNS, "Link 9 (bocage0): fd7b::1 fd7b::2\n")
    assert probed.findings() == [], "the number of a link is another one after a start"
    answer(probed, DNS, "Link 5 (bocage0): fd7b::2 fd7b::1\n")
    answer(probed, DOMAIN, "Link 5 (bocage0):\n")
    assert probed.findings() == [
        "the name servers of the interface bocage0 are not those that were sealed.",
        "the domains of the interface bocage0 are not those that were sealed.",
    ]


def test_sysctl(probed: SealedHost) -> None:
    probed.put(FORWARD, "0\n")
    finding = "the kernel setting net.ipv4.conf.eth0/1.forwarding"
    assert probed.findings() == [f"{finding} is not what was sealed."]
    probed.path(FORWARD).unlink()
    assert probed.findings() == [f"{finding} does not exist."]


@pytest.mark.parametrize("key", ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"])
def test_a_setting_of_all_interfaces_is_watched_on_each(sealed: SealedHost, key: str) -> None:
    folder = sealed.path("/proc/sys/net/ipv4/conf")
    for name in ("all", "default", "lan0", "veth1"):
        (folder / name).mkdir(parents=True)
        (folder / name / "forwarding").write_text("1\n")
    sealed.seal({"kind": "probe", "name": f"sysctl:{key}"})
    shutil.rmtree(folder / "veth1")
    (folder / "veth2").mkdir()
    (folder / "veth2" / "forwarding").write_text("0\n")
    assert sealed.findings() == [], "interfaces come and go"
    (folder / "lan0" / "forwarding").write_text("0\n")
    assert sealed.findings() == [f"the kernel setting {key} is not what was sealed on the interface lan0."]
    (folder / "all" / "forwarding").write_text("0\n")
    assert sealed.findings()[0] == f"the kernel setting {key} is not what was sealed."


@pytest.mark.parametrize("error", ["Unable to access interface: No such device", "Protocol not supported"])
def test_absence_is_sealed_and_watched(sealed: SealedHost, error: str) -> None:
    sealed.answers[SHOW] = (1, "", error)
    sealed.seal(probe(PROBES["wireguard"]))
    assert sealed.findings() == []
    answer(sealed, SHOW, WG)
    assert sealed.findings() == ["the interface bocage0 exists, but did not when it was sealed."]


@pytest.mark.parametrize("output", ["{", "[1]", '[{"ifname": "eth1"}]', '[{"ifname": "eth1", "mtu": "x"}]'])
def test_an_answer_of_another_form_is_said(probed: SealedHost, output: str) -> None:
    answer(probed, SHOW_ADDRESSES, output)
    (finding,) = probed.findings()
    assert finding.startswith("the probe link:eth1 cannot be read: ")


def test_a_program_that_fails_is_never_taken_for_absence(sealed: SealedHost) -> None:
    sealed.answers[NFT] = (1, "", "Operation not permitted (you must be root)")
    wrong = "the probe nftables:inet bocage cannot be read: Operation not permitted (you must be root)."
    assert sealed.write(mesh=sealed.signed("mesh", [probe(PROBES["nftables"])]))["refused"] == {"mesh": wrong}
    answer(sealed, NFT, "")
    sealed.seal(probe(PROBES["nftables"]))
    del sealed.answers[NFT]
    assert sealed.findings() == ["the probe nftables:inet bocage cannot be read: nft is not installed."]


def test_links_and_facts_share_their_programs(sealed: SealedHost) -> None:
    answer(sealed, SHOW_ADDRESSES, ADDRESSES)
    answer(sealed, SHOW_ROUTES, ROUTES)
    sealed.seal(probe("link:eth1"), probe("link:lo"), probe("link:none"))
    sealed.ran.clear()
    found = sealed.check("mesh", facts=["addresses:eth1"])
    assert found["facts"] == {"addresses:eth1": ["198.18.1.2/24", "198.18.1.99/24"]}
    assert sorted(sealed.ran) == [SHOW_ADDRESSES, SHOW_ROUTES]
