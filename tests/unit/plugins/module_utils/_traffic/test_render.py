# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules and queues of traffic classes as text."""

from __future__ import annotations

import json

import pytest
from bocage_core._traffic.render import (
    render_marks,
    render_outer,
    render_shaping,
    render_watch,
    settings_from,
)
from traffic_parameters import parameters


def test_outer_packets_are_told_apart_by_the_port_they_leave_from() -> None:
    text = render_outer(settings_from(parameters()))
    assert "udp sport { 51826, 60220 } goto class_voice" in text
    assert "udp sport { 51828 } goto class_far_screens" in text
    assert "meta priority set b0ca:11" in text
    assert "ip dscp set ef" in text and "ip6 dscp set ef" in text
    assert "bulk" not in text


def test_a_class_without_dscp_leaves_the_outer_header_alone() -> None:
    classes = [{"name": "voice", "percent": 50, "ports": ["udp/5060"]}, {"name": "bulk", "percent": 50}]
    text = render_outer(settings_from(parameters(classes=classes)))
    assert "dscp set" not in text
    assert "meta priority set b0ca:11" in text


def test_inner_packets_follow_the_interface_that_routing_chose() -> None:
    """After a takeover that is another one, and the class is with it at once."""
    text = render_marks(settings_from(parameters()))
    assert 'fib daddr oifname "bocage0" ip daddr @c100_v4 meta mark set 0x0b0c0100' in text
    assert 'fib daddr oifname "bocage0-1-1" ip6 daddr @c101_v6 meta mark set 0x0b0c0101' in text
    assert '\toifname "bocage0-1-1" ip daddr @c101_v4 meta mark set 0x0b0c0101' in text
    assert "meta mark != 0 return" in text
    assert "ip dscp { ef, va } goto passing_voice" in text
    assert "udp dport { 16384-32767, 5060 } goto own_voice" in text
    assert "ct direction reply ct mark 0x0b0c0001 goto passing_voice" in text


def test_frames_of_segments_belong_to_a_class_by_their_dscp_alone() -> None:
    """The port that VXLAN sends from is a hash, and may lie among those of a class."""
    text = render_marks(settings_from(parameters()))
    for hook, chain in (("prerouting", "passing"), ("output", "own")):
        rules = _chain(text, hook)
        assert rules.index(f"udp dport 4789 goto frames_{chain}") < rules.index("dscp")
        frames = _chain(text, f"frames_{chain}")
        assert f"ip6 dscp {{ ef, va }} goto {chain}_voice" in frames
        assert f"ip6 dscp {{ af41 }} goto {chain}_far_screens" in frames
        assert "dport" not in frames and "ct mark" not in frames


def _chain(text: str, name: str) -> str:
    return text.split(f"\tchain {name} {{\n")[1].split("\n\t}")[0]


def test_what_a_guest_marks_takes_from_nobody() -> None:
    """Attack: a guest calls all that it sends voice. The others keep their shares, and may lend what is left."""
    classes = render_shaping(settings_from(parameters()), "htb").splitlines()
    shares = [
        int(line.split(" rate ")[1].split("kbit")[0])
        for line in classes
        if line.startswith("class add") and "prio" in line
    ]
    assert shares == [3000, 4000, 3000]
    assert sum(shares) == 10000


def test_shares_of_the_uplink() -> None:
    lines = render_shaping(settings_from(parameters()), "htb+fq_codel").splitlines()
    assert lines[0] == "qdisc add dev eth0 root handle b0ca: htb default 10"
    assert "class add dev eth0 parent b0ca:1 classid b0ca:11 htb prio 0 rate 3000kbit ceil 10000kbit" in lines[2]
    assert "classid b0ca:12 htb prio 1 rate 4000kbit" in lines[4]
    assert "classid b0ca:10 htb prio 2 rate 3000kbit" in lines[6]
    assert [line.split()[-1] for line in lines if "fq_codel" in line] == ["fq_codel"] * 3
    # not more than a tenth of a second of it waits
    assert "bfifo limit 125000" in render_shaping(settings_from(parameters()), "htb")
    assert render_shaping(settings_from(parameters()), "cake") == (
        "qdisc add dev eth0 root handle b0ca: cake bandwidth 10000kbit diffserv4\n"
    )


@pytest.mark.parametrize("shaped", [True, False])
def test_what_the_watcher_reads(shaped: bool) -> None:
    document = json.loads(render_watch(settings_from(parameters()), "/etc/bocage/traffic", shaped))
    assert document["uplink_interface"] == ("eth0" if shaped else None)
    assert [one["dscp"] for one in document["interfaces"]] == [46, 46, 34]
    assert document["interfaces"][0]["sets"] == {"4": "c100_v4", "6": "c100_v6"}
    assert document["interfaces"][0]["peers"] == [{"public_key": "key", "address": "fd00::1", "calls": False}]
