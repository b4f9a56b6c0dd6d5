# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as a package, in the state of packages: on trial it is neither installed nor in error, then it is one of both.

A version that was put back is not tried again until another one comes, or somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bocage_core._common import timestamps

from . import agent_trial
from .agent_trial import ON_TRIAL, PACKAGE, Verdict
from .packages_cache import Cache
from .packages_plan import Plan
from .packages_ports import Offer
from .packages_steps import installed_row, set_floor
from .packages_store import Record, Store, add_step, put_facts, put_row

_FAILED = "agent_failed"


class Trials:
    def __init__(
        self,
        store: Store,
        cache: Cache,
        folder: Path,
        *,
        compare: Callable[[str, str], int],
        clock: Callable[[], datetime],
        log: Callable[[str], None],
    ) -> None:
        self._store = store
        self._cache = cache
        self._folder = folder / agent_trial.FOLDER
        self._compare = compare
        self._clock = clock
        self._log = log

    def again(self) -> None:
        """Try also what was put back."""
        self._store.set_facts({_FAILED: None})

    def hold(self, plan: Plan) -> Plan:
        """The plan without an agent that is on trial, was put back, or came back in the place of such a one."""
        offer = next((one for one in plan.install if one.package == PACKAGE), None)
        if offer is None:
            return plan
        others = tuple(one for one in plan.install if one is not offer)
        failed = self._store.fact(_FAILED)
        if agent_trial.read(self._folder) is not None:
            state, reason = "NEED-UPGRADE", ON_TRIAL
        elif failed is not None and self._compare(offer.version, failed["version"]) == 0:
            state, reason = "ERROR", failed["reason"]
            self._log(f"{PACKAGE} {offer.version}: it is not tried again: {reason}")
        elif failed is not None and self._runs(offer):
            # nobody asks for the one that failed any more
            return replace(plan, install=others)
        else:
            return plan
        return replace(plan, install=others, held={PACKAGE: (state, reason)})

    def _runs(self, offer: Offer) -> bool:
        """Whether an offer is the package that is installed."""
        row = self._store.rows().get(PACKAGE)
        return row is not None and (row.version, row.sha256) == (offer.version, offer.sha256)

    def settle(self) -> None:
        """Take in what became of an update of the agent."""
        verdict = agent_trial.read_verdict(self._folder)
        if verdict is None:
            return
        row = self._store.rows().get(PACKAGE)
        record = self._record(verdict)
        at = timestamps.write(self._clock())
        kept = verdict.outcome == "kept"
        with self._store.step() as step:
            add_step(step, at, PACKAGE, verdict.package, "trial", verdict.outcome, verdict.reason)
            if kept and row is not None and record is not None:
                put_row(step, installed_row(record, at))
                set_floor(step, record)
            elif row is not None and not kept:
                put_row(step, replace(row, state="ERROR", reason=verdict.reason, wanted=verdict.package))
            failed = {"version": verdict.package, "reason": verdict.reason, "at": at}
            put_facts(step, {_FAILED: failed if verdict.outcome == "returned" else None})
        agent_trial.drop_verdict(self._folder)
        if kept and record is not None:
            self._cache.drop(record.sha256)
        self._log(f"{PACKAGE} {verdict.package}: {verdict.outcome}{': ' + verdict.reason if verdict.reason else ''}")

    def _record(self, verdict: Verdict) -> Record | None:
        """The newest, where one was made anew under the same version."""
        found = [one for one in self._store.records() if (one.name, one.version) == (PACKAGE, verdict.package)]
        return found[-1] if found else None
