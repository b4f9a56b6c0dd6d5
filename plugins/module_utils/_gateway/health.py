# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway does about what it sees: pure, called again at each look.

A gateway is tested through: a target on the LAN must answer. What it announces only gets worse, and is never taken
back altogether, so that the last gateway stays whatever its target says. Its floating addresses it lets go at once
where another gateway says that it does well, and otherwise only by a lower priority, which nobody may take up. So does
one that is drained and well: it holds them until another one has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .routing import DRAINED, HEALTHY, UNHEALTHY


@dataclass(frozen=True, slots=True)
class Sibling:
    """What another gateway of the site said last; ``heard_at`` in seconds of the same clock as everything here."""

    heard_at: float
    healthy: bool
    drained: bool
    hosts: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. ``answered_at`` has for each target when it last answered, ``hosts`` counts paths to hosts that live;
    ``forwards`` says whether the kernel passes on packets at all."""

    now: float
    answered_at: Mapping[str, float]
    hosts: int
    siblings: Mapping[str, Sibling]
    drained: bool
    forwards: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered between looks; ``good_since`` is None while something is wrong."""

    good_since: float | None = None
    healthy: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: ``metric`` to announce the LAN with, ``penalty`` on what the other gateways are told of hosts,
    ``release`` the floating addresses at once, or be in ``doubt`` about them."""

    state: State
    lan: bool
    wan: bool
    metric: int
    penalty: int
    release: bool
    doubt: bool

    @property
    def drained(self) -> bool:
        return self.metric == DRAINED


def judge(seen: Seen, before: State, silence_seconds: float, rise_seconds: float) -> Verdict:
    """The verdict of a look. A target or sibling silent for ``silence_seconds`` counts as gone; what was bad must be
    good for ``rise_seconds`` first, in which the others hand over what they know."""
    heard = [one for one in seen.siblings.values() if seen.now - one.heard_at <= silence_seconds]
    answered = not seen.answered_at or any(seen.now - at <= silence_seconds for at in seen.answered_at.values())
    # what a target answers to the gateway itself, nobody else gets where nothing is passed on
    lan = seen.forwards and answered
    # no host at all is no fault, unless another gateway has some
    wan = seen.hosts > 0 or not any(one.hosts > 0 for one in heard)
    if not (lan and wan):
        state = replace(before, good_since=None, healthy=False)
    else:
        since = seen.now if before.good_since is None else before.good_since
        state = replace(before, good_since=since, healthy=before.healthy or seen.now - since >= rise_seconds)
    if state.healthy != before.healthy:
        state = replace(state, since=seen.now)
    serving = state.healthy and not seen.drained
    others = any(one.healthy and not one.drained for one in heard)
    metric = DRAINED if seen.drained else HEALTHY if state.healthy else UNHEALTHY
    return Verdict(
        state=state,
        lan=lan,
        wan=wan,
        metric=metric,
        penalty=max(metric - HEALTHY, 1),
        # a drained gateway that does well holds on until another one has taken over: nothing falls in between
        release=not state.healthy and others,
        doubt=not serving and (state.healthy or not others),
    )
