# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs: what each of them does with metadata, cache, state and steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bocage_core._common import timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages.requests import Request

from . import packages_asked, packages_audits, packages_directory, packages_fetched, packages_rollouts
from . import packages_plan as plans
from .packages_cache import Cache
from .packages_changes import Foreseen, Standing, with_plan, without
from .packages_plan import Plan
from .packages_ports import Library, Offer, Solution, Unreachable
from .packages_runner import Runner
from .packages_settings import PackageSettings
from .packages_steps import Steps, forget
from .packages_store import Record, Row, Store, put_facts, put_row
from .packages_time import TimeLeft
from .packages_trials import Trials

# A clock may be put right by this much; more is a battery that is empty.
CLOCK_WINDOW = timedelta(days=1)


class Engine:
    """One run of the agent; the caller holds the run lock."""

    def __init__(
        self,
        settings: PackageSettings,
        store: Store,
        library: Library,
        runner: Runner,
        *,
        log: Callable[[str], None],
        progress: Callable[[str, int, int], None] = lambda about, done, total: None,
        clock: Callable[[], datetime] = timestamps.now,
        after: Callable[[str], None] = lambda step: None,
        time_left: TimeLeft | None = None,
        announce: Callable[[], None] = lambda: None,  # has the host report at once
    ) -> None:
        self._settings = settings
        self._store = store
        self._library = library
        self._log = log
        self._progress = progress
        self._clock = clock
        self._untrusted = ""
        self._announce = announce
        self._time = time_left or TimeLeft()
        self._cache = Cache(settings.places.cache, store, library, clock, settings.offline_record_days)
        self._steps = Steps(
            store,
            library,
            self._cache,
            runner,
            folder=settings.places.state,
            limits=settings.limits,
            clock=clock,
            log=log,
            after=after,
            time_left=self._time,
        )
        self._trials = Trials(store, self._cache, settings.places.state, compare=library.compare, clock=clock, log=log)

    def again(self) -> None:
        """Try also an agent that was put back."""
        self._trials.again()

    def repair(self) -> None:
        """What an agent that was killed left behind; each run that changes something begins with this."""
        self._steps.repair()
        self._trials.settle()
        self._cache.clean_interrupted()
        for row in self._store.rows().values():
            if row.state == "OK" and row.sha256:
                self._cache.drop(row.sha256)

    def update(self) -> Plan:
        """Metadata only: what is new, and what this host would need."""
        self._check_clock()
        try:
            self._refresh()
        except BocageError as error:
            self._note_problem(f"{error} {self._times()}")
            raise BocageError(f"{error} {self._times()}") from error
        return self._planned(online=True)

    def upgrade(self, *, download_only: bool = False, refresh: bool = True) -> bool:
        """Bring the host to what it should have; whether all of it went well."""
        online = self._refresh_if_possible(wanted=refresh)
        plan = self._planned(online=online)
        if download_only:
            if not online:
                raise Unreachable(f"Nothing is downloaded: {self._store.fact('last_problem')}")
            return not self._fetch(plan.install, online=True)[1] and not plan.missing
        return self._carry_out(plan, online=online)

    def install(self, requests: Sequence[str], by: str, *, ensure: bool = False, refresh: bool = True) -> bool:
        """Have these packages from now on; nothing else is touched but what they need.

        With `ensure`, what is installed and fits to a request is not upgraded.
        """
        online = self._refresh_if_possible(wanted=refresh)
        named, plan, closure = self._asked_for(requests, ensure=ensure, online=online)
        rows, at = self._store.rows(), timestamps.write(self._clock())
        with self._store.step() as step:
            for name, request in named.items():
                step.execute("INSERT OR REPLACE INTO request VALUES (?,?,?,?)", (name, request, by, at))
                # a removal that was asked for is taken back
                if name in rows and rows[name].wanted == "":
                    put_row(step, replace(rows[name], wanted=None))
            self._put_rows(step, plan, only=closure)
        return self._carry_out(plan, online=online, only=closure)

    def remove(self, names: Sequence[str], *, ensure: bool = False) -> bool:
        """Remove what was installed, by its recorded uninstall; with `ensure`, what is not there is good as it is."""
        installed, absent = packages_asked.going(names, self._settings, self._store, self._library, ensure=ensure)
        rows = self._store.rows()
        with self._store.step() as step:
            for name in absent:
                forget(step, name)
            for name in installed:
                step.execute("DELETE FROM request WHERE name=?", (name,))
                put_row(step, replace(rows[name], wanted="", state="NEED-REMOVE", reason="Asked for"))
        # of two that go together, the one that needs the other goes first
        ordered = sorted(installed, key=lambda name: len(plans.dependents(name, rows, self._library.names)))
        done = [self._steps.remove(self._store.rows()[name]) for name in ordered]
        self._enforce()
        return all(done)

    def forget(self, names: Sequence[str], *, ensure: bool = False) -> None:
        """Know nothing of packages any more, without removing anything of theirs."""
        known = packages_asked.known(names, self._store, ensure=ensure)
        with self._store.step() as step:
            for name in known:
                forget(step, name)
        self._enforce()

    # the same, foreseen: metadata may be refreshed, and nothing else of the host changes

    def standing(self) -> Standing:
        return Standing(self._store.rows(), self._store.requests())

    def compare(self, first: str, second: str) -> int:
        return self._library.compare(first, second)

    def last_problem(self) -> str:
        """Why the last refresh of metadata failed; empty where it did not."""
        return self._store.fact("last_problem") or ""

    def foresee_upgrade(self, *, refresh: bool = True) -> Foreseen:
        online = self._refresh_if_possible(wanted=refresh)
        before = self.standing()
        plan = self._plan(before.requests, online=online, renew=lambda name: True)
        due, rivals = self._due(plan, None)
        after = with_plan(before, plan, due, rivals, before.requests)
        put_back = any(state == "ERROR" for state, _why in plan.held.values())
        return Foreseen(after, not plan.missing and not put_back and not self._untrusted)

    def foresee_install(self, requests: Sequence[str], *, ensure: bool = False, refresh: bool = True) -> Foreseen:
        online = self._refresh_if_possible(wanted=refresh)
        named, plan, closure = self._asked_for(requests, ensure=ensure, online=online)
        due, rivals = self._due(plan, closure)
        before = self.standing()
        asked = {**before.requests, **named}
        return Foreseen(with_plan(before, replace(plan, missing={}), due, rivals, asked), not self._untrusted)

    def foresee_removal(self, names: Sequence[str], *, ensure: bool = False, forgetting: bool = False) -> Foreseen:
        if forgetting:
            return Foreseen(without(self.standing(), packages_asked.known(names, self._store, ensure=ensure)))
        installed, absent = packages_asked.going(names, self._settings, self._store, self._library, ensure=ensure)
        return Foreseen(without(self.standing(), [*installed, *absent]))

    def audit(self, names: Collection[str] = (), *, due: bool = False) -> dict[str, str]:
        """Ask installed packages whether they are well; answers by package."""
        return packages_audits.audit(self._store, self._steps, names, due=due, clock=self._clock, log=self._log)

    def clean(self) -> tuple[int, int]:
        """Remove downloads that nothing waits for; how many, and their bytes."""
        waiting = {(row.name, row.wanted) for row in self._store.rows().values() if row.state != "OK" and row.wanted}
        keep = {one.sha256 for one in self._store.records() if (one.name, one.version) in waiting}
        done = self._cache.clean(keep)
        used = keep | {row.sha256 for row in self._store.rows().values()}
        with self._store.step() as step:
            for one in self._store.records():
                if one.sha256 not in used:
                    step.execute("DELETE FROM acceptance WHERE sha256=?", (one.sha256,))
        return done

    def search(self, words: Sequence[str]) -> Sequence[Offer]:
        return self._library.search(words)

    # metadata

    def _refresh(self) -> None:
        versions = self._library.update()
        now, rows = timestamps.write(self._clock()), self._store.rows().values()
        kept = self._library.kept({row.name: row.version for row in rows if row.version is not None})
        fetched = packages_fetched.added(self._store.fact("fetched"), self._library.taken(), self._clock())
        facts = {"last_update_at": now, "metadata": versions, "last_problem": "", "kept": kept, "fetched": fetched}
        self._store.set_facts(facts)
        self._log(f"metadata: {', '.join(f'{role} {number}' for role, number in sorted(versions.items())[:6])}")

    def _refresh_if_possible(self, *, wanted: bool = True) -> bool:
        """Whether a repository answered with metadata that counts; without one the host goes on with its cache.

        Where a refresh is not wanted, what the last update found counts until it expires.
        """
        self._check_clock()
        if not wanted:
            if self._store.fact("last_update_at") is None:
                raise BocageError("Nothing is known of the repository on this host yet; update first.")
            return True
        try:
            self._refresh()
        except Unreachable as error:
            self._note_problem(str(error))
            self._log(f"no repository: {error}")
            return False
        except BocageError as error:
            # nothing new is taken on such metadata; what was accepted before may still be installed
            self._untrusted = f"{error} {self._times()}"
            self._note_problem(self._untrusted)
            self._log(f"the repository is not believed: {self._untrusted}")
            return False
        return True

    def _check_clock(self) -> None:
        now, last = self._clock(), self._store.fact("last_update_at")
        if last is not None and now < timestamps.parse(last, "the last update") - CLOCK_WINDOW:
            problem = f"The clock of this host is wrong: it says {timestamps.write(now)}, but {last} has been; set it."
            self._note_problem(problem)
            raise BocageError(problem)

    def _times(self) -> str:
        last = self._store.fact("last_update_at") or "no time"
        return f"(This host's clock says {timestamps.write(self._clock())}; its last update was at {last}.)"

    def _note_problem(self, problem: str) -> None:
        self._store.set_facts({"last_problem": problem[:500]})

    # planning

    def _planned(self, *, online: bool) -> Plan:
        plan = self._plan(self._store.requests(), online=online, renew=lambda name: True)
        with self._store.step() as step:
            self._put_rows(step, plan)
            # with the states that follow from it, so that no report tells of the one without the others
            put_facts(step, {"rollouts": (self._store.fact("kept") or {}).get("rollouts", {})})
        for name, why in plan.missing.items():
            self._log(f"{name}: MISSING: {why}")
        return plan

    def _asked_for(
        self, requests: Sequence[str], *, ensure: bool, online: bool
    ) -> tuple[dict[str, str], Plan, set[str]]:
        """Requests by package, a plan with them, and which packages of it they are about; writes nothing."""
        named = packages_asked.named_by(requests, self._settings, self._library)
        asked = {**self._store.requests(), **named}
        plan = self._plan(asked, online=online, renew=lambda name: name in named and not ensure, staying=named)
        if lacking := {name: why for name, why in plan.missing.items() if name in named}:
            if not online:
                raise BocageError(
                    f"{' and '.join(lacking)} cannot be had without a repository: {self._store.fact('last_problem')}"
                )
            raise BocageError(" ".join(f"{name}: {why.rstrip('.')}." for name, why in lacking.items()))
        return named, plan, packages_asked.closure(named, plan.wanted, self._library)

    def _plan(
        self,
        asked: Mapping[str, str],
        *,
        online: bool,
        renew: Callable[[str], bool],
        staying: Collection[str] = (),
    ) -> Plan:
        """`staying` are packages whose removal was asked for, and is taken back."""
        rows = self._store.rows()
        rows |= {name: replace(rows[name], wanted=None) for name in staying if name in rows and rows[name].wanted == ""}
        offers = self._library.offers if online else self._cache.offers
        requests: list[str | Request] = [
            *packages_directory.of_settings(self._settings, rows, offers),
            *(asked[name] for name in asked if name not in self._settings.forbidden),
        ]
        kept = self._store.fact("kept") or {}
        halfway = {name for name, row in rows.items() if row.version is None and self._store.uninstall(name)}

        def solve(given: Sequence[str | Request], staying: Mapping[str, Offer]) -> Solution:
            return self._library.solve(given, self._settings.forbidden, staying, offers, renew, kept)

        plan = self._trials.hold(plans.make_plan(requests, rows, self._settings.forbidden, solve, halfway))
        return plan if online else plans.without_repository(plan, rows)

    def _put_rows(self, step: sqlite3.Connection, plan: Plan, only: Collection[str] | None = None) -> None:
        """The states by a plan, of all packages or of some; `step` is the caller's transaction."""
        found = plans.rows_of(plan, self._store.rows())
        if only is None:
            step.execute("DELETE FROM package")
        for row in found:
            if only is None or row.name in only:
                put_row(step, row)

    # doing

    def _carry_out(self, plan: Plan, *, online: bool, only: Collection[str] | None = None) -> bool:
        due, rivals = self._due(plan, only)
        ready, failed = self._fetch(due, online=online)
        # nothing goes for what cannot come
        rivals -= self._rivals(plan, [one for one in due if one.package in failed])
        put_back = {name: why for name, (state, why) in plan.held.items() if state == "ERROR"}
        # a host goes on without it, and whoever asked for it is told
        good = only is None or put_back.keys().isdisjoint(only)
        if not self._time.is_over() and packages_rollouts.begin(self._store, ready):
            self._announce()
        if (not failed or only is None) and not self._time.is_over():
            for name in sorted(rivals):
                self._log(f"{name}: {plan.remove[name]}")
                good &= self._steps.remove(self._store.rows()[name])
        for number, one in enumerate(due, 1):
            if self._time.is_over():
                self._log(f"the time is over: {len(due) - number + 1} of {len(due)} packages wait for the next start")
                good = False
                break
            going, skipped = plans.without_dependents([one], {**put_back, **failed}, self._library.names)
            if not going:
                if one.package in skipped:
                    failed[one.package] = skipped[one.package]
                    self._fail(one, skipped[one.package])
                continue
            self._progress(f"[{number}/{len(due)}] {one.package} {one.version}", number, len(due))
            if not self._steps.install(ready[one.package]):
                failed[one.package] = "it failed"
        self._enforce()
        return good and not failed and not (plan.missing and only is None) and not self._untrusted

    def _due(self, plan: Plan, only: Collection[str] | None) -> tuple[list[Offer], set[str]]:
        """What is to be installed, of all packages or of some, and what has to go."""
        due = [one for one in plan.install if only is None or one.package in only]
        return due, self._rivals(plan, due) if only is not None else set(plan.remove)

    def _fetch(self, due: Sequence[Offer], *, online: bool) -> tuple[dict[str, Record], dict[str, str]]:
        """Accepted files of all that is due, before any of it is executed; and why others cannot be had."""
        ready: dict[str, Record] = {}
        failed: dict[str, str] = {}
        for number, one in enumerate(due, 1):
            about = f"[{number}/{len(due)}] {one.package} {one.version}"
            if self._time.is_over():
                break
            try:
                if not online:
                    kept = ready[one.package] = self._cache.accepted(one.sha256, offline=True)
                    self._log(f"{one.package} {one.version}: from the cache, accepted at {kept.accepted_at}")
                    continue
                ready[one.package] = self._cache.fetch(
                    one,
                    self._store.floor(one.package),
                    self._settings.limits.package_bytes,
                    lambda done, total, about=about: self._progress(about, done, total),  # type: ignore[misc]
                )
                self._log(f"{one.package} {one.version}: download accepted")
            except Refused as error:
                failed[one.package] = str(error)
                self._fail(one, f"Refused ({error.code}): {error}")
            except BocageError as error:
                failed[one.package] = str(error)
                self._fail(one, str(error))
        return ready, failed

    def _fail(self, offer: Offer, reason: str) -> None:
        row = self._store.rows().get(offer.package, Row(offer.package, "ERROR", section=offer.section))
        with self._store.step() as step:
            put_row(step, replace(row, state="ERROR", reason=reason[:500], wanted=offer.version))
        self._log(f"{offer.package} {offer.version}: ERROR: {reason}")

    def _rivals(self, plan: Plan, due: Sequence[Offer]) -> set[str]:
        """What has to go for these packages to come."""
        there = plans.installed_offers(self._store.rows())
        return {
            name for name in plan.remove if name in there and any(self._library.clash(there[name], one) for one in due)
        }

    def _enforce(self) -> None:
        """Let apt know of policies; without any there is nothing to load."""
        policies = self._store.rules("policy.json")
        if policies or self._store.fact("policy"):
            from .packages_policy import enforce

            if enforce(policies.values()):
                self._log("what apt may install follows the policies now")
            self._store.set_facts({"policy": bool(policies)})
