# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what with packages on this host. Pure: a caller and rules in, a sentence out."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bocage_core._common.errors import BocageError

from .commands import sentence

# What changes nothing but in the way that the maintainers of the host want anyway.
FREE = frozenset({"update", "upgrade", "download-upgrade", "clean"})
SELF_SERVICE = frozenset({"install", "remove"})
LOOKS = frozenset({"list", "search"})
# One package by its bare name: a request with versions or a list of several would hide what a rule does not name.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")

# Before the name of a user, in the place of a group.
ONE_USER = "user:"

Rules = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Caller:
    name: str
    groups: frozenset[str]
    administrator: bool


class NotAllowed(BocageError):
    """The caller may not do this; nothing was done."""


def check(caller: Caller, verb: str, packages: Sequence[str], rules: Iterable[Rules]) -> None:
    """Raises NotAllowed where neither the verb, nor the caller, nor a rule of self-service allows it."""
    if caller.administrator or (verb in FREE and not packages):
        return
    allowed = patterns_of(caller, rules)
    if verb in LOOKS and allowed:
        return
    if verb in SELF_SERVICE:
        for name in packages:
            if not _NAME.fullmatch(name) or not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
                raise NotAllowed(
                    f"{caller.name} may not {verb} {sentence(name)[:128]}: no rule of self-service names it; ask an administrator."
                )
        if packages:
            return
    raise NotAllowed(f"{caller.name} may not do `{verb}` on this host; it needs the rights of an administrator.")


def patterns_of(caller: Caller, rules: Iterable[Rules]) -> frozenset[str]:
    """What a caller may install, by all rules for groups of users and for single ones."""
    return frozenset(
        pattern for one in rules for whom, patterns in one.items() if _is_for(whom, caller) for pattern in patterns
    )


def _is_for(whom: str, caller: Caller) -> bool:
    # a directory may have a group that is called so; it is no user
    if whom.startswith(ONE_USER):
        return whom == f"{ONE_USER}{caller.name}"
    return whom in caller.groups
