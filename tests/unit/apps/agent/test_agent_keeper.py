# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches an agent on trial, killed at each of its steps: the host ends with one agent that works, and a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bocage_agent import agent_trial
from bocage_agent.agent_keeper import Keeper
from bocage_agent.agent_reports import read_outcome
from bocage_agent.agent_trial import Trial, Verdict
from bocage_agent.packages_lock import run_lock
from bocage_core._common import programs

OLD, NEW = "0.1-old", "0.2-new"


class Killed(BaseException):
    """No handler of errors sees it, as none sees a power cut."""


@dataclass
class Machine:
    """A host with two agents: what each of them can do, and what systemd was asked for."""

    folder: Path
    new_reports: str = "delivered"
    old_reports: str = "delivered"
    commands: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    now: float = 0.0
    counter: int = 0
    after: Callable[[str], None] = lambda step: None

    def __post_init__(self) -> None:
        for version in (OLD, NEW):
            (self.root / version / "bin").mkdir(parents=True)
            self.lists.mkdir(exist_ok=True)
            (self.lists / f"{version}.json").write_text("{}")
        (self.root / "current").symlink_to(OLD)
        self.status.parent.mkdir()
        self.run([str(self.root / OLD / "bin/bocage-agent"), "report"])
        agent_trial.write(self.trial, Trial("0.2-1", OLD, NEW))

    @property
    def root(self) -> Path:
        return self.folder / "agent"

    @property
    def lists(self) -> Path:
        return self.folder / "lists"

    @property
    def status(self) -> Path:
        return self.folder / "state" / "status.json"

    @property
    def trial(self) -> Path:
        return self.folder / "packages" / "agent"

    @property
    def lock(self) -> Path:
        return self.folder / "run" / "lock"

    @property
    def current(self) -> str | None:
        return programs.current(self.root)

    def run(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(" ".join(command).replace(str(self.root), "/agent"))
        if command == ["systemctl", "start", "bocage-agent-report.service"]:
            self.report(self.current or "")
        elif command[-1] == "report":
            self.report(Path(command[0]).parents[1].name)
        self.now += 1
        return 0, "", ""

    def report(self, agent: str) -> None:
        outcome = self.new_reports if agent == NEW else self.old_reports
        if outcome == "crashes":
            return
        self.counter += 1
        document = {
            "agent": agent,
            "last_counter": self.counter,
            "accepted_counter": self.counter if outcome == "delivered" else None,
            "refused": outcome == "refused",
            "last_problem": None if outcome == "delivered" else f"it is {outcome}",
        }
        self.status.write_text(json.dumps(document))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > 5000:
            raise Killed

    def keeper(self) -> Keeper:
        return Keeper(
            self.trial,
            self.root,
            self.lists,
            self.status,
            self.lock,
            seconds=60,
            run=self.run,
            sleep=self.sleep,
            clock=lambda: self.now,
            log=self.lines.append,
            after=lambda step: self.after(step),
        )

    def watch(self) -> Verdict:
        self.keeper().watch()
        verdict = agent_trial.read_verdict(self.trial)
        assert verdict is not None
        assert agent_trial.read(self.trial) is None
        return verdict


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_good_one_stays_as_soon_as_it_has_reported(machine: Machine) -> None:
    assert machine.watch() == Verdict("0.2-1", NEW, "kept")
    assert machine.current == NEW
    assert programs.managed(machine.lists) == NEW
    assert (machine.root / OLD).is_dir()
    assert machine.now < 10
    assert machine.commands[1:] == [
        "systemctl try-restart --no-block bocage-agent-listen.service",
        "systemctl start bocage-agent-report.service",
        "systemctl try-restart --no-block bocage-gateway-health.service bocage-routing-watch.service",
        "/agent/current/bin/bocage-agent settle --wait 900",
        "systemctl start --no-block bocage-agent-report.service",
    ]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ("crashes", "it made no report in 60 seconds"),
        ("refused", "the registry refuses its report: it is refused"),
        ("unheard", "it does not reach the registry, which the agent before does: it is unheard"),
    ],
)
def test_a_bad_one_goes_back_by_itself(machine: Machine, outcome: str, why: str) -> None:
    machine.new_reports = outcome
    verdict = machine.watch()
    assert verdict == Verdict("0.2-1", NEW, "returned", f"The agent {NEW} was put back to {OLD}, because {why}")
    assert machine.current == OLD
    assert programs.managed(machine.lists) is None
    assert not (machine.root / NEW).exists()
    assert 60 <= machine.now < 120
    # no gateway is looked after by one that was never proven
    assert not any("gateway-health" in command for command in machine.commands)


