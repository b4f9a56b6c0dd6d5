# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections, from what the host's programs print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bocage_agent.collect_gateway import collect_gateway
from bocage_agent.collect_mesh import collect_mesh
from bocage_agent.collect_system import boot_id, collect_system, os_name
from bocage_agent.commands import run, sentence
from bocage_core._common import dsse
from bocage_core._mesh import device
from bocage_core._mesh.interface import InterfaceState, PeerState, render_addresses, render_configuration
from bocage_core._state import mesh_epoch
from bocage_core._state.sections import check_sections

OWN = "O" * 42 + "A="
NEW = "N" * 42 + "A="
HUB, GATEWAY = "A" * 43 + "=", "B" * 42 + "A="
DESIRED = InterfaceState(
    listen_port=51820,
    mtu=1420,
    addresses=frozenset({"fd7b:4c1e:90a2:1::1/64"}),
    routes={"198.18.1.0/24": "198.19.1.1"},
    peers={
        HUB: PeerState(HUB, "192.0.2.1:51820", frozenset({"fd7b:4c1e:90a2::/48"}), 25, "hub1"),
        GATEWAY: PeerState(GATEWAY, None, frozenset({"198.18.1.0/24"}), 0, "gw1"),
    },
)
WG = {
    "public-key": f"{OWN}\n",
    "listen-port": "51820\n",
    "peers": f"{HUB}\n{GATEWAY}\n",
    "endpoints": f"{HUB}\t192.0.2.1:51820\n{GATEWAY}\t(none)\n",
    "allowed-ips": f"{HUB}\tfd7b:4c1e:90a2::/48\n{GATEWAY}\t198.18.1.0/24\n",
    "latest-handshakes": f"{HUB}\t1700000000\n{GATEWAY}\t0\n",
    "transfer": f"{HUB}\t148\t92\n{GATEWAY}\t0\t0\n",
    "persistent-keepalive": f"{HUB}\t25\n{GATEWAY}\toff\n",
}


class FakeHost:
    """Answers as ip(8) and wg(8) do, and remembers what was asked."""

    def __init__(self, kind: str = "wireguard", **wg: str) -> None:
        self.kind = kind
        self.wg = WG | {name.replace("_", "-"): text for name, text in wg.items()}
        self.asked: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.asked.append(command)
        if command[0] == "wg":
            if self.kind == "dummy":
                return 1, "", "Unable to access interface: Operation not supported\n"
            return 0, self.wg[command[3]], ""
        if command[0] == "sh":
            return 0, self.dump_without_secrets(), ""
        if "address" in command:
            if not self.kind:
                return 1, "", 'Device "bocage0" does not exist.'
            local = {"local": "fd7b:4c1e:90a2:1::1", "prefixlen": 64, "scope": "global"}
            link = {"ifname": "bocage0", "mtu": 1420, "linkinfo": {"info_kind": self.kind}, "addr_info": [local]}
            return 0, json.dumps([link]), ""
        routes = [{"dst": "198.18.1.0/24", "prefsrc": "198.19.1.1"}] if "-4" in command else []
        return 0, json.dumps(routes), ""

    def dump_without_secrets(self) -> str:
        tables = [
            dict(line.split("\t", 1) for line in self.wg[what].splitlines())
            for what in ("allowed-ips", "endpoints", "persistent-keepalive")
        ]
        lines = [f"{self.wg['public-key'].strip()}\t{self.wg['listen-port'].strip()}"]
        for key, prefixes in tables[0].items():
            lines.append(
                "\t".join((key, tables[1].get(key, "(none)"), prefixes.replace(" ", ","), tables[2].get(key, "off")))
            )
        return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "bocage0.conf").write_text(render_configuration(DESIRED))
    (tmp_path / "bocage0.ip").write_text(render_addresses("bocage0", DESIRED))
    return tmp_path


def mesh(host: FakeHost, files: Path, enrolled: str = OWN) -> dict[str, Any]:
    section = collect_mesh(host, "bocage0", files, enrolled)
    check_sections({"mesh": section}, "the report")
    return section


