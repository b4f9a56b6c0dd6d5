# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, one agent at a time, the door for users, what the report says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import main as agent_main
from bocage_agent import packages_policy, packages_report, packages_rights, packages_verbs
from bocage_agent.packages_lock import Busy, run_lock
from bocage_agent.packages_ports import Unreachable
from bocage_agent.packages_progress import Speaker
from bocage_agent.packages_rights import Caller, NotAllowed
from bocage_agent.packages_schedule import interval, is_due
from bocage_agent.packages_settings import from_document, read_settings
from bocage_core._common.errors import BadInput
from bocage_core._state.sections import check_sections
from package_fakes import NOW, Host, touching

ROOT = Path(__file__).parents[4]
RULES = [{"staff": ["tool*"]}, {"teachers": ["atlas"], "staff": ["map"]}, {"user:ann": ["own"], "user:bob": ["his"]}]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


def user(*groups: str) -> Caller:
    return Caller("ann", frozenset(groups), administrator=False)


@pytest.mark.parametrize("verb", ["update", "upgrade", "download-upgrade", "clean"])
def test_everybody_may_do_what_the_maintainers_want_anyway(verb: str) -> None:
    packages_rights.check(user(), verb, [], [])


@pytest.mark.parametrize("verb", ["install", "remove", "forget", "audit", "list", "search", "packages", "report", ""])
def test_the_rest_needs_an_administrator(verb: str) -> None:
    with pytest.raises(NotAllowed, match=f"ann may not do `{verb}` on this host; it needs the rights of an admin"):
        packages_rights.check(user("staff"), verb, [], [])
    packages_rights.check(Caller("root", frozenset(), administrator=True), verb, ["x"], [])


@pytest.mark.parametrize(
    ("groups", "packages", "allowed"),
    [
        (("staff",), ["tool-a", "map"], True),
        (("teachers",), ["atlas"], True),
        (("teachers",), ["atlas", "map"], False),
        (("staff",), ["atlas"], False),
        (("staff",), ["atlas(>1)"], False),
        (("staff",), ["map(=1.0)"], False),
        (("staff",), ["tool-a(<2)"], False),
        (("staff",), ["tool-a,atlas"], False),
        (("staff",), ["tool-a, atlas"], False),
        (("staff",), ["tool*"], False),
        (("staff",), ["tool-\x1b[2J"], False),
        (("guests",), ["tool-a"], False),
        ((), ["tool-a"], False),
        ((), ["own"], True),
        ((), ["own-more"], False),
        (("user:bob",), ["his"], False),
    ],
)
def test_attack_more_than_a_rule_of_self_service_names(
    groups: tuple[str, ...], packages: list[str], allowed: bool
) -> None:
    for verb in ("install", "remove"):
        if allowed:
            packages_rights.check(user(*groups), verb, packages, RULES)
        else:
            with pytest.raises(NotAllowed, match="no rule of self-service names it; ask an administrator"):
                packages_rights.check(user(*groups), verb, packages, RULES)
    with pytest.raises(NotAllowed):
        packages_rights.check(user(*groups), "forget", packages, RULES)


def test_two_agents_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "packages.lock"
    with run_lock(path, "upgrade"):
        with pytest.raises(Busy, match=r"Another agent works .*\(process [0-9]+, upgrade, since 20.*\); wait for it"):
            run_lock(path, "install", wait_seconds=0.15).__enter__()
        code = f"import sys; sys.path.insert(0, {str(ROOT / 'build' / 'src')!r})\nfrom pathlib import Path\n"
        code += f"from bocage_agent.packages_lock import run_lock\nwith run_lock(Path({str(path)!r}), 'remove'): pass"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "Another agent works with packages on this host" in done.stderr
    with run_lock(path, "install"):
        assert json.loads(path.read_text())["verb"] == "install"


