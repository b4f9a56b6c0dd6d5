# SPDX-License-Identifier: GPL-3.0-or-later
"""A seal is left only where it is true, and all of it or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import seal_writing, seals
from bocage_core._common import atomic, dsse
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from sealed_host import SealedHost, Unit, account, file, package, probe, unit

ROOT = Path(__file__).parents[4]
CONF = "/etc/x.conf"


def test_several_roles_at_once(sealed: SealedHost) -> None:
    statements = {
        "mesh": sealed.signed("mesh", [file(CONF)]),
        "names": sealed.signed("names", [file("/etc/none")]),
        "host": sealed.signed("host", [account("shop")]),
    }
    assert sealed.write(**statements) == {
        "sealed": ["host", "mesh"],
        "refused": {"names": "/etc/none is missing, but the role wants it to be a file."},
    }
    assert sealed.store.roles() == ["host", "mesh"]
    assert sealed.seal_file().stat().st_mode & 0o777 == 0o600
    assert sealed.findings() == []


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (file("/etc/none"), "/etc/none is missing, but the role wants it to be a file."),
        (file("/etc"), "/etc is a folder, but the role wants it to be a file."),
        (file(CONF, "directory"), f"{CONF} is a file, but the role wants it to be a folder."),
        (file(CONF, "absent"), f"{CONF} is a file, but the role wants it absent."),
        (file("/etc/dangling"), "/etc/dangling is missing, but the role wants it to be a file."),
        ({"kind": "tree", "name": "/opt/none"}, "the folder /opt/none does not exist."),
        (package("removed"), "the package removed is absent, but the role wants it present."),
        (package("broken"), "the package broken is half-configured, but the role wants it present."),
        (package("nftables", "absent"), "the package nftables is present, but the role wants it absent."),
        (account("nobody"), "the account nobody is absent, but the role wants it present."),
        (unit("dead.service"), "dead.service is not running, against the role's word."),
        (unit("live.service", None, False), "live.service is running, against the role's word."),
        (unit("off.service"), "off.service is disabled, against the role's word."),
        (unit("live.service", False, None), "live.service is enabled, against the role's word."),
        (unit("none.service", True, None), "none.service is not-found, against the role's word."),
        (probe("wireguard:bocage0"), "the probe wireguard:bocage0 cannot be read: wg is not installed."),
    ],
)
def test_what_contradicts_the_role_is_not_sealed(sealed: SealedHost, item: dict[str, Any], sentence: str) -> None:
    sealed.path("/etc/dangling").symlink_to("nowhere")
    sealed.units = {
        "dead.service": Unit("failed"),
        "live.service": Unit(),
        "off.service": Unit(enabled="disabled"),
    }
    assert sealed.write(mesh=sealed.signed("mesh", [item])) == {"sealed": [], "refused": {"mesh": sentence}}
    assert sealed.store.roles() == []


@pytest.mark.parametrize("enabled", ["enabled", "static", "alias", "indirect", "generated", "enabled-runtime"])
def test_a_unit_that_needs_no_enabling_counts_as_enabled(sealed: SealedHost, enabled: str) -> None:
    sealed.units["x.service"] = Unit(enabled=enabled)
    sealed.seal(unit("x.service"))


def test_a_statement_of_another_is_not_sealed(sealed: SealedHost) -> None:
    stranger = dsse.generate_private_key()
    ours, sealed.controller = sealed.controller, stranger
    forged = sealed.signed("mesh", [file(CONF)])
    sealed.controller = ours
    answer = sealed.write(
        mesh=forged,
        names=sealed.signed("host", [file(CONF)]),
        host=sealed.signed("host", [file(CONF)], host="gw2"),
        agent=sealed.signed("agent", [file(CONF)], host_id="11111111-2222-3333-4444-555555555555"),
        registry=[],
    )
    assert answer["sealed"] == []
    assert "is not signed by the expected key" in answer["refused"]["mesh"]
    assert answer["refused"]["names"] == "The seal of names is that of the role host."
    assert answer["refused"]["host"].startswith("The seal of host was made for the host gw2,")
    assert answer["refused"]["agent"].startswith("The seal of agent was made for the host gw1,")
    assert answer["refused"]["registry"] == "The seal of registry is not an object."


def test_facts_of_another_moment_are_not_sealed(sealed: SealedHost) -> None:
    wrong = sealed.signed("mesh", [file(CONF)], facts={"distribution": "debian 11"})
    unknown = sealed.signed("names", [file(CONF)], facts={"weather": "fine"})
    refused = sealed.write(mesh=wrong, names=unknown)["refused"]
    assert refused["mesh"] == "the fact distribution is not what the seal says; run the role again."
    assert refused["names"].startswith("There is no fact 'weather'")


def test_a_refused_seal_leaves_the_earlier_one_as_it_was(sealed: SealedHost) -> None:
    sealed.seal(file(CONF))
    before = (sealed.seal_file().read_bytes(), sealed.store.counters())
    assert sealed.write(mesh=sealed.signed("mesh", [file("/etc/none")]))["sealed"] == []
    assert (sealed.seal_file().read_bytes(), sealed.store.counters()) == before


@pytest.mark.parametrize("failing", ["counters.json", "mesh.json"])
def test_an_interruption_leaves_no_seal_that_lies(
    sealed: SealedHost, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    sealed.seal(file(CONF))
    written = atomic.write_file

    def crash(path: Path, *rest: Any) -> None:
        if path.name == failing:
            raise KeyboardInterrupt
        written(path, *rest)

    sealed.put(CONF, "new")
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_file", crash)
        with pytest.raises(KeyboardInterrupt):
            sealed.write(mesh=sealed.signed("mesh", [file(CONF)]))
    # before the counter rose the old seal is there and tells the truth; afterwards it counts no more
    status = sealed.check()["seals"]["mesh"]["status"]
    assert status == {"counters.json": "broken", "mesh.json": "refused"}[failing]
    sealed.seal(file(CONF))
    assert sealed.findings() == []


def test_a_change_right_after_a_seal_is_noticed(sealed: SealedHost) -> None:
    """Also one that leaves the size as it was, within a tick of the kernel's clock."""
    for number in range(20):
        sealed.path(CONF).write_text(f"{number:04d}")
        sealed.seal(file(CONF), {"kind": "tree", "name": "/usr"})
        sealed.path(CONF).write_text(f"{number + 1:04d}")
        (sealed.root / "usr" / "bin" / "mawk").write_text(f"/usr/bin/maw{number % 10}")
        assert sealed.findings() == [f"{CONF} was altered on the host.", "files in /usr were altered on the host."]


