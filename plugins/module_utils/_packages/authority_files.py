# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an authority keeps its files, and its book: every certificate that it signed, and which are revoked.

The book lies beside the keys. It makes a revocation outlive a list that was lost or put back, and tells a certificate
of the authority from one that somebody laid in its place.
"""

from __future__ import annotations

import stat
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common import atomic, canonical, timestamps
from .._common.errors import BadInput, BocageError, opening
from .._common.fields import record
from . import authority_certificates as x
from .authority_parties import Party, stem
from .authority_plan import Found, Held, HeldList, Issued, cross_stem

MAX_FILE_BYTES = 1024 * 1024
MAX_BOOK_BYTES = 32 * 1024 * 1024
LEAST_PASSPHRASE = 12
_FORMAT = 1


@dataclass(frozen=True)
class Folders:
    """`trust` is public and committed, `secret` is the key holder's."""

    trust: Path
    secret: Path

    def certificate(self, party: Party, own: str) -> Path:
        return self.trust / f"{'signers' if party.is_signer else _PLACES[party.kind]}/{own}.crt"

    def cross(self, name: str) -> Path:
        return self.trust / f"intermediates/{name}.crt"

    def list(self, own: str) -> Path:
        return self.trust / f"crl/{own}.crl"

    def key(self, party: Party, own: str) -> Path:
        return self.secret / f"{'signers' if party.is_signer else 'authority'}/{own}.key"

    @property
    def bundle(self) -> Path:
        return self.trust / "authorities.pem"

    @property
    def book(self) -> Path:
        return self.secret / "authority/issued.json"


_PLACES = {"root": "authorities", "intermediate": "intermediates"}


@dataclass
class Book:
    certificates: list[Issued] = field(default_factory=list)
    lists: dict[str, int] = field(default_factory=dict)
    """The highest number of a list, by the stem of its authority."""


@dataclass
class Seen:
    """What lies there, as the plan takes it and as objects."""

    found: Found
    book: Book
    certificates: dict[str, Any]
    crosses: dict[str, Any]
    lists: dict[str, Any]


def read_passphrase(path: Path) -> bytes:
    """The passphrase of a file, without the end of its line. Raises BadInput, without a word of its content."""
    try:
        raw = atomic.read_bounded(path, 1024)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise BadInput(f"The passphrase file {path} cannot be read: {error.strerror}; bring it first.") from error
    if mode & 0o077:
        raise BadInput(f"The passphrase file {path} can be read by others; give it the mode 0600.")
    passphrase = raw.rstrip(b"\r\n")
    if len(passphrase) < LEAST_PASSPHRASE or b"\n" in passphrase:
        raise BadInput(
            f"The passphrase file {path} does not hold one line of at least {LEAST_PASSPHRASE} characters; write one."
        )
    return passphrase


