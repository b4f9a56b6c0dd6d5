# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates may sign packages: chains by RFC 5280 at a given time, and signers that are pinned.

`cryptography` builds and checks the path (dates, pathLen, names, critical extensions); our policies for it say what a
signer and an authority must carry. It knows neither revocation (`revocation.py`) nor pinned signers, which is here:
WAPT trusts a certificate that is itself in the store, path validation does not, and `Trust.pinned_signers` says which
of the two holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from .._common.errors import BadInput, opening
from .._common.refused import Refused
from . import signatures

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
except ImportError as error:
    # documentation can be read, and a module can say what it misses, where the library is not installed or too old
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = None
    # Whatever the library says of bytes that are no certificate; several are no ValueError.
    UNREADABLE: tuple[type[Exception], ...] = (
        *(ValueError, TypeError, OverflowError, NotImplementedError, UnsupportedAlgorithm),
        *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
    )
    _NO_PATH: tuple[type[Exception], ...] = (VerificationError, *UNREADABLE)

if TYPE_CHECKING:
    from cryptography.x509.verification import Policy

MAX_CHAIN_BYTES = 256 * 1024
MAX_CHAIN_CERTIFICATES = 16
MAX_AUTHORITIES = 8
_WEAK_HASHES = {"md5", "sha1", "sha224"}


@dataclass(frozen=True)
class Trust:
    """What an estate believes: authorities and pinned signers, and lists of revoked certificates."""

    certificates: tuple[x509.Certificate, ...]
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    pinned_signers: Literal["accepted", "refused"] = "accepted"
    """Whether a signer's own certificate in the store is enough, as it is for WAPT, or only a path to an authority."""
    revocation: Literal["where_listed", "required"] = "where_listed"
    """Whether each authority of a chain must have a list of revoked certificates here; a list that is here must always
    be fresh and good."""

    def by_fingerprint(self, fingerprint: str) -> x509.Certificate | None:
        """A certificate of the store by the SHA-256 of its DER, in lower case."""
        return next((one for one in self.certificates if fingerprint_of(one) == fingerprint), None)


@dataclass(frozen=True)
class Chain:
    """A signer that is trusted, and by what."""

    certificates: tuple[x509.Certificate, ...]
    """The signer first, then each authority up to one of the store; a pinned signer stands alone."""
    code_signing: Literal["granted", "absent"]
    """Whether the extended key usage codeSigning gives the right to execute."""

    @property
    def signer(self) -> x509.Certificate:
        return self.certificates[0]


def load_chain(pem: bytes, what: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM text, the signer first; raises Refused when it holds none or too many."""
    require_libraries()
    if len(pem) > MAX_CHAIN_BYTES:
        raise Refused("oversized", f"{opening(what)} has {len(pem)} bytes; at most {MAX_CHAIN_BYTES} are read.")
    try:
        found = tuple(x509.load_pem_x509_certificates(pem))
        for certificate in found:
            _read_whole(certificate)
    except UNREADABLE as error:
        raise Refused("malformed", f"{opening(what)} does not hold certificates in PEM that can be read.") from error
    if len(found) > MAX_CHAIN_CERTIFICATES:
        raise Refused("oversized", f"{opening(what)} holds {len(found)} certificates; at most 16 are read.")
    return found


def load_der(der: bytes, what: str) -> x509.Certificate:
    """One certificate in DER; raises Refused when it is none."""
    require_libraries()
    try:
        certificate = x509.load_der_x509_certificate(der)
        _read_whole(certificate)
    except UNREADABLE as error:
        raise Refused("malformed", f"{opening(what)} holds no certificate in PEM or DER.") from error
    return certificate


def verify_chain(presented: Sequence[x509.Certificate], trust: Trust, at: datetime, what: str) -> Chain:
    """The chain from the first of `presented` to the trust store, good at `at`; raises Refused with the reason.

    The others of `presented` may come in any order. An authority of the store that is not self-signed ends a chain
    only where `presented` carries it too, as with WAPT; otherwise it is one step on the way.
    """
    from . import revocation

    require_libraries()
    if not presented:
        raise Refused("unsigned", f"{opening(what)} carries no certificate of its signer.")
    moment = _utc(at)
    signer = presented[0]
    name = common_name(signer) or "without a name"
    _check_dates(signer, moment, f"the certificate {name}, which signed {what},")
    _check_strength(signer)
    if trust.pinned_signers == "accepted" and signer in trust.certificates:
        path = _path(signer, (), [signer], moment, what)
    else:
        carried = set(presented[1:])
        authorities = [one for one in trust.certificates if is_authority(one) and one != signer]
        anchors = [one for one in authorities if one in carried or is_root(one)]
        steps = [*presented[1:], *(one for one in authorities if one not in carried)]
        path = _path(signer, steps, anchors, moment, what)
    for certificate in path:
        _check_strength(certificate)
    revocation.check(path, trust, at, what)
    return Chain(path, "granted" if _may_execute(path) else "absent")


def fingerprint_of(certificate: x509.Certificate) -> str:
    """The hexadecimal SHA-256 of a certificate's DER, WAPT's ``signer_fingerprint``."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def common_name(certificate: x509.Certificate) -> str:
    """The last CN of the subject, WAPT's ``signer``; empty where there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[-1].value) if names else ""


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints says that it may issue certificates."""
    found = _extension(certificate, x509.BasicConstraints)
    return found is not None and bool(found.ca)


def is_root(certificate: x509.Certificate) -> bool:
    """Whether a certificate of the store ends a chain by itself, since nobody else issued it."""
    return certificate.issuer == certificate.subject


def has_code_signing(certificate: x509.Certificate) -> bool:
    """Whether the extended key usage names codeSigning itself; "any usage" is not the right to execute."""
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    return usage is not None and ExtendedKeyUsageOID.CODE_SIGNING in usage


def require_libraries() -> None:
    """Raise BadInput where the library that certificates need is not installed."""
    signatures.require_libraries()
    if MISSING_LIBRARY is not None:
        raise BadInput(
            f"The Python library {MISSING_LIBRARY} is missing or too old on this machine; install what"
            " requirements/runtime.in of bocage.fleet lists."
        )


def _path(
    signer: x509.Certificate,
    steps: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    moment: datetime,
    what: str,
) -> tuple[x509.Certificate, ...]:
    name = common_name(signer) or "without a name"
    if not anchors:
        raise Refused(
            "untrusted_signer", f"The certificate {name}, which signed {what}, leads to no authority trusted."
        )
    authority = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
        .require_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_issue)
    )
    leaf = ExtensionPolicy.permit_all().may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
    builder = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(moment)
        .max_chain_depth(MAX_AUTHORITIES)
        .extension_policies(ca_policy=authority, ee_policy=leaf)
    )
    try:
        return tuple(builder.build_client_verifier().verify(signer, list(steps)).chain)
    except _NO_PATH as error:
        raise Refused(
            "untrusted_signer",
            f"The certificate {name}, which signed {what}, has no good path to an authority trusted: {_reason(error)}.",
        ) from error


