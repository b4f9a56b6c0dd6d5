# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host knows of actions: nonces until they end, and the last answers, in one file.

A nonce is on the disk before anything is done. What was signed before the file began does not count, nor what ended
before the last nonce that was forgotten: neither a lost file nor a clock that is put back makes an old action new.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, fields, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._state.action import CLOCK_AHEAD, NONCE, Action

FILE = "actions.json"
MAX_BYTES = 1024 * 1024
MAX_NONCES = 1000
# Of answers, the newest are kept: of what was done, and fewer of what was refused, which somebody else may cause.
MOST_DONE = 15
MOST_REFUSED = 5
_FIELDS = frozenset({"schema", "began", "floor", "nonces", "answers", "refused"})
_NONE: frozenset[str] = frozenset()
NEVER = datetime.fromtimestamp(0, tz=UTC)

Answer = dict[str, Any]


@dataclass
class _Content:
    began: datetime
    floor: datetime
    """The end of the newest action that was forgotten."""
    nonces: dict[str, datetime] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    """By nonce, oldest first."""
    refused: dict[str, int] = field(default_factory=dict)
    """How many were refused, by reason."""


class ActionStore:
    """One writer; its methods may be called from several threads."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.problem: str | None = None
        try:
            self._content = _read(path)
        except FileNotFoundError:
            self._content = _Content(now, NEVER)
        except BocageError as error:
            # what was signed until now may have been done already
            self._content = _Content(now, NEVER)
            self.problem = f"{error} It was begun anew, and what was signed before {timestamps.write(now)} is refused."
        if self._content.began > now + CLOCK_AHEAD:
            # begun while the clock was ahead; else nothing would be taken until that day
            self._content.began = now
        for answer in self._content.answers.values():
            if answer["state"] in ("accepted", "running"):
                answer.update(state="failed", result="The host or its listener was restarted before the end was seen.")
        self._write()

    def check(self, action: Action) -> None:
        """Raises Refused where the action was taken before, or may have been."""
        with self._lock:
            self._check(action)

    def take(self, action: Action, answer: Answer, now: datetime) -> None:
        """Keep the nonce and the first answer, on the disk; raises Refused where it was kept before."""
        with self._lock:
            self._check(action)
            self._forget(now)
            if len(self._content.nonces) >= MAX_NONCES:
                raise Refused(
                    "too_many", f"This host keeps {MAX_NONCES} actions that have not ended; it takes no more."
                )
            self._content.nonces[action.nonce] = action.not_after
            self._put(action.nonce, answer)
            try:
                self._write()
            except OSError:
                # not on the disk, so it is not done either
                del self._content.nonces[action.nonce], self._content.answers[action.nonce]
                raise

    def refuse(self, nonce: str | None, answer: Answer | None, code: str) -> bool:
        """Count a refusal, and keep the answer to a signed action; whether there is something new to report."""
        with self._lock:
            self._content.refused[code] = self._content.refused.get(code, 0) + 1
            new = nonce is not None and answer is not None and nonce not in self._content.answers
            if new and nonce is not None and answer is not None:
                self._put(nonce, answer)
            self._write()
        return new

    def update(self, nonce: str, **changes: Any) -> None:
        with self._lock:
            if nonce in self._content.answers:
                self._content.answers[nonce].update(changes)
                self._write()

    def section(self) -> dict[str, Any]:
        with self._lock:
            return _section(self._content)

    def _check(self, action: Action) -> None:
        if action.nonce in self._content.nonces:
            raise Refused("replayed", "This action was taken before.")
        if action.not_after <= self._content.floor:
            raise Refused("replayed", "The action ended before others that this host has done and forgotten.")
        if action.issued_at < self._content.began:
            raise Refused(
                "expired", f"What was signed before {timestamps.write(self._content.began)} is not taken here."
            )

    def _forget(self, now: datetime) -> None:
        for nonce, not_after in list(self._content.nonces.items()):
            if now > not_after + CLOCK_AHEAD:
                del self._content.nonces[nonce]
                self._content.floor = max(self._content.floor, not_after)

    def _put(self, nonce: str, answer: Answer) -> None:
        answers = self._content.answers
        answers[nonce] = answer
        refused = [one for one in answers if answers[one]["state"] == "refused"]
        done = [one for one in answers if answers[one]["state"] != "refused"]
        for one in (*refused[:-MOST_REFUSED], *done[:-MOST_DONE]):
            del answers[one]

    def _write(self) -> None:
        content = self._content
        document = {
            "schema": 1,
            "began": timestamps.write(content.began),
            "floor": timestamps.write(content.floor),
            "nonces": {nonce: timestamps.write(end) for nonce, end in content.nonces.items()},
            "answers": [{"nonce": nonce, **answer} for nonce, answer in content.answers.items()],
            "refused": content.refused,
        }
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_file(self._path, json.dumps(document).encode() + b"\n", 0o600)


def read_section(path: Path) -> dict[str, Any] | None:
    """The section `actions` of a report, or None on a host that takes no actions."""
    try:
        return _section(_read(path))
    except FileNotFoundError:
        return None
    except BocageError as error:
        return {"answers": {}, "refused": {}, "problem": str(error)[:200]}


def _section(content: _Content) -> dict[str, Any]:
    newest = dict(reversed(content.answers.items()))
    return {"answers": newest, "refused": dict(content.refused), "problem": None}


def _read(path: Path) -> _Content:
    what = f"the memory of actions {path}"
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, MAX_BYTES), what), what)
        fields.only(document, _FIELDS, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        nonces: Mapping[str, Any] = fields.record(document["nonces"], what)
        if not all(NONCE.fullmatch(nonce) for nonce in nonces):
            raise fields.malformed(what, "has a nonce that is none")
        counts = fields.record(document["refused"], what)
        answers = document["answers"]
        if not isinstance(answers, list) or len(answers) > MOST_DONE + MOST_REFUSED:
            raise fields.malformed(what, "has not the list of answers that it should have")
        return _Content(
            began=timestamps.parse(document["began"], what),
            floor=timestamps.parse(document["floor"], what),
            nonces={nonce: timestamps.parse(end, what) for nonce, end in nonces.items()},
            answers={_nonce(one, what): {name: one[name] for name in one if name != "nonce"} for one in answers},
            refused={code: fields.integer(counts, code, what) for code in counts},
        )
    except IsADirectoryError as error:
        raise BocageError(f"The memory of actions {path} is a folder.") from error


def _nonce(answer: Any, what: str) -> str:
    found = fields.record(answer, what)
    if found.get("state") not in ("accepted", "running", "done", "failed", "refused"):
        raise fields.malformed(what, "has an answer of an unknown state")
    return fields.text(found, "nonce", what, NONCE)
