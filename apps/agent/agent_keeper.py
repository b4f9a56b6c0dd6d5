# SPDX-License-Identifier: GPL-3.0-or-later
"""`update-keeper`: watches an agent on trial, and puts the one before back where the new one fails.

It is a copy of the agent before, in a folder of its own, begun by systemd as long as a trial is written down. Each of its
deeds may be done twice, so that whatever ends it, the next one goes on.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bocage_core._common import atomic, programs
from bocage_core._common.commands import Run
from bocage_core._common.errors import BocageError

from . import agent_trial, commands
from . import agent_trial_plan as plans
from .agent_reports import STATUS_FILE, Outcome, read_outcome
from .agent_trial import TRIAL_SECONDS, Trial, Verdict
from .agent_trial_plan import Action, Said, State
from .packages_lock import Busy, run_lock
from .packages_settings import read_settings as read_package_settings
from .settings import DEFAULT_PATH, read_settings

LISTENER = "bocage-agent-listen.service"
HEALTH = "bocage-gateway-health.service"
ROUTING = "bocage-routing-watch.service"
REPORT = "bocage-agent-report.service"
PROGRAM = "bin/bocage-agent"
_KEPT_VERSIONS = 2
# For a run that installs other packages after this one; systemd ends it in this time.
_RUN_SECONDS = 6 * 3600
_RETURN_SECONDS = 30
_LISTENER_SECONDS = 3.0
_SETTLE_SECONDS = 900
_COMMAND_SECONDS = 180
_OFFLINE_PAUSE = 60.0
# What a start of the watcher counts for, so that a host that goes down again and again comes to an end, too.
_START_SECONDS = 10


class Keeper:
    def __init__(
        self,
        folder: Path,
        root: Path,
        lists: Path,
        status: Path,
        lock: Path,
        *,
        seconds: int = TRIAL_SECONDS,
        run: Run | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        log: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
        after: Callable[[str], None] = lambda step: None,
    ) -> None:
        self._folder = folder
        self._root = root
        self._lists = lists
        self._status = status
        self._lock = lock
        self._seconds = seconds
        self._run = run or _run
        self._sleep = sleep
        self._clock = clock
        self._log = log
        self._after = after
        self._old_is_heard: bool | None = None
        self._said: Said | None = None
        self._asked = False

    def watch(self) -> None:
        """To the end of the trial."""
        if agent_trial.is_damaged(self._folder):
            self._log("What was written of the agent's trial is damaged; the agent that runs stays.")
            agent_trial.end(self._folder)
        trial = agent_trial.read(self._folder)
        if trial is not None and trial.step == "switched":
            waited = trial.waited + _START_SECONDS
            agent_trial.write(self._folder, replace(trial, starts=trial.starts + 1, waited=waited))
        while (trial := agent_trial.read(self._folder)) is not None:
            self._do(plans.plan(self._state(trial)), trial)

    def _state(self, trial: Trial) -> State:
        self._said = self._heard(trial) or self._said
        return State(
            trial=trial,
            current=programs.current(self._root),
            old_exists=(self._root / trial.old).is_dir(),
            new_exists=(self._root / trial.new).is_dir(),
            seconds=self._seconds,
            said=self._said,
            old_is_heard=self._old_is_heard,
            asked=self._asked,
        )

    def _heard(self, trial: Trial) -> Said | None:
        found = self._outcome()
        if trial.step != "switched" or found is None or found.agent != trial.new:
            return None
        return Said(found.delivered, found.refused, found.problem)

    def _outcome(self) -> Outcome | None:
        try:
            return read_outcome(self._status)
        except OSError:
            return None

    def _do(self, action: Action, trial: Trial) -> None:
        name = action.name
        if name == plans.SWITCH:
            self._switch(trial)
        elif name == plans.ASK:
            self._ask(trial)
        elif name == plans.ASK_OLD:
            self._ask_old(trial)
        elif name == plans.GO_ON:
            self._log(f"The registry cannot be asked; the agent {trial.new} stays on trial.")
            self._old_is_heard = None
            agent_trial.write(self._folder, replace(trial, waited=0, starts=0, rounds=trial.rounds + 1))
        elif name == plans.RETURN:
            self._log(f"{action.reason}.")
            agent_trial.write(self._folder, replace(trial, step="returning", reason=action.reason[:500]))
        elif name == plans.PUT_BACK:
            self._put_back(trial)
        elif name == plans.FINISH:
            self._finish(trial)
        else:
            step = "kept" if name == plans.KEEP else "left"
            agent_trial.write(self._folder, replace(trial, step=step, reason=action.reason[:500]))
        self._after(name)

    def _switch(self, trial: Trial) -> None:
        with self._alone(_RUN_SECONDS):
            # a listener that waited for the run of packages writes down how it ended
            self._sleep(_LISTENER_SECONDS)
            # what an older report told is not to be taken for one of the new agent
            self._status.unlink(missing_ok=True)
            programs.set_managed(self._lists, trial.new)
            self._after("managed")
            atomic.write_link(self._root / "current", trial.new)
            self._after("linked")
            agent_trial.write(self._folder, replace(trial, step="switched"))
        self._log(f"The agent {trial.new} runs on trial, for {self._seconds} seconds or until it has reported.")
        self._restart(LISTENER)

    def _ask(self, trial: Trial) -> None:
        begun = self._clock()
        self._run(["systemctl", "start", REPORT])
        self._asked = True
        heard = self._heard(trial)
        if heard is None or not heard.delivered:
            pause = _OFFLINE_PAUSE if trial.rounds else min(5.0, self._seconds / 10)
            self._sleep(pause)
        waited = max(1, int(self._clock() - begun + 0.5))
        agent_trial.write(self._folder, replace(trial, waited=trial.waited + waited))

    def _ask_old(self, trial: Trial) -> None:
        """Its report takes all that waits to the registry, also what the new agent could not."""
        self._run([str(self._root / trial.old / PROGRAM), "report"])
        found = self._outcome()
        self._old_is_heard = found is not None and found.agent == trial.old and found.delivered

    def _put_back(self, trial: Trial) -> None:
        # a new agent that hangs may hold the lock: that keeps nobody from ending it
        with self._alone(_RETURN_SECONDS, needed=False):
            atomic.write_link(self._root / "current", trial.old)
            self._after("linked")
            programs.set_managed(self._lists, trial.managed or None)
            agent_trial.write(self._folder, replace(trial, step="returned"))
        self._restart(LISTENER)

    def _finish(self, trial: Trial) -> None:
        if trial.step == "kept":
            self._log(f"The agent {trial.new} has reported and stays.")
            # one that is not proven looks after no gateway and no session
            self._restart(HEALTH, ROUTING)
            programs.prune(self._root, self._lists, {trial.new}, _KEPT_VERSIONS, trial.old)
        elif trial.step == "returned" and (self._root / trial.new).is_dir():
            shutil.rmtree(self._root / trial.new)
            (self._lists / f"{trial.new}.json").unlink(missing_ok=True)
        if trial.step == "left":
            self._log(f"{trial.reason}.")
        self._after("cleaned")
        agent_trial.write_verdict(self._folder, Verdict(trial.package, trial.new, trial.step, trial.reason))
        self._after("judged")
        # each run of packages takes the verdict in; this one makes that soon
        self._run([str(self._root / "current" / PROGRAM), "settle", "--wait", str(_SETTLE_SECONDS)])
        self._run(["systemctl", "start", "--no-block", REPORT])

    def _restart(self, *units: str) -> None:
        """Whether or not they run here: what does not run is left so."""
        self._run(["systemctl", "try-restart", "--no-block", *units])

    @contextmanager
    def _alone(self, seconds: int, *, needed: bool = True) -> Iterator[None]:
        with ExitStack() as held:
            try:
                held.enter_context(run_lock(self._lock, "update-keeper", seconds))
            except Busy:
                if needed:
                    raise
            yield


def main() -> int:
    """Of the unit bocage-agent-update.service."""
    lock, state, seconds = _package_settings()
    try:
        status = read_settings(DEFAULT_PATH).state_directory / STATUS_FILE
        keeper = Keeper(
            state / agent_trial.FOLDER,
            programs.DIRECTORY / "agent",
            programs.LISTS / "agent",
            status,
            lock,
            seconds=seconds,
        )
        keeper.watch()
    except (BocageError, OSError) as error:
        # begun again by systemd
        print(f"bocage-agent: {error}", file=sys.stderr)
        return 1
    return 0


def _package_settings() -> tuple[Path, Path, int]:
    """The lock, the state and the time of a trial; where a newer role wrote what this agent cannot read, the usual."""
    from .packages_platform import places

    try:
        settings = read_package_settings()
    except BocageError:
        usual = places()
        return usual.lock, usual.state, TRIAL_SECONDS
    return settings.places.lock, settings.places.state, settings.limits.agent_trial_seconds


def _run(command: list[str]) -> tuple[int, str, str]:
    """What it did is looked for elsewhere."""
    return commands.run(command, _SETTLE_SECONDS + 60 if "settle" in command else _COMMAND_SECONDS)
