# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.modules import listeners

# as ss(8) of iproute2 6.1 prints them
SHOWN = """\
udp UNCONN 0      0                  0.0.0.0:51820 0.0.0.0:* users:(("wireguard-go",pid=322,fd=17))
udp UNCONN 0      0            127.0.0.53%lo:53    0.0.0.0:* users:(("systemd-resolve",pid=17,fd=13))
udp UNCONN 0      0              0.0.0.0%eth0:68   0.0.0.0:* users:(("dhclient",pid=9,fd=4))
udp UNCONN 0      0          [fe80::1]%eth0:546       [::]:* users:(("systemd-network",pid=8,fd=3))
udp UNCONN 0      0                        *:123          *:*
tcp LISTEN 0      511    [fd7b:4c1e:90a2::1]:443      [::]:* users:(("nginx",pid=2336,fd=5),("nginx",pid=2335,fd=5))
tcp LISTEN 0      128                  [::1]:25       [::]:* users:(("master",pid=5,fd=3))
tcp LISTEN 0      128     [::ffff:127.0.0.1]:8080        *:* users:(("java",pid=6,fd=5))
tcp LISTEN 0      128       192.0.2.10:8443       0.0.0.0:* users:(("tmux: server",pid=7,fd=5))
tcp LISTEN 0      128               *%bocage0:8082       *:* users:(("web",pid=4,fd=7))
tcp LISTEN 0      128                   [::]:22       [::]:* users:(("sshd",pid=55,fd=4))
"""
ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}, {"local": "::1"}]},
    {"ifname": "bocage0", "addr_info": [{"local": "fd7b:4c1e:90a2::1"}]},
    {"ifname": "eth0", "addr_info": [{"local": "192.0.2.10"}]},
    {"ifname": "eth1"},
]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_module: Any, command: list[str], check_rc: bool = False) -> tuple[int, str, str]:
        assert check_rc
        return 0, SHOWN if command[0] == "ss" else json.dumps(ADDRESSES), ""

    monkeypatch.setattr(AnsibleModule, "run_command", run)


def test_sockets_are_read_in_every_form() -> None:
    found = listeners.sockets(SHOWN + "\nnonsense\n")
    assert found == [
        ("udp", "0.0.0.0", None, 51820, "wireguard-go"),
        ("udp", "127.0.0.53", "lo", 53, "systemd-resolve"),
        ("udp", "0.0.0.0", "eth0", 68, "dhclient"),
        ("udp", "fe80::1", "eth0", 546, "systemd-network"),
        ("udp", "::", None, 123, "?"),
        ("tcp", "fd7b:4c1e:90a2::1", None, 443, "nginx"),
        ("tcp", "::1", None, 25, "master"),
        ("tcp", "::ffff:127.0.0.1", None, 8080, "java"),
        ("tcp", "192.0.2.10", None, 8443, "tmux:"),
        ("tcp", "::", "bocage0", 8082, "web"),
        ("tcp", "::", None, 22, "sshd"),
    ]


def test_what_is_open_outside_is_told(call_module: Any) -> None:
    done = call_module(
        listeners,
        host="hub1",
        allowed_interfaces=["lo", "bocage0"],
        allowed_ports=[{"protocol": "udp", "port": 51820}, {"protocol": "tcp", "port": 22}],
    )
    assert not done["changed"]
    wrong = [(one["about"], one["kind"], one["target"], one["reason"]) for one in done["results"] if not one["passed"]]
    outside = "is open outside overlay and loopback"
    assert wrong == [
        ("dhclient of hub1 listens", "udp", "0.0.0.0 port 68", outside),
        ("systemd-network of hub1 listens", "udp", "fe80::1 port 546", outside),
        ("? of hub1 listens", "udp", ":: port 123", outside),
        ("tmux: of hub1 listens", "tcp", "192.0.2.10 port 8443", outside),
    ]
    assert len(done["results"]) == 11
    assert done["results"][0] == {
        "proof": "listeners",
        "kind": "udp",
        "target": "0.0.0.0 port 51820",
        "about": "wireguard-go of hub1 listens",
        "reach": False,
        "reached": True,
        "passed": True,
        "reason": "",
        "seconds": 0.0,
    }


def test_a_port_is_allowed_for_its_protocol_alone(call_module: Any) -> None:
    done = call_module(listeners, allowed_ports=[{"protocol": "udp", "port": 22}])
    assert "tcp :: port 22" in [f"{one['kind']} {one['target']}" for one in done["results"] if not one["passed"]]
