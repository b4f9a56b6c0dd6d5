# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read: bearer tokens, each with one tenant or with the whole estate."""

from __future__ import annotations

import hashlib
import hmac

from fastapi import Request

from .settings import Reader


class Denied(Exception):
    """A reader that may not; status and code for the answer."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


def authenticate(authorization: str | None, readers: tuple[Reader, ...]) -> Reader:
    scheme, _space, token = (authorization or "").partition(" ")
    digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    found = None
    # Every reader is compared, each in constant time, so that the answer's delay tells nothing.
    for reader in readers:
        if hmac.compare_digest(digest, reader.token_sha256):
            found = reader
    if scheme.lower() != "bearer" or found is None:
        raise Denied(401, "unauthorized", "Reading needs a known bearer token; ask the estate's operator for one.")
    return found


def current_reader(request: Request) -> Reader:
    """FastAPI's dependency for everything that reads."""
    return authenticate(request.headers.get("authorization"), request.app.state.settings.readers)


def scope(reader: Reader, tenant: str | None) -> str | None:
    """The tenant that a question is narrowed to; nobody widens what the token gives."""
    if reader.tenant is None:
        return tenant
    if tenant not in (None, reader.tenant):
        raise Denied(403, "forbidden", f"The token of {reader.name} sees the tenant {reader.tenant} only.")
    return reader.tenant


def estate_wide(reader: Reader) -> None:
    if reader.tenant is not None:
        raise Denied(403, "forbidden", f"The token of {reader.name} sees one tenant; this needs an estate-wide token.")