def test_a_seal_that_no_check_would_read_is_not_written(sealed: SealedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bocage_core._seals.documents.MAX_SEAL_BYTES", 500)
    answer = sealed.write(mesh=sealed.signed("mesh", [file(CONF)]))
    assert (answer["sealed"], "more than the 500 read" in answer["refused"]["mesh"]) == ([], True)
    assert sealed.store.roles() == []


def test_a_name_that_is_no_text_stops_one_role_and_not_the_others(sealed: SealedHost) -> None:
    sealed.path("/etc/link").symlink_to(os.fsdecode(b"\xff"))
    statements = {"mesh": sealed.signed("mesh", [file("/etc/link", "link")]), "host": sealed.signed("host", [])}
    answer = sealed.write(**statements)
    assert (answer["sealed"], "canonical JSON" in answer["refused"]["mesh"]) == (["host"], True)


@pytest.mark.parametrize("request_", [None, [], {}, {"seals": []}, {"seals": {}, "more": 1}])
def test_a_request_of_another_form_is_refused(sealed: SealedHost, request_: Any) -> None:
    with pytest.raises(Refused, match="request"):
        seal_writing.write(sealed.settings, request_, sealed.machine())
    assert not (sealed.folder / "seals").exists()


@pytest.mark.parametrize("role", ["../x", "Mesh", ""])
def test_a_role_of_another_form_is_refused(sealed: SealedHost, role: str) -> None:
    answer = sealed.write(**{role: sealed.signed("mesh", [file(CONF)])})
    assert (answer["sealed"], list(answer["refused"])) == ([], [role])


def test_a_host_without_its_keys_seals_nothing(sealed: SealedHost) -> None:
    (sealed.folder / "seal.pub").unlink()
    with pytest.raises(BocageError, match="run the role agent"):
        sealed.write(mesh=sealed.signed("mesh", [file(CONF)]))


# The program


def program(sealed: SealedHost, *words: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bocage_agent", *words, "--config", str(sealed.config)]
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    given = "" if stdin is None else json.dumps(stdin)
    return subprocess.run(command, env=environment, input=given, capture_output=True, text=True, check=False)


def test_the_program_writes_checks_and_verifies(sealed: SealedHost, tmp_path: Path) -> None:
    """Against this very machine, with a file of the test's own."""
    path = tmp_path / "sealed-file"
    path.write_text("x")
    statement = sealed.signed("mesh", [file(str(path))], facts={})
    done = program(sealed, "seals", "write", stdin={"seals": {"mesh": statement}})
    assert (done.returncode, done.stderr, json.loads(done.stdout)) == (0, "", {"refused": {}, "sealed": ["mesh"]})
    request = {"expected": {"mesh": sealed.base("mesh")}, "facts": ["kernel"]}
    answer = json.loads(program(sealed, "seals", "check", stdin=request).stdout)
    assert (answer["seals"]["mesh"]["status"], answer["facts"]) == ("intact", {"kernel": os.uname().release})
    shown = program(sealed, "seals", "verify")
    assert (shown.returncode, shown.stdout.splitlines()[1].split()[:2]) == (0, ["mesh", "intact"])
    path.write_text("y")
    shown = program(sealed, "seals", "verify")
    assert (shown.returncode, shown.stdout.splitlines()[2]) == (1, f"  {path} was altered on the host.")
    assert json.loads(program(sealed, "seals", "verify", "--json").stdout)["mesh"]["status"] == "broken"


@pytest.mark.parametrize(
    ("given", "message"),
    [("", "The request is not strict JSON"), ("[]", "The request is not an object"), ("{}", "lacks expected")],
)
def test_the_program_says_what_is_wrong_with_a_request(sealed: SealedHost, given: str, message: str) -> None:
    command = [sys.executable, "-m", "bocage_agent", "seals", "check", "--config", str(sealed.config)]
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, input=given, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("words", "never"),
    [
        (
            ("seals", "check"),
            {"argparse", "httpx", "ssl", "asyncio", "logging", "securesystemslib", "bocage_agent.make_report",
             "bocage_core._mesh", "bocage_core._gateway"},
        ),
        (("report", "--print"), {"httpx", "ssl", "asyncio", "bocage_agent.seals", "bocage_agent.observe"}),
    ],
)  # fmt: skip
def test_a_verb_loads_only_what_it_needs(sealed: SealedHost, words: tuple[str, ...], never: set[str]) -> None:
    code = (
        "import sys; from pathlib import Path; from bocage_agent import main;"
        f" main.DEFAULT_PATH = Path({str(sealed.config)!r}); status = main.main({list(words)!r});"
        f" print(status, sorted({never!r} & sys.modules.keys()), file=sys.stderr)"
    )
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        input='{"expected":{}}',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "0 []\n"


def test_writers_wait_for_each_other(sealed: SealedHost, tmp_path: Path) -> None:
    path = tmp_path / "sealed-file"
    path.write_text("x")
    statement = {"seals": {"mesh": sealed.signed("mesh", [file(str(path))], facts={})}}
    command = [sys.executable, "-m", "bocage_agent", "seals", "write", "--config", str(sealed.config)]
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    running = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(json.dumps(statement))
        process.stdin.close()
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    for process in running:
        assert process.stdout is not None
        process.stdout.close()
    assert sealed.store.counters() == {"mesh": 4}
    assert seals.section(sealed.settings, seals.Machine.real())["mesh"]["counter"] == 4


def test_many_seals_are_checked_in_little_time(sealed: SealedHost) -> None:
    """Far more than a check may take, so that only a mistake of an order of magnitude fails it."""
    roles = ["host", "mesh", "names", "firewall", "gateway", "registry", "agent"]
    sealed.write(**{role: sealed.signed(role, [file(CONF), package("nftables"), package("other")]) for role in roles})

    def best(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            begin = time.process_time()
            work()
            times.append(time.process_time() - begin)
        return min(times)

    assert best(lambda: sealed.check(*roles)) < 0.3
