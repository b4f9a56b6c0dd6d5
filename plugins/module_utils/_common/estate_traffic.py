# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the traffic classes of all hosts: each declaration, and that hosts mean the same by a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import BadInput
from .estate_schema import Options
from .findings import Finding, listed
from .option_check import has_type, problems_of
from .traffic_classes import TrafficClass, read_classes

_CLASSES, _UPLINK = "voice_classes", "voice_uplink_kbit"
# A class with less than this cannot send one full packet a second.
_LEAST_KBIT = 16


def check_traffic(hosts: Mapping[str, Mapping[str, Any]], options: Options) -> list[Finding]:
    """Everything wrong with the classes of hosts; what has a wrong type has its finding elsewhere."""
    findings: list[Finding] = []
    declared: dict[str, tuple[TrafficClass, ...]] = {}
    # values of group variables are one object, which is read once
    read: dict[int, tuple[TrafficClass, ...] | str] = {}
    wrong: dict[str, list[str]] = {}
    for name, variables in hosts.items():
        value = variables.get(_CLASSES)
        if not value or any(problems_of(value, options.get(_CLASSES, {"type": "list"}), ())):
            continue
        if id(value) not in read:
            read[id(value)] = _read(value)
        found = read[id(value)]
        if isinstance(found, str):
            wrong.setdefault(found, []).append(name)
        declared[name] = () if isinstance(found, str) else found
    for text, names in wrong.items():
        findings.append(Finding(f"{_subject(names)}: {_CLASSES} {text}", (_CLASSES,), names[0]))
    findings += _check_agreement(declared)
    findings += _check_uplinks(hosts, declared)
    return findings


def _read(value: Sequence[Mapping[str, Any]]) -> tuple[TrafficClass, ...] | str:
    """The classes, or why they are none."""
    try:
        return read_classes(value)
    except BadInput as error:
        return str(error)


def _check_agreement(declared: Mapping[str, Sequence[TrafficClass]]) -> Iterable[Finding]:
    """Hosts that have classes at all tell them apart in the same way."""
    first = next((name for name, classes in declared.items() if classes), None)
    if first is None:
        return
    wanted = [one.identity for one in declared[first]]
    others = [name for name, classes in declared.items() if classes and [one.identity for one in classes] != wanted]
    if others:
        yield Finding(
            f"{_subject(others)}: {_CLASSES} has other names, DSCP or ports than on host {first}; only the percents of "
            "hosts may differ.",
            (_CLASSES,),
            others[0],
        )


def _check_uplinks(
    hosts: Mapping[str, Mapping[str, Any]], declared: Mapping[str, Sequence[TrafficClass]]
) -> Iterable[Finding]:
    for name, variables in hosts.items():
        value = variables.get(_UPLINK)
        if value is None or not has_type(value, "int"):
            continue
        rate = int(value)
        if rate < 0:
            yield Finding(f"Host {name}: {_UPLINK} is {rate}; give the rate of its uplink, or 0.", (_UPLINK,), name)
        elif rate and name not in declared:
            text = f"Host {name} has {_UPLINK} but no {_CLASSES} that could share it; declare them, or remove it."
            yield Finding(text, (_UPLINK,), name)
        elif rate:
            for one in declared[name]:
                if rate * one.percent // 100 < _LEAST_KBIT:
                    yield Finding(
                        f"Host {name}: {_UPLINK} {rate} leaves class {one.name} {rate * one.percent // 100} kbit/s, with "
                        f"which it could not speak; give it a share of at least {_LEAST_KBIT}.",
                        (_UPLINK,),
                        name,
                    )


def _subject(names: Sequence[str]) -> str:
    return f"Host{'s' if len(names) > 1 else ''} {listed(names)}"
