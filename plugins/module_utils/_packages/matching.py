# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a package is for a machine: architecture, locale, maturity, operating system and its version, time.

As WAPT judges it. A package that names nothing is for every machine, and one without a maturity has the maturity PROD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .._common.errors import BadInput

_MAX_CHARACTERS = 1024
_MAX_MEMBERS = 16


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine is and takes; an empty field asks nothing of a package.

    `target_os` has every name that the machine answers to, such as linux and debian. `wapt_version` is the version of
    WAPT's agent whose helpers the machine offers.
    """

    architectures: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    maturities: tuple[str, ...] = ()
    target_os: tuple[str, ...] = ()
    os_version: str = ""
    wapt_version: str = ""

    def __post_init__(self) -> None:
        for name, text in (("operating system", self.os_version), ("agent", self.wapt_version)):
            if text and _members(text) is None:
                raise BadInput(
                    f"The version {text[:40]!a} of the machine's {name} is not numbers with dots; correct it."
                )


def matches(fields: Mapping[str, str | int], machine: Machine, at: datetime | None = None) -> str:
    """Why the package with these fields of its control file is not for `machine`, as a clause; empty where it is.

    `at` is the moment at which its `valid_from` and `valid_until` are judged, None to leave them aside. What cannot be
    understood does not match.
    """

    def text(key: str) -> str:
        return str(fields.get(key, ""))

    for key, taken, what in (
        ("architecture", machine.architectures, "architecture"),
        ("locale", machine.locales, "locale"),
        ("target_os", machine.target_os, "operating system"),
    ):
        named = _listed(text(key))
        if taken and named and "all" not in named and not named & set(taken):
            return f"its {what} is {_shown(text(key))} and the machine takes {_shown(','.join(taken))}"
    maturity = text("maturity") or "PROD"
    if machine.maturities and maturity not in machine.maturities:
        return f"its maturity is {_shown(maturity)} and the machine takes {_shown(','.join(machine.maturities))}"
    for key, own, above in (
        ("min_os_version", machine.os_version, False),
        ("max_os_version", machine.os_version, True),
        ("min_wapt_version", machine.wapt_version, False),
    ):
        if reason := _outside(key, text(key), own, above):
            return reason
    return _untimely(text("valid_from"), text("valid_until"), at) if at is not None else ""


def _outside(key: str, bound: str, own: str, above: bool) -> str:
    if not bound or not own:
        return ""
    wanted, found = _members(bound), _members(own)
    if wanted is None or found is None:
        return f"its {key} {_shown(bound)} is no version"
    if found > wanted if above else found < wanted:
        return f"its {key} is {_shown(bound)} and the machine has {_shown(own)}"
    return ""


def _untimely(valid_from: str, valid_until: str, at: datetime) -> str:
    for key, text in (("valid_from", valid_from), ("valid_until", valid_until)):
        if not text:
            continue
        moment = _moment(text)
        if moment is None:
            return f"its {key} {_shown(text)} is no date"
        if key == "valid_from" and at < moment:
            return f"it is valid from {_shown(text)} only"
        if key == "valid_until" and at >= moment:
            return f"it was valid until {_shown(text)} only"
    return ""


def _moment(text: str) -> datetime | None:
    """A date or time in ISO 8601; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(text) if len(text) <= 40 else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _members(text: str) -> tuple[int, ...] | None:
    """The numbers of a version of any length, such as 10.0.19045, filled up with zeros; None where it has others."""
    parts = text.strip().split(".")
    if len(text) > 128 or len(parts) > _MAX_MEMBERS or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(int(part) for part in parts) + (0,) * (_MAX_MEMBERS - len(parts))


def _listed(text: str) -> frozenset[str]:
    # What is longer than any list that means something names nothing that a machine has.
    if len(text) > _MAX_CHARACTERS:
        return frozenset({text})
    return frozenset(_parts(text.split(",")))


def _parts(parts: Iterable[str]) -> Iterable[str]:
    return (bare for part in parts if (bare := part.strip()))


def _shown(text: str) -> str:
    return ascii(text[:60])[1:-1]
