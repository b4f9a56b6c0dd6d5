# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a repository's folder ends, read from the disk; `repository_ends` says what that means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._common import atomic, fields
from .._common.errors import BocageError
from .._common.refused import Refused
from . import certificates, index, revocation
from . import repository_ends as ends
from . import repository_layout as layout
from . import repository_roles as roles
from .repository_store import Store

if TYPE_CHECKING:
    from cryptography import x509

AUTHORITIES = "authorities.pem"
_CRL = "crl/"


def read_ends(store: Store, authorities: Path | None = None) -> list[ends.End]:
    """Of the metadata that readers load, of its lists of revoked certificates, of those who signed its packages, and of
    the authorities in a file, where there is one."""
    root = store.root()
    found = [ends.of_metadata("root", root.version, root.expires)]
    timestamp, snapshot = store.timestamp(), store.snapshot()
    if timestamp is None or snapshot is None:
        return found
    for role, signed in (("timestamp", timestamp.signed), ("snapshot", snapshot.signed)):
        found.append(ends.of_metadata(role, signed.version, signed.expires))
    heads = store.heads()
    owner = roles.owners(store.role("targets", heads["targets"]).signed)
    for role in loaded_roles(store, heads):
        signed_list = store.role(role, heads[role]).signed
        found.append(ends.of_metadata(role, signed_list.version, signed_list.expires))
        for path, target in signed_list.targets.items():
            # what another list says of it is taken by no reader
            if path.startswith(_CRL) and (owner(path) == role or roles.is_bin_of(role, owner(path))):
                found.append(_of_crl(store, path, target.hashes["sha256"]))
    return found + list(_of_certificates(store, authorities))


def loaded_roles(store: Store, heads: Mapping[str, int]) -> list[str]:
    """The lists that the top list reaches; the snapshot also names former ones, as TUF lets none be dropped."""
    top = store.role("targets", heads["targets"]).signed
    found = ["targets"]
    for name in roles.delegated(top):
        found.append(name)
        bins = roles.bins_in(store.role(name, heads[name]).signed, name) if name in heads else None
        found += [] if bins is None else list(bins.get_roles())
    return [name for name in found if name in heads]


def note(store: Store, authorities: Path | None = None) -> list[ends.End]:
    """Read the ends and write them for the agent of this host, where they are others; the caller holds the lock."""
    found = read_ends(store, authorities)
    path, document = store.folder / ends.FILE, ends.render(found)
    with suppress(OSError, BocageError):
        if atomic.read_bounded(path, ends.MAX_BYTES) == document:
            return found
    try:
        atomic.write_file(path, document)
    except OSError as error:
        raise BocageError(f"The file {path} cannot be written: {error.strerror}; see who owns its folder.") from error
    return found


def _of_crl(store: Store, path: str, sha256: str) -> ends.End:
    try:
        raw = atomic.read_bounded(store.public / layout.target_file(path, sha256), revocation.MAX_CRL_BYTES)
        crl = revocation.load_crl(raw, f"the list {path}")
    except (OSError, BocageError):
        return ends.unreadable(path)
    return ends.of_crl(path, crl.last_update_utc, crl.next_update_utc)


def _of_certificates(store: Store, authorities: Path | None) -> Iterator[ends.End]:
    """Authorities first, then signers and what is between them, as agents of WAPT find them beside the packages."""
    found: list[x509.Certificate] = []
    if authorities is not None and authorities.exists():
        try:
            found += certificates.load_chain(
                atomic.read_bounded(authorities, certificates.MAX_CHAIN_BYTES), f"the file {authorities}"
            )
        except (OSError, BocageError):
            yield ends.unreadable(authorities.name)
    # agents of ours do not read this file, so that one that is damaged is not told here
    with suppress(OSError, Refused):
        found += index.certificates_in(store.public / layout.INDEX)
    for certificate in dict.fromkeys(found):
        yield ends.of_certificate(_name(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _name(certificate: x509.Certificate) -> str:
    """Whose it is, in words that can be printed, and which of several under this name."""
    name = certificates.common_name(certificate)[:100]
    if not fields.WORDS.fullmatch(name):
        name = ascii(name)[1:-1][:100]
    return f"{name or 'without a name'} ({certificates.fingerprint_of(certificate)[:16]})"
