# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway knows of its own ability to serve a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .election import Fitness


@dataclass
class Watch:
    """Answers of several targets: one that answers is enough. Without targets there is nothing to go by."""

    targets: frozenset[str]
    patience: float
    """Seconds without any answer after which the way is taken for lost."""
    _answered: dict[str, float] = field(default_factory=dict)

    def answer(self, now: float, target: str) -> None:
        if target in self.targets:
            self._answered[target] = now

    def good(self, now: float) -> bool:
        return not self.targets or any(now - at < self.patience for at in self._answered.values())

    def answering(self, now: float) -> Mapping[str, bool]:
        return {target: now - self._answered.get(target, float("-inf")) < self.patience for target in self.targets}


@dataclass
class Steadiness:
    """Bad at once, good again only after it was good for a while, so that a flapping link moves nothing twice."""

    hold: float
    good: bool = False
    _good_since: float | None = None
    _fell: bool = False

    def update(self, now: float, good: bool) -> bool:
        if not good:
            self._fell = self._fell or self.good
            self.good, self._good_since = False, None
            return False
        if self._good_since is None:
            self._good_since = now
        # what never failed has nothing to prove
        if not self._fell or now - self._good_since >= self.hold:
            self.good, self._fell = True, False
        return self.good


def fitness(lan: bool, overlay: bool, drained: bool, hearing: bool) -> Fitness:
    """Both ways must be good; ``hearing`` says whether anything comes in from the LAN."""
    if not lan and not hearing:
        return Fitness.DEAF
    if not (lan and overlay):
        return Fitness.UNFIT
    return Fitness.DRAINED if drained else Fitness.FIT