def read_book(path: Path) -> Book | None:
    """The book, or None where there is none. Raises BadInput."""
    what = f"the authority's book {path}"
    try:
        raw = atomic.read_bounded(path, MAX_BOOK_BYTES)
    except FileNotFoundError:
        return None
    try:
        document = record(canonical.loads(raw, what), what)
        if document.pop("format") != _FORMAT:
            raise ValueError("format")
        lines = [
            Issued(**{**one, "serial": int(one["serial"], 16), **_moments(one)}) for one in document["certificates"]
        ]
        return Book(lines, {str(name): int(number) for name, number in document["lists"].items()})
    except (BocageError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{opening(what)} cannot be read; restore it from the copy beside the keys.") from error


def write_book(path: Path, book: Book) -> None:
    lines = []
    for one in book.certificates:
        line = {**asdict(one), "serial": f"{one.serial:x}", "not_after": timestamps.write(one.not_after)}
        line["revoked_at"] = None if one.revoked_at is None else timestamps.write(one.revoked_at)
        lines.append(line)
    document = {"format": _FORMAT, "certificates": lines, "lists": book.lists}
    atomic.write_file(path, canonical.dumps(document) + b"\n", 0o600)


def look(folders: Folders, parties: list[Party]) -> Seen:
    """What lies there of these parties. Raises BadInput for a file that the authority did not make."""
    x.require_libraries()
    book = read_book(folders.book)
    certificates: dict[str, Any] = {}
    chains: dict[str, tuple[str, ...]] = {}
    keys: set[str] = set()
    known = {one.fingerprint for one in book.certificates} if book else set()
    for party in parties:
        for own in _stems(party):
            if folders.key(party, own).exists():
                keys.add(own)
            path = folders.certificate(party, own)
            if (held := _certificates(path)) is None:
                continue
            if book is None:
                raise BadInput(
                    f"{path} is there and the authority's book {folders.book} is not; restore the book, since without it"
                    " nobody knows what was revoked."
                )
            if _fingerprint(held[0]) not in known:
                raise BadInput(f"{path} is not what this authority made, as its book says; restore the file.")
            certificates[own] = held[0]
            chains[own] = tuple(_fingerprint(one) for one in held[1:])
    crosses = {name: found[0] for name in _crosses(parties) if (found := _certificates(folders.cross(name)))}
    for name in [name for name, one in crosses.items() if _fingerprint(one) not in known]:
        raise BadInput(f"{folders.cross(name)} is not what this authority made, as its book says; restore the file.")
    authorities = {
        own: certificates[own]
        for party in parties
        if not party.is_signer
        for own in _stems(party)
        if own in certificates
    }
    lists = {
        own: x.load_list(_read(path), f"The file {path}") for own in authorities if (path := folders.list(own)).exists()
    }
    return Seen(
        Found(
            {own: held_of(one, authorities) for own, one in certificates.items()},
            {name: held_of(one, authorities) for name, one in crosses.items()},
            chains,
            {own: _held_list(one, authorities[own]) for own, one in lists.items()},
            frozenset(keys),
            tuple(book.certificates) if book else (),
            folders.bundle.exists() and _read(folders.bundle) == bundled(folders),
        ),
        book or Book(), certificates, crosses, lists,
    )  # fmt: skip


def bundled(folders: Folders) -> bytes:
    """All roots that lie in the folder, those of an older authority too, as one file."""
    found = (_certificates(path) or [] for path in sorted((folders.trust / "authorities").glob("*.crt")))
    return x.pem(one for certificates in found for one in certificates)


def held_of(certificate: Any, authorities: dict[str, Any]) -> Held:
    signer = next((one for one in authorities.values() if x.signed_by(certificate, one)), None)
    return Held(
        certificate.serial_number,
        x.public_digest(certificate.public_key()),
        "" if signer is None else x.public_digest(signer.public_key()),
        certificate.not_valid_after_utc,
        x.rights_of(certificate),
        _fingerprint(certificate),
    )


def _held_list(found: Any, authority: Any) -> HeldList:
    key = x.public_digest(authority.public_key()) if x.signed_by(found, authority) else ""
    return HeldList(x.number_of(found), found.next_update_utc, frozenset(one.serial_number for one in found), key)


def _stems(party: Party) -> list[str]:
    return [stem(party.name, number) for number in range(1, party.generation + 1)]


def _crosses(parties: list[Party]) -> list[str]:
    roots = [party for party in parties if party.kind == "root"]
    return [cross_stem(party.stem, old) for party in roots for old in _stems(party)[:-1]]


def _certificates(path: Path) -> list[Any] | None:
    if not path.exists():
        return None
    return x.load_certificates(_read(path), f"The file {path}")


def _read(path: Path) -> bytes:
    try:
        return atomic.read_bounded(path, MAX_FILE_BYTES)
    except OSError as error:
        raise BadInput(f"The file {path} cannot be read: {error.strerror}.") from error


def _fingerprint(certificate: Any) -> str:
    return x.fingerprint(certificate)


def _moments(line: dict[str, Any]) -> dict[str, datetime | None]:
    revoked = line["revoked_at"]
    return {
        "not_after": timestamps.parse(line["not_after"], "the end of a certificate"),
        "revoked_at": None if revoked is None else timestamps.parse(revoked, "the time of a revocation"),
    }
