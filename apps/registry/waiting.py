# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that wait for an action: each is an event of the loop, not a thread, so that thousands cost little."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

MAX_WAIT_SECONDS = 25
# What a host is told that finds no place to wait in.
RETRY_SECONDS = 15


class WaitingRoom:
    """A bounded number of places, one for each host: who asks again gives up the earlier one."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._events: dict[str, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._events)

    @contextlib.contextmanager
    def place(self, host_id: str) -> Iterator[asyncio.Event | None]:
        """The event of this host, or None where there is no place."""
        earlier = self._events.pop(host_id, None)
        if earlier is not None:
            earlier.set()
        if len(self._events) >= self._places:
            yield None
            return
        event = asyncio.Event()
        self._events[host_id] = event
        try:
            yield event
        finally:
            if self._events.get(host_id) is event:
                del self._events[host_id]

    def close(self) -> None:
        """Nobody waits any more, as when the registry is stopped; who asks is told to ask again later."""
        self._places = 0
        self.wake(list(self._events))

    def wake(self, host_ids: Iterable[str]) -> None:
        """Called in the loop in which the hosts wait."""
        for host_id in host_ids:
            event = self._events.get(host_id)
            if event is not None:
                event.set()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until the event or the end of the time, whichever comes first."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
