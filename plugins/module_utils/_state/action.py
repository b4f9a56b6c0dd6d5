# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed actions: an operator's word to named hosts that they do one thing, now.

The registry hands an action on and cannot make one. A host reads nothing of it before the signature of a pinned key was
found good, and then nothing but the payload: whom it is for, what, in which role, and between which moments.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .._common import canonical, dsse, fields, timestamps
from .._common.errors import BadInput, opening
from .._common.refused import Refused

PAYLOAD_TYPE = "application/vnd.bocage.action+json"
# All of it passes through a web server that takes 64 KiB.
MAX_ACTION_BYTES = 49152
MAX_HOSTS = 500
MAX_PACKAGES = 50
MAX_VALID_SECONDS = 60
# How far a host's clock may be behind the operator's.
CLOCK_AHEAD = timedelta(seconds=30)

VERB = re.compile(r"[a-z][a-z0-9-]{0,31}")
ROLE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
NONCE = re.compile(r"[0-9a-f]{32}")
# A request for a package, as `name`, `name(>=1.2)` or `name (= 1.2-3)`; never what a program would take for an option.
PACKAGE = re.compile(r"[a-z0-9][A-Za-z0-9+._-]{0,127}( ?\([<>=!]{1,2} ?[A-Za-z0-9.+~:-]{1,64}\))?")

_REQUIRED = frozenset({"schema", "host_ids", "verb", "arguments", "role", "issued_at", "not_after", "nonce"})
_NONE: frozenset[str] = frozenset()

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Verb:
    """What an action may ask for: its arguments, and how long a host gives it."""

    packages: str = "none"
    """Whether names of packages go with it: `none`, `some` (none means all) or `needed`."""
    seconds: int = 600

    def check(self, verb: str, arguments: Arguments, what: str) -> None:
        allowed = _NONE if self.packages == "none" else frozenset({"packages"})
        needed = allowed if self.packages == "needed" else _NONE
        fields.only(dict(arguments), needed, allowed, f"the arguments of {verb} in {what}")
        if "packages" in arguments:
            named = fields.texts(dict(arguments), "packages", what, PACKAGE, MAX_PACKAGES)
            if self.packages == "needed" and not named:
                raise fields.malformed(what, f"asks for {verb} and names no package")


# What a host can be asked for. The agent has a program for each; a host that lacks one says so.
VERBS: dict[str, Verb] = {
    "report": Verb(seconds=120),
    "audit": Verb(packages="some", seconds=1800),
    "update": Verb(),
    "download-upgrade": Verb(seconds=3600),
    "upgrade": Verb(seconds=7200),
    "install": Verb(packages="needed", seconds=7200),
    "remove": Verb(packages="needed", seconds=3600),
    "forget": Verb(packages="needed"),
    "clean": Verb(),
}


@dataclass(frozen=True)
class Action:
    """One word to some hosts. `digest` is that of the payload that was read, empty where it is yet to be signed."""

    host_ids: tuple[str, ...]
    verb: str
    arguments: Arguments
    role: str
    issued_at: datetime
    not_after: datetime
    nonce: str
    digest: str = ""

    @classmethod
    def from_payload(cls, payload: bytes, what: str = "the action") -> Action:
        """Read a verified payload; raises Refused for anything but the one canonical spelling of a whole action."""
        document = fields.record(canonical.loads(payload, what), what)
        fields.only(document, _REQUIRED, _NONE, what)
        fields.integer(document, "schema", what, 1, 1)
        result = cls(
            host_ids=tuple(fields.texts(document, "host_ids", what, fields.UUID, MAX_HOSTS)),
            verb=fields.text(document, "verb", what, VERB),
            arguments=fields.record(document["arguments"], f"the arguments of {what}"),
            role=fields.text(document, "role", what, ROLE),
            issued_at=timestamps.parse(document["issued_at"], f"issued_at of {what}"),
            not_after=timestamps.parse(document["not_after"], f"not_after of {what}"),
            nonce=fields.text(document, "nonce", what, NONCE),
            digest=canonical.digest(payload),
        )
        if not result.host_ids or list(result.host_ids) != sorted(set(result.host_ids)):
            raise fields.malformed(what, "needs the ids of its hosts, each once and in order")
        if not 0 < (result.not_after - result.issued_at).total_seconds() <= MAX_VALID_SECONDS:
            raise fields.malformed(what, f"does not end within {MAX_VALID_SECONDS} seconds after it was issued")
        # A verb that this release does not know has arguments that it cannot judge; policy refuses it by its name.
        if (verb := VERBS.get(result.verb)) is not None:
            verb.check(result.verb, result.arguments, what)
        if result.to_payload() != payload:
            raise fields.malformed(what, "is not in canonical form")
        return result

    def to_payload(self) -> bytes:
        return canonical.dumps(
            {
                "schema": 1,
                "host_ids": list(self.host_ids),
                "verb": self.verb,
                "arguments": dict(self.arguments),
                "role": self.role,
                "issued_at": timestamps.write(self.issued_at),
                "not_after": timestamps.write(self.not_after),
                "nonce": self.nonce,
            }
        )

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(self.arguments.get("packages") or ())


