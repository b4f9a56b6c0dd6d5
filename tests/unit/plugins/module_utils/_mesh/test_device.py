# SPDX-License-Identifier: GPL-3.0-or-later
"""The live interface as ip(8) and wg(8) show it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._mesh import device
from fake_host import NAME, PUBLIC, Device, FakeHost


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    host.device = Device(up=True, mtu=1420, port=51820, public_key=PUBLIC)
    host.device.addresses = {"fd7b:4c1e:90a2:2::1/128": None, "198.19.2.1/32": None}
    host.device.routes = {"0.0.0.0/0": None, "::/0": None, "198.19.1.1/32": "198.19.2.1", "fd00:1::/64": None}
    host.device.peers = {"k": {"endpoint": None, "keepalive": 25, "allowed": {"::/0"}}}
    return host


def test_all_of_an_interface_is_read_but_what_the_kernel_adds(host: FakeHost) -> None:
    state = device.read(host, NAME, PUBLIC)
    assert state is not None
    assert (state.listen_port, state.mtu, state.up, state.public_key) == (51820, 1420, True, PUBLIC)
    assert state.addresses == {"fd7b:4c1e:90a2:2::1/128", "198.19.2.1/32"}
    assert state.routes == {"0.0.0.0/0": None, "::/0": None, "198.19.1.1/32": "198.19.2.1", "fd00:1::/64": None}
    assert state.peers["k"].keepalive_seconds == 25


def test_another_key_is_told_without_telling_it(host: FakeHost) -> None:
    state = device.read(host, NAME, "another")
    assert state is not None and state.public_key is None


def test_a_link_that_is_down_is_seen(host: FakeHost) -> None:
    assert host.device is not None
    host.device.up = False
    state = device.read(host, NAME, PUBLIC)
    assert state is not None and not state.up


def test_an_interface_that_is_not_there(host: FakeHost) -> None:
    host.device = None
    assert device.link(host, NAME) is None
    assert device.read(host, NAME, PUBLIC) is None
    assert device.link(lambda command: (0, "[]", ""), NAME) is None


def test_a_command_that_fails_is_told_with_its_words(host: FakeHost) -> None:
    host.fail_at = "wg show"
    with pytest.raises(BocageError) as failed:
        device.read(host, NAME, PUBLIC)
    assert str(failed.value) == "The interface bocage0 of this host cannot be read: it failed"


def test_secrets_end_in_the_pipe(host: FakeHost, tmp_path: Path) -> None:
    """The real script, with a wg that prints all that it knows."""
    tools = tmp_path / "tools"
    tools.mkdir()
    peers = "".join(
        f"peer{n}\tSECRET{n}\t(none)\tfd00::{n:x}/128,198.18.1.{n}/32\t0\t148\t92\toff\n" for n in range(1, 4)
    )
    (tools / "wg").write_text(f"#!/bin/sh\ncat <<'END'\nPRIVATE\t{PUBLIC}\t51820\toff\n{peers}END\n")
    (tools / "wg").chmod(0o755)
    outputs: list[str] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        if command[0] != "sh":
            return host(command)
        environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        outputs.append(done.stdout + done.stderr)
        return done.returncode, done.stdout, done.stderr

    state = device.read(run, NAME, PUBLIC)
    assert state is not None
    assert (state.public_key, state.listen_port) == (PUBLIC, 51820)
    assert state.peers["peer3"].allowed_ips == {"fd00::3/128", "198.18.1.3/32"}
    assert len(state.peers) == 3
    assert not any(secret in output for output in outputs for secret in ("PRIVATE", "SECRET"))
    # what fails is no empty device
    (tools / "wg").write_text("#!/bin/sh\necho 'Unable to access interface: No such device' >&2\nexit 1\n")
    with pytest.raises(BocageError, match="The interface bocage0 of this host cannot be read: Unable to access"):
        device.read(run, NAME, PUBLIC)


@pytest.mark.parametrize(
    ("found", "backend"),
    [({"linkinfo": {"info_kind": "wireguard"}}, "kernel"), ({"linkinfo": {"info_kind": "tun"}}, "userspace"), ({}, "userspace")],
)  # fmt: skip
def test_the_kind_of_link_tells_the_backend(found: dict[str, dict[str, str]], backend: str) -> None:
    assert device.backend_of(found) == backend


def test_the_kernel_is_probed_without_a_trace(host: FakeHost) -> None:
    assert device.kernel_has_wireguard(host)
    assert host.others == set()
    host.kernel = False
    assert not device.kernel_has_wireguard(host)


def test_routes_of_an_older_ip_that_prints_nothing() -> None:
    answers = {"address": json.dumps([{"mtu": 1420}]), "route": ""}

    def run(command: list[str]) -> tuple[int, str, str]:
        return 0, next((text for word, text in answers.items() if word in command), ""), ""

    state = device.read(run, NAME, None)
    assert state is not None
    assert (state.routes, state.listen_port, state.up) == ({}, 0, True)
