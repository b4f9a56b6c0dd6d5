# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pre-shared keys: random, one for each pair and epoch, made on one end and known to the two ends alone.

They travel over SSH, whose key exchange is safe against later breaks of Curve25519, and inside of it in a box that only
the other end's mesh key of the same epoch opens. So the controller carries what it cannot read, and no log can hold it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from .._common.errors import BadInput, BocageError, opening

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = None

_KEY_BYTES = 32


def maker(one: str, other: str) -> str:
    """Which end of a pair makes its key; the same on both ends, and each makes about half of its own."""
    first, second = sorted((one, other))
    return first if hashlib.sha256(f"{first}|{second}".encode()).digest()[0] % 2 else second


def new_key() -> str:
    """As `wg genpsk` makes it."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


def fingerprint(key: str, epoch: int, one: str, other: str) -> str:
    """What two ends compare: without the key it says nothing about it."""
    about = f"bocage psk {epoch} {' '.join(sorted((one, other)))}"
    return hmac.new(_raw(key, "the pre-shared key"), about.encode(), hashlib.sha256).hexdigest()


def close_box(key: str, epoch: int, sender: str, receiver: str, receiver_mesh_key: str) -> str:
    """A box for the holder of a mesh key; another pair or epoch opens nothing with it."""
    require_library()
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(_raw(receiver_mesh_key, f"the key of {receiver}")))
    about = _about(epoch, sender, receiver)
    sealed = ChaCha20Poly1305(_derived(shared, public, about)).encrypt(bytes(12), _raw(key, "the key"), about)
    return base64.b64encode(public + sealed).decode("ascii")


def open_box(box: str, epoch: int, sender: str, receiver: str, mesh_private_key: str) -> str:
    require_library()
    try:
        content = base64.b64decode(box, validate=True)
        public, sealed = content[:_KEY_BYTES], content[_KEY_BYTES:]
        private = X25519PrivateKey.from_private_bytes(_raw(mesh_private_key, f"the key of {receiver}"))
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
        about = _about(epoch, sender, receiver)
        key = ChaCha20Poly1305(_derived(shared, public, about)).decrypt(bytes(12), sealed, about)
    except (InvalidTag, ValueError):
        # the text of the error could quote keys
        raise BocageError(
            f"The pre-shared key from {sender} is not for {receiver} in epoch {epoch}; run playbooks/rotate_keys.yml again."
        ) from None
    return base64.b64encode(key).decode("ascii")


def require_library() -> None:
    if MISSING_LIBRARY is not None:
        raise BadInput(f"The Python library {MISSING_LIBRARY} is missing on this host; run playbooks/hosts.yml.")


def _about(epoch: int, sender: str, receiver: str) -> bytes:
    return f"bocage psk {epoch} from {sender} to {receiver}".encode()


def _derived(shared: bytes, public: bytes, about: bytes) -> bytes:
    # one key for one message: the ephemeral half is never used again, so the nonce may be constant
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=public, info=about).derive(shared)


def _raw(key: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(key.strip(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise BocageError(f"{opening(what)} is no key of 32 bytes in base64.")
    return raw
