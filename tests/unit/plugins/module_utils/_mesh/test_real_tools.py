# SPDX-License-Identifier: GPL-3.0-or-later
"""The same with the real ip(8), wg(8) and wireguard-go, in a network namespace of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bocage_core._mesh import apply, device, drift
from bocage_core._mesh.apply import ensure_interfaces, ensure_present
from bocage_core._mesh.interface import desired_state
from bocage_core._mesh.peers import MeshPlanner
from demo_estate import demo
from fake_host import NAME, Answer
from hypothesis import HealthCheck, given, settings
from network_namespace import NetworkNamespace, need
from random_estates import Written, estates

UNIT = Path(__file__).resolve().parents[5] / "roles/mesh/templates/etc/systemd/system/bocage-mesh@.service.j2"


class Namespace(NetworkNamespace):
    """With systemd's part done here, from the unit's file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.active: set[str] = set()

    def run(self, command: list[str]) -> Answer:
        if command[0] != "systemctl":
            return super().run(command)
        names = re.findall(r"@(\S+)\.service", " ".join(command))
        if command[1] == "show":
            states = [
                "ActiveState=active\nUnitFileState=enabled\n" if name in self.active else "ActiveState=inactive\n"
                for name in names
            ]
            return 0, "\n".join(f"LoadState=loaded\n{state}" for state in states), ""
        if command[1] == "restart":
            self._restart(names[0])
            self.active.add(names[0])
        return 0, "", ""

    def _restart(self, name: str) -> None:
        """What the unit's file says, with its paths moved."""
        if self.run(["ip", "link", "show", "dev", name])[0] != 0:
            self.start("wireguard-go", "-f", name)
            deadline = time.monotonic() + 10
            while self.run(["wg", "show", name])[0] != 0:
                assert time.monotonic() < deadline, "wireguard-go did not come up"
                time.sleep(0.02)
        for line in re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE):
            self.must(*line.replace("%i", name).replace("/etc/bocage/mesh", str(self.folder)).split())


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    need("ip", "wg", "wireguard-go", device="/dev/net/tun")
    folder = tmp_path_factory.mktemp("mesh")
    with Namespace(folder) as made:
        (folder / "private.key").write_text(made.must("wg", "genkey"))
        yield made


@pytest.fixture(scope="module", autouse=True)
def drop_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("units")
        patch.setattr(apply, "_drop_in", lambda name: folder / "userspace.conf")
        yield


def apply_plan(namespace: Namespace, written: Written, name: str) -> dict[str, Any]:
    parameters = {
        "name": NAME,
        "private_key_file": str(namespace.folder / "private.key"),
        "configuration_directory": str(namespace.folder),
        "listen_port": 51820,
        "mtu": 1420,
        "backend": "userspace",
        **MeshPlanner(written.estate()).host(name),
    }
    done = ensure_present(parameters, namespace.run, check_mode=False)
    live = device.read(namespace.run, NAME, namespace.must("wg", "show", NAME, "public-key").strip())
    desired = desired_state(parameters)
    assert live is not None
    assert drift.differences(NAME, desired, live) == []
    again = ensure_present(parameters, namespace.run, check_mode=False)
    assert (again["changed"], again["actions"]) == (False, [])
    return done


def test_a_host_joins_changes_and_is_repaired(namespace: Namespace) -> None:
    written = demo()
    assert apply_plan(namespace, written, "tele1")["actions"] == [
        f"start bocage-mesh@{NAME}.service (userspace)",
        f"enable bocage-mesh@{NAME}.service",
    ]
    del written.hosts["gw2"]
    # the other one is now the only one, and so a peer of this interface
    assert apply_plan(namespace, written, "tele1")["actions"][0] == "set 1 peers"
    written.hosts["gw1"]["public_key"] = None
    assert apply_plan(namespace, written, "tele1")["actions"][0] == "remove 1 peers"
    # by hand, as an administrator might
    namespace.must("ip", "link", "set", "dev", NAME, "down")
    namespace.must("wg", "set", NAME, "listen-port", "4000")
    actions = apply_plan(namespace, written, "tele1")["actions"]
    assert actions[:2] == ["listen on 51820", "bring the link up"]
    assert any(action.startswith("route ") for action in actions)


def test_another_private_key_is_set_from_its_file(namespace: Namespace) -> None:
    apply_plan(namespace, demo(), "tele1")
    (namespace.folder / "private.key").write_text(namespace.must("wg", "genkey"))
    assert apply_plan(namespace, demo(), "tele1")["actions"] == ["set the private key"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=estates(all_enrolled=True))
def test_any_plan_is_taken_by_the_real_tools(namespace: Namespace, written: Written) -> None:
    names = sorted(written.hosts)
    for name in (names[0], names[-1]):
        apply_plan(namespace, written, name)


def test_a_prefix_that_moves_between_interfaces(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The route of one takes the place of the other's: what was read before that is no longer so."""
    folder = namespace.folder / "two"
    folder.mkdir()
    (folder / "private.key").write_text(namespace.must("wg", "genkey"))
    monkeypatch.setattr(namespace, "folder", folder)
    monkeypatch.setattr(apply, "_drop_in", lambda name: folder / f"{name}.drop-in")
    public_key = namespace.must("sh", "-c", "wg genkey | wg pubkey").strip()

    def interface(number: int, prefixes: list[str]) -> dict[str, Any]:
        return {
            "name": f"bocage0-7-{number}", "private_key_file": str(folder / "private.key"), "mtu": 1420,
            "listen_port": 50000 + number, "addresses": [f"198.19.7.{number}/32"],
            "routes": [{"prefix": prefix, "source": None} for prefix in prefixes],
            "peers": [{"name": "other", "public_key": public_key, "allowed_ips": ["fd78::1/128", *prefixes]}],
        }  # fmt: skip

    shared = {"configuration_directory": str(folder), "backend": "userspace", "confirm_seconds": 0}
    moving, staying = "198.18.7.0/24", "fd77::/64"
    for first, second in (([moving, staying], []), ([staying], [moving]), ([moving, staying], [])):
        parameters = {**shared, "interfaces": [interface(1, first), interface(2, second)]}
        assert ensure_interfaces(parameters, namespace.run, check_mode=False)["changed"]
        again = ensure_interfaces(parameters, namespace.run, check_mode=False)
        assert (again["changed"], again["actions"]) == (False, [])
