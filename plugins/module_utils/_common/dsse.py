# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed envelopes (DSSE, https://github.com/secure-systems-lab/dsse) with Ed25519.

What is signed is encoded by securesystemslib, whose format it is; what is read is decoded here, and the tests compare
the two. Loading that library, and the parsers of all kinds of keys, is half of the time of a short call of the agent,
so both wait until they are needed. Signatures are checked with parsed keys that are kept, because parsing a key again
for each document costs a third more for 25,000 hosts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib.util
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from . import canonical
from .errors import BadInput, opening
from .refused import Refused

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ImportError as error:
    # documentation can be read, and a module can say what it misses, where the libraries are not installed
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = None if importlib.util.find_spec("securesystemslib") else "securesystemslib"

MAX_SIGNATURES = 4
_ENVELOPE_FIELDS = {"payload", "payloadType", "signatures"}
_SIGNATURE_FIELDS = {"keyid", "sig"}
# The one DER form of an Ed25519 key: these bytes, then the 32 of the key.
_PRIVATE_HEAD = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC_HEAD = bytes.fromhex("302a300506032b6570032100")
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----\s*")


def require_libraries() -> None:
    """Raise BadInput where a library that signatures need is not installed."""
    if MISSING_LIBRARY is not None:
        raise BadInput(
            f"The Python library {MISSING_LIBRARY} is missing on this machine; install what requirements/runtime.in"
            " of bocage.fleet lists."
        )


def key_id(public_key: bytes) -> str:
    """The name of a key in envelopes: SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public_key).hexdigest()


def sign(payload: bytes, payload_type: str, private_key_pem: bytes) -> dict[str, Any]:
    """An envelope with one signature, as a dictionary ready for JSON."""
    require_libraries()
    private_key = _private_key(private_key_pem)
    name = key_id(_raw(private_key.public_key()))
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, payload_type, {})
    signature = base64.b64encode(private_key.sign(envelope.pae())).decode("ascii")
    return {**envelope.to_dict(), "signatures": [{"keyid": name, "sig": signature}]}


def sign_plainly(payload: bytes, payload_type: str, private_key_pem: bytes) -> dict[str, Any]:
    """The same envelope as `sign` makes, on a host, where securesystemslib is not installed."""
    if MISSING_LIBRARY not in (None, "securesystemslib"):
        require_libraries()
    private_key = _private_key(private_key_pem)
    signature = private_key.sign(_Envelope(payload, payload_type, {}).pae())
    return {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": key_id(_raw(private_key.public_key())), "sig": base64.b64encode(signature).decode("ascii")}
        ],
    }


def verify(envelope: Mapping[str, Any], payload_type: str, public_key: bytes, what: str = "the document") -> bytes:
    """The payload, once a signature of `public_key` over it and over `payload_type` was found good.

    Nothing of the payload is interpreted here, and callers must not interpret it before this has returned.
    """
    require_libraries()
    parsed = _parse(envelope, what)
    if parsed.payload_type != payload_type:
        raise Refused("wrong_type", f"{opening(what)} is not of the type {payload_type}.")
    # The name of a key is a hint for which signature to try; only the signature itself decides.
    signature = parsed.signatures.get(key_id(public_key))
    if signature is None:
        raise Refused("bad_signature", f"{opening(what)} is not signed by the expected key {key_id(public_key)[:16]}.")
    verify_signature(public_key, signature, parsed.pae(), what)
    return parsed.payload


def verify_bytes(
    raw: bytes, payload_type: str, public_key: bytes, what: str = "the document", maximum: int = 65536
) -> bytes:
    """The same for an envelope as it came from a file or the network."""
    return verify(load(raw, what, maximum), payload_type, public_key, what)


def verify_signature(public_key: bytes, signature: bytes, message: bytes, what: str = "the document") -> None:
    """Check one raw Ed25519 signature; raises Refused when it is not good."""
    require_libraries()
    try:
        _public_key(public_key).verify(signature, message)
    except InvalidSignature as error:
        raise Refused(
            "bad_signature", f"The signature of {what} does not verify with the key {key_id(public_key)[:16]}."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refused("bad_signature", f"The key that should have signed {what} is not an Ed25519 key.") from error


def load(raw: bytes, what: str = "the document", maximum: int = 65536) -> dict[str, Any]:
    """An envelope from bytes, bounded before it is parsed."""
    if len(raw) > maximum:
        raise Refused("oversized", f"{opening(what)} has {len(raw)} bytes; at most {maximum} are accepted.")
    envelope = canonical.loads(raw, what)
    if not isinstance(envelope, dict):
        raise Refused("malformed", f"{opening(what)} is not a signed envelope.")
    return envelope


def signer_key_ids(envelope: Mapping[str, Any], what: str = "the document") -> list[str]:
    """The keys that an envelope claims to be signed by: a hint for looking up, never a proof."""
    return list(_parse(envelope, what).signatures)


def unverified_payload(envelope: Mapping[str, Any], what: str = "the document") -> bytes:
    """The payload without a look at its signature: only for a host's own files, never for what came from elsewhere."""
    return _parse(envelope, what).payload


