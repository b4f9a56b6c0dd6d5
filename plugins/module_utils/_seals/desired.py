# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of what a role desires on a host, and which part of it changed.

Parts are digested with a key that only the controller has: a plain digest of a short secret could be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

from .._common import canonical
from .._common.dsse import private_key_bytes
from .._common.errors import BadInput

FORMAT = 1
# Of each part a seal keeps this much: enough to say which one changed; what counts is in the base.
SHORT = 16
_LABEL = b"bocage.seal.part-digest.1"


def derive_key(private_key_pem: bytes) -> bytes:
    """The key of part digests, from the controller's seal key; it tells nothing of that."""
    return hmac.digest(private_key_bytes(private_key_pem), _LABEL, "sha256")


def part_digest(key: bytes, value: object) -> str:
    """The keyed digest of a file's bytes or of a variable's value, in hexadecimal.

    Values of different types have different digests, so that "1", 1 and true are told apart.
    """
    if isinstance(value, (bytes, bytearray)):
        return hmac.digest(key, b"bytes\0" + value, "sha256").hex()
    return hmac.digest(key, b"value\0" + canonical.dumps(_tagged(value)), "sha256").hex()


def base_digest(role: str, parts: Mapping[str, str]) -> str:
    """The digest of everything that the controller knows; `parts` are whole digests by name."""
    return hashlib.sha256(canonical.dumps({"format": FORMAT, "role": role, "parts": dict(parts)})).hexdigest()


def full_digest(base: str, facts: Mapping[str, Any]) -> str:
    """The digest of what is desired: with the facts of the host that the role declares as inputs."""
    return hashlib.sha256(canonical.dumps({"base": base, "facts": dict(facts)})).hexdigest()


def short_parts(parts: Mapping[str, str]) -> dict[str, str]:
    """The parts as a seal keeps them."""
    return {name: value[:SHORT] for name, value in parts.items()}


def reasons(role: str, old_parts: Mapping[str, str], new_parts: Mapping[str, str], limit: int = 5) -> list[str]:
    """What is different, in words such as "variable mesh_mtu changed"; `limit` of them, then how many more.

    Digests may be whole or short. Without a difference the list is empty: then facts or the format differ.
    """
    found = []
    for name in sorted(old_parts.keys() | new_parts.keys()):
        if name not in old_parts:
            found.append(f"{name} is new")
        elif name not in new_parts:
            found.append(f"{name} is gone")
        elif old_parts[name][:SHORT] != new_parts[name][:SHORT]:
            found.append(f"{name} changed")
    # a variable says more to an operator than the files that came with a new version
    found.sort(key=lambda one: not one.startswith("variable "))
    if len(found) > limit:
        rest = len(found) - limit
        return [*found[:limit], f"{rest} more part{'s' if rest > 1 else ''} of {role} changed"]
    return found


def _tagged(value: object) -> Any:
    """The value with its types written down; only containers and what JSON has no word for are tagged."""
    if value is None or isinstance(value, (bool, str)):
        # text of Ansible is of a class of its own
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return ["float", repr(float(value))]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", value.hex()]
    if isinstance(value, date):
        return ["date", value.isoformat()]
    if isinstance(value, Mapping):
        pairs = [[_tagged(name), _tagged(inner)] for name, inner in value.items()]
        if all(isinstance(name, str) for name, _inner in pairs):
            # nearly always, and much faster than by the whole pairs
            return ["mapping", sorted(pairs, key=itemgetter(0))]
        return ["mapping", sorted(pairs, key=canonical.dumps)]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted((_tagged(inner) for inner in value), key=canonical.dumps)]
    if isinstance(value, Sequence):
        return ["list", [_tagged(inner) for inner in value]]
    raise BadInput(f"A value of the type {type(value).__name__} cannot be an input of a role.")
