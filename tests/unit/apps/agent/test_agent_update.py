# SPDX-License-Identifier: GPL-3.0-or-later
"""The first half of an update of the agent: all that is done before the new one runs, and all that stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import agent_trial, agent_update, packages_child
from bocage_agent.agent_trial import Trial
from bocage_agent.agent_update import Places, release, update
from bocage_agent.collect_agent import Home
from bocage_core._common import program_list, programs
from bocage_core._common.archive import write_archive
from bocage_core._common.errors import BocageError
from package_fakes import Host

OLD, NEW = "0.1.0-aaaaaaaaaaaa", "0.1.0-bbbbbbbbbbbb"


@pytest.fixture
def at(tmp_path: Path) -> Places:
    """A host with an agent, and all that an update of it needs."""
    root = tmp_path / "bocage" / "agent"
    for name, text in (("bin/bocage-agent", "old"), ("lib/bocage_agent/main.py", "old"), ("lib/bocage_core/x.py", "")):
        path = root / OLD / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "current").symlink_to(OLD)
    (tmp_path / "lists").mkdir()
    program_list.write(tmp_path / "lists" / f"{OLD}.json", root / OLD)
    (tmp_path / "update.path").touch()
    return Places(
        Home(root, OLD),
        tmp_path / "lists",
        tmp_path / "bocage" / "agent-keeper",
        tmp_path / "update.path",
        tmp_path / "status.json",
    )


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    return tmp_path / "packages" / "agent"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    return packed(tmp_path, NEW)


def packed(folder: Path, version: str, word: str = "new", program: str = "bocage-agent") -> Path:
    """The unpacked package of an agent."""
    made, sources = folder / f"content-{version}", folder / f"sources-{version}"
    for path in (made, sources, folder / "none"):
        path.mkdir(exist_ok=True)
    (sources / "main.py").write_text(f"def main():\n    print({word!r})\n")
    write_archive(made / "agent.tar.gz", program, "bocage_agent", {"bocage_agent": sources}, folder / "none")
    (made / "agent.json").write_text(json.dumps({"version": version}))
    return made


def test_the_new_one_lies_beside_the_old_one_and_waits(at: Places, content: Path, trial: Path) -> None:
    said = update(content, "0.1-2", trial, at)
    assert said == f"The agent {NEW} is on trial when this run is over; {OLD} comes back where it does not report."
    assert programs.current(at.home.root) == OLD
    assert programs.is_whole(at.home.root, NEW, at.lists)
    assert agent_trial.read(trial) == Trial("0.1-2", OLD, NEW)
    # of the agent before, and no part of a folder that anybody replaces
    assert (at.keeper / "bin" / "bocage-agent").read_text() == "old"
    assert (at.keeper / "lib" / "bocage_core" / "x.py").is_file()
    assert sorted(path.name for path in at.keeper.parent.iterdir()) == ["agent", "agent-keeper"]


def test_doing_it_twice_is_doing_it_once(at: Places, content: Path, trial: Path) -> None:
    update(content, "0.1-2", trial, at)
    before = agent_trial.read(trial)
    assert update(content, "0.1-2", trial, at) == f"The agent {NEW} is on trial already."
    assert agent_trial.read(trial) == before


@pytest.mark.parametrize("cut", ["unpack", "_keep", "write"])
def test_cut_off_before_the_note_nothing_was_begun(
    at: Places, content: Path, trial: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_arguments: Any) -> None:
        raise Killed

    owner: Any = {"unpack": programs, "_keep": agent_update, "write": agent_trial}[cut]
    with monkeypatch.context() as killing:
        killing.setattr(owner, cut, die)
        with pytest.raises(Killed):
            update(content, "0.1-2", trial, at)
    assert agent_trial.read(trial) is None
    assert programs.current(at.home.root) == OLD
    update(content, "0.1-2", trial, at)
    assert agent_trial.read(trial) is not None


def test_what_was_left_of_a_version_is_replaced(at: Places, content: Path, trial: Path) -> None:
    left = at.home.root / NEW / "lib"
    left.mkdir(parents=True)
    (left / "half.py").touch()
    update(content, "0.1-2", trial, at)
    assert not (left / "half.py").exists()


def test_what_the_registry_thought_of_the_agent_before_is_kept(at: Places, content: Path, trial: Path) -> None:
    at.status.write_text(json.dumps({"last_counter": 7, "refused": True}))
    programs.set_managed(at.lists, OLD)
    update(content, "0.1-2", trial, at)
    assert agent_trial.read(trial) == Trial("0.1-2", OLD, NEW, managed=OLD, refused_before=True)


def test_the_version_that_runs_already_is_the_package_s_now(at: Places, tmp_path: Path, trial: Path) -> None:
    assert update(packed(tmp_path, OLD), "0.1-2", trial, at) == f"The agent {OLD} runs already."
    assert programs.managed(at.lists) == OLD
    assert agent_trial.read(trial) is None


def test_an_older_release_than_the_one_that_runs_does_nothing(at: Places, tmp_path: Path, trial: Path) -> None:
    said = update(packed(tmp_path, "0.0.9-cccccccccccc"), "0.0.9-2", trial, at)
    assert said == f"The agent {OLD} is of a newer release than 0.0.9-cccccccccccc, and stays."
    assert agent_trial.read(trial) is None


def test_what_a_package_brought_goes_back_to_an_older_release_by_a_package(
    at: Places, tmp_path: Path, trial: Path
) -> None:
    """Which a host takes with a ticket alone, as where a rollout is taken back."""
    programs.set_managed(at.lists, OLD)
    assert "is on trial when this run is over" in update(packed(tmp_path, "0.0.9-cccccccccccc"), "0.0.9-2", trial, at)


def said(at: Places, content: Path, trial: Path) -> str:
    with pytest.raises(BocageError) as error:
        update(content, "0.1-2", trial, at)
    assert programs.current(at.home.root) in (OLD, None)
    return str(error.value)


def test_what_stops_it_is_told(at: Places, content: Path, trial: Path, tmp_path: Path) -> None:
    missing = replace(at, watcher=tmp_path / "none.path")
    assert "none.path is missing, which watches an update of the agent; run the role" in said(missing, content, trial)
    (at.home.root / OLD / "lib" / "bocage_core" / "x.py").write_text("evil")
    assert "runs and was altered; run the role agent" in said(at, packed(tmp_path, OLD), trial)
    assert "is no version of a program" in said(at, packed(tmp_path, "..").rename(tmp_path / "dots"), trial)
    other = packed(tmp_path, "0.1.0-dddddddddddd", program="other")
    assert "has no program bin/bocage-agent" in said(at, other, trial)
    (content / "agent.tar.gz").write_bytes(b"nothing")
    assert "cannot be unpacked" in said(at, content, trial)
    agent_trial.write(trial, Trial("0.1-1", OLD, "0.1.0-eeeeeeeeeeee"))
    assert "The agent 0.1.0-eeeeeeeeeeee is on trial on this host; wait" in said(at, content, trial)
    with pytest.raises(BocageError, match="is on trial on this host; wait"):
        release(trial, at)
    (at.home.root / "current").unlink()
    agent_trial.end(trial)
    assert "No agent is installed in" in said(at, content, trial)


def test_a_package_that_goes_leaves_the_agent_to_the_role(at: Places, trial: Path) -> None:
    programs.set_managed(at.lists, OLD)
    assert release(trial, at) == "The agent stays; the role agent looks after it again."
    assert programs.managed(at.lists) is None


def test_an_agent_that_runs_from_sources_is_not_updated() -> None:
    with pytest.raises(BocageError, match="was not installed by a role or a package"):
        agent_update.places()


def test_other_packages_do_not_find_these_functions(tmp_path: Path) -> None:
    request = {"control": {"package": "editor"}, "folder": str(tmp_path)}
    assert packages_child.of_the_agent(request, tmp_path / "state" / "work" / "1") == {}
    request["control"] = {"package": "bocage-agent", "version": "1"}
    found = packages_child.of_the_agent(request, tmp_path / "state" / "work" / "1")
    assert found.keys() == {"update_agent", "release_agent"}
    assert packages_child.AGENT == agent_trial.PACKAGE


def test_the_functions_are_there_in_the_process_of_the_package(tmp_path: Path) -> None:
    """And say in one sentence that this agent, of a test, cannot be updated."""
    host = Host(tmp_path)
    host.library.add("bocage-agent", "1.0", "def install():\n    update_agent()\n")
    assert host.install("bocage-agent") is False
    assert host.rows()["bocage-agent"].reason.startswith("This agent was not installed by a role or a package")
