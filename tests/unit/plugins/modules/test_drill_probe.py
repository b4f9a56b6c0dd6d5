# SPDX-License-Identifier: GPL-3.0-or-later
"""The module drill_probe: real echoes to this machine, and downloads from a server that obeys, stalls or hangs up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common.icmp import checksum
from ansible_collections.bocage.fleet.plugins.modules import drill_probe
from ansible_collections.bocage.fleet.plugins.modules.drill_probe import Download


class Server:
    """Answers one download after another: with a head, and bytes until it is told to hang up."""

    def __init__(self) -> None:
        self.head = b"HTTP/1.1 200 OK\r\n\r\n"
        self.hang_up = False
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/large"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                opened, _unused = self._listener.accept()
            except OSError:
                return
            with opened:
                self.asked.append(opened.recv(4096).decode())
                try:
                    opened.sendall(self.head)
                    while not self.hang_up:
                        opened.sendall(b"x" * 1024)
                        time.sleep(0.005)
                except OSError:
                    continue

    def close(self) -> None:
        self.hang_up = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def download(url: str, seconds: float = 0.3) -> dict[str, Any]:
    stop = threading.Event()
    one = Download(url, stop)
    one.start()
    time.sleep(seconds)
    stop.set()
    one.join()
    return dict(one.result())


def test_a_download_that_nobody_ends_survives(server: Server) -> None:
    found = download(server.url, 1.0)
    assert found["survived"] and found["bytes"] > 0 and found["problem"] == ""
    assert server.asked[0].startswith("GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n")


def test_one_that_the_other_end_closes_does_not(server: Server) -> None:
    server.hang_up = True
    found = download(server.url, 1.0)
    assert (found["survived"], found["problem"]) == (False, "the other end closed it")


def test_another_answer_is_no_download(server: Server) -> None:
    server.head = b"HTTP/1.1 404 Not Found\r\n\r\n"
    found = download(server.url, 1.0)
    assert not found["survived"] and found["problem"].startswith("the answer was 'HTTP/1.1 404 Not Found")


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = download(f"http://127.0.0.1:{port}/")
    assert (found["survived"], found["bytes"]) == (False, 0)
    assert "refused" in found["problem"]


def test_thechecksum() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


def options(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"stop_file": str(tmp_path / "stop"), "interval_milliseconds": 20, **more}


def stop_later(tmp_path: Path, seconds: float = 1.0) -> None:
    threading.Timer(seconds, (tmp_path / "stop").touch).start()


@pytest.fixture
def raw() -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except PermissionError:
        pytest.skip("raw sockets need privileges")


def test_both_families_are_probed_until_the_file_exists(
    raw: None, call_module: Any, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill_probe, "LATE_SECONDS", 1.0)
    stop_later(tmp_path)
    found = call_module(drill_probe, targets=["127.0.0.1", "::1"], downloads=[server.url], **options(tmp_path))
    assert not found["changed"]
    assert set(found["sent"]) == set(found["gaps"]) == {"127.0.0.1", "::1"}
    assert all(number > 5 for number in found["sent"].values())
    # a machine that is busy may be late with some, never with all
    assert all(found["lost"][target] < found["sent"][target] for target in found["sent"])
    assert found["downloads"][0]["name"] == server.url and found["downloads"][0]["survived"]
    assert not (tmp_path / "stop").exists()


def test_a_target_that_never_answers_is_one_gap(
    raw: None, call_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill_probe, "LATE_SECONDS", 0.1)
    stop_later(tmp_path, 0.5)
    # for documentation (RFC 5737): nobody has it
    found = call_module(drill_probe, targets=["192.0.2.254"], **options(tmp_path))
    assert found["lost"] == found["sent"]
    ((_begin, lasted, lost),) = found["gaps"]["192.0.2.254"]
    assert lost == found["sent"]["192.0.2.254"] and lasted > 0


def test_it_ends_by_itself(raw: None, call_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_probe, "LATE_SECONDS", 0.1)
    started = time.monotonic()
    call_module(drill_probe, targets=["127.0.0.1"], most_seconds=1, **options(tmp_path))
    assert 1 <= time.monotonic() - started < 30


def test_an_end_that_came_before_the_beginning_counts(raw: None, call_module: Any, tmp_path: Path) -> None:
    """A busy host may begin after the drill was given up already, and would probe for an hour."""
    (tmp_path / "stop").touch()
    started = time.monotonic()
    call_module(drill_probe, targets=["127.0.0.1"], most_seconds=600, **options(tmp_path))
    assert time.monotonic() - started < 60 and not (tmp_path / "stop").exists()


def test_check_mode_probes_nothing(call_module: Any, tmp_path: Path) -> None:
    found = call_module(drill_probe, check=True, targets=["127.0.0.1"], **options(tmp_path))
    assert (found["changed"], found["gaps"], found["downloads"]) == (False, {}, [])


def test_a_name_is_no_target(call_module: Any, tmp_path: Path) -> None:
    message = call_module(drill_probe, targets=["erp1"], **options(tmp_path))["msg"]
    assert message == (
        "The targets cannot be probed: 'erp1' does not appear to be an IPv4 or IPv6 address; "
        "give addresses, and become root."
    )
