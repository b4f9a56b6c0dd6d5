# SPDX-License-Identifier: GPL-3.0-or-later
"""The module gateway_fault on a host that obeys: what is cut, killed and put back, and when it does not begin at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.modules import gateway_fault

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from network_namespace import NetworkNamespace, need

LINKS: list[dict[str, Any]] = [
    {"ifname": "lo", "link_type": "loopback"},
    {"ifname": "eth0", "link_type": "ether", "link": "if7", "link_netnsid": 0},
    {"ifname": "lan0", "link_type": "ether"},
    {"ifname": "mgmt0", "link_type": "ether"},
    {"ifname": "vlan7", "link_type": "ether", "link": "lan0"},
    {"ifname": "bocage0", "link_type": "none"},
]
UNDO = "nft add table netdev bocage_drill; delete table netdev bocage_drill"
WELL = {"healthy": True, "drained": False, "released": False, "since": 1}


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeHost:
    """Commands are kept, and some have answers; ``refuse`` are words of those that fail."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.refuse = ""
        self.userspace = True

    def run_command(self, _module: Any, command: list[str]) -> tuple[int, str, str]:
        line = " ".join(command)
        self.ran.append(line)
        if self.refuse and self.refuse in line:
            return 1, "", "no such thing"
        if line.startswith("ip -json link"):
            return 0, json.dumps(LINKS), ""
        if line.startswith("ip -json route get"):
            return 0, json.dumps([{"dev": "eth0"}]), ""
        if "is-active" in line:
            return (0 if self.userspace else 3), "", ""
        return 0, "", ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    fake = FakeHost()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *given: fake.run_command(*given))
    monkeypatch.setattr(gateway_fault, "time", Clock())
    monkeypatch.setattr(gateway_fault, "HEALTH_FILE", tmp_path / "health.json")
    (tmp_path / "health.json").write_text(json.dumps(WELL))
    return fake


def rules(host: FakeHost) -> str:
    (loaded,) = [line for line in host.ran if line.startswith("sh -c")]
    return loaded


