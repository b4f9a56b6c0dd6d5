# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as a package, in the state of packages: on trial, kept, put back, and not tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_agent import agent_trial, packages_report
from bocage_agent.agent_trial import ON_TRIAL, PACKAGE, Trial, Verdict
from package_fakes import Host, touching

REASON = "The agent 0.2-new was put back to 0.1-old, because it made no report in 300 seconds"


class Killed(BaseException):
    """No handler of errors sees it, as none sees a power cut."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    (tmp_path / "state" / "agent").mkdir(parents=True)
    found = Host(tmp_path, changes={"require": [PACKAGE]})
    publish(found, "2")
    return found


def publish(host: Host, version: str) -> None:
    """A package whose hook leaves the note that `update_agent` leaves."""
    agent_trial.write(host.folder / "made" / version, Trial(version, "0.1-old", f"0.{version}-new"))
    note = (host.folder / "made" / version / "trial.json").read_text()
    path = trials(host) / "trial.json"
    host.library.add(PACKAGE, version, f"def install():\n    open({str(path)!r}, 'w').write({note!r})\n")


def trials(host: Host) -> Path:
    return host.folder / "state" / "agent"


def judge(host: Host, outcome: str, package: str = "2") -> None:
    reason = "" if outcome == "kept" else REASON
    agent_trial.write_verdict(trials(host), Verdict(package, f"0.{package}-new", outcome, reason))


def row(host: Host) -> tuple[str, str | None, str]:
    found = host.rows()[PACKAGE]
    return found.state, found.version, found.reason


def settle(host: Host) -> Any:
    return host.run(lambda engine: None)


def floor(host: Host) -> str | None:
    found: str | None = host.look(lambda store: store.floor(PACKAGE))
    return found


def test_on_trial_it_is_not_installed_yet(host: Host) -> None:
    """So that no gate of a rollout counts it, and nothing is begun a second time."""
    assert host.upgrade() is True
    assert row(host) == ("NEED-INSTALL", None, ON_TRIAL)
    assert floor(host) is None
    before = agent_trial.read(trials(host))
    assert host.upgrade() is True
    assert host.update() is not None
    assert row(host) == ("NEED-INSTALL", None, ON_TRIAL)
    assert agent_trial.read(trials(host)) == before
    section = packages_report.section(host.folder / "state")
    assert section is not None
    assert section["installed"] == {}
    assert (section["needs_upgrade"], section["errors"]) == (True, 0)


def test_once_it_has_reported_it_is_installed(host: Host) -> None:
    host.upgrade()
    judge(host, "kept")
    settle(host)
    assert row(host) == ("OK", "2", "")
    assert floor(host) == "2"
    assert agent_trial.read_verdict(trials(host)) is None
    assert host.cached() == []
    assert host.upgrade() is True
    assert agent_trial.read(trials(host)) is None, "it was tried twice"


def test_put_back_it_is_in_error_and_is_not_tried_again(host: Host) -> None:
    host.upgrade()
    judge(host, "returned")
    settle(host)
    assert row(host) == ("ERROR", None, REASON)
    assert floor(host) is None
    for _time in range(2):
        # nothing was tried, so that nothing failed
        assert host.upgrade() is True
        assert agent_trial.read(trials(host)) is None
        assert row(host) == ("ERROR", None, REASON)
    assert any("it is not tried again" in line for line in host.lines)
    section = packages_report.section(host.folder / "state")
    assert section is not None
    assert section["errors"] == 1
    assert section["problems"][0]["reason"] == REASON
    # who asks for it by name is told
    assert host.install(PACKAGE) is False
    assert agent_trial.read(trials(host)) is None
    # and who asks for another one gets that
    host.library.add("editor", "1", touching(host.folder / "made" / "editor"))
    assert host.install("editor") is True


def test_a_newer_one_is_tried(host: Host) -> None:
    host.upgrade()
    judge(host, "returned")
    publish(host, "3")
    host.upgrade()
    assert row(host) == ("NEED-INSTALL", None, ON_TRIAL)
    judge(host, "kept", "3")
    settle(host)
    assert row(host) == ("OK", "3", "")


def test_one_that_was_made_anew_under_the_same_version_is_not_newer(host: Host) -> None:
    host.upgrade()
    judge(host, "returned")
    host.library.known[PACKAGE].clear()
    host.library.add(PACKAGE, "2", touching(host.folder / "made" / "again"))
    host.upgrade()
    assert not (host.folder / "made" / "again").exists()
    assert row(host) == ("ERROR", None, REASON)


def test_asked_for_it_is_tried_again(host: Host) -> None:
    host.upgrade()
    judge(host, "returned")
    settle(host)

    def again(engine: Any) -> Any:
        engine.again()
        return engine.upgrade()

    assert host.run(again) is True
    assert agent_trial.read(trials(host)) is not None


def test_the_version_before_stays_known_when_the_next_one_fails(host: Host) -> None:
    host.upgrade()
    judge(host, "kept")
    publish(host, "3")
    host.upgrade()
    assert row(host) == ("NEED-UPGRADE", "2", ON_TRIAL)
    judge(host, "returned", "3")
    settle(host)
    assert row(host) == ("ERROR", "2", REASON)
    assert floor(host) == "2"


def test_where_nobody_wants_it_any_more_the_one_before_is_well(host: Host) -> None:
    """As when the rollout that brought it goes back."""
    host.upgrade()
    judge(host, "kept")
    publish(host, "3")
    host.upgrade()
    judge(host, "returned", "3")
    host.library.known[PACKAGE].pop()
    assert host.upgrade() is True
    assert row(host) == ("OK", "2", "")
    assert agent_trial.read(trials(host)) is None


def test_an_older_one_that_never_failed_is_tried(host: Host) -> None:
    host.upgrade()
    judge(host, "kept")
    publish(host, "4")
    host.upgrade()
    judge(host, "returned", "4")
    host.library.known[PACKAGE].pop()
    publish(host, "3")
    host.upgrade()
    assert row(host) == ("NEED-UPGRADE", "2", ON_TRIAL)
    judge(host, "kept", "3")
    settle(host)
    assert row(host) == ("OK", "3", "")


def test_what_needs_the_new_agent_waits_for_it(host: Host) -> None:
    host.upgrade()
    judge(host, "returned")
    host.library.add("editor", "1", touching(host.folder / "made" / "editor"), depends=PACKAGE)
    host.changes["require"] = [PACKAGE, "editor"]
    assert host.upgrade() is False
    assert not (host.folder / "made" / "editor").exists()
    assert host.rows()["editor"].reason == "It needs bocage-agent, which could not be installed"


def test_another_agent_that_was_put_there_meanwhile_is_told_and_tried_again(host: Host) -> None:
    host.upgrade()
    judge(host, "left")
    settle(host)
    assert row(host)[0] == "ERROR"
    host.upgrade()
    assert agent_trial.read(trials(host)) is not None


@pytest.mark.parametrize("outcome", ["kept", "returned"])
@pytest.mark.parametrize("step", ["executed", "placed", "finished", "cleaned"])
def test_killed_while_it_was_written_down_and_judged_before_the_next_run(host: Host, step: str, outcome: str) -> None:
    """Who watches the trial does not wait for the repair of what was cut off."""

    def die(name: str) -> None:
        if name == step:
            raise Killed

    host.after = die
    with pytest.raises(Killed):
        host.upgrade()
    host.after = lambda name: None
    judge(host, outcome)
    settle(host)
    assert row(host)[:2] == (("OK", "2") if outcome == "kept" else ("ERROR", None))
    assert floor(host) == ("2" if outcome == "kept" else None)


def test_a_package_that_was_forgotten_meanwhile_stays_so(host: Host) -> None:
    host.upgrade()
    host.run(lambda engine: engine.forget([PACKAGE]))
    judge(host, "kept")
    settle(host)
    assert PACKAGE not in host.rows()
