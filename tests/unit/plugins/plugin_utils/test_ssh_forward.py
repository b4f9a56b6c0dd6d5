# SPDX-License-Identifier: GPL-3.0-or-later
"""The forward with a program in the place of ssh, which does what it is told to."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.ssh_forward import Tunnel, TunnelFailed, forward

STANDS = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
echo $$ > "$0.pid"
while [ "$1" != -L ]; do shift; done
python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "${2%%:*}"
exec sleep 600
"""
REFUSES = "#!/bin/sh\necho 'Warning: something' >&2\necho 'root@hub1: Permission denied (publickey).' >&2\nexit 255\n"
HANGS = '#!/bin/sh\necho $$ > "$0.pid"\nexec sleep 600\n'


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ssh"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return path


def put(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def is_running(path: Path) -> bool:
    process = int(path.with_name("ssh.pid").read_text())
    return Path(f"/proc/{process}").exists()


def test_it_stands_for_as_long_as_the_block(ssh: Path, tmp_path: Path) -> None:
    put(ssh, STANDS)
    tunnel = Tunnel("hub1", 2222, "root", tmp_path / "key", tmp_path / "known", ("-o", "Compression=yes"))
    with forward(tunnel, "fd7b:4c1e:90a2::1", 443, 10) as socket:
        assert socket.is_socket() and socket.parent.stat().st_mode & 0o077 == 0
        assert is_running(ssh)
    assert not socket.parent.exists() and not is_running(ssh)
    arguments = ssh.with_name("ssh.arguments").read_text().splitlines()
    assert f"{socket}:[fd7b:4c1e:90a2::1]:443" in arguments
    assert arguments[-4:] == ["-o", "Compression=yes", "--", "hub1"]
    for wanted in ("ExitOnForwardFailure=yes", "BatchMode=yes", "StrictHostKeyChecking=yes", "ControlMaster=no"):
        assert wanted in arguments
    assert f"UserKnownHostsFile={tmp_path}/known" in arguments and str(tmp_path / "key") in arguments


def test_it_ends_with_an_error_of_the_block(ssh: Path) -> None:
    put(ssh, STANDS)
    with pytest.raises(KeyboardInterrupt), forward(Tunnel("hub1"), "192.0.2.1", 443, 10):
        raise KeyboardInterrupt
    assert not is_running(ssh)


def test_what_ssh_said_is_told(ssh: Path) -> None:
    put(ssh, REFUSES)
    with (
        pytest.raises(TunnelFailed, match=r"through hub1 ended: root@hub1: Permission denied \(publickey\)\."),
        forward(Tunnel("hub1"), "192.0.2.1", 443, 10),
    ):
        pytest.fail("there is no tunnel")


def test_it_does_not_wait_for_ever(ssh: Path) -> None:
    put(ssh, HANGS)
    begun = time.monotonic()
    with (
        pytest.raises(TunnelFailed, match=r"did not stand after 0\.5 seconds"),
        forward(Tunnel("hub1"), "192.0.2.1", 443, 0.5),
    ):
        pytest.fail("there is no tunnel")
    assert time.monotonic() - begun < 5 and not is_running(ssh)


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TunnelFailed, match="did not start"), forward(Tunnel("hub1"), "192.0.2.1", 443, 1):
        pytest.fail("there is no tunnel")
