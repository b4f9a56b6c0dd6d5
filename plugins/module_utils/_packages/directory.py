# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the computers and groups of a directory to the units and profiles of each host. Plain data in, plain data out.

What the directory says unclearly changes nothing: a host, or its membership of a group, stays as it was before, and a
sentence says what to mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._common import fields
from .._common.errors import BadInput
from . import directory_names
from .directory_names import Key
from .kinds import DIRECTORY_NAME

# Groups in groups are followed this far.
MAX_DEPTH = 16
# As many as a host reads.
MAX_NAMES = 256
_SHOWN = 10


@dataclass(frozen=True)
class Entry:
    """A computer or a group as the directory has it."""

    dn: str
    names: tuple[str, ...]
    members: tuple[str, ...] = ()
    member_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a host is in the directory."""

    units: tuple[str, ...] = ()
    """Outermost first."""
    profiles: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, list[str]]:
        return {"units": list(self.units), "profiles": list(self.profiles)}


@dataclass(frozen=True)
class Places:
    hosts: Mapping[str, Place]
    """Only of hosts that are in a unit or a group."""
    problems: tuple[str, ...]


@dataclass
class _Groups:
    """All groups, what each is a member of, and which names do not say which group is meant."""

    names: dict[Key, str] = field(default_factory=dict)
    """Empty where it is not clear what a group is called."""
    parents: dict[Key, set[Key]] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read_places(value: object) -> dict[str, Place]:
    """What an earlier plan found, as its file has it. Raises BadInput."""
    what = "what was read from the directory before"
    found = {}
    for host, one in fields.record(value, what).items():
        place = fields.record(one, what)
        fields.only(place, frozenset({"units", "profiles"}), frozenset(), what)
        units, profiles = (fields.texts(place, name, what, DIRECTORY_NAME, MAX_NAMES) for name in ("units", "profiles"))
        found[host] = Place(tuple(units), tuple(profiles))
    return found


def plan(
    hosts: Mapping[str, str], computers: Sequence[Entry], groups: Sequence[Entry] | None, before: Mapping[str, Place]
) -> Places:
    """`hosts` has by name in the estate the name in the directory, `before` what the last plan found.

    `groups` is None where none are to count. Raises BadInput where two hosts have one name, or the directory shows no
    computer, or no host and no group where there were some: whoever asks sees too little then.
    """
    by_name: dict[str, str] = {}
    for host, name in sorted(hosts.items()):
        other = by_name.setdefault(name.casefold(), host)
        if other != host:
            raise BadInput(f"The hosts {other} and {host} are both called {name} in the directory; set directory_name.")
    if not computers:
        # more likely a wrong base or too few rights than an empty estate
        raise BadInput("The directory shows no computer there; check the base and the rights of who asks.")
    found, shared, strangers, problems = _computers(by_name, computers)
    if before and not found and not shared:
        raise BadInput(
            "None of the directory's computers is a host of the estate any more; check directory_computer_attribute, the base"
            " and the rights of who asks, or delete directory_file where it is so."
        )
    if groups is not None and not groups and any(place.profiles for place in before.values()):
        raise BadInput(
            "The directory shows no group any more; check directory_groups_base and the rights of who asks, or leave"
            " directory_groups_base out where it is so."
        )
    known = _read_groups(groups or (), computers)
    result: dict[str, Place] = {}
    for host in sorted(hosts):
        old = before.get(host, Place())
        entries = found.get(host, [])
        try:
            place = old if host in shared else _place(host, entries, known, old)
        except BadInput as error:
            problems.append(f"{host} keeps what it had: {error}.")
            place = old
        if not entries and host not in shared and old != Place():
            problems.append(f"{host} is no longer in the directory and loses its units and profiles.")
        if place != Place():
            result[host] = place
    if strangers:
        more = f" and {len(strangers) - _SHOWN} more" if len(strangers) > _SHOWN else ""
        problems.append(
            f"Of the directory's computers are no hosts of the estate: {', '.join(strangers[:_SHOWN])}{more}."
        )
    return Places(result, tuple(dict.fromkeys(problems + known.problems)))


def _computers(
    by_name: Mapping[str, str], computers: Iterable[Entry]
) -> tuple[dict[str, list[Entry]], set[str], list[str], list[str]]:
    """By host its entries; hosts of which an entry means several; computers that are no hosts; what is unclear."""
    found: dict[str, list[Entry]] = {}
    shared: set[str] = set()
    strangers: set[str] = set()
    problems = []
    for entry in computers:
        named = {by_name[name.casefold()] for name in entry.names if name.casefold() in by_name}
        if len(named) > 1:
            problems.append(
                f"The computer {_shown(entry.dn)} names several hosts, which keep what they had: {', '.join(sorted(named))}."
            )
            shared |= named
        if not named:
            strangers.add(_shown(entry.names[0] if entry.names else entry.dn))
        for host in named:
            found.setdefault(host, []).append(entry)
    return found, shared, sorted(strangers), problems


def _place(host: str, entries: Sequence[Entry], groups: _Groups, old: Place) -> Place:
    """Raises BadInput where the entries do not say where the host is."""
    if not entries:
        return Place()
    if len(entries) > 1:
        shown = " and ".join(sorted(_shown(one.dn) for one in entries)[:2])
        raise BadInput(f"the directory has it {len(entries)} times, as {shown}")
    entry = entries[0]
    levels = directory_names.levels(entry.dn)
    units, refused = directory_names.units(levels)
    groups.problems += [f"{one}; {host} has nothing by it." for one in refused]
    profiles = set()
    names = _memberships(host, directory_names.key(levels), groups)
    for name in names - groups.unclear - {""}:
        if directory_names.is_name(name):
            profiles.add(name)
        else:
            groups.problems.append(
                f"No package can be called {_shown(name)}; the members of this group have nothing by it."
            )
    # by the groups that nobody can tell apart nothing changes, nor by those of which nobody knows what they are called
    profiles |= {name for name in old.profiles if name in groups.unclear or "" in names}
    if len(profiles) > MAX_NAMES or len(units) > MAX_NAMES:
        raise BadInput(f"it is in more than {MAX_NAMES} units or groups")
    return Place(tuple(units), tuple(sorted(profiles)))


def _memberships(host: str, start: Key, groups: _Groups) -> set[str]:
    """The names of all groups that an entry is in, also by groups in groups."""
    seen: set[Key] = set()
    level = set(groups.parents.get(start, ()))
    for _depth in range(MAX_DEPTH):
        seen |= level
        level = {above for one in level for above in groups.parents.get(one, ())} - seen
        if not level:
            break
    else:
        groups.problems.append(f"Groups of {host} are nested in more than {MAX_DEPTH} levels; the others are left out.")
    return {groups.names[one] for one in seen}


def _read_groups(groups: Sequence[Entry], computers: Sequence[Entry]) -> _Groups:
    found = _Groups()
    readable: list[tuple[Key, Entry]] = []
    # by place, since an answer may have one of them twice, and in any order
    places: dict[Key, list[Entry]] = {}
    for entry in groups:
        try:
            own = directory_names.key(directory_names.levels(entry.dn))
        except BadInput as error:
            found.problems.append(f"A group is left as it was: {error}.")
            found.unclear |= set(entry.names)
            continue
        readable.append((own, entry))
        places.setdefault(own, []).append(entry)
    called: dict[str, int] = {}
    for own, entries in places.items():
        names = {name for entry in entries for name in entry.names}
        if len(names) == 1 and all(len(entry.names) == 1 for entry in entries):
            (found.names[own],) = names
            called[found.names[own]] = called.get(found.names[own], 0) + 1
            continue
        what = f"has {len(names)} names" if len(entries) == 1 else f"is there {len(entries)} times under several names"
        found.problems.append(f"The group {_shown(entries[0].dn)} {what} and is left as it was.")
        found.unclear |= names
        # what it is a member of counts for its members as ever
        found.names[own] = ""
    for name in (name for name, times in called.items() if times > 1):
        found.problems.append(f"Several groups are called {_shown(name)}; nothing changes by them.")
        found.unclear.add(name)
    for own, entry in readable:
        for member in entry.members:
            _join(found, member, own, f"the group {_shown(entry.dn)}")
    for entry in [*(one for _key, one in readable), *computers]:
        try:
            own = directory_names.key(directory_names.levels(entry.dn))
        except BadInput:
            # its host is told of
            continue
        for group in entry.member_of:
            _join(found, group, own, _shown(entry.dn), upwards=True)
    _tell_cycles(found)
    return found


def _join(found: _Groups, other: str, own: Key, whose: str, *, upwards: bool = False) -> None:
    """Note a membership; groups outside of the base are none of ours."""
    try:
        there = directory_names.key(directory_names.levels(other))
    except BadInput as error:
        found.problems.append(f"A membership of {whose} is left out: {error}.")
        return
    member, group = (own, there) if upwards else (there, own)
    if group in found.names:
        found.parents.setdefault(member, set()).add(group)


def _tell_cycles(found: _Groups) -> None:
    """Groups that are in one another: each once. Whoever is in one of them is in all, as the directory says."""
    done: set[Key] = set()
    for start in sorted(found.names, key=found.names.__getitem__):
        if start in done:
            continue
        path: list[Key] = [start]
        waiting = [sorted(found.parents.get(start, ()), key=found.names.__getitem__)]
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                done.add(path.pop())
                continue
            above = waiting[-1].pop()
            if above in path:
                names = sorted({_shown(found.names[one] or "one without a name") for one in path[path.index(above) :]})
                found.problems.append(f"Groups are members of one another: {', '.join(names[:_SHOWN])}.")
            elif above not in done:
                path.append(above)
                waiting.append(sorted(found.parents.get(above, ()), key=found.names.__getitem__))


def _shown(text: str) -> str:
    return ascii(text[:120])[1:-1]
