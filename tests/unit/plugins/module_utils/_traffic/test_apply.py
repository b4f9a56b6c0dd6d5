# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic classes on a network of their own, with the real nft, tc and ip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._traffic.apply import ensure_absent, ensure_present, find_uplink, probe_shaping
from network_namespace import NetworkNamespace, need
from traffic_parameters import parameters


class Host:
    """A namespace with an uplink; systemd is none of it."""

    def __init__(self, namespace: NetworkNamespace) -> None:
        self.namespace = namespace
        self.stopped: list[list[str]] = []
        namespace.must("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
        namespace.must("ip", "link", "set", "eth0", "up")

    def run(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "systemctl":
            self.stopped.append(command)
            return 0, "", ""
        return self.namespace.run(command)


@pytest.fixture
def host() -> Iterator[Host]:
    need("nft", "tc", "ip")
    with NetworkNamespace() as namespace:
        yield Host(namespace)


@pytest.fixture
def shaping(host: Host) -> str:
    kind = probe_shaping(host.run)
    if not kind.startswith("htb"):
        pytest.skip(f"this kernel has no HTB, only {kind}")
    return kind


def test_four_calls(host: Host, shaping: str, tmp_path: Path) -> None:
    options = parameters(directory=str(tmp_path / "traffic"))
    predicted = ensure_present(options, host.run, check_mode=True)
    assert predicted["changed"]
    assert not (tmp_path / "traffic").exists()
    done = ensure_present(options, host.run, check_mode=False)
    assert done["actions"] == predicted["actions"] == ["load the rules for outer packets", "shape eth0"]
    assert done["diff"] == predicted["diff"]
    assert done["shaping"] == shaping
    for check in (True, False):
        assert not ensure_present(options, host.run, check)["changed"]
    classes = host.namespace.must("tc", "class", "show", "dev", "eth0")
    assert "class htb b0ca:11 parent b0ca:1" in classes
    # what the watcher loads is accepted, too
    host.namespace.must("nft", "-f", str(tmp_path / "traffic/marks.nft"))


def test_only_what_differs_is_touched(host: Host, shaping: str, tmp_path: Path) -> None:
    options = parameters(directory=str(tmp_path))
    ensure_present(options, host.run, check_mode=False)
    host.namespace.must("nft", "add", "table", "inet", "others")
    altered = parameters(directory=str(tmp_path), uplink_kbit=8000)
    assert ensure_present(altered, host.run, check_mode=False)["actions"] == ["shape eth0"]
    assert "rate 8Mbit" in host.namespace.must("tc", "class", "show", "dev", "eth0")
    host.namespace.must("nft", "flush", "table", "inet", "bocage_classes")
    assert ensure_present(altered, host.run, check_mode=False)["actions"] == ["load the rules for outer packets"]
    host.namespace.must("tc", "class", "change", "dev", "eth0", "classid", "b0ca:11", "htb", "rate", "1mbit")
    assert ensure_present(altered, host.run, check_mode=False)["actions"] == ["shape eth0"]
    assert "table inet others" in host.namespace.must("nft", "list", "tables")


def test_shaping_ends_and_moves(host: Host, shaping: str, tmp_path: Path) -> None:
    options = parameters(directory=str(tmp_path))
    ensure_present(options, host.run, check_mode=False)
    host.namespace.must("ip", "link", "set", "far0", "up")
    moved = ensure_present({**options, "uplink_interface": "far0"}, host.run, check_mode=False)
    assert moved["actions"] == ["stop shaping eth0", "shape far0"]
    assert "b0ca" not in host.namespace.must("tc", "qdisc", "show", "dev", "eth0")
    off = ensure_present({**options, "uplink_kbit": 0}, host.run, check_mode=False)
    assert (off["actions"], off["shaping"]) == (["stop shaping far0"], "off")
    assert "b0ca" not in host.namespace.must("tc", "qdisc", "show", "dev", "far0")
    assert not (tmp_path / "shaping.tc").exists()


def test_absent_takes_everything_and_nothing_of_others(host: Host, shaping: str, tmp_path: Path) -> None:
    options = parameters(directory=str(tmp_path))
    ensure_present(options, host.run, check_mode=False)
    host.namespace.must("nft", "-f", str(tmp_path / "marks.nft"))
    host.namespace.must("ip", "rule", "add", "fwmark", str(0x0B0C0100), "lookup", str(0x0B0C0100))
    host.namespace.must("ip", "rule", "add", "fwmark", "77", "lookup", "77")
    assert ensure_absent(options, host.run, check_mode=True)["changed"]
    done = ensure_absent(options, host.run, check_mode=False)
    assert "stop shaping eth0" in done["actions"]
    assert host.stopped == [["systemctl", "disable", "--quiet", "--now", "bocage-traffic.service"]]
    assert host.namespace.must("nft", "list", "tables") == ""
    rules = host.namespace.must("ip", "rule", "show")
    assert "0xb0c" not in rules and "fwmark 0x4d" in rules
    assert "b0ca" not in host.namespace.must("tc", "qdisc", "show", "dev", "eth0")
    assert list(tmp_path.iterdir()) == []
    assert not ensure_absent(options, host.run, check_mode=False)["changed"]


def test_an_uplink_of_somebody_else_is_refused(host: Host, shaping: str, tmp_path: Path) -> None:
    host.namespace.must("tc", "qdisc", "add", "dev", "eth0", "root", "handle", "7:", "htb")
    with pytest.raises(BocageError) as caught:
        ensure_present(parameters(directory=str(tmp_path)), host.run, check_mode=False)
    assert str(caught.value) == (
        "The uplink eth0 has the queueing discipline htb 7: of somebody else; remove it, or set voice_uplink_kbit to 0 "
        "and leave the shaping to it."
    )
    assert list(tmp_path.iterdir()) == []


def test_an_uplink_that_does_not_exist(host: Host, shaping: str, tmp_path: Path) -> None:
    with pytest.raises(
        BocageError, match=r"^The uplink none0 of this host cannot be shaped: .*; correct voice_uplink_"
    ):
        ensure_present(parameters(directory=str(tmp_path), uplink_interface="none0"), host.run, check_mode=False)


def test_the_uplink_is_that_of_the_default_route(host: Host) -> None:
    with pytest.raises(BadInput, match=r"^This host has no default route .*; name it in voice_uplink_interface\.$"):
        find_uplink(host.run, "")
    host.namespace.must("ip", "address", "add", "198.18.0.2/24", "dev", "eth0")
    host.namespace.must("ip", "route", "add", "default", "via", "198.18.0.1")
    assert find_uplink(host.run, "") == "eth0"
    assert find_uplink(host.run, "ppp0") == "ppp0"


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ("htb\nfq_codel\ncake\n", "htb+fq_codel"), ("htb\n", "htb"), ("fq_codel\ncake\n", "cake"),
        ("fq_codel\n", "none"), ("", "none"),
    ],
)  # fmt: skip
def test_what_a_kernel_can_decides(found: str, kind: str, tmp_path: Path) -> None:
    def run(command: list[str]) -> tuple[int, str, str]:
        return (0, found, "") if command[0] == "unshare" else (1, "", "")

    assert probe_shaping(run) == kind


def test_a_kernel_without_queues_still_marks(host: Host, tmp_path: Path) -> None:
    def run(command: list[str]) -> tuple[int, str, str]:
        return (0, "", "") if command[0] == "unshare" else host.run(command)

    options: dict[str, Any] = parameters(directory=str(tmp_path))
    done = ensure_present(options, run, check_mode=False)
    assert (done["shaping"], done["actions"]) == ("none", ["load the rules for outer packets"])
    assert not ensure_present(options, run, check_mode=False)["changed"]
