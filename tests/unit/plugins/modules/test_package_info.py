# SPDX-License-Identifier: GPL-3.0-or-later
"""The module package_info as Ansible calls it, on a host with the real agent and a real repository."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import package, package_info
from asked_agent import AskedHost, host

__all__ = ["host"]


def test_a_host_that_never_had_any(host: AskedHost, call_module: Any) -> None:
    found = call_module(package_info)
    assert not found["changed"] and found["last_update_at"] is None
    for name in ("versions", "packages", "due", "problems", "requests", "history", "rollouts", "refused"):
        assert not found[name], name
    assert not (host.folder / "state").exists(), "nothing is made by looking"


@pytest.mark.parametrize("check", [False, True])
def test_what_is_installed_due_and_wrong(host: AskedHost, call_module: Any, check: bool) -> None:
    host.publish("editor", "1.0")
    host.estate.publish("sick", "1.0", "def install():\n    error('no')\n")
    host.estate.publish("pale", "1.0", "def install():\n    pass\ndef audit():\n    return 'WARNING'\n")
    host.changes["require"] = ["sick", "pale", "zz"]
    call_module(package, name=["editor(>=1)"])
    call_module(package, state="latest")
    host.publish("editor", "1.1")
    assert host.answer(["", "audit"])[0] == 1
    assert host.answer(["", "update"])[0] == 0
    found = call_module(package_info, check=check)
    assert found["versions"] == {"editor": "1.0", "pale": "1.0"}
    assert found["due"] == {"editor": {"state": "NEED-UPGRADE", "version": "1.0", "wanted": "1.1"}}
    assert found["packages"]["editor"]["state"] == "NEED-UPGRADE"
    assert [(one["package"], one["state"], one["reason"], one["code"]) for one in found["problems"]] == [
        ("sick", "ERROR", "no", ""),
        ("zz", "MISSING", "The repository has no package zz for this host", ""),
    ]
    assert found["audits"]["pale"]["answer"] == "WARNING"
    assert found["requests"] == {"editor": "editor(>=1)"}
    assert {"package": "editor", "action": "install"}.items() <= found["history"][-1].items()
    assert found["metadata"]["timestamp"] > 0 and found["last_problem"] == "" and found["rollouts"] == {}


def test_the_last_problem_and_refusals(host: AskedHost, call_module: Any) -> None:
    host.publish("editor", "1.0")
    host.estate.revoke(host.estate.developer)
    call_module(package, name=["editor"])
    host.estate.repository.public.rename(host.folder / "gone")
    host.answer(["", "update"])
    found = call_module(package_info)
    assert found["refused"][0]["code"] == "revoked" and found["problems"][0]["code"] == "revoked"
    assert found["last_problem"]
