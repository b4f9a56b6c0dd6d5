# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of a repository: files with a passphrase, signatures that travel in files, proof of what a folder holds.

Every function that signs takes a securesystemslib `Signer`, so that a PKCS#11 token (`HSMSigner`) serves as well as
the key files made here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._common import atomic, canonical
from .._common.errors import BadInput, opening
from .._common.fields import record
from . import repository_roles as roles
from . import tuf_library as tuf

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = tuf.MISSING_LIBRARY

MAX_KEY_FILE = 16_384


def generate_key_file(path: Path, passphrase: bytes | None) -> tuf.Key:
    """A new Ed25519 key in PKCS#8 PEM of mode 0600; its public part is the answer.

    Without a passphrase only the two keys that sign without a person, of snapshot and timestamp, should be kept.
    Raises BadInput where the file exists: a key is never overwritten.
    """
    tuf.require_libraries()
    if os.path.lexists(path):
        raise BadInput(f"The key file {path} exists; move it away before a new key is made in its place.")
    if passphrase is not None and len(passphrase) < 8:
        raise BadInput(f"The passphrase of the key file {path} is shorter than 8 characters; give a longer one.")
    private = Ed25519PrivateKey.generate()
    kept = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    atomic.write_file(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept), 0o600)
    return tuf.CryptoSigner(private).public_key


def load_signer(path: Path, passphrase: bytes | None) -> tuf.Signer:
    """The signer of an Ed25519 key file. Raises BadInput, without a word of the file's content."""
    tuf.require_libraries()
    try:
        pem = atomic.read_bounded(path, MAX_KEY_FILE)
    except OSError as error:
        raise BadInput(f"The key file {path} cannot be read: {error.strerror}.") from error
    try:
        key = load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The text of the error could quote the key's bytes, so it is not repeated.
        raise BadInput(
            f"The key file {path} cannot be opened: a private key in PEM and its passphrase, if it has one, are needed."
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"The key file {path} does not hold an Ed25519 key; make one with generate_key_file.")
    return tuf.CryptoSigner(key)


def write_public_key(key: tuf.Key) -> bytes:
    """The public part of a key as a file that is carried to whoever writes the root or the top list."""
    return canonical.dumps({"keyid": key.keyid, **key.to_dict()}) + b"\n"


def read_public_key(raw: bytes, what: str = "the public key") -> tuf.Key:
    """Raises Refused or BadInput; the name of a key must be the one that its bytes have."""
    tuf.require_libraries()
    if len(raw) > MAX_KEY_FILE:
        raise BadInput(f"{opening(what)} has {len(raw)} bytes; a public key is shorter.")
    document: dict[str, Any] = record(canonical.loads(raw, what), what)
    try:
        keyid = document.pop("keyid")
        key = tuf.SSlibKey.from_dict(keyid, document)
        # Two names for one key would let one holder sign twice.
        named = tuf.SSlibKey.from_crypto(key._crypto_key(), scheme=key.scheme).keyid
    except (KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{opening(what)} is not a public key as write_public_key writes it.") from error
    if named != keyid:
        raise BadInput(f"{opening(what)} carries a name that is not its own; take it from its holder again.")
    return key


def sign(draft: bytes, signers: Sequence[tuf.Signer], what: str) -> bytes:
    """The same metadata with signatures added; those that it had stay. `what` names it in errors."""
    metadata = roles.from_bytes(draft, object, what)
    return roles.to_bytes(sign_metadata(metadata, signers, what))


def sign_metadata(metadata: tuf.Metadata[Any], signers: Sequence[tuf.Signer], what: str) -> tuf.Metadata[Any]:
    for signer in signers:
        try:
            metadata.sign(signer, append=True)
        except tuf.exceptions.UnsignedMetadataError as error:
            raise BadInput(
                f"The key {signer.public_key.keyid[:16]} could not sign {what}: {error.__cause__}."
            ) from error
    return metadata


def online_keys(root: bytes) -> frozenset[str]:
    """Names of the keys that a publisher may hold: those of snapshot and timestamp that sign nothing else."""
    signed = roles.read_root(root)
    offline = {*signed.roles["root"].keyids, *signed.roles["targets"].keyids}
    return frozenset({*signed.roles["snapshot"].keyids, *signed.roles["timestamp"].keyids} - offline)


def all_keys(root: bytes) -> frozenset[str]:
    """Names of all keys of a root."""
    signed = roles.read_root(root)
    return frozenset(signed.keys)
