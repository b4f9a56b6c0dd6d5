# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says when it asks to be enrolled, and whether that is what it was asked and what was read from it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from .._common import canonical, fields
from .._common.errors import BadInput
from .._common.refused import Refused

TYPE = "bocage-enrolment-request/1"
MAX_REQUEST_BYTES = 16384
MAX_HOST_KEYS = 8
# 32 random bytes in base64 for file names, without padding.
NONCE = re.compile(r"[A-Za-z0-9_-]{43}")
_HOST_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]{40,2048}={0,2})")
_FIELDS = frozenset({"type", "estate", "name", "host_id", "report_key", "mesh_key", "host_keys", "nonce"})


@dataclass(frozen=True)
class Request:
    """Who a host is and which keys it has; all of it is public."""

    estate: str
    name: str
    host_id: str
    report_key: str
    mesh_key: str
    nonce: str
    # the keys that its SSH server shows, as in known_hosts: kind and base64
    host_keys: tuple[str, ...]

    def to_bytes(self) -> bytes:
        return canonical.dumps(
            {
                "type": TYPE,
                "estate": self.estate,
                "name": self.name,
                "host_id": self.host_id,
                "report_key": self.report_key,
                "mesh_key": self.mesh_key,
                "nonce": self.nonce,
                "host_keys": list(self.host_keys),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, host: str) -> Request:
        """Read a request whose bytes are proven; raises Refused for what is none."""
        what = f"the request of {host}"
        if len(data) > MAX_REQUEST_BYTES:
            raise Refused("oversized", f"The request of {host} is larger than {MAX_REQUEST_BYTES} bytes.")
        document = fields.record(canonical.loads(data, what), what)
        if document.get("type") != TYPE:
            raise Refused("wrong_type", f"The host {host} proved another document than a request to be enrolled.")
        fields.only(document, _FIELDS, frozenset(), what)
        host_keys = fields.texts(document, "host_keys", what, _HOST_KEY, MAX_HOST_KEYS)
        for key in host_keys:
            check_host_key(key, host)
        return cls(
            estate=fields.text(document, "estate", what),
            name=fields.text(document, "name", what, fields.HOST),
            host_id=fields.text(document, "host_id", what, fields.UUID),
            report_key=fields.text(document, "report_key", what, fields.KEY),
            mesh_key=fields.text(document, "mesh_key", what, fields.KEY),
            nonce=fields.text(document, "nonce", what, NONCE),
            host_keys=tuple(host_keys),
        )


@dataclass(frozen=True)
class Expected:
    """What was asked of a host, and the keys that its connection gave."""

    estate: str
    name: str
    nonce: str
    host_id: str
    report_key: str
    mesh_key: str


def judge(request: Request, expected: Expected) -> None:
    """Refuse a proven request that answers another question, or that differs from what the connection gave."""
    name = expected.name
    if request.nonce != expected.nonce:
        raise Refused(
            "replayed",
            f"The host {name} answered another question than it was asked, as an old request does that is sent again;"
            " nothing was signed. Run the play again.",
        )
    if (request.estate, request.name) != (expected.estate, name):
        raise Refused(
            "wrong_host",
            f"The machine that answers for {name} asks to be enrolled as {request.name} of the estate"
            f" {request.estate!a}; nothing was signed. Correct its address in the inventory.",
        )
    for field, words in (("host_id", "host id"), ("report_key", "report key"), ("mesh_key", "mesh key")):
        if getattr(request, field) != getattr(expected, field):
            raise Refused(
                "altered",
                f"The {words} that was read from {name} is not the one that it proved: somebody changes what goes over"
                " the connection. Nothing was signed; find out who is between here and the host.",
            )


def check_host_key(key: str, host: str) -> None:
    """The kind of an SSH key stands twice, before its bytes and in them (RFC 4253, section 6.6)."""
    match = _HOST_KEY.fullmatch(key)
    if match is not None:
        kind = match[1].encode()
        try:
            if base64.b64decode(match[2], validate=True).startswith(len(kind).to_bytes(4, "big") + kind):
                return
        except binascii.Error:
            pass  # falls to the one message below
    raise Refused("malformed", f"An SSH host key of {host} is none: {ascii(key)[:60]}.")


def read_host_key(line: str, file: str) -> str:
    """Kind and base64 of a public key file of an SSH server, without its comment."""
    words = line.split()
    if len(words) < 2:
        raise BadInput(f"The file {file} does not hold a public key of SSH; make the host keys again.")
    key = " ".join(words[:2])
    check_host_key(key, f"this host in {file}")
    return key
