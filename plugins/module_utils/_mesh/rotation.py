# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a rotation of mesh keys, and each step of it: make before break, epoch by epoch.

Pure: a step takes the state and what was seen, and gives the next state. Nothing is lost when a step is taken again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast

from .._common import canonical, fields, timestamps
from .._common.errors import BadInput

Phase = Literal["rotating", "paused", "aborting", "retiring", "undoing", "settled"]
PHASES = ("rotating", "paused", "aborting", "retiring", "undoing", "settled")
MAX_BYTES = 64 * 1024 * 1024
_MAX_EPOCH = 2**31 - 1
_REQUIRED = frozenset({"schema", "old", "new", "phase", "started_at", "ends_at", "hosts"})
_HOST = frozenset({"moved", "arrived", "generation", "enrolled_in", "unproven"})
_NONE: frozenset[str] = frozenset()
# By host and peer: whether the host had a handshake and an answer of the peer in the new epoch.
Proofs = Mapping[str, Mapping[str, bool]]


@dataclass(frozen=True, slots=True)
class HostState:
    """Where a host is in the rotation."""

    moved: bool = False
    """Its plan sends in the new epoch where peers are proven."""
    arrived: bool = False
    """The plan was applied there."""
    generation: int = 1
    enrolled_in: tuple[int, ...] = ()
    """The epochs in which the key of its enrolment counts."""
    unproven: tuple[str, ...] = ()
    """Peers that it still reaches in the old epoch, once it has moved."""


