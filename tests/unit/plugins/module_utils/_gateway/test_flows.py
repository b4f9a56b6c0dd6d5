# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes through a host: the kernel's own tables in three network namespaces, and texts of other kernels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._gateway.flows import Passing, forwarded_packets, parse_entries, read_entries, renewed, watch
from network_namespace import NetworkNamespace, need

ROOT = Path(__file__).resolve().parents[5]
PROC_LINE = (
    "ipv4     2 tcp      6 431999 ESTABLISHED src=198.19.2.1 dst=198.18.1.20 sport=40000 dport=80 "
    "src=198.18.1.20 dst=198.18.1.21 sport=80 dport=40000 [ASSURED] mark=0 zone=0 use=2"
)
TOOL_LINE = (
    "tcp      6 431990 ESTABLISHED src=198.19.2.1 dst=198.18.1.20 sport=40000 dport=80 "
    "src=198.18.1.20 dst=198.18.1.21 sport=80 dport=40000 [ASSURED] mark=0 use=1"
)
PING = (
    "icmp     1 29 src=198.19.2.1 dst=198.18.1.20 type=8 code=0 id=7 src=198.18.1.20 dst=198.19.2.1 type=0 code=0 id=7"
)
OFFLOADED = (
    "ipv4     2 tcp      6 src=198.19.2.1 dst=198.18.1.20 sport=5 dport=80 "
    "src=198.18.1.20 dst=198.19.2.1 sport=80 dport=5 [OFFLOAD] mark=0"
)


def test_both_forms_of_a_line_are_one_entry() -> None:
    (from_proc,) = parse_entries(PROC_LINE, frozenset())
    (from_tool,) = parse_entries(TOOL_LINE, frozenset())
    assert from_proc == from_tool == ("tcp", "src=198.19.2.1", "dst=198.18.1.20", "sport=40000", "dport=80")
    assert parse_entries(PROC_LINE, frozenset()) == {from_proc: 431999}
    assert parse_entries(PING, frozenset()) == {
        ("icmp", "src=198.19.2.1", "dst=198.18.1.20", "type=8", "code=0", "id=7"): 29
    }
    assert list(parse_entries(OFFLOADED, frozenset()).values()) == [None]
    assert parse_entries("conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.\n", frozenset()) == {}


def test_what_begins_or_ends_here_does_not_pass() -> None:
    assert parse_entries(PROC_LINE, frozenset({"198.19.2.1"})) == {}
    assert parse_entries(PROC_LINE, frozenset({"198.18.1.20"})) == {}
    # only the translated answer ends here
    assert len(parse_entries(PROC_LINE, frozenset({"198.18.1.21"}))) == 1


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ({"a": 30}, {"a": 29}, 0),
        ({"a": 30}, {"a": 28}, 0),
        ({"a": 30}, {"a": 30}, 1),
        ({"a": 12}, {"a": 29}, 1),
        ({}, {"a": 29}, 1),
        ({"a": 30}, {}, 0),
        ({"a": None}, {"a": None}, 1),
    ],
)
def test_an_entry_counts_while_it_is_made_younger(before: dict, after: dict, count: int) -> None:
    assert renewed(before, after, 1.02) == count


def counters(folder: Path, ipv4: int, ipv6: int | None) -> None:
    (folder / "snmp").write_text(f"Ip: Forwarding ForwDatagrams OutRequests\nIp: 1 {ipv4} 77\nIcmp: InMsgs\nIcmp: 5\n")
    if ipv6 is not None:
        (folder / "snmp6").write_text(f"Ip6InReceives 9\nIp6OutForwDatagrams             \t{ipv6}\n")


def test_forwarded_packets(tmp_path: Path) -> None:
    counters(tmp_path, 40, None)
    assert forwarded_packets(tmp_path) == 40
    counters(tmp_path, 40, 2)
    assert forwarded_packets(tmp_path) == 42
    (tmp_path / "snmp").unlink()
    with pytest.raises(BocageError, match=r"counters of forwarded packets in .* cannot be read"):
        forwarded_packets(tmp_path)


