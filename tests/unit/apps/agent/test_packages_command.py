# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the agent, on a real repository, at the time that it is now."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_platform
from bocage_agent.main import main
from bocage_core._common import timestamps
from package_estate import Estate, RealHost
from package_fakes import touching


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RealHost:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    # neither who runs the tests nor their machine matters
    monkeypatch.setattr(packages_platform, "is_administrator", lambda: True)
    monkeypatch.setattr(packages_platform, "systemd_runs", lambda: False)
    (tmp_path / "made").mkdir()
    found = RealHost(tmp_path, estate=Estate(tmp_path, timestamps.now()))
    found.estate.publish("editor", "1.0", touching(tmp_path / "made" / "editor"), depends="fonts")
    found.estate.publish("fonts", "2.0", "def install():\n    pass\ndef audit():\n    return 'WARNING'\n")
    return found


@pytest.fixture
def call(host: RealHost, capfd: Any) -> Any:
    def calling(*words: str) -> tuple[int, str, str]:
        config = host.folder / "packages.json"
        config.write_text(json.dumps(host.document))
        capfd.readouterr()
        status = main([*words, "--packages-config", str(config), "--config", str(host.folder / "agent.json")])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return calling


def test_the_verbs_one_after_the_other(host: RealHost, call: Any) -> None:
    assert call("update")[:2] == (0, "Nothing is due.\n")
    host.changes["require"] = ["editor"]
    assert call("update")[:2] == (0, "Due to install or upgrade: fonts 2.0, editor 1.0.\n")
    status, output, _ = call("list")
    assert status == 0 and [line.split()[:2] for line in output.splitlines()] == [
        ["NEED-INSTALL", "editor"], ["NEED-INSTALL", "fonts"],
    ]  # fmt: skip
    status, _, journal = call("download-upgrade")
    assert status == 0 and "editor 1.0: download accepted" in journal
    status, _, journal = call("upgrade")
    assert status == 0 and "editor 1.0: install finished" in journal.splitlines()
    assert json.loads(call("list", "--json")[1])["packages"]["editor"]["state"] == "OK"
    assert json.loads(call("search", "FONT", "--json")[1]) == [
        {"package": "fonts", "section": "base", "version": "2.0"}
    ]
    assert call("search", "nothing-like-it")[:2] == (1, "")
    status, output, _ = call("audit", "--json")
    assert (status, json.loads(output)) == (1, {"editor": "OK", "fonts": "WARNING"})
    status, _, journal = call("remove", "editor")
    assert (status, journal.count("\n")) == (1, 1)
    assert journal == "bocage-agent: The package editor stays: the settings of this host require it.\n"
    host.changes["require"] = []
    assert call("remove", "editor")[0] == 0
    assert not (host.folder / "made" / "editor").exists()
    assert call("install", "editor", "--quiet") == (0, "", "")
    assert call("forget", "editor")[0] == 0
    assert call("clean")[:2] == (0, "0 files with 0 bytes were removed from the cache.\n")
    assert [one["action"] for one in json.loads(call("packages")[1])["history"]][:1] == ["install"]


def test_without_a_repository_the_sentence_is_one_line(host: RealHost, call: Any) -> None:
    host.estate.repository.public.rename(host.folder / "gone")
    status, _, journal = call("update")
    assert status == 1
    assert journal.startswith("bocage-agent: ") and journal.count("\n") == 1
    status, _, journal = call("install", "editor")
    assert status == 1 and "editor cannot be had without a repository" in journal


def test_a_second_agent_is_told_of_the_first(host: RealHost, call: Any) -> None:
    from bocage_agent.packages_lock import run_lock

    with run_lock(host.settings.places.lock, "upgrade"):
        status, _, journal = call("install", "editor")
        assert status == 1 and "Another agent works with packages on this host (process" in journal
        assert call("list")[0] == 0


def test_a_user_without_rights_asks_at_the_door(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from bocage_agent import packages_door

    asked: list[Any] = []
    monkeypatch.setattr(packages_platform, "is_administrator", lambda: False)
    monkeypatch.setattr(packages_door, "ask", lambda verb, packages, line: asked.append((verb, packages)) or 0)
    assert call("install", "editor")[0] == 0
    assert asked == [("install", ["editor"])]


def test_what_would_be_is_said_and_not_done(host: RealHost, call: Any) -> None:
    status, output, _ = call("install", "editor", "--plan")
    assert (status, [line.split() for line in output.splitlines()]) == (
        0,
        [["install", "editor", "-", "->", "1.0"], ["install", "fonts", "-", "->", "2.0"]],
    )
    assert json.loads(call("packages")[1])["packages"] == {}
    found = json.loads(call("install", "editor", "--plan", "--json", "--quiet")[1])
    done = json.loads(call("install", "editor", "--json", "--quiet")[1])
    assert (found["planned"], done["planned"], found["good"], done["good"]) == (True, False, True, True)
    assert found["changes"] == done["changes"] and found["requests"] == done["requests"]
    assert json.loads(call("clean", "--json")[1]) == {"files": 0, "bytes": 0}
    assert json.loads(call("update", "--json")[1])["changes"] == []
    gone = json.loads(call("remove", "editor", "nothing", "--ensure", "--plan", "--json")[1])
    assert gone["changes"] == [{"package": "editor", "action": "remove", "before": "1.0", "after": None}]
    assert json.loads(call("forget", "editor", "--plan", "--json")[1])["changes"][0]["action"] == "forget"
    assert json.loads(call("packages")[1])["requests"] == {"editor": "editor"}


def test_a_failure_is_a_document_too(call: Any) -> None:
    status, output, journal = call("remove", "editor", "--json")
    assert (status, json.loads(output)) == (1, {"error": "The package editor is not installed on this host."})
    assert journal == "bocage-agent: The package editor is not installed on this host.\n"


def test_options_that_do_not_reach_the_door_are_refused(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who only wants to know must not get it installed."""
    from bocage_agent import packages_door

    monkeypatch.setattr(packages_platform, "is_administrator", lambda: False)
    monkeypatch.setattr(packages_door, "ask", lambda *_: pytest.fail("it was asked for"))
    for option in ("--plan", "--ensure", "--no-update"):
        status, _, journal = call("install", "editor", option)
        assert status == 1 and "are for administrators of this host." in journal
