# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading signed metadata in a client: the same checks as python-tuf's, with the bytes that are signed made once.

These bytes are canonical JSON (TUF specification 4.2.1), and python-tuf makes them twice, in Python: two thirds of an
update's time. The encoder of the standard library writes the same wherever nothing is escaped.
"""

from __future__ import annotations

import json
from typing import Any

from .._common import canonical
from . import tuf_library as tuf

try:
    from securesystemslib.formats import encode_canonical
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = tuf.MISSING_LIBRARY


def load_data(
    kind: type[Any], data: bytes, delegator: Any = None, role_name: str | None = None
) -> tuple[Any, bytes, dict[str, tuf.Signature]]:
    """What python-tuf's trusted set needs of metadata: payload, signed bytes, signatures; verified for a delegator.

    Raises python-tuf's RepositoryError. JSON with a name twice or with fractions is refused, which it would take.
    """
    try:
        metadata: tuf.Metadata[Any] = tuf.Metadata.from_dict(canonical.loads(data))
        signed = signed_bytes(metadata.signed.to_dict())
    except Exception as error:
        # the parts are parsed by constructors that raise whatever a hostile value makes of them
        raise tuf.exceptions.RepositoryError(f"the metadata of {kind.type} cannot be read") from error
    if metadata.signed.type != kind.type:
        raise tuf.exceptions.RepositoryError(f"expected {kind.type}, got {metadata.signed.type}")
    if delegator is not None:
        delegator.verify_delegate(role_name or kind.type, signed, metadata.signatures)
    return metadata.signed, signed, metadata.signatures


def signed_bytes(value: dict[str, Any]) -> bytes:
    """Canonical JSON of a value without fractions."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if "\\" in text:
        # canonical JSON escapes two characters, and JSON more
        text = encode_canonical(value) or ""
    return text.encode("utf-8")
