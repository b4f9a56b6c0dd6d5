# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading signed metadata in a client: the same checks as python-tuf's, with the bytes that are signed made once.

These bytes are canonical JSON (TUF specification 4.2.1), and python-tuf makes them twice, in Python, out of the objects
that it has read: two thirds of an update's time. The encoder of the standard library writes the same wherever nothing is
escaped, and writes it of what came.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .._common import canonical
from . import tuf_library as tuf

try:
    from securesystemslib.formats import encode_canonical
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = tuf.MISSING_LIBRARY


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:20]} is not an integer")


_PLAIN = json.JSONDecoder(parse_float=_no_number, parse_constant=_no_number)
# what was read out of JSON has no circles
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


class Kept(bytes):
    """Metadata out of this host's own folder."""


def load_data(
    kind: type[Any], data: bytes, delegator: Any = None, role_name: str | None = None
) -> tuple[Any, bytes, dict[str, tuf.Signature]]:
    """What python-tuf's trusted set needs of metadata: payload, signed bytes, signatures; verified for a delegator.

    Raises python-tuf's RepositoryError. JSON with a name twice or with fractions is refused, which it would take.
    """
    try:
        value, signed = _read(data)
        metadata = _metadata(value)
    except Exception as error:
        # the parts are parsed by constructors that raise whatever a hostile value makes of them
        raise tuf.exceptions.RepositoryError(f"the metadata of {kind.type} cannot be read") from error
    if metadata.signed.type != kind.type:
        raise tuf.exceptions.RepositoryError(f"expected {kind.type}, got {metadata.signed.type}")
    if delegator is not None:
        delegator.verify_delegate(role_name or kind.type, signed, metadata.signatures)
    return metadata.signed, signed, metadata.signatures


def payload(kind: type[Any], data: bytes) -> Any:
    """What is said in metadata that was verified before. Raises python-tuf's RepositoryError."""
    try:
        signed = _metadata(json.loads(data)).signed
    except Exception as error:
        raise tuf.exceptions.RepositoryError(f"the metadata of {kind.type} cannot be read") from error
    if signed.type != kind.type:
        raise tuf.exceptions.RepositoryError(f"expected {kind.type}, got {signed.type}")
    return signed


def _metadata(value: dict[str, Any]) -> tuf.Metadata[Any]:
    """python-tuf's objects, where all lists of one version share one: a snapshot names hundreds of them."""
    named = value["signed"].get("meta") if value["signed"]["_type"] == tuf.Snapshot.type else None
    if named is None:
        return tuf.Metadata.from_dict(value)
    metadata: tuf.Metadata[Any] = tuf.Metadata.from_dict({**value, "signed": {**value["signed"], "meta": {}}})
    shared: dict[int, tuf.MetaFile] = {}
    for name, said in named.items():
        version = said["version"]
        if len(said) == 1 and isinstance(version, int) and not isinstance(version, bool):
            found = shared.get(version)
            if found is None:
                found = shared[version] = tuf.MetaFile(version)
        else:
            found = tuf.MetaFile.from_dict(said)
        metadata.signed.meta[name] = found
    return metadata


def _read(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Strict JSON, and the bytes in it that are signed: those of all that is read out of it later."""
    value = _PLAIN.decode(data.decode("utf-8"))
    signed = signed_bytes(value["signed"])
    # What publishers write comes back byte by byte, so that no name was there twice; all else is looked at name by name.
    if data != b'{"signatures":%b,"signed":%b}' % (signed_bytes(value["signatures"]), signed):
        value = canonical.loads(data)
        signed = signed_bytes(value["signed"])
    return value, signed


def signed_bytes(value: dict[str, Any]) -> bytes:
    """Canonical JSON of a value without fractions."""
    text = _CANONICAL.encode(value)
    if "\\" in text:
        # canonical JSON escapes two characters, and JSON more
        text = encode_canonical(value) or ""
    return text.encode("utf-8")