def test_the_door_knows_settings_and_placed_rules(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.library.add("self", "1", section="selfservice", files={"selfservice.json": '{"staff": ["tool"]}'})
    host.install("self")
    config = tmp_path / "packages.json"
    config.write_text(json.dumps(host.document))
    done: list[Any] = []
    monkeypatch.setattr(packages_verbs, "_do", lambda asked, *_, **__: done.append((asked.verb, asked.packages)) or 0)
    options = packages_verbs._options(["packages-door", "--packages-config", str(config)])
    assert packages_verbs._serve(options, user("staff"), "install", ["tool"], print) == 0
    assert packages_verbs._serve(options, user(), "upgrade", [], print) == 0
    with pytest.raises(NotAllowed):
        packages_verbs._serve(options, user(), "install", ["tool"], print)
    for verb in ("packages-door", "session-setup", "report", "\x1b[2J"):
        with pytest.raises(BadInput, match="There is no verb"):
            packages_verbs._serve(options, Caller("root", frozenset(), True), verb, [], print)
    assert done == [("install", ["tool"]), ("upgrade", [])]


def test_main_knows_the_verbs() -> None:
    assert set(packages_verbs.VERBS) == agent_main.PACKAGE_VERBS


def test_a_host_without_packages_says_so(capfd: Any, tmp_path: Path) -> None:
    assert agent_main.main(["upgrade", "--packages-config", str(tmp_path / "none.json")]) == 1
    assert "This host has no packages: " in capfd.readouterr().err


def test_list_and_packages(host: Host, tmp_path: Path, capfd: Any) -> None:
    host.library.add("a", "1.0", touching(host.folder / "made" / "a"))
    host.changes["require"] = ["zz"]
    host.install("a")
    host.update()
    config = tmp_path / "packages.json"
    config.write_text(json.dumps(host.document))
    assert agent_main.main(["list", "--packages-config", str(config)]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert [line.split()[:3] for line in listed] == [["OK", "a", "1.0"], ["MISSING", "zz", "-"]]
    assert agent_main.main(["packages", "--packages-config", str(config)]) == 0
    assert json.loads(capfd.readouterr().out)["packages"]["a"]["version"] == "1.0"


def test_looking_loads_neither_solver_nor_trust(host: Host, tmp_path: Path) -> None:
    host.update()
    config = tmp_path / "packages.json"
    config.write_text(json.dumps(host.document))
    program = (
        "import sys; from bocage_agent.main import main;"
        f" main(['list', '--packages-config', {str(config)!r}]);"
        " sys.exit(len({'tuf', 'resolvelib', 'cryptography.x509', 'httpx'} & sys.modules.keys()))"
    )
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_section_of_the_report(host: Host) -> None:
    assert packages_report.section(host.folder / "state") is None
    host.library.add("a", "1.0", touching(host.folder / "made" / "a"))
    host.library.add("bad", "1.0", "def install():\n    error('no')\n")
    host.changes["require"] = ["a", "bad", "zz"]
    host.upgrade(download_only=True)
    host.library.problem = Unreachable("No replica answered.")
    host.upgrade()
    found = packages_report.section(host.folder / "state")
    assert found is not None
    check_sections({"packages": found}, "the report")
    assert (found["installed"], found["installed_count"]) == ({"a": "1.0"}, 1)
    assert [(one["package"], one["state"], one["reason"]) for one in found["problems"]] == [
        ("bad", "ERROR", "no"),
        ("zz", "MISSING", "The repository has no package zz"),
    ]
    assert (found["needs_upgrade"], found["errors"], found["last_problem"]) == (False, 2, "No replica answered.")
    assert [one["package"] for one in found["offline_records"]] == ["a", "bad"]
    assert found["last_update_at"] == "2026-11-21T12:00:00Z"
    check_sections({"packages": packages_report.unreadable("The disk is full.")}, "the report")


def test_a_large_host_reports_a_digest(host: Host) -> None:
    for number in range(packages_report.MAX_INSTALLED + 1):
        host.library.add(f"p{number}", "1.0", section="group")
    host.changes["require"] = list(host.library.known)
    host.library.executable = False
    host.update()
    store_rows = host.rows()
    assert len(store_rows) == packages_report.MAX_INSTALLED + 1
    found = packages_report.section(host.folder / "state")
    assert found is not None
    assert (len(found["problems"]), found["problem_count"]) == (packages_report.MAX_PROBLEMS, len(store_rows))
    assert len(json.dumps(found)) < 16384


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicas": []}, "a list of 1 to 32 replicas"),
        ({"replicas": [{"url": "ftp://x"}]}, "url"),
        ({"host_package": "../x"}, "host_package"),
        ({"require": "x"}, "require"),
        ({"offline_record_days": -1}, "offline_record_days"),
        ({"limits": {"hook_seconds": 0}}, "hook_seconds"),
        ({"limits": {"colour": 1}}, "unknown fields: colour"),
        ({"self_service": {"staff": "tool"}}, "staff"),
        ({"self_service": {"staff": ["to*ol"]}}, "staff"),
        ({"directories": {"state": "relative"}}, "state"),
        ({"colour": 1}, "unknown fields: colour"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "packages.json"
    path.write_text(json.dumps({"replicas": [{"url": "http://[fd00::1]:8480/"}], **changes}))
    with pytest.raises(BadInput, match=message):
        read_settings(path)


def test_the_usual_settings() -> None:
    found = from_document({"replicas": [{"url": "http://[fd00::1]:8480/"}]}, "the settings")
    assert found.places.state == Path("/var/lib/bocage/packages")
    assert (found.offline_record_days, found.limits.hook_seconds) == (30, 3600)


@pytest.mark.parametrize(
    ("schedule", "every"),
    [
        ("30m", 1800),
        ("90", 5400),
        ("12h", 43200),
        ("3d", 259200),
        ("2w", 1209600),
        ("", None),
        ("0", None),
        ("x", None),
    ],
)
def test_schedules_of_audits(schedule: str, every: int | None) -> None:
    assert interval(schedule) == (None if every is None else timedelta(seconds=every))
    if every is not None:
        assert is_due(schedule, None, NOW)
        assert not is_due(schedule, "2026-11-21T11:59:00Z", NOW)
        assert is_due(schedule, "2026-01-01T00:00:00Z", NOW)
        assert is_due(schedule, "2027-01-01T00:00:00Z", NOW), "made by another clock"


def test_policies_become_preferences_of_apt(tmp_path: Path) -> None:
    path = tmp_path / "preferences.d" / "bocage"
    assert not packages_policy.enforce([{"forbid": ["linux-image-*"]}], path), "there is no apt here"
    path.parent.mkdir()
    policies = [{"forbid": ["linux-image-*"]}, {"only": ["openssl", "linux-image-*"]}]
    assert packages_policy.enforce(policies, path)
    entries = [block.splitlines() for block in path.read_text().split("\n\n")]
    assert [(one[-3], one[-1]) for one in entries] == [
        ("Package: linux-image-*", "Pin-Priority: -1"),
        ("Package: openssl", "Pin-Priority: 100"),
        ("Package: openssl", "Pin-Priority: 1"),
        ("Package: openssl", "Pin-Priority: 500"),
        ("Package: *", "Pin-Priority: -1"),
    ]
    assert not packages_policy.enforce(policies, path)
    assert packages_policy.enforce([], path)
    assert not path.exists()


def test_a_policy_is_read_strictly() -> None:
    for bad in ([], {"allow": []}, {"forbid": "x"}, {"forbid": ["x\nPin: *"]}, {"only": ["*x"]}):
        with pytest.raises(Exception, match=r"[tT]he policy"):
            packages_policy.check_policy(bad, "the policy")


class Terminal:
    def __init__(self, *, terminal: bool) -> None:
        self.text, self._terminal = "", terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        return


def test_progress_moves_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    journal: list[str] = []
    monkeypatch.setattr(Speaker, "_to_journal", staticmethod(journal.append))
    for terminal, expected in ((True, "\r\x1b[K"), (False, "")):
        stream = Terminal(terminal=terminal)
        speaker = Speaker(stream)  # type: ignore[arg-type]
        speaker.progress("[1/2] a 1.0", 50, 100)
        assert stream.text.startswith(expected) and bool(stream.text) is terminal
        speaker.line("a 1.0: install finished")
        assert stream.text.endswith("a 1.0: install finished\n")
    assert journal == ["a 1.0: install finished"]
