# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator decides about the registry: one JSON file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, dsse, fields
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._state.action import Key, read_public_key
from bocage_core._state.enrolment import LABEL

DEFAULT_WAITING_HOSTS = 300
DEFAULT_LISTEN = "unix:/run/bocage-registry/registry.sock"
_LISTEN = re.compile(r"unix:/.+|.+:[0-9]{1,5}")
_URL = re.compile(r"[a-z][a-z0-9+]*://.*")
_REQUIRED = frozenset({"database_url", "enrolment_public_key_file", "readers", "history_seconds", "clock_skew_seconds"})
_OPTIONAL = frozenset({"listen", "action_keys", "waiting_hosts"})
_READER = frozenset({"name", "token_sha256", "tenant"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reader:
    """Somebody who may read; with a tenant only that tenant's hosts."""

    name: str
    token_sha256: str
    tenant: str | None


@dataclass(frozen=True)
class Settings:
    database_url: str
    enrolment_key: bytes
    readers: tuple[Reader, ...] = ()
    history_seconds: int = 30 * 86400
    clock_skew_seconds: int = 300
    listen: str = DEFAULT_LISTEN
    action_keys: Mapping[str, Key] = field(default_factory=dict)
    """By the name that envelopes call a key; without any, no action is taken."""
    waiting_hosts: int = DEFAULT_WAITING_HOSTS
    """How many hosts may wait for an answer at a time; the others ask again later."""


def read_settings(path: Path) -> Settings:
    """The settings in a file, or BadInput with the file's name and what to do."""
    try:
        document = fields.record(canonical.loads(atomic.read_bounded(path, 1024 * 1024)), "the file")
        fields.only(document, _REQUIRED, _OPTIONAL, "the file")
        readers = document["readers"]
        if not isinstance(readers, list):
            raise fields.malformed("the file", "needs a list of readers")
        return Settings(
            database_url=fields.text(document, "database_url", "the file", _URL),
            enrolment_key=_public_key(Path(fields.text(document, "enrolment_public_key_file", "the file"))),
            readers=tuple(_reader(one) for one in readers),
            history_seconds=fields.integer(document, "history_seconds", "the file", 0),
            clock_skew_seconds=fields.integer(document, "clock_skew_seconds", "the file", 1),
            listen=fields.text(document, "listen", "the file", _LISTEN) if "listen" in document else DEFAULT_LISTEN,
            action_keys=_action_keys(document.get("action_keys", {})),
            waiting_hosts=fields.integer(
                {"waiting_hosts": DEFAULT_WAITING_HOSTS, **document}, "waiting_hosts", "the file", 0, 100_000
            ),
        )
    except OSError as error:
        raise BadInput(f"The settings in {path} cannot be read: {error.strerror}: {error.filename}.") from error
    except BocageError as error:
        raise BadInput(f"The settings in {path} cannot be used: {error}") from error


def _reader(value: Any) -> Reader:
    document = fields.record(value, "a reader")
    fields.only(document, _READER, _NONE, "a reader")
    tenant = document["tenant"]
    return Reader(
        name=fields.text(document, "name", "a reader"),
        token_sha256=fields.text(document, "token_sha256", "a reader", fields.SHA256),
        tenant=None if tenant is None else fields.text(document, "tenant", "a reader", LABEL),
    )


def _action_keys(value: Any) -> dict[str, Key]:
    """The public keys in base64 by their names; which of them may ask for what is the hosts' question."""
    what = "action_keys in the file"
    named = fields.record(value, what)
    keys = [Key(name, read_public_key(fields.text(named, name, what, fields.KEY), what), frozenset()) for name in named]
    return {dsse.key_id(key.public): key for key in keys}


def _public_key(path: Path) -> bytes:
    return dsse.public_key_from_pem(atomic.read_bounded(path, 4096))
