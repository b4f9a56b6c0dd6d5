# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an author asks for to the document with which a rollout starts: exact versions, before and after. Pure.

The packages that change come with the rollout, so that no host can have them before the document holds it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .._common import fields, timestamps
from .._common.errors import BadInput
from .._common.refused import Refused
from .._common.rollout import Host, State, members, read_rollout
from . import downgrades, rollout_figures, solver
from .downgrades import Ticket
from .requests import Constraint, Request, parse_requests
from .rollout_document import NAME, Locked, RolloutDocument
from .target_custom import Custom
from .universe import Candidate, Goal, Universe, Wanted
from .versions import Version

DEFAULT_DAYS = 30
MAX_DAYS = 365
_GIVEN = frozenset({"rings"})
_GIVEN_OPTIONAL = frozenset({"salt", "gates", "windows", "error_budget_hosts", "roll_back", "valid_days"})

SignTicket = Callable[[Ticket], Mapping[str, Any]]


@dataclass(frozen=True)
class Listed:
    """A package as the repository lists it, or as it will with the rollout (`new`)."""

    sha256: str
    custom: Custom
    new: bool = False


def start(
    name: str,
    given: Mapping[str, Any],
    packages: Sequence[str],
    listed: Sequence[Listed],
    hosts: Sequence[Host],
    others: Iterable[RolloutDocument],
    now: datetime,
    sign: SignTicket | None,
    figures: Collection[str] = (),
    ticket_keys: Sequence[bytes] = (),
) -> RolloutDocument:
    """The document of a rollout that has opened no ring yet. Raises BadInput in one sentence.

    `given` has rings, gates, windows, error_budget_hosts, roll_back, salt and valid_days; `packages` are requests, all
    new packages where there are none; `sign` signs downgrade tickets, `ticket_keys` are those (raw Ed25519) that hosts
    believe; `figures` are the names of those that hosts report.
    """
    definition = _definition(name, given, hosts, now)
    rollout = read_rollout(definition)
    rollout_figures.check(name, [one.name for one in rollout.gates.metrics], figures)
    chosen = _closure(name, packages, listed)
    after = {package: _locked(one, listed) for package, one in chosen.items()}
    before = _before(name, chosen, after, listed)
    _check_others(name, before.keys() | after.keys(), others)
    document = RolloutDocument(definition, State(), before, after, ())
    if not any(members(rollout, hosts)):
        raise BadInput(f"No host is in any ring of the rollout {name}; name hosts or groups that are enrolled.")
    return with_tickets(document, hosts, sign, ticket_keys)


def with_tickets(
    document: RolloutDocument, hosts: Sequence[Host], sign: SignTicket | None, ticket_keys: Sequence[bytes]
) -> RolloutDocument:
    """The document with leave to go back for each host of its rings; hosts that have it already are passed over.

    Leave that a key gave whose tickets do not count any more is replaced.
    """
    believed = [(one, ticket) for one in document.tickets if (ticket := _believed(one, ticket_keys)) is not None]
    known = {host for _one, ticket in believed for host in ticket.hosts}
    inside = {one for ring in members(document.rollout, hosts) for one in ring}
    missing = sorted({host.identifier for host in hosts if host.name in inside} - known)
    back = [one for one in sorted(document.changing) if one in document.before and one in document.after]
    if not missing or not back or not document.rollout.roll_back:
        return document
    if sign is None:
        raise BadInput(
            f"The rollout {document.name} can go back only with downgrade tickets, and no key for them was given; make one"
            " with playbooks/package_root.yml, or set roll_back to false."
        )
    more = tuple(
        sign(Ticket(package, document.before[package].version, tuple(missing), document.expires)) for package in back
    )
    if not all(_believed(one, ticket_keys) for one in more):
        raise BadInput(
            f"No host would let the rollout {document.name} go back: the key for downgrade tickets is not among those of"
            " package_root_ticket_holders; name its holder there and run playbooks/package_root.yml, or take another key."
        )
    return replace(document, tickets=(*(one for one, _ticket in believed), *more))


def _believed(envelope: Mapping[str, Any], ticket_keys: Sequence[bytes]) -> Ticket | None:
    """The ticket in an envelope, where hosts believe who signed it."""
    try:
        return downgrades.verify(envelope, ticket_keys)
    except Refused:
        return None


