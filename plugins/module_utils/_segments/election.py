# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which gateway of a segment is the active one.

Pure: time comes in as a number, what peers said as messages. Every gateway runs the same rules on what it hears by
any of two ways (the LAN itself and the overlay), and no peer has to agree before one stands down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Fitness(IntEnum):
    """How well a gateway could serve, the best last."""

    DEAF = 0
    """Nothing at all comes in from its LAN: it never serves."""
    UNFIT = 1
    """Nobody answers on its LAN or on the overlay: it serves where nobody else does."""
    DRAINED = 2
    """It would serve, and was asked not to."""
    FIT = 3


@dataclass(frozen=True, slots=True)
class Message:
    """What a gateway says of itself with each beat."""

    sender: str
    active: bool
    fitness: Fitness
    term: int
    rank: int


@dataclass(frozen=True, slots=True)
class Times:
    """All in seconds."""

    beat: float = 0.1
    dead: float = 0.35
    """A peer that was not heard for as long is taken for dead."""
    doubt: float = 5.0
    """How long a gateway that is not fit leaves a segment to a peer that it does not hear."""


@dataclass
class Election:
    """One segment as one of its gateways sees it. ``active`` is what it should be now."""

    name: str
    rank: int
    """Its place among the gateways of the segment, the preferred one first."""
    now: float
    times: Times = field(default_factory=Times)
    active: bool = False
    term: int = 0
    fitness: Fitness = Fitness.DEAF
    _heard: dict[str, tuple[float, Message]] = field(default_factory=dict)
    _quiet_until: float = 0.0
    _alone_since: float | None = None

    def __post_init__(self) -> None:
        self._listen()

    def _listen(self) -> None:
        """Nothing but listening until every living peer had time to speak."""
        self._quiet_until = self.now + self.times.dead + self.times.beat

    def message(self) -> Message:
        return Message(self.name, self.active, self.fitness, self.term, self.rank)

    def hear(self, now: float, message: Message) -> None:
        if message.sender != self.name:
            self._heard[message.sender] = (now, message)

    def peers(self) -> Mapping[str, Message]:
        """Peers that live, as far as is known."""
        return {name: said for name, (at, said) in self._heard.items() if self.now - at < self.times.dead}

    def tick(self, now: float, fitness: Fitness) -> bool:
        """Decide anew; whether this gateway is the active one."""
        stalled = now - self.now > self.times.dead
        self.now, self.fitness = now, fitness
        if stalled:
            # others may have given this one up meanwhile
            self.active = False
            self._listen()
        peers = self.peers()
        if self.active:
            self.active = not self._must_yield(peers)
        elif self._may_take_over(peers):
            self.active = True
            self.term = 1 + max([self.term, *(said.term for _at, said in self._heard.values())])
        return self.active

    def resign(self) -> Message:
        """Stand down, and say so."""
        self.active = False
        self.fitness = Fitness.DEAF
        return self.message()

    def _must_yield(self, peers: Mapping[str, Message]) -> bool:
        if self.fitness == Fitness.DEAF:
            return True
        for peer in peers.values():
            if peer.fitness > self.fitness:
                return True
            # of two active ones the later elected stays, so that one that was cut off for a while gives way
            if peer.active and (peer.fitness, peer.term, -peer.rank) > (self.fitness, self.term, -self.rank):
                return True
        return False

    def _may_take_over(self, peers: Mapping[str, Message]) -> bool:
        if self.now < self._quiet_until or self.fitness == Fitness.DEAF:
            return False
        if any(peer.active for peer in peers.values()):
            self._alone_since = None
            return False
        best = max([(self.fitness, -self.rank), *((peer.fitness, -peer.rank) for peer in peers.values())])
        if best != (self.fitness, -self.rank):
            self._alone_since = None
            return False
        if self.fitness == Fitness.UNFIT and not peers and self._heard:
            # the one that is heard no more may well live: it is this one that seems to be cut off
            if self._alone_since is None:
                self._alone_since = self.now
            return self.now - self._alone_since >= self.times.doubt
        self._alone_since = None
        return True