@dataclass(frozen=True)
class Key:
    """A public key that actions are signed with, and the roles in which its holder may act."""

    name: str
    public: bytes
    roles: frozenset[str]


@dataclass(frozen=True)
class Policy:
    """Who may ask this host for what; written on it by Ansible."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    """By the name that envelopes call a key."""
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The verbs of each role."""

    @classmethod
    def from_document(cls, document: Any, what: str = "the policy of actions") -> Policy:
        """`{"keys": {name: {"public_key": base64, "roles": [...]}}, "roles": {role: [verb, ...]}}`; raises Refused."""
        found = fields.record(document, what)
        fields.only(found, frozenset({"keys", "roles"}), _NONE, what)
        roles: dict[str, frozenset[str]] = {}
        for role in fields.record(found["roles"], f"roles in {what}"):
            if not ROLE.fullmatch(role):
                raise fields.malformed(what, "has a role of an unusable name")
            roles[role] = frozenset(fields.texts(found["roles"], role, what, VERB))
        keys: dict[str, Key] = {}
        for name, value in fields.record(found["keys"], f"keys in {what}").items():
            key = fields.record(value, f"a key in {what}")
            fields.only(key, frozenset({"public_key", "roles"}), _NONE, f"a key in {what}")
            if not KEY_NAME.fullmatch(name):
                raise fields.malformed(what, "has a key of an unusable name")
            public = read_public_key(fields.text(key, "public_key", what, fields.KEY), what)
            held = frozenset(fields.texts(key, "roles", what, ROLE))
            if keys.setdefault(dsse.key_id(public), Key(name, public, held)).name != name:
                raise fields.malformed(what, "has one key under two names, whose roles could differ")
        return cls(keys, roles)

    def check(self, action: Action, key: Key) -> None:
        """Raises Refused where the holder of the key may not ask for this verb in this role."""
        if action.role not in key.roles:
            raise Refused("not_permitted", f"The key {key.name} may not act as {action.role} on this host.")
        if action.verb not in self.roles.get(action.role, _NONE):
            raise Refused("not_permitted", f"The role {action.role} may not ask this host for {action.verb}.")
        if action.verb not in VERBS:
            raise Refused("not_permitted", f"This release of the agent does not know the verb {action.verb}.")


def read_public_key(text: str, what: str) -> bytes:
    """The 32 raw bytes of a key in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise fields.malformed(what, "has a key that is not base64") from error


def make(
    host_ids: Iterable[str],
    verb: str,
    arguments: Arguments,
    role: str,
    *,
    now: datetime,
    valid_seconds: int = MAX_VALID_SECONDS,
    random: Callable[[int], bytes],
) -> Action:
    """A new action with a nonce of its own. Raises BadInput where hosts would refuse its form."""
    action = Action(
        host_ids=tuple(sorted(set(host_ids))),
        verb=verb,
        arguments=dict(arguments),
        role=role,
        issued_at=now,
        not_after=now + timedelta(seconds=valid_seconds),
        nonce=random(16).hex(),
    )
    if verb not in VERBS:
        raise BadInput(f"There is no verb {verb}; hosts can be asked for {', '.join(sorted(VERBS))}.")
    try:
        return Action.from_payload(action.to_payload())
    except Refused as error:
        raise BadInput(f"{error} Nothing was sent.") from error


def sign(action: Action, private_key_pem: bytes) -> dict[str, Any]:
    return dsse.sign(action.to_payload(), PAYLOAD_TYPE, private_key_pem)


def verify(raw: bytes, keys: Mapping[str, Key], what: str = "the action") -> tuple[Action, Key]:
    """An action that the holder of one of the keys has signed, and that key; raises Refused.

    Bytes first: the payload is read after a signature over exactly these bytes was found good.
    """
    envelope = dsse.load(raw, what, MAX_ACTION_BYTES)
    refusal = Refused("bad_signature", f"{opening(what)} is signed by no key that is pinned here.")
    for name in dsse.signer_key_ids(envelope, what):
        if name in keys:
            try:
                payload = dsse.verify(envelope, PAYLOAD_TYPE, keys[name].public, what)
            except Refused as error:
                # somebody may have put the name of a key beside the signature of another
                refusal = error
                continue
            return Action.from_payload(payload, what), keys[name]
    raise refusal


def check_addressee(action: Action, host_id: str) -> None:
    if host_id not in action.host_ids:
        raise Refused("wrong_host", "The action is not for this host.")


def check_clock(action: Action, now: datetime) -> None:
    """Whether the moment is within the action's window; an action is an instruction for now and for no other time."""
    between = f"from {timestamps.write(action.issued_at)} to {timestamps.write(action.not_after)}"
    if now > action.not_after:
        raise Refused(
            "expired",
            f"The action counts {between}, and it is {timestamps.write(now)} here: it came too late, or one of the"
            " clocks is wrong.",
        )
    if action.issued_at - now > CLOCK_AHEAD:
        raise Refused(
            "wrong_clock",
            f"The action counts {between}, and it is only {timestamps.write(now)} here: one of the clocks is wrong.",
        )