def _definition(name: str, given: Mapping[str, Any], hosts: Sequence[Host], now: datetime) -> dict[str, Any]:
    """What was given as signed data: groups are hosts, fractions are texts, the end is a time."""
    if not NAME.fullmatch(name):
        raise BadInput(f"{name[:60]!a} is no name of a rollout; use small letters, digits, - and _.")
    what = f"the rollout {name}"
    try:
        record = fields.record(given, what)
        fields.only(record, _GIVEN, _GIVEN_OPTIONAL, what)
        days = fields.integer({"valid_days": DEFAULT_DAYS, **record}, "valid_days", what, 1, MAX_DAYS)
        rings = record["rings"]
        if isinstance(rings, list):
            rings = [_without_groups(one, what, hosts) for one in rings]
    except Refused as error:
        raise BadInput(str(error)) from error
    found = {key: value for key, value in record.items() if key != "valid_days"}
    found |= {"name": name, "salt": record.get("salt", name), "rings": rings}
    found["expires"] = timestamps.write(now + timedelta(days=days))
    plain: dict[str, Any] = _plain(found)
    return plain


def _without_groups(ring: Any, what: str, hosts: Sequence[Host]) -> dict[str, Any]:
    record = fields.record(ring, f"a ring of {what}")
    named = fields.texts({"hosts": [], **record}, "hosts", f"a ring of {what}", most=10000)
    groups = frozenset(fields.texts({"groups": [], **record}, "groups", f"a ring of {what}"))
    known = {host.name for host in hosts} | {host.identifier for host in hosts}
    if unknown := sorted(set(named) - known):
        raise BadInput(
            f"The ring {record.get('name')} of {what} names {unknown[0]}, which is no managed host that is enrolled."
        )
    if empty := sorted(one for one in groups if not any(one in host.groups for host in hosts)):
        raise BadInput(
            f"The ring {record.get('name')} of {what} names the group {empty[0]}, which has no enrolled host."
        )
    found = {key: value for key, value in record.items() if key != "groups"}
    inside = {host.name for host in hosts if host.groups & groups}
    return {**found, "hosts": sorted({*named, *inside})} if named or inside else found


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _closure(name: str, packages: Sequence[str], listed: Sequence[Listed]) -> dict[str, Candidate]:
    """What these packages need, with the new ones in it."""
    new = [one for one in listed if one.new]
    if not new:
        raise BadInput(
            f"The rollout {name} brings nothing new; give the files of packages that are not published yet,"
            " since hosts may have taken what is published."
        )
    asked = [one for text in packages for one in parse_requests(text)]
    # not read as text: the name of a unit has commas
    asked = asked or [Request(one.custom.package, (Constraint("=", Version.parse(one.custom.version)),)) for one in new]
    candidates = [
        Candidate.parse(
            one.custom.package, one.custom.version, one.custom.depends, one.custom.conflicts, sha256=one.sha256
        )
        for one in listed
    ]
    goal = Goal(tuple(Wanted(one, f"the rollout {name}") for one in asked))
    chosen = dict(solver.solve(Universe.of(candidates), goal).chosen)
    for one in new:
        found = chosen.get(one.custom.package)
        if found is None or found.version != Version.parse(one.custom.version):
            raise BadInput(
                f"The package {one.custom.package} {one.custom.version} would come with the rollout {name}, and nothing of"
                " it asks for this version; leave it out, or name it in packages."
            )
    return chosen


def _locked(chosen: Candidate, listed: Sequence[Listed]) -> Locked:
    """One version in all its builds, for machines of several kinds."""
    builds = {
        one.sha256
        for one in listed
        if one.custom.package == chosen.package and Version.parse(one.custom.version) == chosen.version
    }
    return Locked(str(chosen.version), tuple(sorted(builds)))


def _before(
    name: str, chosen: Mapping[str, Candidate], after: Mapping[str, Locked], listed: Sequence[Listed]
) -> dict[str, Locked]:
    """What hosts have until their ring is opened: the newest that is published, of each package that changes."""
    coming = {one.custom.package for one in listed if one.new}
    before = {package: one for package, one in after.items() if package not in coming}
    for package in sorted(coming & after.keys()):
        old = [
            Candidate.parse(package, one.custom.version, sha256=one.sha256)
            for one in listed
            if one.custom.package == package and not one.new
        ]
        if not old:
            continue
        newest = max(old, key=lambda one: one.version)
        if newest.version >= chosen[package].version:
            raise BadInput(
                f"The package {package} {newest.version} is published already, and the rollout {name} would bring"
                f" {chosen[package].version}; give it a higher version."
            )
        before[package] = _locked(newest, [one for one in listed if not one.new])
    return before


def _check_others(name: str, packages: Iterable[str], others: Iterable[RolloutDocument]) -> None:
    taken = frozenset(packages)
    for other in others:
        if other.name == name:
            raise BadInput(
                f"There is a rollout {name} already, which is {other.state.phase}; end it, or take another name."
            )
        shared = sorted(taken & (other.before.keys() | other.after.keys()))
        if shared and other.state.phase != "done":
            raise BadInput(
                f"The package {shared[0]} is held by the rollout {other.name}, which is"
                f" {other.state.phase.replace('_', ' ')}; end that one first."
            )
