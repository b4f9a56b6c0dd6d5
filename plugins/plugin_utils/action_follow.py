# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of an action on each host, by what the hosts themselves report, verified as the inventory verifies it.

The registry may keep an action or a report to itself. Then a host does not answer, and that is what is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.refused import Refused
from ansible_collections.bocage.fleet.plugins.module_utils._state.acceptance import LastSeen
from ansible_collections.bocage.fleet.plugins.module_utils._state.action import CLOCK_AHEAD, VERBS, Action
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_documents import read_row
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_enrolments import Identity, Offers, identify
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_reports import judge
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_verify import Verifier
from ansible_collections.bocage.fleet.plugins.module_utils._state.report import Report
from ansible_collections.bocage.fleet.plugins.module_utils._state.trust import Trust

State = Literal[
    "waiting", "accepted", "running", "done", "failed", "refused", "unknown", "untrusted", "silent", "withheld"
]
GOOD: frozenset[State] = frozenset({"done"})
OPEN: frozenset[State] = frozenset({"waiting", "accepted", "running"})
_FROM_HOST: frozenset[str] = frozenset({"accepted", "running", "done", "failed", "refused"})


@dataclass
class Progress:
    """One host of an action."""

    name: str
    state: State = "waiting"
    words: str = ""
    last: datetime | None = None
    """When its newest report was issued."""
    takes_actions: bool = False
    """Whether that report speaks of actions at all."""

    @property
    def sentence(self) -> str:
        return f"{self.name}: {self.state}{f': {self.words}' if self.words else ''}"


@dataclass
class Follow:
    """One action on its way; feed it the rows that the registry gives."""

    action: Action
    hosts: Mapping[str, str]
    """Ids by names."""
    trust: Trust
    now: datetime
    progress: dict[str, Progress] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = {name: Progress(name) for name in self.hosts}
        self._names = {host_id: name for name, host_id in self.hosts.items()}
        self._identities: dict[str, Identity] = identify(self.hosts, self.trust, Offers(), self.now)
        self._verifier = Verifier(workers=1)
        self._seen: dict[str, LastSeen] = {}

    def unknown(self, host_ids: Iterable[str]) -> list[Progress]:
        """Hosts that the registry does not hand anything to, by its own word."""
        return [
            self._end(
                self.progress[self._names[one]], "unknown", "the registry knows no such host; has it ever reported?"
            )
            for one in host_ids
            if one in self._names
        ]

    def feed(self, rows: Iterable[Any]) -> list[Progress]:
        """The hosts of which something new is known."""
        news = []
        for row in rows:
            name = self._names.get(row.get("host_id")) if isinstance(row, dict) else None
            if name is not None and (found := self._look(self.progress[name], row)):
                news.append(found)
        return news

    def open(self) -> list[Progress]:
        return [one for one in self.progress.values() if one.state in OPEN]

    def until(self, patience_seconds: int, busy_seconds: int | None = None) -> datetime:
        """When nothing more is waited for: later where a host said that it is at it, by default as long as it may take."""
        end = self.action.not_after + timedelta(seconds=patience_seconds)
        if any(one.state in ("accepted", "running") for one in self.progress.values()):
            longest = VERBS[self.action.verb].seconds
            end += timedelta(seconds=longest if busy_seconds is None else min(longest, busy_seconds))
        return end

    def give_up(self, now: datetime, patience_seconds: int, busy_seconds: int | None = None) -> list[Progress]:
        """End what has not answered in its time, with what that may mean."""
        ended = []
        for one in self.open():
            if one.state == "waiting" and now > self.action.not_after + timedelta(seconds=patience_seconds):
                ended.append(self._silent(one))
            elif now > self.until(patience_seconds, busy_seconds):
                ended.append(self._end(one, "silent", f"it began and has not said how it ended ({one.state})"))
        return ended

    def _look(self, one: Progress, row: Any) -> Progress | None:
        if one.state not in OPEN:
            return None
        host_id = self.hosts[one.name]
        try:
            documents = read_row(row)
        except Refused as error:
            return self._end(one, "untrusted", str(error))
        found = judge(
            self._identities[one.name],
            documents,
            self._verifier,
            last_seen=self._seen.get(host_id),
            floor=self.trust.floor(host_id),
        )
        if found.distrust is not None:
            return self._end(one, "untrusted", found.distrust)
        if found.report is None:
            return None
        self._seen[host_id] = LastSeen.of(found.report)
        return self._read(one, found.report)

    def _read(self, one: Progress, report: Report) -> Progress | None:
        section = report.sections.get("actions")
        one.last, one.takes_actions = report.issued_at, section is not None
        answer = ((section or {}).get("answers") or {}).get(self.action.nonce)
        if answer is None:
            # told by a clock that may be somewhat ahead
            if report.issued_at > self.action.not_after + CLOCK_AHEAD:
                return self._silent(one)
            return None
        state, words = answer["state"], answer["result"]
        if state not in _FROM_HOST or (state, words) == (one.state, one.words):
            return None
        one.state, one.words = state, words
        return one

    def _silent(self, one: Progress) -> Progress:
        if one.last is None:
            return self._end(one, "silent", "the registry has no report of it")
        last = timestamps.write(one.last)
        if one.last > self.action.not_after:
            if not one.takes_actions:
                return self._end(
                    one, "withheld", f"its report of {last} says that it takes no actions (agent_actions_enabled)"
                )
            return self._end(
                one,
                "withheld",
                f"it reported at {last} and was not asked: the registry kept the action, or bocage-agent-listen does not run",
            )
        return self._end(
            one, "silent", f"nothing was heard since {last}: it is off or cut off, or the registry keeps its reports"
        )

    @staticmethod
    def _end(one: Progress, state: State, words: str) -> Progress:
        one.state, one.words = state, words.rstrip(".")
        return one


def summary(progress: Iterable[Progress]) -> str:
    """How many are in which state, as `12 hosts: 10 done, 1 refused, 1 silent`."""
    counts: dict[str, int] = {}
    for one in progress:
        counts[one.state] = counts.get(one.state, 0) + 1
    total = sum(counts.values())
    return f"{total} host{'' if total == 1 else 's'}: {', '.join(f'{number} {state}' for state, number in sorted(counts.items()))}"
