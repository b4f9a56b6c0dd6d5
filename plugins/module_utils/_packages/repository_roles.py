# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may sign which targets, and the signed lists themselves (TUF specification 4.5).

Everything here makes or reads metadata in memory; what lies on the disk is the matter of repository_store. All
delegations terminate and their paths do not overlap, so each target has one role that may speak of it.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._common import canonical
from .._common.errors import BadInput
from .._common.refused import Refused
from . import repository_layout as layout
from . import tuf_library as tuf

_PLACES: dict[str, tuple[str, ...]] = {
    "base": ("base/*",),
    "deployers": ("group/*", "unit/*", "profile/*", "selfservice/*", "policy/*"),
    "crl": ("crl/*",),
    "masters": ("masters/*", "masters/*/*", "masters/*/*/*"),
    "rollouts": ("rollouts/*",),
}
_FOLDER = re.compile(r"[a-z]+(/[a-z0-9][a-z0-9-]*)*/\*")
_BIN = re.compile(r"-[0-9a-f]{1,3}$")
_BEFORE_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Delegation:
    """Paths of targets that some keys may sign, with how many of them, and whether these targets may execute."""

    name: str
    paths: tuple[str, ...]
    keys: tuple[tuf.Key, ...]
    threshold: int = 1
    may_execute: bool = False


def delegations_of(keys: Mapping[str, Sequence[tuf.Key]]) -> list[Delegation]:
    """Delegations of an estate by name; only what developers sign may execute, and rollouts are signed without a person.

    Raises BadInput.
    """
    found = []
    for name, holders in keys.items():
        paths = (f"host/{name.removeprefix('host-')}/*",) if name.startswith("host-") else _PLACES.get(name)
        if paths is None:
            raise BadInput(f"There is no delegation {name}; use {', '.join(_PLACES)} or host-SITE.")
        if not holders:
            raise BadInput(f"The delegation {name} has no key; name at least one public key, or leave it out.")
        found.append(Delegation(name, paths, tuple(holders), may_execute=name == "base"))
    return found


def new_targets(
    delegations: Sequence[Delegation], version: int, now: datetime, lifetime: timedelta = layout.TARGETS_LIFETIME
) -> bytes:
    """The top list, which names no target itself and delegates everything; unsigned, for `repository_keys.sign`."""
    tuf.require_libraries()
    keys: dict[str, tuf.Key] = {}
    roles: dict[str, tuf.DelegatedRole] = {}
    for one in delegations:
        layout.check_role(one.name)
        identifiers = sorted({key.keyid for key in one.keys})
        if one.name in roles:
            raise BadInput(f"The delegation {one.name} is given twice; name each once.")
        if not 1 <= one.threshold <= len(identifiers):
            raise BadInput(
                f"The delegation {one.name} asks for {one.threshold} of {len(identifiers)} keys; give enough."
            )
        extra = {"custom": {"may_execute": one.may_execute}}
        roles[one.name] = tuf.DelegatedRole(one.name, identifiers, one.threshold, True, list(one.paths), None, extra)
        keys |= {key.keyid: key for key in one.keys}
    if clash := [name for name in roles if _BIN.sub("", name) in roles.keys() - {name}]:
        raise BadInput(f"The delegation {clash[0]} has a name that a bin of another one would get; name it otherwise.")
    _refuse_overlap(delegations)
    signed = tuf.Targets(version=version, expires=now + lifetime, targets={}, delegations=tuf.Delegations(keys, roles))
    return to_bytes(tuf.Metadata(signed))


def new_list(
    version: int,
    now: datetime,
    targets: Iterable[tuf.TargetFile] = (),
    bins: tuf.SuccinctRoles | None = None,
    keys: Mapping[str, tuf.Key] | None = None,
    lifetime: timedelta = layout.TARGETS_LIFETIME,
) -> tuf.Metadata[tuf.Targets]:
    """One signed list of targets, or the one that spreads them over `bins`; unsigned."""
    delegations = None if bins is None else tuf.Delegations(dict(keys or {}), None, bins)
    found = {one.path: one for one in targets}
    return tuf.Metadata(tuf.Targets(version=version, expires=now + lifetime, targets=found, delegations=delegations))


def bins_of(role: str, keyids: Sequence[str], threshold: int, bits: int) -> tuf.SuccinctRoles:
    """The hash bins of a role, signed by the keys of the role (TAP 15)."""
    return tuf.SuccinctRoles(list(keyids), threshold, bits, role)


def target(path: str, length: int, sha256: str, custom: Mapping[str, Any] | None = None) -> tuf.TargetFile:
    """One line of a list: `length` in bytes, `custom` as target_custom writes it. Raises BadInput."""
    layout.check_path(path)
    if not 0 <= length <= layout.MAX_TARGET_BYTES:
        raise BadInput(f"The target {path} has {length} bytes, which no list takes.")
    extra = None if custom is None else {"custom": dict(custom)}
    canonical.dumps(extra)  # a fraction would be signed, and then refused by every reader
    return tuf.TargetFile(length, {"sha256": sha256}, path, extra)


def may_execute(role: tuf.DelegatedRole) -> bool:
    """Whether what a delegation signs may execute: only where the top list says so in clear words."""
    custom = role.unrecognized_fields.get("custom")
    return isinstance(custom, dict) and custom.get("may_execute") is True


def delegation_digest(delegations: tuf.Delegations, role: tuf.Role) -> str:
    """Tells one delegation from every other: keys, threshold, paths or bins, and rights."""
    keys = {name: delegations.keys[name].to_dict() for name in role.keyids if name in delegations.keys}
    return hashlib.sha256(canonical.dumps({"role": role.to_dict(), "keys": keys})).hexdigest()