def test_without_a_table_of_flows_each_packet_may_be_one(tmp_path: Path) -> None:
    counters(tmp_path, 40, 0)

    def sleep(_seconds: float) -> None:
        counters(tmp_path, forwarded_packets(tmp_path) + 5, 0)

    def run(command: list[str]) -> tuple[int, str, str]:
        return (0, "[]", "") if command[0] == "ip" else (1, "", "conntrack: command not found")

    assert watch(run, 1, tmp_path, sleep) == Passing(packets=10, flows=10)
    assert watch(run, 1, tmp_path, lambda _seconds: None) == Passing(packets=0, flows=0)
    assert read_entries(lambda _command: (1, "", ""), tmp_path) is None


@pytest.fixture(scope="module")
def router() -> Iterator[NetworkNamespace]:
    """A namespace that forwards between two others, of both families, and tracks what it forwards."""
    need("ip", "nft")
    with NetworkNamespace() as middle, NetworkNamespace() as left, NetworkNamespace() as right:
        for number, end in enumerate((left, right), start=1):
            device, peer = f"to{number}", f"end{number}"
            middle.must("ip", "link", "add", device, "type", "veth", "peer", "name", peer)
            middle.must("ip", "link", "set", peer, "netns", str(end._keeper.pid))
            for where, name, last in ((middle, device, 1), (end, peer, 2)):
                where.must("ip", "address", "add", f"198.19.{number}.{last}/24", "dev", name)
                where.must("ip", "address", "add", f"fd00:{number}::{last}/64", "dev", name, "nodad")
                where.must("ip", "link", "set", name, "up")
            end.must("ip", "route", "add", "default", "via", f"198.19.{number}.1")
            end.must("ip", "route", "add", "default", "via", f"fd00:{number}::1")
        middle.must("sh", "-c", "echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding")
        middle.must("nft", "add table inet t; add chain inet t c { type filter hook forward priority 0; }")
        middle.must("nft", "add rule inet t c ct state established accept")
        right.start("/usr/bin/python3", "-c", ECHO)
        middle.left = left  # type: ignore[attr-defined]
        yield middle


# Run inside of the namespace, because /proc/net is that of whoever reads it.
WATCH = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from bocage_core._gateway.flows import watch
def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
seen = watch(run, 1)
print(seen.packets, seen.flows)
"""


def seen_by(router: NetworkNamespace) -> tuple[int, int]:
    packets, flows = router.must("/usr/bin/python3", "-c", WATCH, str(ROOT / "build/src")).split()
    return int(packets), int(flows)


# An echo of UDP for both families, and a client that says 20 times a second that it is there; both end by themselves.
ECHO = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as end:
    end.bind(("::", 7))
    end.settimeout(20)
    while True:
        data, sender = end.recvfrom(100)
        end.sendto(data, sender)
"""
TALK = """
import socket, sys, time
target = sys.argv[1]
with socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM) as end:
    end.settimeout(2)
    for _unused in range(int(sys.argv[2])):
        end.sendto(b"here", (target, 7))
        end.recv(100)
        time.sleep(0.05)
"""


def test_real_flows_are_counted_and_what_is_over_is_not(router: NetworkNamespace) -> None:
    left: NetworkNamespace = router.left  # type: ignore[attr-defined]
    for attempt in range(50):
        if left.run(["/usr/bin/python3", "-c", TALK, "198.19.2.2", "1"])[0] == 0:
            break
        assert attempt < 49, "the way through the router does not work"
    assert seen_by(router) == (0, 0), "the entry of the first word is still there, and no flow"
    for target in ("198.19.2.2", "fd00:2::2"):
        left.start("/usr/bin/python3", "-c", TALK, target, "60")
    # traffic of the router itself is nobody's
    router.start("/usr/bin/python3", "-c", TALK, "198.19.2.2", "60")
    packets, flows = seen_by(router)
    assert flows == 2
    assert 60 < packets < 200
    time.sleep(2)
    assert seen_by(router) == (0, 0)
