# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent on its own host: numbers, files, faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import VERSION, chain, make_report, seal_writing, seals
from bocage_core._common import dsse, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._packages import repository_ends
from bocage_core._state import acceptance
from bocage_core._state import report as reports
from bocage_core._state.acceptance import LastSeen
from bocage_core._state.report import MAX_REPORT_BYTES
from sealed_host import SealedHost, file

ROOT = Path(__file__).parents[4]


def envelopes(agent: Any) -> list[reports.Report]:
    files = sorted((agent.folder / "state" / "spool").glob("*.json"))
    key = agent.host.enrolment.report_key
    return [reports.verify(dsse.load(path.read_bytes()), key) for path in files]


def test_reports_form_a_chain(agent: Any) -> None:
    for _ in range(3):
        assert agent.call("report")[0] == 0
    chain_of_reports = envelopes(agent)
    assert [report.counter for report in chain_of_reports] == [1, 2, 3]
    last = None
    for report in chain_of_reports:
        assert acceptance.check_order(report, last, "gw1") == 0
        last = LastSeen.of(report)


def test_printing_takes_no_number_and_sends_nothing(agent: Any) -> None:
    status, output, _ = agent.call("report", "--print")
    document = json.loads(output)
    assert (status, document["counter"]) == (0, 1)
    assert document["sections"]["system"]["agent_version"] == VERSION
    assert not (agent.folder / "state").exists()
    assert json.loads(agent.call("report", "--print")[1])["counter"] == 1


def test_status_tells_what_waits(agent: Any) -> None:
    agent.call("report")
    status, output, _ = agent.call("status")
    document = json.loads(output)
    assert status == 0
    assert (document["host"], document["last_counter"], document["spooled"]) == ("gw1", 1, 1)
    assert document["last_delivery_at"] is None
    assert "does not answer as registry.demo.internal" in document["last_problem"]


def test_a_crash_between_number_and_spool_leaves_only_a_gap(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.call("report")
    with monkeypatch.context() as crash:
        crash.setattr(make_report.Spool, "add", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left", "spool")))
        status, _, journal = agent.call("report")
        assert (status, "No space left" in journal) == (1, True)
    assert agent.call("report")[0] == 0
    first, third = envelopes(agent)
    assert acceptance.check_order(third, LastSeen.of(first), "gw1") == 1


def test_two_agents_at_once_take_different_numbers(agent: Any) -> None:
    command = [sys.executable, "-m", "bocage_agent", "report", "--config", str(agent.config)]
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    last = None
    for report in envelopes(agent):
        assert acceptance.check_order(report, last, "gw1") == 0
        last = LastSeen.of(report)
    assert last is not None
    assert last.counter == 4


def test_a_second_agent_does_not_wait_for_ever(tmp_path: Path) -> None:
    with (
        chain.locked(tmp_path / "lock"),
        pytest.raises(BocageError, match="Another agent has held"),
        chain.locked(tmp_path / "lock", wait_seconds=0.1),
    ):
        raise AssertionError("two agents hold the lock")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"generation":1,"counter":-1,"previous":null}', b"\xff"])
def test_a_damaged_counter_is_a_fault_and_no_new_beginning(agent: Any, content: bytes) -> None:
    agent.call("report")
    path = agent.folder / "state" / "counter.json"
    path.write_bytes(content)
    status, _, journal = agent.call("report")
    assert status == 1
    assert "Enrol this host in a new generation" in journal
    assert path.read_bytes() == content
    assert agent.spooled() == [1]


def test_an_enrolment_put_back_is_a_fault(agent: Any) -> None:
    first, following = agent.host, agent.host.successor()
    agent.host = following
    agent.__post_init__()
    agent.call("report")
    agent.host = first
    agent.__post_init__()
    status, _, journal = agent.call("report")
    assert status == 1
    assert "put the newest enrolment in place" in journal


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("enrolment.json", "This host is not enrolled"),
        ("report.key", "The report key"),
        ("agent.json", "The agent's settings"),
    ],
)
def test_missing_files_are_named_with_the_remedy(agent: Any, missing: str, message: str) -> None:
    (agent.folder / missing).unlink()
    status, _, journal = agent.call("report")
    assert status == 1
    assert message in journal
    assert missing in journal
    assert journal.count("\n") == 1


def test_a_missing_authority_is_a_fault_but_the_report_is_spooled(agent: Any) -> None:
    agent.configure(ca_file=str(agent.folder / "none.pem"))
    status, _, journal = agent.call("report")
    assert (status, agent.spooled()) == (1, [1])
    assert "none.pem" in journal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"registry_url": "http://registry.demo.internal"}, "registry_url"),
        ({"registry_address": "registry"}, "registry_address"),
        ({"mesh_interface": "../etc"}, "mesh_interface"),
        ({"gateway": {"lan": "eth1"}}, "lacks lan_interface"),
        ({"key_file": "report.key"}, "key_file"),
        ({"request_timeout_seconds": 0}, "request_timeout_seconds"),
        ({"seals_directory": "seals"}, "seals_directory"),
        ({"seal_public_key_file": 1}, "seal_public_key_file"),
        ({"colour": 1}, "unknown fields: colour"),
    ],
)
def test_wrong_settings_are_named(agent: Any, changes: dict[str, Any], message: str) -> None:
    agent.configure(**changes)
    status, _, journal = agent.call("report")
    assert status == 1
    assert message in journal
    assert "agent.json" in journal