def generate_private_key() -> bytes:
    """A new Ed25519 key, PKCS#8 PEM; the caller keeps it in a file of mode 0600."""
    require_libraries()
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def unlocked(private_key_pem: bytes, passphrase: str) -> bytes:
    """A key that is kept under a passphrase, as PEM without one, for memory only."""
    require_libraries()
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(private_key_pem, password=passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the text of the error is not repeated, as it could quote what it read
        raise BadInput("The private key cannot be read with this passphrase, or it has none.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput("The private key is not an Ed25519 key.")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_key_of(private_key_pem: bytes) -> bytes:
    require_libraries()
    return _raw(_private_key(private_key_pem).public_key())


def private_key_bytes(private_key_pem: bytes) -> bytes:
    """The 32 secret bytes of a key, for deriving another secret from them and for nothing else."""
    require_libraries()
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return _private_key(private_key_pem).private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def public_key_to_pem(public_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _public_key(public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_key_from_pem(pem: bytes) -> bytes:
    require_libraries()
    found = _key_bytes(pem, b"PUBLIC KEY", _PUBLIC_HEAD)
    if found is not None:
        return found
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(f"The public key cannot be read as PEM: {error}.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("The public key is not an Ed25519 key; make it with `openssl genpkey -algorithm ed25519`.")
    return _raw(key)


class _Envelope(NamedTuple):
    payload: bytes
    payload_type: str
    signatures: dict[str, bytes]
    """By the name of the key."""

    def pae(self) -> bytes:
        """The bytes that are signed: the lengths make it one pair of type and payload only."""
        kind = self.payload_type.encode("utf-8")
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


def _parse(envelope: Mapping[str, Any], what: str) -> _Envelope:
    try:
        signatures = envelope["signatures"]
        if (
            envelope.keys() != _ENVELOPE_FIELDS
            or not isinstance(envelope["payload"], str)
            or not isinstance(envelope["payloadType"], str)
            or not isinstance(signatures, list)
            or not 1 <= len(signatures) <= MAX_SIGNATURES
            or any(one.keys() != _SIGNATURE_FIELDS or not isinstance(one["keyid"], str) for one in signatures)
        ):
            raise ValueError("unexpected fields")
        by_key = {one["keyid"]: _decoded(one["sig"]) for one in signatures}
        if len(by_key) != len(signatures):
            raise ValueError("two signatures of one key")
        return _Envelope(_decoded(envelope["payload"]), envelope["payloadType"], by_key)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Refused("malformed", f"{opening(what)} is not a signed envelope: {error}.") from error


def _decoded(text: str) -> bytes:
    """Standard base64, or the one for URLs, as the format allows both."""
    data = text.encode("utf-8")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return base64.b64decode(data, altchars=b"-_", validate=True)


def _raw(key: Ed25519PublicKey) -> bytes:
    try:
        return key.public_bytes_raw()
    except AttributeError:
        # cryptography of Debian 12 has only the longer way
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _key_bytes(pem: bytes, label: bytes, head: bytes) -> bytes | None:
    """The 32 bytes of a key in its usual form; None for every other form, which the library has to judge."""
    match = _PEM.fullmatch(pem)
    if match is None or match[1] != label:
        return None
    try:
        der = base64.b64decode(b"".join(match[2].split()), validate=True)
    except binascii.Error:
        return None
    return der[len(head) :] if der.startswith(head) and len(der) == len(head) + 32 else None


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    found = _key_bytes(pem, b"PRIVATE KEY", _PRIVATE_HEAD)
    if found is not None:
        return Ed25519PrivateKey.from_private_bytes(found)
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The text of the error could quote the key's bytes, so it is not repeated.
        raise BadInput("The private key cannot be read: an unencrypted Ed25519 key in PKCS#8 PEM is needed.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput("The private key is not an Ed25519 key.")
    return key


@lru_cache(maxsize=65536)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
