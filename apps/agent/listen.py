# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-agent listen`: asks the registry for signed actions, and waits there for them. Nothing listens on the host.

Whatever comes is judged here: the signature first, then whom it is for, when, whether it was taken before, and whether
the role of its key may ask for it.
"""

from __future__ import annotations

import json
import os
import queue
import random
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from bocage_core._common import atomic, canonical, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._state import action as actions
from bocage_core._state import poll as polls
from bocage_core._state.action import Action, Key, Policy
from bocage_core._state.poll import Poll

from . import action_verbs
from .action_store import FILE, ActionStore
from .deliver import Answer, Client, Unreachable
from .identity import read_enrolment, read_private_key
from .settings import Settings

WAIT_SECONDS = 25
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
# A host that does something for longer says that it began.
SOON_SECONDS = 2.0
# Refusals may be caused by whoever keeps the registry; they are not reported more often.
REPORT_PAUSE = 2.0
MOST_WAITING = 20

Log = Callable[[str], None]


class Asks(Protocol):
    """What is needed of the client of the registry."""

    def get(self, path: str, authorization: str, seconds: int) -> Answer: ...

    def close(self) -> None: ...


class Listener:
    """One host's ear. `judge` needs no network and no thread, so that tests can call it."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        begin: action_verbs.Begin = action_verbs.begin,
        clock: Callable[[], datetime] = timestamps.now,
    ) -> None:
        self._settings = settings
        self._log = log
        self._begin = begin
        self._clock = clock
        self._policy = read_policy(settings)
        self._enrolment = read_enrolment(settings)
        self.store = ActionStore(settings.state_directory / FILE, clock())
        if self.store.problem:
            log(self.store.problem)
        self.accepted: queue.Queue[Action] = queue.Queue(MOST_WAITING)
        self.news = threading.Event()
        self._cursor: str | None = None

    def run(self) -> None:
        """For ever: ask, wait, judge; the doing and the reporting have threads of their own."""
        threading.excepthook = _end
        threading.Thread(target=self._work, name="work", daemon=True).start()
        threading.Thread(target=self._report, name="report", daemon=True).start()
        client = Client(self._settings)
        pause = FIRST_PAUSE
        told: str | None = None
        while True:
            try:
                wait = self.ask(client)
                pause, told = FIRST_PAUSE, None
            except (BocageError, OSError) as error:
                if str(error) != told:
                    self._log(f"No actions can be asked for, which is tried again: {error}")
                told, wait = str(error), pause
                pause = min(LONGEST_PAUSE, 2 * pause)
                client.close()
                client = Client(self._settings)
            if wait:
                time.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311  # so that hosts do not all ask at once

    def ask(self, client: Asks) -> float:
        """One question; gives the seconds after which to ask again. Raises Unreachable or BocageError."""
        place = Poll(self._enrolment.host_id, self._enrolment.generation)
        proof = polls.header(place, read_private_key(self._settings.key_file))
        path = f"/v1/hosts/{place.host_id}/actions?wait={WAIT_SECONDS}"
        begun = time.monotonic()
        answer = client.get(path + (f"&after={self._cursor}" if self._cursor else ""), proof, WAIT_SECONDS)
        if answer.status == 400 and self._cursor:
            # of another release of the registry, which begins again
            self._cursor = None
            return FIRST_PAUSE
        if answer.status != 200:
            raise Unreachable(f"the registry does not hand out actions: {answer.sentence}")
        envelopes, cursor, retry = (answer.document.get(name) for name in ("actions", "cursor", "retry_seconds"))
        if not isinstance(envelopes, list) or not isinstance(cursor, str) or len(cursor) > 64:
            raise Unreachable("what the registry says of actions has not the form that it should have")
        self._cursor = cursor if cursor.replace(".", "").isalnum() else None
        for envelope in envelopes[:MOST_WAITING]:
            self.judge(json.dumps(envelope).encode())
        if isinstance(retry, int) and 0 < retry <= LONGEST_PAUSE:
            return float(retry)
        # A registry that answers at once and for ever must not keep this host busy.
        return 0.0 if time.monotonic() - begun > FIRST_PAUSE else FIRST_PAUSE

    def judge(self, raw: bytes) -> None:
        """Take an action or refuse it; either is on the disk before anything else happens."""
        now = self._clock()
        action: Action | None = None
        key: Key | None = None
        try:
            action, key = actions.verify(raw, self._policy.keys)
            actions.check_addressee(action, self._enrolment.host_id)
            self.store.check(action)
            actions.check_clock(action, now)
            self._policy.check(action, key)
            if self.accepted.full():
                raise Refused("too_many", f"{MOST_WAITING} actions wait on this host already.")
            self.store.take(action, _answer(action, key, "accepted", now), now)
        except Refused as error:
            self._refuse(error, action, key, now)
            return
        self._log(f"{key.name} as {action.role} asks for {action.verb} (action {action.nonce}).")
        self.accepted.put(action)

    def _refuse(self, error: Refused, action: Action | None, key: Key | None, now: datetime) -> None:
        self._log(f"An action is refused ({error.code}): {error}")
        # What was done keeps its answer; what is for others or not signed by anybody known gets none.
        named = action is not None and key is not None and error.code not in ("wrong_host", "replayed")
        answer = None
        if named and action is not None and key is not None:
            answer = {**_answer(action, key, "refused", now), "code": error.code, "result": str(error)[:200]}
        if self.store.refuse(None if action is None else action.nonce, answer, error.code):
            self.news.set()

    def _work(self) -> None:
        while True:
            self.do(self.accepted.get())

    def do(self, action: Action) -> None:
        """Do it and keep how it ended."""
        if action.verb in action_verbs.NOTHING_TO_DO:
            self._end(action, "done", "This report.", 0)
            return
        self.store.update(action.nonce, state="running")
        seconds = action_verbs.seconds_for(action)
        try:
            child = self._begin(action_verbs.command_of(action), seconds, action.nonce)
        except OSError as error:
            self._end(action, "failed", f"The program did not start: {error.strerror or error}.", None)
            return
        ended = child.wait_briefly(SOON_SECONDS)
        if ended is None:
            self.news.set()
            ended = child.wait()
        self._end(action, "done" if ended.status == 0 else "failed", ended.words, ended.status)

    def _end(self, action: Action, state: str, words: str, status: int | None) -> None:
        moment = timestamps.write(self._clock())
        self.store.update(action.nonce, state=state, result=words, status=status, ended_at=moment)
        self._log(f"{action.verb} (action {action.nonce}) is {state}: {words}")
        self.news.set()

    def _report(self) -> None:
        """A report at once after each answer; several answers meanwhile go into one."""
        while True:
            self.news.wait()
            self.news.clear()
            try:
                child = self._begin([action_verbs.PROGRAM, "report"], 120, f"report-{time.monotonic_ns()}")
                child.wait()
            except OSError as error:
                self._log(f"The report did not start and follows by its timer: {error.strerror or error}.")
            time.sleep(REPORT_PAUSE)


def read_policy(settings: Settings) -> Policy:
    """Which keys may ask for what, as Ansible wrote it; raises BocageError."""
    path = settings.actions_file
    what = f"the file {path}"
    try:
        return Policy.from_document(canonical.loads(atomic.read_bounded(path, 1024 * 1024), what), what)
    except OSError as error:
        raise BocageError(
            f"The policy of actions {path} cannot be read: {error.strerror}; run the role agent."
        ) from error


def listen(settings: Settings, log: Log) -> None:
    Listener(settings, log).run()


def _end(found: threading.ExceptHookArgs) -> None:
    """One thread without the others would take actions and do none; systemd begins all of them anew."""
    traceback.print_exception(found.exc_value)
    os._exit(1)


def _answer(action: Action, key: Key, state: str, now: datetime) -> dict[str, Any]:
    return {
        "verb": action.verb,
        "role": action.role,
        "key": key.name,
        "state": state,
        "code": None,
        "result": "",
        "status": None,
        "received_at": timestamps.write(now),
        "ended_at": None,
    }