def test_mesh_section_of_a_host_as_configured(files: Path) -> None:
    host = FakeHost()
    section = mesh(host, files)
    assert len(section.pop("config_digest")) == 64
    assert section == {
        "interface": "bocage0",
        "backend": "kernel",
        "public_key": OWN,
        "listen_port": 51820,
        "mtu": 1420,
        "addresses": ["fd7b:4c1e:90a2:1::1/64"],
        "drift": [],
        "peer_count": 2,
        "links": [],
        "epoch": 0,
        "live_epochs": [0],
        "peers": [
            {
                "interface": "bocage0",
                "public_key": HUB,
                "endpoint": "192.0.2.1:51820",
                "allowed_ips": ["fd7b:4c1e:90a2::/48"],
                "latest_handshake": 1_700_000_000,
                "rx_bytes": 148,
                "tx_bytes": 92,
            },
            {
                "interface": "bocage0",
                "public_key": GATEWAY,
                "endpoint": None,
                "allowed_ips": ["198.18.1.0/24"],
                "latest_handshake": 0,
                "rx_bytes": 0,
                "tx_bytes": 0,
            },
        ],
    }


class InTwoEpochs(FakeHost):
    """Each interface has a key of its own."""

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        if command[3:] == ["public-key"]:
            return 0, {"bocage0": OWN, "bocage1": NEW}[command[2]] + "\n", ""
        return super().__call__(command)


def state_key(files: Path, epoch: int, key: str) -> None:
    """The host vouches for a key, as it does in a rotation."""
    host_id = "4be0643f-1d98-573b-97cd-ca98a65347d0"
    made = mesh_epoch.Statement(host_id, "gw1", 1, epoch, key, datetime(2026, 11, 22, tzinfo=UTC))
    (files / f"epoch-{epoch}.json").write_text(json.dumps(mesh_epoch.sign(made, dsse.generate_private_key())))


def test_while_keys_rotate_both_epochs_live_and_one_is_in_use(files: Path) -> None:
    for end in ("conf", "ip"):
        (files / f"bocage1.{end}").write_text((files / f"bocage0.{end}").read_text())
    state_key(files, 7, NEW)
    section = mesh(InTwoEpochs(), files)
    assert (section["epoch"], section["live_epochs"]) == (0, [0, 7])
    moved = collect_mesh(InTwoEpochs(), "bocage1", files, OWN)
    assert (moved["epoch"], moved["live_epochs"]) == (7, [0, 7])


def test_settled_in_a_later_epoch(files: Path) -> None:
    state_key(files, 8, OWN)
    section = mesh(FakeHost(), files, enrolled=GATEWAY)
    assert (section["epoch"], section["live_epochs"], section["drift"]) == (8, [8], [])


@pytest.mark.parametrize("host", [FakeHost(""), FakeHost(public_key=f"{GATEWAY}\n")], ids=["down", "another key"])
def test_no_epoch_is_in_use_without_a_key_of_the_host(files: Path, host: FakeHost) -> None:
    section = mesh(host, files)
    assert (section["epoch"], section["live_epochs"]) == (None, [])


def test_the_private_key_is_never_asked_for(files: Path) -> None:
    host = FakeHost()
    mesh(host, files)
    asked = {command[3] for command in host.asked if command[0] == "wg"}
    assert asked
    assert not asked & {"dump", "private-key", "preshared-keys"}
    # the library reads a device by a script that keeps secrets to itself: test_device.py
    assert {command[2] for command in host.asked if command[0] == "sh"} == {device._WITHOUT_SECRETS}


def test_userspace_backend_is_told_by_the_kind_of_link(files: Path) -> None:
    assert mesh(FakeHost("tun"), files)["backend"] == "userspace"


def test_a_live_interface_that_differs_has_drift(files: Path) -> None:
    section = mesh(FakeHost(listen_port="4000\n"), files)
    assert section["drift"] == ["The interface bocage0 listens on port 4000 instead of 51820."]


def test_another_key_than_the_enrolled_one_is_drift(files: Path) -> None:
    drift = mesh(FakeHost(), files, GATEWAY)["drift"]
    assert drift == ["The interface bocage0 has another key than the one that was enrolled."]


