# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that a publisher holds no private key but those of snapshot and timestamp.

Every file is searched for every form in which tools write private keys; a key that can be read is compared with the
two that are allowed, one that cannot be (a passphrase) is a finding by itself, since nobody can say whose it is.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import repository_keys as keys
from . import tuf_library as tuf

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        load_der_private_key,
        load_pem_private_key,
        load_ssh_private_key,
    )
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = tuf.MISSING_LIBRARY

_PIECE = 1 << 20
_OVERLAP = 64
_SMALL = 65_536
# PEM of every kind, OpenPGP, PuTTY, JSON Web Keys and the former files of securesystemslib
_MARKS = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-|AGE-SECRET-KEY-1"
    rb"|\"private\"\s*:\s*\"[0-9a-fA-F]|\"d\"\s*:\s*\"[A-Za-z0-9_-]{40}"
)
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,30})PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)
# the head of PKCS#12: a sequence, and in it the version 3
_PKCS12 = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x80)\x02\x01\x03\x30", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """A file that should not be on a publisher, and why."""

    path: Path
    reason: str


def find_private_keys(folder: Path, root: bytes, others: Iterable[str] = ()) -> list[Finding]:
    """All files below `folder` with a private key that a publisher under this root may not hold; none proves it clean.

    `others` are the names of further keys, as of delegations: 32 bytes without any form are found when they are the
    seed of one of these or of the root's. What cannot be read, and links that lead out of the folder, are findings too. Raises Refused for a root that cannot
    be read.
    """
    allowed = keys.online_keys(root)
    offline = frozenset({*others, *keys.all_keys(root)}) - allowed
    found = []
    for path in _files(folder):
        reason = _look(path, folder, allowed, offline)
        if reason:
            found.append(Finding(path, reason))
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Every entry that is no folder; a folder that cannot be listed is an entry itself."""
    refused: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: refused.append(Path(str(error.filename)))):
        yield from (Path(place, name) for name in sorted(files))
        yield from (Path(place, name) for name in sorted(folders) if Path(place, name).is_symlink())
    yield from refused


def _look(path: Path, folder: Path, allowed: frozenset[str], offline: frozenset[str]) -> str:
    try:
        if path.is_symlink():
            inside = path.resolve().is_relative_to(folder.resolve())
            return "" if inside else "is a link that leads out of the folder"
        kind = path.lstat()
        if not stat.S_ISREG(kind.st_mode):
            return "cannot be searched" if stat.S_ISDIR(kind.st_mode) else ""
        if kind.st_size <= _SMALL:
            return _judge(path.read_bytes(), allowed, offline)
        with path.open("rb") as stream:
            return _search(stream)
    except OSError as error:
        return f"cannot be searched: {error.strerror}"


def _search(stream: object) -> str:
    """A large file holds packages or logs; a key in it would be there by mistake, and is one too many."""
    rest = b""
    first = True
    while piece := stream.read(_PIECE):  # type: ignore[attr-defined]
        if _MARKS.search(rest + piece) or (first and _PKCS12.match(piece)):
            return "holds a private key"
        rest, first = piece[-_OVERLAP:], False
    return ""


def _judge(data: bytes, allowed: frozenset[str], offline: frozenset[str]) -> str:
    blocks = [match.group(0) for match in _PEM.finditer(data)]
    for block in blocks:
        reason = _judge_key(_names_of_pem(block), allowed)
        if reason:
            return reason
    if _MARKS.search(_PEM.sub(b"", data)):
        return "holds a private key in a form that is not used here"
    if _PKCS12.match(data):
        return "holds keys in PKCS#12"
    if not blocks and data[:1] == b"\x30":
        found = _names_of_der(data)
        if found is not None:
            return _judge_key(found, allowed)
    # seeds may begin with that byte as well, and one in text with the digit that it is
    return _judge_raw(data, offline)


def _judge_key(names: set[str] | None, allowed: frozenset[str]) -> str:
    if names is None:
        return "holds a private key that cannot be read, so that nobody can say which one"
    return "" if names & allowed else "holds a private key of another role than snapshot and timestamp"


def _names_of_pem(block: bytes) -> set[str] | None:
    for read in (load_pem_private_key, load_ssh_private_key):
        try:
            return {tuf.CryptoSigner(read(block, None)).public_key.keyid}
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
    return None


def _names_of_der(data: bytes) -> set[str] | None:
    """None for what is no private key: certificates and CRLs begin with the same byte."""
    try:
        key = load_der_private_key(data, None)
    except TypeError:
        return set()  # one with a passphrase
    except (ValueError, UnsupportedAlgorithm):
        return None
    try:
        return {tuf.CryptoSigner(key).public_key.keyid}
    except ValueError:
        return set()


def _judge_raw(data: bytes, offline: frozenset[str]) -> str:
    """The seed of a key, as bytes or as text of them; other files of this length are digests and the like."""
    text = data.strip()
    seeds = [data[:32]] if len(data) in (32, 64) else []
    try:
        if len(text) in (64, 128):
            seeds.append(bytes.fromhex(text.decode("ascii"))[:32])
        elif len(text) in (43, 44, 88):
            seeds.append(base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)[:32])
    except (ValueError, binascii.Error):
        return ""
    for seed in seeds:
        if tuf.CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed)).public_key.keyid in offline:
            return "holds the seed of a private key of another role than snapshot and timestamp"
    return ""
