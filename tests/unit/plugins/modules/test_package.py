# SPDX-License-Identifier: GPL-3.0-or-later
"""The module package as Ansible calls it, on a host with the real agent and a real repository."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._packages import agent_calls
from ansible_collections.bocage.fleet.plugins.modules import package, package_info
from asked_agent import AskedHost, host
from bocage_core._packages import repository_client

__all__ = ["host"]


@pytest.fixture
def editor(host: AskedHost) -> AskedHost:
    """A repository with an editor that needs fonts."""
    host.publish("editor", "1.0", depends="fonts")
    host.publish("fonts", "2.0")
    return host


def four(call: Any, host: AskedHost, **options: Any) -> list[dict[str, Any]]:
    """Check, do, check again, do again: what is foreseen is what is done, and only once."""
    rows = host.rows() if (host.folder / "state" / "state.sqlite").exists() else {}
    results = [call(package, check=True, diff=True, **options)]
    assert (host.rows() if rows else {}) == rows, "the first check changed something"
    results += [call(package, check=check, diff=True, **options) for check in (False, True, False)]
    assert [one["changed"] for one in results] == [True, True, False, False], results
    assert results[0]["diff"] == results[1]["diff"] and results[0]["changes"] == results[1]["changes"]
    assert [one["changes"] for one in results[2:]] == [[], []]
    assert len(host.asked) >= 4
    return results


def change(name: str, action: str, before: str | None, after: str | None) -> dict[str, Any]:
    return {"package": name, "action": action, "before": before, "after": after}


def test_present_four_times(editor: AskedHost, call_module: Any) -> None:
    results = four(call_module, editor, name=["editor(>= 1)"])
    assert results[0]["changes"] == [change("editor", "install", None, "1.0"), change("fonts", "install", None, "2.0")]
    after = "editor 1.0\nfonts 2.0\nasked for: editor(>=1)\n"
    assert results[0]["diff"] == {"before": "", "after": after}
    assert results[1]["requests"] == {"editor": "editor(>=1)"}
    assert editor.made("editor") == "1.0 " and editor.made("fonts") == "2.0 "
    assert editor.asked[0] == ["install", "--json", "--quiet", "--wait=300", "--plan", "--ensure", "--", "editor(>=1)"]
    assert len(editor.asked) == 4, "one call a task"


def test_check_mode_changes_nothing(editor: AskedHost, call_module: Any) -> None:
    assert call_module(package, check=True, name=["editor"])["changed"]
    assert editor.rows() == {} and editor.made("editor") == "" and editor.cached() == []
    assert editor.look(lambda store: store.requests()) == {}


def test_present_keeps_what_fits_and_latest_does_not(editor: AskedHost, call_module: Any) -> None:
    call_module(package, name=["editor"])
    editor.publish("editor", "1.1", depends="fonts")
    assert not call_module(package, name=["editor"])["changed"]
    results = four(call_module, editor, name=["editor"], state="latest")
    assert results[1]["changes"] == [change("editor", "upgrade", "1.0", "1.1")]
    assert results[1]["diff"] == {"before": "editor 1.0\n", "after": "editor 1.1\n"}
    editor.publish("editor", "1.2", depends="fonts")
    bounded = four(call_module, editor, name=["editor(>=1.2)"])
    assert bounded[1]["changes"] == [change("editor", "upgrade", "1.1", "1.2")]
    assert bounded[1]["diff"]["before"] == "editor 1.1\nasked for: editor\n"


def test_what_came_with_another_is_asked_for_by_itself(editor: AskedHost, call_module: Any) -> None:
    call_module(package, name=["editor"])
    results = [call_module(package, name=["fonts"]) for _ in range(2)]
    assert [one["changed"] for one in results] == [True, False] and results[0]["changes"] == []
    assert results[0]["diff"] == {"before": "", "after": "asked for: fonts\n"}


def test_latest_without_a_name_is_an_upgrade(editor: AskedHost, call_module: Any) -> None:
    editor.changes["require"] = ["editor"]
    results = four(call_module, editor, state="latest")
    assert [one["package"] for one in results[1]["changes"]] == ["editor", "fonts"]
    assert results[1]["requests"] == {}
    editor.publish("fonts", "2.1")
    assert call_module(package, state="latest")["changes"] == [change("fonts", "upgrade", "2.0", "2.1")]


def test_without_an_update_the_last_one_counts(editor: AskedHost, call_module: Any) -> None:
    early = call_module(package, name=["editor"], update=False)
    assert "yet; update first." in early["msg"]
    call_module(package, name=["editor"])
    editor.publish("fonts", "2.1")
    assert not call_module(package, state="latest", update=False)["changed"]
    assert call_module(package, state="latest")["changed"]


def test_absent_and_forgotten(editor: AskedHost, call_module: Any) -> None:
    call_module(package, name=["editor"])
    refused = call_module(package, name=["fonts"], state="absent", check=True)
    assert refused["msg"] == "The package fonts stays: editor needs it; remove that first."
    results = four(call_module, editor, name=["editor", "never-there"], state="absent")
    assert results[1]["changes"] == [change("editor", "remove", "1.0", None)]
    assert results[1]["diff"] == {"before": "editor 1.0\nasked for: editor\n", "after": ""}
    assert editor.made("editor") == ""
    results = four(call_module, editor, name=["fonts"], state="forgotten")
    assert results[1]["changes"] == [change("fonts", "forget", "2.0", None)]
    assert results[1]["diff"] == {"before": "fonts 2.0 (left on the host)\n", "after": ""}
    assert editor.made("fonts") == "2.0 "


def test_what_was_asked_for_and_never_came_is_taken_back(editor: AskedHost, call_module: Any) -> None:
    editor.publish("broken", "1.0")
    call_module(package, name=["broken"])
    call_module(package, name=["broken"], state="forgotten")
    from bocage_agent.packages_store import Store

    store = Store.open(editor.folder / "state")
    with store.step() as step:
        step.execute("INSERT INTO request VALUES ('gone','gone','root','2026-11-21T12:00:00Z')")
    store.close()
    assert call_module(package, state="latest")["problems"][0]["state"] == "MISSING"
    results = four(call_module, editor, name=["gone"], state="absent")
    assert results[1]["changes"] == [] and results[1]["diff"] == {"before": "asked for: gone\n", "after": ""}
    assert not call_module(package, state="latest").get("failed")


def test_missing_forbidden_required(editor: AskedHost, call_module: Any) -> None:
    for check in (True, False):
        failed = call_module(package, check=check, name=["chess"])
        assert failed["msg"] == "chess: The repository has no package chess for this host."
    editor.changes.update(require=["editor"], forbidden=["fonts"])
    assert not call_module(package, name=["editor"], state="absent")["changed"], "it is not there"
    assert call_module(package, name=["fonts"])["msg"].startswith("The package fonts is forbidden on this host")
    due = call_module(package, check=True, state="latest")
    assert due["failed"] and due["msg"].startswith("Not all packages are as asked for: editor: MISSING: ")


def test_a_failure_is_told_with_its_reason(editor: AskedHost, call_module: Any) -> None:
    editor.estate.publish("paper", "1.0", "def install():\n    error('the tray is empty')\n")
    editor.publish("printer", "1.0", depends="paper")
    assert not call_module(package, check=True, name=["printer"]).get("failed"), "nobody can know"
    failed = call_module(package, name=["printer", "editor"])
    assert failed["msg"] == (
        "Not all packages are as asked for: printer: ERROR: It needs paper, which could not be installed;"
        " paper: ERROR: the tray is empty"
    )
    assert failed["changed"] and [one["package"] for one in failed["changes"]] == ["editor", "fonts"]


def test_a_revoked_signer_is_refused_with_its_code(editor: AskedHost, call_module: Any) -> None:
    editor.estate.revoke(editor.estate.developer)
    failed = call_module(package, name=["fonts"])
    assert failed["msg"].startswith("Not all packages are as asked for: fonts: ERROR: Refused (revoked): ")
    assert [(one["package"], one["code"]) for one in failed["problems"]] == [("fonts", "revoked")]
    assert not failed["changes"] and editor.made("fonts") == ""


def test_without_a_repository_what_is_there_stays(editor: AskedHost, call_module: Any, monkeypatch: Any) -> None:
    call_module(package, name=["editor"])

    def silent(_client: Any) -> None:
        raise repository_client.Unreachable("No replica answered.")

    warned: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(AnsibleModule, "warn", lambda _module, words: warned.append(words))
        patch.setattr(repository_client.Client, "update", silent)
        same = call_module(package, name=["editor"])
        assert (same["changed"], same.get("failed")) == (False, None)
        assert warned == ["The host went on with what it has: No replica answered."]
        failed = call_module(package, name=["chess"])
        assert failed["msg"] == "chess cannot be had without a repository: No replica answered."
    editor.estate.repository.public.rename(editor.folder / "gone")
    failed = call_module(package, name=["editor"])
    assert "lacks a file of the repository that it should have" in failed["msg"] and not failed["changed"]


def test_another_agent_at_work(editor: AskedHost, call_module: Any) -> None:
    from bocage_agent.packages_lock import run_lock

    with run_lock(editor.settings.places.lock, "upgrade"):
        failed = call_module(package, name=["editor"], wait_seconds=0)
    assert failed["msg"].startswith("Another agent works with packages on this host (process ")
    assert editor.asked[0][3] == "--wait=0"


def test_a_host_without_agent_packages_or_rights(host: AskedHost, call_module: Any, monkeypatch: Any) -> None:
    (host.folder / "packages.json").unlink(missing_ok=True)
    monkeypatch.setattr(AskedHost, "document", property(lambda self: []))
    for module, options in ((package, {"name": ["editor"]}), (package_info, {})):
        assert "The settings of packages cannot be used" in call_module(module, **options)["msg"]
        with monkeypatch.context() as patch:
            patch.setattr(agent_calls, "AGENT", "/nonexistent/bocage-agent")
            failed = call_module(module, **options)
            assert failed["msg"] == (
                "There is no agent on this host: /nonexistent/bocage-agent is missing; run playbooks/packages.yml for it."
            )
        with monkeypatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: 1000)
            assert call_module(module, **options)["msg"] == "The agent is asked as root; give the task become: true."
        with monkeypatch.context() as patch:
            patch.setattr(AnsibleModule, "run_command", lambda *_: (1, json.dumps({"error": "No packages."}), ""))
            assert call_module(module, **options)["msg"] == "No packages."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "No package is named for the state present; give name."),
        ({"state": "absent"}, "No package is named for the state absent; give name."),
        ({"name": ["a(>=1)"], "state": "absent"}, "a(>=1) has a version, and a package is absent in whatever version"),
        ({"name": ["a b"]}, "The request 'a b' cannot be used"),
    ],
)
def test_what_cannot_be_asked(host: AskedHost, call_module: Any, options: dict[str, Any], sentence: str) -> None:
    assert sentence in call_module(package, **options)["msg"]
    assert host.asked == []