def fault(call_module: Any, cause: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = call_module(
        gateway_fault, cause=cause, lan_interface="lan0", wan_towards="192.0.2.1", **more
    )
    return found


@pytest.mark.parametrize(
    ("cause", "cut"),
    [
        ("lan", ["ingress lan0", "egress lan0"]),
        ("lan_in", ["ingress lan0"]),
        ("lan_out", ["egress lan0"]),
        ("wan", ["ingress eth0", "egress eth0"]),
        ("wan_in", ["ingress eth0"]),
        ("wan_out", ["egress eth0"]),
        # all but loopback, the overlay, the operators' own, and what lies on another one
        ("host", [f"{way} {name}" for name in ("eth0", "lan0") for way in ("ingress", "egress")]),
    ],
)
def test_what_is_cut(call_module: Any, host: FakeHost, cause: str, cut: list[str]) -> None:
    found = fault(call_module, cause, spare_interfaces=["mgmt0"])
    assert (found["changed"], found["cause"]) == (True, cause)
    assert found["ended_at"] - found["started_at"] == 3
    text = rules(host)
    seen = [
        f"{line.split(' hook ')[1].split()[0]} {line.split(chr(34))[1]}" for line in text.splitlines() if "hook" in line
    ]
    assert seen == cut
    assert text.count("policy drop") == len(cut)


def test_a_timer_puts_it_back_where_the_module_cannot(call_module: Any, host: FakeHost) -> None:
    fault(call_module, "lan", seconds=2)
    timer = next(number for number, line in enumerate(host.ran) if line.startswith("systemd-run"))
    loaded = next(number for number, line in enumerate(host.ran) if line.startswith("sh -c"))
    assert timer < loaded
    assert host.ran[timer].endswith(f" --on-active=7.0s --timer-property=AccuracySec=100ms {UNDO}")
    assert host.ran[-2:] == [UNDO, "systemctl stop bocage-drill-end.timer"]


def test_the_way_out_may_be_named(call_module: Any, host: FakeHost) -> None:
    fault(call_module, "wan", wan_interface="ppp0")
    assert 'device "ppp0"' in rules(host)
    assert not [line for line in host.ran if "route get" in line]


def test_an_unknown_way_out_is_told(call_module: Any, host: FakeHost) -> None:
    message = call_module(gateway_fault, cause="wan", lan_interface="lan0")["msg"]
    assert message == (
        "The fault wan could not be made or put back: The way out is not known; give wan_interface or wan_towards."
    )
    assert host.ran == []


def test_processes_are_killed_and_their_units_start_them_again(call_module: Any, host: FakeHost) -> None:
    fault(call_module, "wireguard")
    assert host.ran == [
        "systemctl is-active --quiet bocage-wireguard-go@bocage0.service",
        "systemctl kill --signal=KILL --kill-whom=main bocage-wireguard-go@bocage0.service",
    ]
    host.ran.clear()
    fault(call_module, "routing")
    assert host.ran == ["pkill -KILL -x bgpd", "pkill -KILL -x bfdd"]


def test_in_the_kernel_the_interface_goes_and_comes_back(call_module: Any, host: FakeHost) -> None:
    host.userspace = False
    found = fault(call_module, "wireguard", mesh_interface="bocage1")
    assert found["ended_at"] - found["started_at"] == 3
    stopped, _reset, timer, *rest = host.ran[1:]
    assert stopped == "systemctl stop bocage-drill-end.timer"
    # before the interface goes, so that it comes back whatever becomes of the module
    assert timer.startswith("systemd-run ") and "--on-active=8.0s" in timer
    assert timer.endswith(" systemctl restart bocage-mesh@bocage1.service")
    assert rest == [
        "ip link set dev bocage1 down",
        "systemctl restart bocage-mesh@bocage1.service",
        "systemctl stop bocage-drill-end.timer",
    ]


def test_without_a_timer_the_interface_is_left_alone(call_module: Any, host: FakeHost) -> None:
    host.userspace, host.refuse = False, "systemd-run"
    message = fault(call_module, "wireguard")["msg"]
    assert message.startswith("The fault wireguard could not be made or put back: ")
    assert not [line for line in host.ran if line.startswith("ip link set")]


@pytest.mark.parametrize(
    "health",
    [None, "{", "{}", {**WELL, "healthy": False}, {**WELL, "drained": True}, {**WELL, "released": True},
     {**WELL, "since": 2_000_000}],
    ids=["no file", "no JSON", "nothing", "not well", "drained", "has let go", "changed just now"],
)  # fmt: skip
def test_a_gateway_that_does_not_do_well_is_left_alone(
    call_module: Any, host: FakeHost, tmp_path: Path, health: Any
) -> None:
    file = tmp_path / "health.json"
    if health is None:
        file.unlink()
    else:
        file.write_text(health if isinstance(health, str) else json.dumps(health))
    message = fault(call_module, "lan", patience_seconds=5)["msg"]
    assert message == (
        f"The fault lan could not be made or put back: the gateway does not do well after 5 seconds, see {file}"
    )
    assert host.ran == []


def test_rules_that_cannot_be_loaded_are_told(call_module: Any, host: FakeHost) -> None:
    host.refuse = "sh -c"
    message = fault(call_module, "lan")["msg"]
    assert message.startswith("The fault lan could not be made or put back: ") and "no such thing" in message


def test_check_mode_makes_no_fault(call_module: Any, host: FakeHost) -> None:
    found = fault(call_module, "host", check=True)
    assert found["changed"] and host.ran == []


@pytest.fixture
def namespace() -> Iterator[NetworkNamespace]:
    need("nft", "ip")
    with NetworkNamespace() as made:
        yield made


def test_real_rules_cut_one_direction(namespace: NetworkNamespace) -> None:
    namespace.must("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "far0")
    for name in ("lan0", "far0"):
        namespace.must("ip", "link", "set", name, "up")

    def run(command: list[str]) -> tuple[int, str, str]:
        # there is no systemd in here
        return (0, "", "") if command[0].startswith("systemd") or command[0] == "systemctl" else namespace.run(command)

    gateway_fault.cut(run, ["lan0"], ("ingress",), 3)
    listed = namespace.must("nft", "list", "table", "netdev", "bocage_drill")
    assert "hook ingress" in listed and "policy drop" in listed and "egress" not in listed
    # one that a drill left behind is replaced
    gateway_fault.cut(run, ["lan0"], ("egress",), 3)
    listed = namespace.must("nft", "list", "table", "netdev", "bocage_drill")
    assert "hook egress" in listed and "ingress" not in listed
    # the timer and the module may both put it back
    for _time in range(2):
        gateway_fault.put_back(run, gateway_fault.UNDO)
        assert namespace.must("nft", "list", "tables") == ""