@pytest.mark.parametrize("outcome", ["delivered", "crashes", "refused", "unheard"])
@pytest.mark.parametrize(
    "step",
    [
        *("managed", "linked", "switch", "ask", "ask-old", "keep", "return", "put-back", "cleaned", "judged", "finish"),
    ],
)
def test_killed_after_each_step(machine: Machine, outcome: str, step: str) -> None:
    machine.new_reports = outcome

    def die(name: str) -> None:
        if name == step:
            raise Killed

    machine.after = die
    try:
        machine.keeper().watch()
    except Killed:
        machine.after = lambda name: None
        machine.keeper().watch()
    verdict = agent_trial.read_verdict(machine.trial)
    assert verdict is not None
    expected = ("kept", NEW) if outcome == "delivered" else ("returned", OLD)
    assert (verdict.outcome, machine.current) == expected
    assert programs.managed(machine.lists) == (NEW if outcome == "delivered" else None)


def test_a_host_that_goes_down_with_each_report_ends_with_the_agent_before(machine: Machine) -> None:
    """The time of a trial is not what passes between two crashes."""
    machine.new_reports = "crashes"

    def crash(command: list[str]) -> tuple[int, str, str]:
        if command[:2] == ["systemctl", "start"] and machine.current == NEW:
            raise Killed
        return Machine.run(machine, command)

    for _boot in range(8):
        keeper = machine.keeper()
        keeper._run = crash
        try:
            keeper.watch()
            break
        except Killed:
            continue
    assert machine.current == OLD
    assert agent_trial.read_verdict(machine.trial) is not None


def test_without_a_network_it_is_on_trial_until_there_is_one(machine: Machine) -> None:
    machine.new_reports = machine.old_reports = "unheard"
    with pytest.raises(Killed):
        machine.keeper().watch()
    assert machine.now > 5000
    assert machine.current == NEW
    assert agent_trial.read(machine.trial) is not None
    machine.now, machine.new_reports = 0, "delivered"
    assert machine.watch().outcome == "kept"


def test_a_registry_that_refused_the_agent_before_says_nothing_of_the_new_one(machine: Machine) -> None:
    agent_trial.write(machine.trial, Trial("0.2-1", OLD, NEW, refused_before=True))
    machine.new_reports = "refused"
    with pytest.raises(Killed):
        machine.keeper().watch()
    assert machine.current == NEW


def test_what_was_there_by_a_package_before_is_so_again(machine: Machine) -> None:
    agent_trial.write(machine.trial, Trial("0.2-1", OLD, NEW, managed=OLD))
    machine.new_reports = "crashes"
    machine.watch()
    assert programs.managed(machine.lists) == OLD


def test_a_role_that_puts_another_one_there_ends_the_trial(machine: Machine) -> None:
    machine.new_reports = "crashes"

    def replaced(step: str) -> None:
        if step == "ask":
            (machine.root / "0.3-role").mkdir(exist_ok=True)
            (machine.root / "current").unlink()
            (machine.root / "current").symlink_to("0.3-role")

    machine.after = replaced
    verdict = machine.watch()
    assert (verdict.outcome, machine.current) == ("left", "0.3-role")
    assert verdict.reason == f"While the agent {NEW} was on trial, 0.3-role was put in its place"


def test_it_waits_for_the_run_that_brought_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other packages are still installed, and what became of this one is written down, by the agent before."""
    monkeypatch.setattr("bocage_agent.agent_keeper._RUN_SECONDS", 0.2)
    with run_lock(machine.lock, "upgrade"), pytest.raises(Exception, match="Another agent works with packages"):
        machine.keeper().watch()
    assert machine.current == OLD
    assert machine.watch().outcome == "kept"


def test_a_new_agent_that_holds_the_lock_does_not_keep_itself(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bocage_agent.agent_keeper._RETURN_SECONDS", 0.2)
    machine.new_reports = "crashes"
    agent_trial.write(machine.trial, Trial("0.2-1", OLD, NEW, step="returning", reason="why"))
    with run_lock(machine.lock, "upgrade"):
        machine.watch()
    assert machine.current == OLD


def test_a_damaged_note_ends_the_trial(machine: Machine) -> None:
    (machine.trial / "trial.json").write_text("{")
    machine.keeper().watch()
    assert machine.lines == ["What was written of the agent's trial is damaged; the agent that runs stays."]
    assert not (machine.trial / "trial.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"last_counter": "1"}', '{"accepted_counter": 1}'])
def test_a_status_that_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    assert read_outcome(tmp_path / "status.json") is None
    assert read_outcome(tmp_path / "none.json") is None