@dataclass(frozen=True)
class Rotation:
    """From one epoch to the next; settled, it says which epoch is in use and who was left behind."""

    old: int
    new: int
    phase: Phase
    started_at: datetime
    ends_at: datetime
    hosts: Mapping[str, HostState] = field(default_factory=dict)

    @property
    def under_way(self) -> bool:
        return self.phase != "settled"

    @property
    def base(self) -> int:
        """The epoch of those who have not moved."""
        return self.new if self.phase in ("retiring", "settled") else self.old

    @property
    def live(self) -> tuple[int, ...]:
        """The epochs that have interfaces."""
        if self.phase in ("retiring", "settled"):
            return (self.new,)
        return (self.old,) if self.phase == "undoing" else (self.old, self.new)

    def has_moved(self, name: str) -> bool:
        if self.phase in ("aborting", "undoing"):
            return False
        if self.phase in ("retiring", "settled"):
            return True
        host = self.hosts.get(name)
        return host is not None and host.moved

    def is_unproven(self, name: str, peer: str) -> bool:
        if self.phase in ("retiring", "settled"):
            return False
        host = self.hosts.get(name)
        return host is None or peer in host.unproven

    @classmethod
    def from_bytes(cls, raw: bytes, what: str = "the state of the rotation") -> Rotation:
        document = fields.record(canonical.loads(raw, what), what)
        fields.only(document, _REQUIRED, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        if document["phase"] not in PHASES:
            raise fields.malformed(what, "has an unknown phase")
        hosts: dict[str, HostState] = {}
        for name, value in fields.record(document["hosts"], f"hosts in {what}").items():
            host = fields.record(value, f"a host in {what}")
            fields.only(host, _HOST, _NONE, f"a host in {what}")
            epochs = host["enrolled_in"]
            if not isinstance(epochs, list) or not all(
                isinstance(one, int) and not isinstance(one, bool) for one in epochs
            ):
                raise fields.malformed(what, "needs a list of numbers in enrolled_in")
            hosts[name] = HostState(
                moved=fields.flag(host, "moved", what),
                arrived=fields.flag(host, "arrived", what),
                generation=fields.integer(host, "generation", what, 1, _MAX_EPOCH),
                enrolled_in=tuple(epochs),
                unproven=tuple(fields.texts(host, "unproven", what, most=1_000_000)),
            )
        return cls(
            old=fields.integer(document, "old", what, 0, _MAX_EPOCH),
            new=fields.integer(document, "new", what, 0, _MAX_EPOCH),
            phase=cast("Phase", document["phase"]),
            started_at=timestamps.parse(document["started_at"], f"started_at of {what}"),
            ends_at=timestamps.parse(document["ends_at"], f"ends_at of {what}"),
            hosts=hosts,
        )

    def to_document(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "old": self.old,
            "new": self.new,
            "phase": self.phase,
            "started_at": timestamps.write(self.started_at),
            "ends_at": timestamps.write(self.ends_at),
            "hosts": {
                name: {
                    "moved": host.moved,
                    "arrived": host.arrived,
                    "generation": host.generation,
                    "enrolled_in": list(host.enrolled_in),
                    "unproven": list(host.unproven),
                }
                for name, host in sorted(self.hosts.items())
            },
        }


def start(current: Rotation | None, hosts: Mapping[str, HostState], ends_at: datetime, now: datetime) -> Rotation:
    """A new rotation of these hosts; refused while one is under way."""
    if current is not None and current.under_way:
        raise BadInput(
            f"A rotation to epoch {current.new} is under way since {timestamps.write(current.started_at)}; "
            "go on with it (-e rotation=continue) or give it up (-e rotation=abort)."
        )
    if ends_at <= now:
        raise BadInput(
            f"The rotation would end at {timestamps.write(ends_at)}, which is past; give a later rotation_ends_at."
        )
    old = 0 if current is None else current.new
    return Rotation(old, old + 1, "rotating", now, ends_at, dict(hosts))


def pause(current: Rotation | None) -> Rotation:
    current = _under_way(current, "pause")
    if current.phase not in ("rotating", "paused"):
        raise BadInput(f"The rotation to epoch {current.new} is {current.phase} and cannot be paused; let it end.")
    return replace(current, phase="paused")


def resume(current: Rotation | None) -> Rotation:
    current = _under_way(current, "resume")
    return replace(current, phase="rotating") if current.phase == "paused" else current


def abort(current: Rotation | None) -> Rotation:
    """Back to the old epoch, which everybody still serves; not once old keys are being destroyed."""
    current = _under_way(current, "abort")
    if current.phase == "retiring":
        raise BadInput(
            f"The rotation to epoch {current.new} can no longer be given up, because keys of epoch {current.old} are "
            "destroyed already; let it end with -e rotation=continue."
        )
    return current if current.phase == "undoing" else replace(current, phase="aborting")


def go_on(current: Rotation | None) -> Rotation:
    """What is to be gone on with: a rotation under way, or one that is over and left hosts behind."""
    if current is not None and not current.under_way and waiting(current):
        return current
    current = _under_way(current, "continue")
    if current.phase == "paused":
        raise BadInput(
            f"The rotation to epoch {current.new} is paused; go on with it (-e rotation=resume) "
            "or give it up (-e rotation=abort)."
        )
    return current


def moved(current: Rotation, proofs: Proofs, peers: Mapping[str, Collection[str]]) -> Rotation:
    """Hosts that were seen move; a pair is proven when both ends had a handshake and an answer in the new epoch.

    `peers` are those that a host has in the plan. A pair that was proven stays so, whoever sleeps now.
    """
    hosts = dict(current.hosts)
    for name, seen in proofs.items():
        before = hosts.get(name)
        if before is None:
            continue
        open_before = set(before.unproven) if before.moved else set(peers[name])
        proven = {peer for peer in open_before if seen.get(peer) and proofs.get(peer, {}).get(name)}
        hosts[name] = replace(before, moved=True, unproven=tuple(sorted((open_before - proven) & set(peers[name]))))
    return replace(current, hosts=hosts)


def as_planned(current: Rotation, planned: str) -> Rotation:
    """The rotation, still in the phase in which the plan was made that a run applied.

    Where another run gave it up meanwhile, hosts are as nobody wants them any more: to write them down as gone back
    would take away interfaces that they send through.
    """
    if current.phase != planned:
        raise BadInput(
            f"The rotation was {planned} when this run planned, and is {current.phase} by the word of somebody else; "
            "this run ends here, and -e rotation=continue goes on."
        )
    return current


def applied(current: Rotation, names: Collection[str], planned: str) -> Rotation:
    """Hosts on which a plan was applied that was made in the phase `planned`."""
    steps = {"aborting": gone_back, "rotating": arrived, "settled": caught_up}
    current = as_planned(current, planned)
    return steps[current.phase](current, names) if current.phase in steps else current


def arrived(current: Rotation, names: Collection[str]) -> Rotation:
    """Hosts on which the plan was applied that lets them send in the new epoch."""
    hosts = {
        name: replace(host, arrived=True) if name in names and host.moved else host
        for name, host in current.hosts.items()
    }
    return replace(current, hosts=hosts)


def waiting(current: Rotation) -> list[str]:
    """Hosts that have not moved yet."""
    return sorted(name for name, host in current.hosts.items() if not host.arrived)


def joined(current: Rotation, states: Mapping[str, HostState]) -> Rotation:
    """Hosts that were enrolled since the rotation began take part in it."""
    new = {name: state for name, state in states.items() if name not in current.hosts}
    return replace(current, hosts={**current.hosts, **new}) if new else current


def caught_up(current: Rotation, names: Collection[str]) -> Rotation:
    """Hosts that were left behind by a rotation that is over, and have a key of its epoch now."""
    hosts = {
        name: replace(host, moved=True, arrived=True, unproven=()) if name in names else host
        for name, host in current.hosts.items()
    }
    return replace(current, hosts=hosts)


def may_retire(current: Rotation, now: datetime) -> bool:
    """Whether nobody needs the old epoch any more, or its declared end is over."""
    done = all(host.arrived and not host.unproven for host in current.hosts.values())
    return current.phase == "rotating" and (done or now >= current.ends_at)


def retire(current: Rotation) -> Rotation:
    return replace(current, phase="retiring")


def gone_back(current: Rotation, names: Collection[str]) -> Rotation:
    """Hosts that send in the old epoch again."""
    hosts = {
        name: replace(host, moved=False, arrived=False, unproven=()) if name in names else host
        for name, host in current.hosts.items()
    }
    return replace(current, hosts=hosts)


def may_undo(current: Rotation, now: datetime) -> bool:
    """Whether nobody needs the new epoch any more: all that had moved are back, or the declared end is over."""
    back = not any(host.moved for host in current.hosts.values())
    return current.phase == "aborting" and (back or now >= current.ends_at)


def undo(current: Rotation) -> Rotation:
    return replace(current, phase="undoing")


def settle(current: Rotation) -> Rotation:
    """The end of a rotation: only one epoch is left."""
    if current.phase == "retiring":
        return replace(current, phase="settled")
    if current.phase == "undoing":
        return replace(current, phase="settled", new=current.old)
    raise BadInput(f"The rotation to epoch {current.new} is {current.phase}, and does not end here.")


def describe(current: Rotation | None, now: datetime) -> str:
    """One sentence for whoever asks how it stands."""
    if current is None:
        return "The mesh keys are those of the enrolments (epoch 0); no rotation is under way."
    late = waiting(current)
    if not current.under_way:
        behind = f"; left behind: {', '.join(late)}" if late and current.new > current.old else ""
        return f"The mesh keys are those of epoch {current.new}; no rotation is under way{behind}."
    counted = f"{len(current.hosts) - len(late)} of {len(current.hosts)} hosts have moved"
    asleep = f", {', '.join(late)} not" if late and len(late) < len(current.hosts) else ""
    open_pairs = sum(len(host.unproven) for host in current.hosts.values())
    pairs = f", {open_pairs} ways to peers are unproven" if open_pairs else ""
    end = "ended" if now >= current.ends_at else "ends"
    return (
        f"The rotation from epoch {current.old} to {current.new} is {current.phase}: {counted}{asleep}{pairs}; "
        f"it {end} at {timestamps.write(current.ends_at)}."
    )


def _under_way(current: Rotation | None, word: str) -> Rotation:
    if current is None or not current.under_way:
        raise BadInput(f"No rotation is under way that could {word}; start one with -e rotation=start.")
    return current
