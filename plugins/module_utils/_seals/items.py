# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a role true on a host, as a list of small records: files, packages, units, accounts and live probes."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable
from typing import Any

from .._common import fields
from .._common.refused import Refused

# {"kind": ..., "name": ..., and what the kind says more}
Item = dict[str, Any]

MAX_ITEMS = 4096
PRESENT_OR_ABSENT = ("present", "absent")
FILE_STATES = ("file", "directory", "link", "absent")
UNIT_TYPES = ("service", "socket", "timer", "path", "mount", "automount", "swap", "slice", "target")

_INTERFACE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}"
# What may stand after the name of a probe. Some become arguments of programs: none begins with a hyphen.
PROBES = {
    "wireguard": re.compile(_INTERFACE),
    "link": re.compile(_INTERFACE),
    "nftables": re.compile(r"(inet|ip|ip6|arp|bridge|netdev) [A-Za-z_][A-Za-z0-9_./\\-]{0,127}"),
    "resolver": re.compile(_INTERFACE),
    # as sysctl(8) has it: a dot separates, a slash stands for a dot in the name of an interface
    "sysctl": re.compile(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+){1,15}"),
}
_PATH = re.compile(r"/[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,1023}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}(:[a-z0-9-]{2,32})?")
_UNIT = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{{0,240}}\.({'|'.join(UNIT_TYPES)})")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")
_HEAD = frozenset({"kind", "name"})
_NONE: frozenset[str] = frozenset()
_STATE = _HEAD | {"state"}
_FILE_DETAILS = frozenset({"mode", "owner", "group"})
_UNIT_FIELDS = _HEAD | {"enabled", "active"}


def parse_items(value: object, what: str) -> list[Item]:
    """The records of a manifest that came from elsewhere, each in its only form; raises Refused."""
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise fields.malformed(what, f"needs a list of at most {MAX_ITEMS} items")
    found = [_parse(fields.record(one, f"an item of {what}"), f"an item of {what}") for one in value]
    keys = [key_of(one) for one in found]
    if any(first >= second for first, second in itertools.pairwise(keys)):
        raise fields.malformed(what, "does not list each item once and in order")
    return found


def merge(items: Iterable[Item]) -> list[Item]:
    """One record for each kind and name, in order; a later one replaces an earlier one.

    What the later one leaves unsaid stays as it was said: one task enables a unit, another starts it.
    """
    merged: dict[tuple[str, str], Item] = {}
    for given in items:
        item = {**given, "name": _normal_name(given)}
        key = key_of(item)
        before = merged.get(key)
        said = {name: value for name, value in item.items() if value is not None}
        if before is not None and before.get("state") == item.get("state"):
            merged[key] = {**before, **said}
        else:
            merged[key] = item
    return [merged[key] for key in sorted(merged)]


def key_of(item: Item) -> tuple[str, str]:
    """What an item is known by."""
    return item["kind"], item["name"]


def _normal_name(item: Item) -> str:
    """Tasks may write a folder with a slash at its end, and a service without its type."""
    name = str(item["name"])
    if item["kind"] in ("file", "tree") and name.startswith("/"):
        return posixpath.normpath("/" + name.lstrip("/"))
    if item["kind"] == "unit" and name.rpartition(".")[2] not in UNIT_TYPES:
        return f"{name}.service"
    return name


def probe_of(name: str) -> tuple[str, str]:
    """The probe and its argument, from the name of an item."""
    probe, _colon, argument = name.partition(":")
    return probe, argument


def _parse(item: Item, what: str) -> Item:
    kind = item.get("kind")
    if kind == "file":
        fields.only(item, _STATE, _FILE_DETAILS, what)
        _name(item, what, _PATH)
        _choice(item, what, FILE_STATES)
        for name in _FILE_DETAILS & item.keys():
            fields.text(item, name, what)
    elif kind == "tree":
        fields.only(item, _HEAD, _NONE, what)
        _name(item, what, _PATH)
    elif kind in ("package", "account"):
        fields.only(item, _STATE, _NONE, what)
        _name(item, what, _PACKAGE if kind == "package" else _ACCOUNT)
        _choice(item, what, PRESENT_OR_ABSENT)
    elif kind == "unit":
        fields.only(item, _UNIT_FIELDS, _NONE, what)
        _name(item, what, _UNIT)
        for name in ("enabled", "active"):
            if item[name] is not None:
                fields.flag(item, name, what)
    elif kind == "probe":
        fields.only(item, _HEAD, _NONE, what)
        probe, argument = probe_of(_name(item, what, fields.WORDS))
        if probe not in PROBES or not PROBES[probe].fullmatch(argument):
            raise _unusable(item, what)
    else:
        raise fields.malformed(what, "is of an unknown kind")
    return item


def _name(item: Item, what: str, form: re.Pattern[str]) -> str:
    name = fields.text(item, "name", what, form)
    if form is _PATH and (posixpath.normpath(name) != name or name.startswith("//")):
        raise _unusable(item, what)
    return name


def _choice(item: Item, what: str, choices: tuple[str, ...]) -> None:
    if item["state"] not in choices:
        raise fields.malformed(what, f"has a state other than {', '.join(choices)}")


def _unusable(item: Item, what: str) -> Refused:
    return fields.malformed(what, f"has the unusable name {ascii(item['name'])[:80]}")
