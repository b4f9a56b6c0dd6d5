# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks hosts for something, one batch after the other, and tells what became of it while it goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._state import action as actions
from ansible_collections.bocage.fleet.plugins.module_utils._state.action import Action
from ansible_collections.bocage.fleet.plugins.module_utils._state.trust import Trust

from .action_batches import Batch
from .action_follow import GOOD, Follow, Progress, summary
from .registry_client import RegistryClient, RegistryFailed

POLL_SECONDS = 2.0
# A line on who is still waited for, for those who watch.
TELL_SECONDS = 15.0
MOST_NAMES = 10
TRIES = 3

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What is asked for, and how long one waits for answers."""

    verb: str
    arguments: Mapping[str, Any]
    role: str
    valid_seconds: int
    patience_seconds: int
    wait_for: str
    """`sent`, `accepted` or `finished`."""
    allowed_failures: int
    busy_seconds: int | None = None
    """How long one waits for a host that has begun; None for as long as the verb may take."""

    @property
    def words(self) -> str:
        packages = self.arguments.get("packages") or []
        return f"{self.verb} {', '.join(packages)}".strip()


@dataclass
class Run:
    """One run over all batches; `clock` and `sleep` are in the hand of a test."""

    client: RegistryClient
    trust: Trust
    private_key: bytes
    wish: Wish
    say: Say
    clock: Callable[[], datetime] = timestamps.now
    sleep: Callable[[float], None] = time.sleep
    nonces: list[str] = field(default_factory=list)
    _cursor: str | None = None
    _told: float = 0.0

    def go(self, batches: Sequence[Batch]) -> list[Progress]:
        """Every host that was asked, and how it ended; stops after a batch with more failures than are allowed."""
        ended: list[Progress] = []
        for number, batch in enumerate(batches, 1):
            ended += self._batch(batch, f"Batch {number} of {len(batches)}")
            bad = [one for one in ended if self._is_bad(one)]
            if len(bad) > self.wish.allowed_failures and number < len(batches):
                rest = sum(len(one) for one in batches[number:])
                self.say(f"Stopped: {summary(ended)}; {rest} further hosts were not asked.")
                break
        return ended

    def _batch(self, batch: Batch, title: str) -> list[Progress]:
        known = list(self._rows())
        action = actions.make(
            batch.values(),
            self.wish.verb,
            self.wish.arguments,
            self.wish.role,
            now=self.clock(),
            valid_seconds=self.wish.valid_seconds,
            random=os.urandom,
        )
        follow = Follow(action, batch, self.trust, self.clock())
        # what the hosts said before is needed to know whether they said anything since
        follow.feed(known)
        answer = self._send(action)
        self.nonces.append(action.nonce)
        self.say(
            f"{title}: {_names(batch)} {'was' if len(batch) == 1 else 'were'} asked for {self.wish.words} as {self.wish.role}."
        )
        unknown = answer.get("unknown")
        self._tell(follow.unknown(one for one in unknown if isinstance(one, str)) if isinstance(unknown, list) else [])
        if self.wish.wait_for != "sent":
            self._wait(follow)
        return list(follow.progress.values())

    def _wait(self, follow: Follow) -> None:
        begun = self._told = time.monotonic()
        failing: str | None = None
        while self._still(follow):
            self.sleep(POLL_SECONDS)
            try:
                self._tell(follow.feed(self._rows()))
                failing = None
            except RegistryFailed as error:
                if failing is None:
                    self.say(f"{error} The hosts go on meanwhile; it is asked again.")
                failing = str(error)
            self._tell(follow.give_up(self.clock(), self.wish.patience_seconds, self.wish.busy_seconds))
            if time.monotonic() - self._told > TELL_SECONDS and (open_now := self._still(follow)):
                self._told = time.monotonic()
                seconds = int(time.monotonic() - begun)
                self.say(
                    f"{summary(follow.progress.values())}; after {seconds} s {_names([one.name for one in open_now])} to go."
                )

    def _still(self, follow: Follow) -> list[Progress]:
        """Whom this run waits for."""
        waiting = {"waiting"} if self.wish.wait_for == "accepted" else {"waiting", "accepted", "running"}
        return [one for one in follow.open() if one.state in waiting]

    def _is_bad(self, one: Progress) -> bool:
        if self.wish.wait_for == "sent":
            return one.state == "unknown"
        return one.state not in (GOOD if self.wish.wait_for == "finished" else {*GOOD, "accepted", "running"})

    def failures(self, ended: Sequence[Progress]) -> list[Progress]:
        return [one for one in ended if self._is_bad(one)]

    def _send(self, action: Action) -> dict[str, Any]:
        """The same envelope again where the network failed: the registry knows it by its nonce, and so do the hosts."""
        envelope = json.dumps(actions.sign(action, self.private_key)).encode()
        for left in reversed(range(TRIES)):
            try:
                return self.client.send_action(envelope)
            except RegistryFailed as error:
                if not left or self.clock() > action.not_after:
                    raise BocageError(
                        f"{error} Whether the action was handed on is not known; run it again."
                    ) from error
                self.sleep(POLL_SECONDS)
        raise BocageError("The action was not sent.")

    def _rows(self) -> list[Any]:
        rows: list[Any] = []
        for page in self.client.changes(self._cursor):
            rows += page.hosts
            self._cursor = page.cursor
        return rows

    def _tell(self, news: Sequence[Progress]) -> None:
        for one in news:
            self.say(one.sentence)


def _names(names: Any) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + more
