# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of revoked certificates (RFC 5280 section 5 and 6.3), which `cryptography` parses and does not judge.

It fails closed: a list that is stale, that cannot be checked or that covers a part only counts as no list, and a
certificate that any list names is revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .._common.errors import opening
from .._common.refused import Refused
from . import certificates

with suppress(ImportError):  # said by certificates.require_libraries, before anything here is used
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

if TYPE_CHECKING:
    from .certificates import Trust

MAX_CRL_BYTES = 16 * 1024 * 1024


def load_crl(raw: bytes, what: str) -> x509.CertificateRevocationList:
    """A list in PEM or DER; raises Refused when it is neither."""
    certificates.require_libraries()
    if len(raw) > MAX_CRL_BYTES:
        raise Refused("oversized", f"{opening(what)} has {len(raw)} bytes; at most {MAX_CRL_BYTES} are read.")
    try:
        crl = x509.load_pem_x509_crl(raw) if raw.lstrip().startswith(b"-----") else x509.load_der_x509_crl(raw)
        # Parsing is lazy in the library: whatever would fail later fails here.
        crl.get_revoked_certificate_by_serial_number(1)
        _read = crl.extensions, crl.issuer, crl.last_update_utc, crl.next_update_utc, crl.signature_hash_algorithm
    except certificates.UNREADABLE as error:
        raise Refused("malformed", f"{opening(what)} is not a list of revoked certificates in PEM or DER.") from error
    return crl


def check(path: Sequence[x509.Certificate], trust: Trust, at: datetime, what: str) -> None:
    """Refuse a chain of which a certificate is revoked, or of which that cannot be known.

    `path` is the signer, then each authority up to one of the store. What ends a chain is trusted by being in the
    store; it is judged too where the store has a list that speaks of it.
    """
    for certificate, issuer in zip(path, [*path[1:], None], strict=True):
        lists = [crl for crl in trust.crls if crl.issuer == certificate.issuer]
        _refuse_named(certificate, lists, what)
        if issuer is None:
            continue
        lists = [crl for crl in lists if _may_be_of(crl, issuer)]
        if not lists and trust.revocation == "where_listed":
            continue
        problems = [_problem(crl, issuer, at) for crl in lists]
        if all(problems):
            authority = certificates.common_name(issuer) or "without a name"
            reason = problems[0] if problems else "there is none"
            raise Refused(
                "no_fresh_crl",
                f"Whether the signer of {what} was revoked cannot be known from the list of the authority {authority}:"
                f" {reason}; publish a new one.",
            )


def _refuse_named(certificate: x509.Certificate, lists: Sequence[x509.CertificateRevocationList], what: str) -> None:
    for crl in lists:
        if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            name = certificates.common_name(certificate) or "without a name"
            raise Refused("revoked", f"The certificate {name}, on which the signature of {what} rests, was revoked.")


def _may_be_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether a list may come from this key of an authority, which can have had another under the same name."""
    try:
        wanted = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    return wanted is None or wanted == own


def _problem(crl: x509.CertificateRevocationList, issuer: x509.Certificate, at: datetime) -> str:
    """Why a list does not count at this time; empty when it does."""
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        certificates.check_hash(crl, "it")
        good = crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except Refused:
        return "it is signed with a digest that is refused"
    except x509.ExtensionNotFound:
        return "the authority has no key usage"
    except certificates.UNREADABLE:
        good = False
    except InvalidSignature:
        good = False
    if not good:
        return "its signature is not the authority's"
    if not usage.crl_sign:
        return "the authority lacks the key usage cRLSign"
    if any(extension.critical for extension in crl.extensions):
        return "it covers a part of the certificates only"
    moment = at.astimezone(UTC)
    if moment < crl.last_update_utc:
        return f"it is of {crl.last_update_utc:%Y-%m-%d %H:%M}, after the time at which this is judged"
    if crl.next_update_utc is None:
        return "it says no time of the next one"
    if moment >= crl.next_update_utc:
        return f"it was to be replaced by {crl.next_update_utc:%Y-%m-%d %H:%M}"
    return ""