def test_private_files_are_for_their_owner_only(agent: Any) -> None:
    agent.call("report")
    state = agent.folder / "state"
    for path in [state, *state.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_private_key_is_nowhere_but_in_its_file(agent: Any) -> None:
    agent.registry.start()
    secret = agent.host.report_private.splitlines()[1].decode()
    for verb in (["report"], ["report", "--print"], ["status"]):
        _, output, journal = agent.call(*verb)
        assert secret not in output + journal
    for path in [*agent.folder.rglob("*"), *agent.registry.folder.rglob("*")]:
        if path.is_file() and path.name != "report.key":
            assert secret.encode() not in path.read_bytes(), path


def test_a_large_hub_lists_fewer_peers_and_counts_all(agent: Any) -> None:
    peers = [
        {
            "public_key": "A" * 43 + "=",
            "endpoint": "[2001:db8::1]:51820",
            "allowed_ips": ["fd7b:4c1e:90a2:1::2/128", "198.18.1.0/24"],
            "latest_handshake": 1_700_000_000,
            "rx_bytes": 2**40,
            "tx_bytes": 2**40,
        }
    ] * 200
    mesh = {
        "interface": "bocage0",
        "backend": "kernel",
        "public_key": None,
        "listen_port": 51820,
        "mtu": 1420,
        "addresses": [],
        "config_digest": None,
        "drift": [],
        "peer_count": 24000,
        "peers": peers,
    }
    report = agent.host.report()
    report = replace(report, sections={**report.sections, "mesh": mesh})
    fitted, envelope = make_report.sign_fitting(report, agent.host.report_private)
    assert len(envelope) <= MAX_REPORT_BYTES
    assert 50 < len(fitted.sections["mesh"]["peers"]) < 200
    assert fitted.sections["mesh"]["peer_count"] == 24000
    assert reports.verify(dsse.load(envelope), agent.host.enrolment.report_key) == fitted


def test_findings_on_seals_are_left_out_last(agent: Any) -> None:
    seal = {
        "status": "broken",
        "digest": "a" * 64,
        "base": "b" * 64,
        "facts": {},
        "counter": 1,
        "sealed_at": "2026-01-31T08:30:00Z",
        "findings": ["x" * 200] * 5,
    }
    report = agent.host.report()
    filler = {"list": ["x" * 18000]}
    report = replace(report, sections={"filler": filler, "seals": {f"role{number}": seal for number in range(7)}})
    fitted, envelope = make_report.sign_fitting(report, agent.host.report_private)
    assert len(envelope) <= MAX_REPORT_BYTES
    assert {len(one["findings"]) for one in fitted.sections["seals"].values()} == {1}
    alone = replace(report, sections={"seals": report.sections["seals"]})
    assert make_report.sign_fitting(alone, agent.host.report_private)[0].sections == alone.sections


def test_seals_are_a_section_of_the_report(
    agent: Any, sealed: SealedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the files of tests lie where a report does not look
    monkeypatch.setattr(seals, "_HIDDEN_FROM_REPORTS", ())

    def section() -> Any:
        return json.loads(agent.call("report", "--print")[1])["sections"]["seals"]

    agent.host = sealed.host
    agent.__post_init__()
    agent.configure(seals_directory=str(sealed.folder / "seals"), seal_public_key_file=str(sealed.folder / "seal.pub"))
    assert section() == {}
    path = tmp_path / "sealed-file"
    path.write_text("x")
    seal_writing.write(sealed.settings, {"seals": {"mesh": sealed.signed("mesh", [file(str(path))], facts={})}})
    assert (section()["mesh"]["status"], section()["mesh"]["counter"]) == ("intact", 1)
    path.chmod(0o777)
    assert section()["mesh"]["findings"] == [f"{path} has the mode 0777 instead of 0644."]
    (sealed.folder / "seals" / "mesh.json").write_bytes(b"damaged")
    assert section()["mesh"]["status"] == "refused"
    assert agent.call("report")[0] == 0


NAMES = [f"host-{number:02}" for number in range(15)]


def test_what_ends_of_a_repository_is_a_section_of_the_report(agent: Any, tmp_path: Path) -> None:
    ends = [repository_ends.of_metadata(name, 1, timestamps.now() + timedelta(days=5)) for name in NAMES]
    agent.configure(repository_directory=str(tmp_path / "served"))
    assert "repository" not in json.loads(agent.call("report", "--print")[1])["sections"]
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "ends.json").write_bytes(repository_ends.render(ends))
    section = json.loads(agent.call("report", "--print")[1])["sections"]["repository"]
    assert [one["name"] for one in section["ends"]] == NAMES
    assert section["expiring_count"] == 15
    report = agent.host.report(sections={"filler": {"list": ["x" * 21500]}, "repository": section})
    shorter = make_report.sign_fitting(report, agent.host.report_private)[0].sections["repository"]
    assert shorter == {**section, "ends": section["ends"][:1]}


def test_a_report_that_cannot_fit_is_a_fault(agent: Any) -> None:
    report = agent.host.report(sections={"filler": {"list": ["x" * 30000]}})
    with pytest.raises(BocageError, match="more than the 32768 accepted"):
        make_report.sign_fitting(report, agent.host.report_private)


def test_the_network_library_is_loaded_for_delivery_only(agent: Any) -> None:
    program = (
        "import sys; from bocage_agent.main import main;"
        f" main(['report', '--print', '--config', {str(agent.config)!r}]);"
        " sys.exit(len({'httpx', 'ssl', 'asyncio'} & sys.modules.keys()))"
    )
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_that_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