def test_an_interface_that_does_not_exist_is_reported(files: Path) -> None:
    section = mesh(FakeHost(""), files)
    assert section["drift"] == ["The interface bocage0 does not exist."]
    assert (section["peer_count"], section["public_key"]) == (0, None)


def test_an_interface_of_another_kind_is_reported(files: Path) -> None:
    (problem,) = mesh(FakeHost("dummy"), files)["drift"]
    assert problem.startswith("The interface bocage0 cannot be read: 'wg show bocage0 public-key' failed")


def test_missing_files_are_drift_and_the_live_state_is_still_told(tmp_path: Path) -> None:
    section = mesh(FakeHost(), tmp_path)
    assert len(section["drift"]) == 1
    assert "cannot be read" in section["drift"][0]
    assert section["peer_count"] == 2


def test_many_differences_are_counted_not_listed(files: Path) -> None:
    peers = "".join(f"{'C' * 40}{number:02d}A=\t(none)\n" for number in range(24))
    section = mesh(FakeHost(allowed_ips=peers, endpoints="", transfer="", latest_handshakes=""), files)
    assert len(section["drift"]) == 21
    assert section["drift"][-1].startswith("There are ")


LISTING = "table inet bocage {\n}\n"


@pytest.fixture
def sysctl(tmp_path: Path) -> Path:
    for name in ("ipv4/conf/eth1", "ipv4/conf/bocage0", "ipv6/conf/all"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "forwarding").write_text("1\n")
    return tmp_path


def gateway(sysctl: Path, answer: tuple[int, str, str] = (0, LISTING, "")) -> dict[str, Any]:
    section = collect_gateway(lambda _: answer, "eth1", "bocage0", sysctl, sysctl)
    check_sections({"gateway": section}, "the report")
    return section


def test_gateway_section(sysctl: Path) -> None:
    section = gateway(sysctl)
    assert len(section.pop("ruleset_digest")) == 64
    assert section == {"lan_interface": "eth1", "forwarding": True, "drift": []}


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ("ipv4/conf/eth1", "IPv4 is not forwarded from the interface eth1."),
        ("ipv4/conf/bocage0", "IPv4 is not forwarded from the interface bocage0."),
        ("ipv6/conf/all", "IPv6 is not forwarded."),
    ],
)
def test_forwarding_that_is_off_is_drift(sysctl: Path, switch: str, message: str) -> None:
    (sysctl / switch / "forwarding").write_text("0\n")
    section = gateway(sysctl)
    assert (section["forwarding"], section["drift"]) == (False, [message])


def test_rules_other_than_the_applied_ones_are_drift(sysctl: Path) -> None:
    digest = gateway(sysctl)["ruleset_digest"]
    (sysctl / "state.json").write_text(json.dumps({"live_digest": digest}))
    assert gateway(sysctl)["drift"] == []
    (sysctl / "state.json").write_text(json.dumps({"live_digest": "0" * 64}))
    assert gateway(sysctl)["drift"] == ["The rules in the table inet bocage are not those that were applied."]


def test_missing_rules_are_drift(sysctl: Path) -> None:
    section = gateway(sysctl, (1, "", "Error: No such file or directory\nlist table inet bocage\n"))
    assert section["ruleset_digest"] is None
    assert section["drift"] == ["The table inet bocage is not loaded."]


def test_system_section_of_this_machine() -> None:
    section = collect_system()
    check_sections({"system": section}, "the report")
    assert section["memory_total_bytes"] > 2**20
    assert section["cpu_count"] >= 1
    assert len(boot_id()) == 36


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', "Debian GNU/Linux 12 (bookworm)"),
        ("ID=x\n", "unknown"),
    ],
)
def test_name_of_the_system(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "os-release").write_text(text)
    assert os_name(tmp_path / "os-release") == name
    assert os_name(tmp_path / "none") == "unknown"


def test_absent_programs_are_a_reason_and_no_exception() -> None:
    assert run(["bocage-no-such-program"]) == (127, "", "bocage-no-such-program is not installed")
    assert run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\n", "err\n")


def test_sentences_are_one_printable_line() -> None:
    assert sentence(" a\n\tb\x1b[2J \u202ec ") == "a b [2J  c"
    assert len(sentence("x" * 1000)) == 500
