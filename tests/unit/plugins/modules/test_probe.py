# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes against a web server of the test, and against programs that answer as they are told to."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import probe


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/broken":
            # no answer of a web server
            self.wfile.write(b"Business server\r\n\r\n")
            return
        self.send_response(404 if self.path == "/absent" else 200)
        self.end_headers()
        self.wfile.write("Business server of Zürich\n".encode())

    def log_message(self, *_given: Any) -> None:
        """Nothing on the terminal of the tests."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers of ping and getent by target: a status and what is printed on the standard error."""
    answers: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        answers.setdefault("commands", []).append(command)
        answer = answers[command[-1]]
        if isinstance(answer, BaseException):
            raise answer
        status, text = answer
        if command[0] == "getent":
            return subprocess.CompletedProcess(command, status, text, "")
        return subprocess.CompletedProcess(command, status, b"", text.encode())

    monkeypatch.setattr(probe.subprocess, "run", run)
    return answers


def one(kind: str, target: str, reach: bool = True, **more: Any) -> dict[str, Any]:
    return {"proof": "p", "kind": kind, "target": target, "reach": reach, "about": f"{kind} {target}", **more}


def results(call_module: Any, *probes: dict[str, Any], **options: Any) -> list[tuple[bool, bool]]:
    done = call_module(probe, probes=list(probes), **options)
    assert not done["changed"]
    assert [{**result, **given} for result, given in zip(done["results"], probes, strict=True)] == done["results"]
    return [(result["reached"], result["passed"]) for result in done["results"]]


@pytest.mark.parametrize(
    ("status", "text", "reached"),
    [
        (0, "", True),
        (1, "", False),
        (2, "ping: connect: Network is unreachable\n", False),
        (2, "ping: sendmsg: Operation not permitted\n", False),
    ],
)
def test_pings(call_module: Any, programs: dict[str, Any], status: int, text: str, reached: bool) -> None:
    programs["fd7b::1"] = (status, text)
    assert results(call_module, one("ping", "fd7b::1")) == [(reached, reached)]
    assert results(call_module, one("ping", "fd7b::1", reach=False)) == [(reached, not reached)]
    assert programs["commands"][0] == ["ping", "-n", "-c", "1", "-W", "3", "fd7b::1"]


def test_a_probe_that_cannot_be_made_fails_the_task(call_module: Any, programs: dict[str, Any]) -> None:
    programs["x"] = (2, "ping: x: Name or service not known\n")
    assert call_module(probe, probes=[one("ping", "x")])["msg"] == (
        "A probe could not be made on this host: ping: x: Name or service not known"
    )
    programs["x"] = FileNotFoundError(2, "No such file or directory", "ping")
    assert call_module(probe, probes=[one("ping", "x", reach=False)])["msg"].startswith(
        "A probe could not be made on this host: [Errno 2] No such file or directory: 'ping'"
    )


def test_what_must_work_is_tried_again_and_what_must_not_once(call_module: Any, programs: dict[str, Any]) -> None:
    programs["a"] = (1, "")
    results(call_module, one("ping", "a"), attempts=4)
    assert len(programs["commands"]) == 4
    programs["commands"].clear()
    results(call_module, one("ping", "a", reach=False), attempts=4)
    assert len(programs["commands"]) == 1
    programs["commands"].clear()
    programs["a"] = (0, "")
    results(call_module, one("ping", "a"), attempts=4)
    assert len(programs["commands"]) == 1


def test_pages(call_module: Any, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # a proxy of the environment would answer for a path that the host does not have
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    found = results(
        call_module,
        one("page", f"{server}/", expect=["Business server", "Zürich"]),
        one("page", f"{server}/", expect=["something else"]),
        one("page", f"{server}/absent", expect=[]),
        one("page", f"{server}/broken", expect=["Business"]),
        one("page", "http://127.0.0.1:1/", reach=False),
        attempts=1,
    )
    assert found == [(True, True), (False, False), (False, False), (False, False), (False, True)]


@pytest.mark.parametrize(
    "target", ["erp1.lyon.demo.internal", "ftp://erp1/", "http://erp1:x/", "http://[::1/", "http:///"]
)
def test_what_is_no_page_at_all_is_told(call_module: Any, target: str) -> None:
    done = call_module(probe, probes=[one("page", target)])
    assert done["msg"] == f"A probe could not be made on this host: {target} is no address of a page."


def test_names(call_module: Any, programs: dict[str, Any]) -> None:
    addresses = ["198.18.1.20", "2001:db8:2::20"]
    programs["erp1"] = (0, "".join(f"{address} STREAM erp1\n{address} DGRAM \n" for address in addresses))
    programs["nobody"] = (2, "")
    programs["slow"] = subprocess.TimeoutExpired("getent", 1)
    found = results(
        call_module,
        one("resolve", "erp1", expect=list(reversed(addresses))),
        one("resolve", "erp1", expect=addresses[:1]),
        one("resolve", "erp1", expect=[]),
        one("resolve", "nobody", expect=addresses),
        one("resolve", "slow", reach=False, expect=[]),
        attempts=1,
    )
    assert found == [(True, True), (False, False), (True, True), (False, False), (False, True)]


def test_results_come_in_the_order_of_probes_with_their_time(call_module: Any, programs: dict[str, Any]) -> None:
    for number in range(40):
        programs[f"a{number}"] = (number % 2, "")
    done = call_module(probe, probes=[one("ping", f"a{number}") for number in range(40)], attempts=1)
    assert [result["target"] for result in done["results"]] == [f"a{number}" for number in range(40)]
    assert all(0 <= result["seconds"] < 5 for result in done["results"])
