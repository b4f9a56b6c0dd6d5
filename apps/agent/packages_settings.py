# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role tells the agent about packages: one JSON file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, fields
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages.kinds import DIRECTORY_NAME
from bocage_core._packages.replica_choice import Replica, read_replicas

from .packages_platform import Places, places, settings_file

DEFAULT_PATH = settings_file()
MAX_BYTES = 1024 * 1024
_URL = re.compile(r"(https?://[^\s\x00-\x1f]{1,500}|file:///[^\s\x00-\x1f]{0,500})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_REQUEST = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_GROUP = re.compile(r"(user:)?[A-Za-z0-9_.@\\ -]{1,128}")
_PATTERN = re.compile(r"[A-Za-z0-9._+-]{0,127}\*?")
_PATH = re.compile(r"/[^\x00]*")
_REQUIRED = frozenset({"replicas"})
_OPTIONAL = frozenset(
    {
        "host_package",
        "site",
        "machine",
        "require",
        "forbidden",
        "offline_record_days",
        "limits",
        "self_service",
        "units",
        "profiles",
        "directories",
        "trust",
    }
)
# Whether a signer's own certificate in the store is enough, and whether every authority needs a list of revoked ones.
_TRUST = {"pinned_signers": ("refused", "accepted"), "revocation": ("required", "where_listed")}
_PLACES = ("trust", "state", "cache", "lock")
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Limits:
    """What one package may take; bytes and seconds."""

    package_bytes: int = 4 * 1024**3
    hook_seconds: int = 3600
    session_seconds: int = 300
    output_lines: int = 500
    agent_trial_seconds: int = 300


@dataclass(frozen=True)
class PackageSettings:
    replicas: tuple[Replica, ...]
    """Where the repository is had from; none of them is trusted."""
    host_package: str | None
    """The package of this host, by whose dependencies it gets all others."""
    site: str
    """By which windows of rollouts know this host; empty where it is of no site."""
    require: tuple[str, ...]
    forbidden: tuple[str, ...]
    machine: Mapping[str, Any]
    offline_record_days: int
    limits: Limits
    self_service: Mapping[str, tuple[str, ...]]
    """By group of users, names of packages (or beginnings, with a star) that its members may install and remove."""
    units: tuple[str, ...]
    """Organisational units that the host lies in, outermost first: packages that it has where the repository has them."""
    profiles: tuple[str, ...]
    """Groups of the directory that the host is a member of; likewise."""
    places: Places
    document: Mapping[str, Any] = field(default_factory=dict)
    """All of the file, for the library's own keys."""


def read_settings(path: Path = DEFAULT_PATH) -> PackageSettings:
    what = f"the file {path}"
    try:
        return from_document(canonical.loads(atomic.read_bounded(path, MAX_BYTES), what), what)
    except FileNotFoundError as error:
        raise BadInput(f"This host has no packages: {path} is missing; run the role agent with packages.") from error
    except OSError as error:
        raise BadInput(f"The settings of packages {path} cannot be read: {error.strerror}.") from error
    except BocageError as error:
        raise BadInput(f"The settings of packages cannot be used: {error}") from error


def from_document(value: object, what: str) -> PackageSettings:
    document = fields.record(value, what)
    fields.only(document, _REQUIRED, _OPTIONAL, what)
    trust = fields.record(document.get("trust", {}), f"trust in {what}")
    fields.only(trust, _NONE, frozenset(_TRUST), f"trust in {what}")
    for name, value in trust.items():
        if value not in _TRUST[name]:
            raise fields.malformed(f"trust in {what}", f"needs one of {', '.join(_TRUST[name])} in {name}")
    replicas = read_replicas(document["replicas"], what, _URL)
    host_package = document.get("host_package")
    if host_package is not None:
        fields.text(document, "host_package", what, _NAME)
    lists = {"require": [], "forbidden": [], "units": [], "profiles": [], "site": "", **document}
    return PackageSettings(
        replicas=replicas,
        host_package=host_package,
        site=fields.text(lists, "site", what),
        require=tuple(fields.texts(lists, "require", what, _REQUEST)),
        forbidden=tuple(fields.texts(lists, "forbidden", what, _NAME)),
        machine=fields.record(document.get("machine", {}), f"machine in {what}"),
        offline_record_days=fields.integer(
            {"offline_record_days": 30, **document}, "offline_record_days", what, 0, 3650
        ),
        limits=_limits(fields.record(document.get("limits", {}), f"limits in {what}"), f"limits in {what}"),
        self_service=rules(document.get("self_service", {}), f"self_service in {what}"),
        units=tuple(fields.texts(lists, "units", what, DIRECTORY_NAME)),
        profiles=tuple(fields.texts(lists, "profiles", what, DIRECTORY_NAME)),
        places=_places(fields.record(document.get("directories", {}), f"directories in {what}"), what),
        document=document,
    )


def rules(value: object, what: str) -> dict[str, tuple[str, ...]]:
    """Rules of self-service, as settings and packages of that type have them: lists of names by group of users, or by user:NAME."""
    found: dict[str, tuple[str, ...]] = {}
    for group, names in fields.record(value, what).items():
        if not _GROUP.fullmatch(group):
            raise fields.malformed(what, "names a group that cannot be one")
        found[group] = tuple(fields.texts({group: names}, group, what, _PATTERN, 4096))
    return found


def _limits(document: dict[str, Any], what: str) -> Limits:
    known = Limits()
    values = {name: getattr(known, name) for name in Limits.__dataclass_fields__}
    fields.only(document, _NONE, frozenset(values), what)
    return Limits(**{name: fields.integer({**values, **document}, name, what, 1, 2**50) for name in values})


def _places(document: dict[str, Any], what: str) -> Places:
    fields.only(document, _NONE, frozenset(_PLACES), f"directories in {what}")
    usual = places()
    return Places(
        **{
            name: Path(fields.text(document, name, f"directories in {what}", _PATH))
            if name in document
            else getattr(usual, name)
            for name in _PLACES
        }
    )