def scope(targets: tuf.Targets, role: tuf.DelegatedRole) -> str:
    """Tells which paths are a delegation's: its own, less those of delegations before it that could be the same."""
    own = role.paths or []
    before: list[str] = []
    for name, other in delegated(targets).items():
        if name == role.name:
            break
        before += [path for path in other.paths or [] if any(_may_meet(path, mine) for mine in own)]
    return hashlib.sha256(canonical.dumps({"own": own, "before": before})).hexdigest()


@functools.lru_cache(maxsize=1024)
def _may_meet(one: str, other: str) -> bool:
    """Whether a path can fit both patterns, as far as what stands before the first star, mark or bracket tells."""
    first, second = _BEFORE_WILDCARD.split(one, maxsplit=1)[0], _BEFORE_WILDCARD.split(other, maxsplit=1)[0]
    return first.startswith(second) or second.startswith(first)


def delegated(targets: tuf.Targets) -> dict[str, tuf.DelegatedRole]:
    """The delegations of the top list by name. Raises Refused where one is not as all of ours are."""
    roles = {} if targets.delegations is None else targets.delegations.roles
    if roles is None:
        raise Refused("malformed", "The top list of the repository delegates to bins instead of paths.")
    if len(roles) > layout.MAX_ROLES:
        raise Refused("oversized", f"The repository has {len(roles)} delegations; at most {layout.MAX_ROLES} are read.")
    for name, role in roles.items():
        if not role.terminating or role.paths is None:
            raise Refused("malformed", f"The delegation {ascii(name)[:60]} is not a terminating one by paths.")
    return roles


def owners(targets: tuf.Targets) -> Callable[[str], str]:
    """Tells of a path which delegation of the top list may sign it, "" for none. Raises as `delegated` does."""
    delegations, found = targets.delegations, delegated(targets)
    known: dict[str, str] = {}

    def ask(path: str) -> str:
        return "" if delegations is None else next(iter(delegations.get_roles_for_target(path)), ("", True))[0]

    def ask_once(path: str) -> str:
        folder, slash, _name = path.rpartition("/")
        if not slash:
            return ask(path)
        owner = known.get(folder)
        if owner is None:
            owner = known[folder] = ask(path)
        return owner

    # where each pattern ends with any name, the folder decides
    folders = all(path.endswith("/*") for role in found.values() for path in role.paths or ())
    return ask_once if folders else ask


def bins_in(targets: tuf.Targets, what: str) -> tuf.SuccinctRoles | None:
    """The bins of a list, when it has some. Raises Refused for delegations that we never make."""
    if targets.delegations is None:
        return None
    bins = targets.delegations.succinct_roles
    if bins is None:
        raise Refused("malformed", f"The list {what} delegates by paths a second time.")
    if bins.bit_length > layout.MAX_BIN_BITS or bins.name_prefix != what:
        raise Refused("malformed", f"The bins of {what} are of no number or name that this repository uses.")
    return bins


def is_bin_of(name: str, role: str) -> bool:
    """Whether a list has the name of a bin of a delegation; `new_targets` gives such a name to no delegation."""
    return name != role and _BIN.sub("", name) == role


def to_bytes(metadata: tuf.Metadata[Any]) -> bytes:
    return metadata.to_bytes()


def from_bytes(raw: bytes, kind: type[Any], what: str, maximum: int = layout.MAX_ROLE) -> tuf.Metadata[Any]:
    """Metadata of one kind; its signatures are not looked at here. Raises Refused."""
    tuf.require_libraries()
    if len(raw) > maximum:
        raise Refused("oversized", f"The metadata of {what} has {len(raw)} bytes; at most {maximum} are read.")
    try:
        metadata: tuf.Metadata[Any] = tuf.Metadata.from_bytes(raw)
    except tuf.exceptions.RepositoryError as error:
        raise Refused("malformed", f"The metadata of {what} cannot be read as TUF writes it.") from error
    if not isinstance(metadata.signed, kind):
        raise Refused("wrong_type", f"The metadata of {what} is of the type {metadata.signed.type}.")
    return metadata


def read_root(raw: bytes, what: str = "root") -> tuf.Root:
    """What a root says; its signatures are not looked at here. Raises Refused."""
    signed: tuf.Root = from_bytes(raw, tuf.Root, what, layout.MAX_ROOT).signed
    return signed


def verify(delegator: tuf.Root | tuf.Targets, role: str, metadata: tuf.Metadata[Any]) -> None:
    """Enough good signatures of the keys that the delegator names. Raises Refused."""
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except tuf.exceptions.UnsignedMetadataError as error:
        needed = delegator.get_delegated_role(role).threshold
        raise Refused(
            "bad_signature", f"The metadata of {role} lacks good signatures: {needed} of its keys must sign it."
        ) from error
    except (tuf.exceptions.RepositoryError, ValueError) as error:
        raise Refused("bad_signature", f"Nobody is entitled to sign {role} in this repository.") from error


def _refuse_overlap(delegations: Sequence[Delegation]) -> None:
    taken: dict[str, str] = {}
    for one in delegations:
        if not one.paths:
            raise BadInput(f"The delegation {one.name} has no path; name what it may sign, as in host/paris/*.")
        for path in one.paths:
            # Folders with a star for the name are the only patterns that cannot overlap in part.
            if path not in _PLACES["masters"] and not _FOLDER.fullmatch(path):
                raise BadInput(
                    f"The path {path} of the delegation {one.name} is not a folder and /*, as in host/paris/*."
                )
            if path in taken:
                raise BadInput(f"The path {path} is delegated to {taken[path]} and to {one.name}; give it to one.")
            taken[path] = one.name
