# SPDX-License-Identifier: GPL-3.0-or-later
"""The number and the digest of the last report: kept so that the number never goes back.

It is written before the report is spooled. A crash between the two leaves a number that nobody ever sees, which is
harmless; the other order could put two different reports in one place, which is what a stolen key looks like.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bocage_core._common import atomic, canonical, fields
from bocage_core._common.errors import BocageError
from bocage_core._common.locks import exclusive
from bocage_core._common.refused import Refused

_FIELDS = frozenset({"generation", "counter", "previous"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Chain:
    generation: int
    counter: int
    previous: str | None

    def next_in(self, generation: int) -> Chain:
        """Where the next report stands; a new generation begins a new chain but counts on."""
        if generation < self.generation:
            raise BocageError(
                f"The enrolment on this host is of generation {generation}, but reports of generation"
                f" {self.generation} were made already; put the newest enrolment in place."
            )
        previous = self.previous if generation == self.generation else None
        return Chain(generation, self.counter + 1, previous)


def read(path: Path) -> Chain:
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, 4096)), "the file")
        fields.only(document, _FIELDS, _NONE, "the file")
        previous = document["previous"]
        return Chain(
            fields.integer(document, "generation", "the file"),
            fields.integer(document, "counter", "the file"),
            None if previous is None else fields.text(document, "previous", "the file", fields.SHA256),
        )
    except FileNotFoundError:
        return Chain(0, 0, None)
    except Refused as error:
        # Beginning again at 1 would look like a stolen key.
        raise BocageError(
            f"The counter in {path} is damaged: {error} Enrol this host in a new generation, then remove the file."
        ) from error


def write(path: Path, chain: Chain) -> None:
    document = {"generation": chain.generation, "counter": chain.counter, "previous": chain.previous}
    atomic.write_file(path, json.dumps(document, sort_keys=True).encode() + b"\n", 0o600)


def locked(path: Path, wait_seconds: float = 60) -> AbstractContextManager[None]:
    """One agent at a time, for numbering and for delivering in order."""
    busy = f"Another agent has held {path} for {int(wait_seconds)} seconds; wait for it or end it."
    return exclusive(path, busy, wait_seconds)
