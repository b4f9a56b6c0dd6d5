# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of what a gateway's rules cost: one TCP stream from the overlay into the LAN, with them and without.

Three network namespaces in a row: a host of the overlay, a gateway that forwards, a machine of the LAN. The rules are
those of a gateway of a thousand hosts. The overlay's interface is a plain cable, so that nothing but rules is
measured: a tunnel in user space would take all of the time.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "build/src"), str(HERE.parents[0] / "unit/plugins/module_utils")]

from bocage_core._common.estate import Estate  # noqa: E402
from bocage_core._gateway.access import plan_access  # noqa: E402
from bocage_core._gateway.ruleset import TABLE, policy_from, render  # noqa: E402
from figures import figure, missing  # noqa: E402
from mesh_plan import variables  # noqa: E402
from network_namespace import NetworkNamespace  # noqa: E402
from runs import BenchError, say  # noqa: E402

# short turns, so that a busy moment of the machine meets all kinds alike
SECONDS, TURNS, PORT = 0.5, 4, 7008
# a host of site1 and a machine on its LAN, as mesh_plan numbers them
HOST, GATEWAY_MESH, GATEWAY_LAN, MACHINE = "10.128.1.60", "10.128.1.1", "10.0.1.1", "10.0.1.200"


def rules(translation: str) -> str:
    estate_vars, hosts = variables(1000, 20)
    access = plan_access(Estate.from_vars(estate_vars, hosts), "host0")
    return render(
        policy_from(
            {
                "mesh_interface": "bocage0", "mesh_port": 51820, "lan_interface": "lan0",
                "management_prefixes": ["203.0.113.0/28"], "translation": translation, **access,
            }
        )
    )  # fmt: skip


def cable(one: NetworkNamespace, name: str, address: str, other: NetworkNamespace, far: str, far_address: str) -> None:
    one.must("ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", str(other.pid))
    for end, link, own in ((one, name, address), (other, far, far_address)):
        end.must("ip", "address", "add", own, "dev", link)
        end.must("ip", "link", "set", "dev", link, "up")


class Path3:
    """The host, the gateway and the machine on the LAN."""

    def __init__(self, host: NetworkNamespace, gateway: NetworkNamespace, machine: NetworkNamespace) -> None:
        self.host, self.gateway, self.machine = host, gateway, machine
        cable(gateway, "bocage0", f"{GATEWAY_MESH}/24", host, "up0", f"{HOST}/24")
        cable(gateway, "lan0", f"{GATEWAY_LAN}/24", machine, "eth0", f"{MACHINE}/24")
        host.must("ip", "route", "add", "10.0.1.0/24", "via", GATEWAY_MESH)
        # also without translation the answer comes back
        machine.must("ip", "route", "add", "10.128.0.0/16", "via", GATEWAY_LAN)
        gateway.must("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        machine.start(sys.executable, str(Path(__file__)), "take", MACHINE)

    def load(self, text: str | None) -> None:
        self.gateway.run(["nft", "delete", "table", "inet", TABLE])
        if text is not None:
            with tempfile.NamedTemporaryFile("w", suffix=".nft") as stream:
                stream.write(text)
                stream.flush()
                self.gateway.must("nft", "-f", stream.name)

    def throughput(self) -> float:
        """Bytes a second that arrived."""
        return float(self.host.must(sys.executable, str(Path(__file__)), "send", MACHINE))


def take(address: str) -> None:
    """Read whatever comes, and tell at the end how much it was."""
    with socket.create_server((address, PORT)) as server:
        buffer = bytearray(1 << 20)
        while True:
            stream, _sender = server.accept()
            with stream:
                total = 0
                while count := stream.recv_into(buffer):
                    total += count
                stream.sendall(total.to_bytes(8, "big"))


def send(address: str) -> float:
    data = bytes(1 << 20)
    deadline = time.monotonic() + 10
    while True:
        try:
            stream = socket.create_connection((address, PORT), timeout=5)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    with stream:
        started = time.monotonic()
        while time.monotonic() - started < SECONDS:
            stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        total = int.from_bytes(stream.recv(8), "big")
        return total / (time.monotonic() - started)


def measure(rounds: int) -> None:
    if os.geteuid() or not shutil.which("nft"):
        missing("mesh.gateway.ratio_to_no_rules", "ratio", "it takes root and the program nft")
        return
    kinds = {"without rules": None, "rules": rules("none"), "rules and translation": rules("masquerade")}
    with NetworkNamespace() as host, NetworkNamespace() as gateway, NetworkNamespace() as machine:
        path = Path3(host, gateway, machine)
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(rounds * TURNS):
            for kind, text in kinds.items():
                path.load(text)
                found[kind].append(path.throughput())
                say(f"turn {number + 1} of {rounds * TURNS}: {kind}: {found[kind][-1] * 8 / 1e9:.2f} Gbit/s")
        path.load(kinds["rules"])
        if path.gateway.run(["nft", "list", "table", "inet", TABLE])[0]:
            raise BenchError("the rules were not there when they were measured")
    median = {kind: statistics.median(taken) for kind, taken in found.items()}
    bare = median["without rules"]
    label = "mesh.gateway"
    figure(f"{label}.throughput", median["rules"] * 8 / 1e6, "Mbit/s", baseline=bare * 8 / 1e6)
    figure(
        f"{label}.throughput_translated", median["rules and translation"] * 8 / 1e6, "Mbit/s", baseline=bare * 8 / 1e6
    )
    # of turns that follow each other, not of medians that other work on the machine moved
    pairs = zip(found["rules"], found["without rules"], strict=True)
    figure(f"{label}.ratio_to_no_rules", statistics.median(one / other for one, other in pairs), "ratio")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["take", address]:
            take(address)
        case ["send", address]:
            print(send(address))
