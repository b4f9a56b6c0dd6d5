# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of packages, as far as a solution may break it: the links of every explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from .requests import Request
from .universe import Candidate, Wanted


@dataclass(frozen=True)
class Depends:
    """The fact that a candidate needs what a request allows."""

    candidate: Candidate
    request: Request


@dataclass(frozen=True)
class Conflicts:
    """The fact that a candidate conflicts with what a request allows."""

    candidate: Candidate
    request: Request


Fact = Union[Depends, Conflicts, Wanted]  # noqa: UP007  ansible-test reads "|" as an operator here


@dataclass(frozen=True)
class Need:
    """One of `options` (numbers in one domain) must be there, for the sake of `fact`."""

    package: str
    options: tuple[int, ...]
    fact: Fact