def _reason(error: Exception) -> str:
    """The library's last words, without its steps; where it has none, no candidate was an issuer."""
    text = str(error).partition(" (encountered")[0].removeprefix("validation failed: ")
    text = text.removeprefix("candidates exhausted: ").rpartition("ValueError: ")[2]
    return "nobody trusted issued it" if "no interior errors" in text else text


def _may_issue(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("an authority without the key usage keyCertSign")


def _may_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("a signer without the key usage digitalSignature")


def _may_execute(path: Sequence[x509.Certificate]) -> bool:
    """The signer has codeSigning, and no authority between it and the store was limited to other usages."""
    wide = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    limits = (_extension(one, x509.ExtendedKeyUsage) for one in path[1:-1])
    return has_code_signing(path[0]) and all(limit is None or not wide.isdisjoint(limit) for limit in limits)


def _check_dates(certificate: x509.Certificate, moment: datetime, subject: str) -> None:
    start = certificate.not_valid_before_utc.replace(tzinfo=None)
    end = certificate.not_valid_after_utc.replace(tzinfo=None)
    if moment < start:
        raise Refused(
            "not_yet_valid", f"{opening(subject)} is valid from {start:%Y-%m-%d} only; the time is {moment:%Y-%m-%d}."
        )
    if moment > end:
        raise Refused("expired", f"{opening(subject)} ended on {end:%Y-%m-%d}; sign it again with one that is valid.")


def _check_strength(certificate: x509.Certificate) -> None:
    name = common_name(certificate) or "without a name"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        signatures.check_rsa_key(key, f"the certificate {name}")
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < 256:
        raise Refused(
            "weak", f"The elliptic key of the certificate {name} has {key.curve.key_size} bits; 256 are needed."
        )
    check_hash(certificate, f"the certificate {name}")


def check_hash(signed: x509.Certificate | x509.CertificateRevocationList, what: str) -> None:
    """Refuse what was signed over a digest in which collisions can be made, SHA-1 before all."""
    digest = signed.signature_hash_algorithm
    if digest is not None and digest.name in _WEAK_HASHES:
        raise Refused("weak", f"{opening(what)} is signed with {digest.name.upper()}, which is refused outright.")


def _read_whole(certificate: x509.Certificate) -> None:
    """Parsing is lazy in the library: whatever would fail later fails here, as one kind of error."""
    certificate.public_key()
    _read = certificate.extensions, certificate.subject, certificate.issuer, certificate.signature_hash_algorithm
    _dates = certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _extension(certificate: x509.Certificate, kind: type[Any]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _utc(at: datetime) -> datetime:
    """What the library takes: UTC without a zone."""
    if at.tzinfo is None:
        raise BadInput("The time at which a certificate is judged needs a zone; give an aware datetime.")
    return at.astimezone(UTC).replace(tzinfo=None)


def all_of(groups: Iterable[Sequence[x509.Certificate]]) -> tuple[x509.Certificate, ...]:
    """Certificates of several files, each once, in their order."""
    return tuple(dict.fromkeys(one for group in groups for one in group))
