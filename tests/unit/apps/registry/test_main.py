# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from bocage_core._common import dsse
from bocage_core._common.errors import BadInput
from bocage_core._state import poll as polls
from bocage_core._state.poll import Poll
from bocage_registry.main import main
from bocage_registry.settings import read_settings

SOURCES = Path(__file__).parents[4] / "build" / "src"


def write_settings(folder: Path, key: bytes, **changes: Any) -> Path:
    (folder / "enrolment.pub").write_bytes(dsse.public_key_to_pem(key))
    document = {
        "database_url": f"sqlite:///{folder}/registry.db",
        "enrolment_public_key_file": str(folder / "enrolment.pub"),
        "readers": [{"name": "inventory", "token_sha256": hashlib.sha256(b"t").hexdigest(), "tenant": None}],
        "history_seconds": 86400,
        "clock_skew_seconds": 300,
        **changes,
    }
    path = folder / "registry.json"
    path.write_text(json.dumps({name: value for name, value in document.items() if value is not ...}))
    return path


def test_settings_are_read(tmp_path: Path, signed_estate: Any) -> None:
    settings = read_settings(write_settings(tmp_path, signed_estate.public))
    assert settings.enrolment_key == signed_estate.public
    assert settings.readers[0].name == "inventory"
    assert settings.listen == "unix:/run/bocage-registry/registry.sock"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"database_url": ...}, "lacks database_url"),
        ({"database_url": "registry.db"}, "database_url"),
        ({"readers": {}}, "list of readers"),
        ({"readers": [{"name": "a", "token": "secret"}]}, "A reader lacks"),
        ({"readers": [{"name": "a", "token_sha256": "secret", "tenant": None}]}, "token_sha256"),
        ({"history_seconds": "1d"}, "history_seconds"),
        ({"action_keys": {"estate": "secret"}}, "no usable text in estate"),
        ({"waiting_hosts": -1}, "waiting_hosts"),
        ({"colour": 1}, "unknown fields: colour"),
        ({"listen": "8480"}, "listen"),
        ({"enrolment_public_key_file": "/nonexistent/key"}, "/nonexistent/key"),
    ],
)
def test_wrong_settings_name_file_and_field(
    tmp_path: Path, signed_estate: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message) as error:
        read_settings(write_settings(tmp_path, signed_estate.public, **changes))
    assert "registry.json" in str(error.value)
    assert "secret" not in str(error.value)


def test_main_says_what_is_wrong_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.json")]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "none.json" in message


def test_a_database_of_another_schema_is_not_touched(
    tmp_path: Path, signed_estate: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import sqlite3

    from bocage_registry.database import Database

    Database(f"sqlite:///{tmp_path}/registry.db").close()
    with sqlite3.connect(tmp_path / "registry.db") as database:
        database.execute("UPDATE state SET schema_version = 99")
    assert main(["serve", "--config", str(write_settings(tmp_path, signed_estate.public))]) == 1
    assert "has schema 99, this program needs 1" in capsys.readouterr().err


def test_openapi_describes_every_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    paths = json.loads(capsys.readouterr().out)["paths"]
    assert paths.keys() == {
        "/v1/enrolments",
        "/v1/reports",
        "/v1/hosts",
        "/v1/hosts/{host_id}",
        "/v1/hosts/{host_id}/history",
        "/v1/hosts/{host_id}/actions",
        "/v1/actions",
        "/healthz",
        "/metrics",
    }
    body = paths["/v1/reports"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["required"]) == {"payload", "payloadType", "signatures"}


@pytest.mark.parametrize("kind", ["unix", "address"])
def test_serves_on_a_socket_or_an_address(tmp_path: Path, signed_estate: Any, kind: str) -> None:
    config = write_settings(tmp_path, signed_estate.public)
    if kind == "unix":
        listen = f"unix:{tmp_path}/r.sock"
        client = httpx.Client(transport=httpx.HTTPTransport(uds=f"{tmp_path}/r.sock"), base_url="http://registry")
    else:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        client = httpx.Client(base_url=f"http://{listen}")
    command = [sys.executable, "-m", "bocage_registry", "serve", "--config", str(config), "--listen", listen]
    with (
        client,
        subprocess.Popen(command, env={"PYTHONPATH": str(SOURCES)}, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            host = signed_estate.host()
            assert wait_for_health(client) == {"status": "ok"}
            assert client.post("/v1/enrolments", content=host.enrolment_bytes).status_code == 200
            assert client.post("/v1/reports", content=host.report_bytes()).status_code == 200
            listed = client.get("/v1/hosts", headers={"Authorization": "Bearer t"})
            assert len(listed.json()["hosts"]) == 1
        finally:
            process.terminate()
            _, log = process.communicate(timeout=20)
    assert "Traceback" not in log


def test_a_registry_that_is_stopped_does_not_wait_for_the_hosts_that_wait(tmp_path: Path, signed_estate: Any) -> None:
    config = write_settings(tmp_path, signed_estate.public)
    client = httpx.Client(
        transport=httpx.HTTPTransport(uds=f"{tmp_path}/r.sock"), base_url="http://registry", timeout=30
    )
    command = [sys.executable, "-m", "bocage_registry", "serve", "--config", str(config)]
    command += ["--listen", f"unix:{tmp_path}/r.sock"]
    with (
        client,
        subprocess.Popen(command, env={"PYTHONPATH": str(SOURCES)}, stderr=subprocess.PIPE, text=True) as process,
    ):
        host = signed_estate.host()
        wait_for_health(client)
        client.post("/v1/enrolments", content=host.enrolment_bytes)
        proof = polls.header(Poll(host.enrolment.host_id, 1), host.report_private)
        answers: list[httpx.Response] = []
        path = f"/v1/hosts/{host.enrolment.host_id}/actions?wait=25"
        poll = threading.Thread(target=lambda: answers.append(client.get(path, headers={"Authorization": proof})))
        poll.start()
        metrics = ""
        while "bocage_registry_hosts_waiting 1" not in metrics:
            metrics = client.get("/metrics", headers={"Authorization": "Bearer t"}).text
        begun = time.monotonic()
        process.terminate()
        _, log = process.communicate(timeout=20)
        assert time.monotonic() - begun < 10
        poll.join()
    assert answers[0].json()["actions"] == []
    assert "Traceback" not in log


def wait_for_health(client: httpx.Client) -> Any:
    for _ in range(200):
        try:
            return client.get("/healthz").json()
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the registry did not come up in 20 seconds")
