# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of trust: certificates (``*.crt *.pem *.cer``, PEM or DER) and lists of revoked ones (``*.crl``)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from .._common import atomic
from .._common.errors import BadInput
from .._common.refused import Refused
from . import certificates, revocation
from .certificates import Trust

with suppress(ImportError):  # said by certificates.require_libraries, before anything here is used
    from cryptography import x509

MAX_FILES = 1024
_CERTIFICATES = {".crt", ".pem", ".cer"}
_LISTS = {".crl"}


def read_trust(
    folder: Path,
    pinned_signers: Literal["accepted", "refused"] = "accepted",
    revoked: Literal["where_listed", "required"] = "where_listed",
) -> Trust:
    """Everything that the folder trusts; raises BadInput for a file that cannot be read, since it may be a list of
    revoked certificates that somebody relies on."""
    certificates.require_libraries()
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _CERTIFICATES | _LISTS)
    except OSError as error:
        raise BadInput(f"The folder of trust {folder} cannot be read: {error.strerror}.") from error
    if len(paths) > MAX_FILES:
        raise BadInput(f"The folder of trust {folder} holds {len(paths)} files; at most {MAX_FILES} are read.")
    found: list[tuple[x509.Certificate, ...]] = []
    lists: list[x509.CertificateRevocationList] = []
    for path in paths:
        try:
            if path.suffix.lower() in _LISTS:
                lists.append(
                    revocation.load_crl(atomic.read_bounded(path, revocation.MAX_CRL_BYTES), f"the file {path}")
                )
            else:
                found.append(load_certificates(atomic.read_bounded(path, certificates.MAX_CHAIN_BYTES), path))
        except Refused as error:
            raise BadInput(str(error)) from error
        except OSError as error:
            raise BadInput(f"The file of trust {path} cannot be read: {error.strerror}.") from error
    return Trust(certificates.all_of(found), tuple(lists), pinned_signers, revoked)


def load_certificates(raw: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a file in PEM, or the one of a file in DER. Raises Refused."""
    if b"-----BEGIN" in raw:
        return certificates.load_chain(raw, f"the file {path}")
    return (certificates.load_der(raw, f"the file {path}"),)
