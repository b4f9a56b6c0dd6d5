# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, revocation lists and encrypted keys of an authority: bytes and objects, no files.

Profiles of RFC 5280 that agents of WAPT read, too: RSA, SHA-256, the right to execute as the extended key usage
codeSigning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .._common.errors import BadInput

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = None

KEY_BITS = 3072


def require_libraries() -> None:
    """Raise BadInput where the library is not installed."""
    if MISSING_LIBRARY is not None:
        raise BadInput(
            f"The Python library {MISSING_LIBRARY} is missing on this machine; install what requirements/runtime.in"
            " of bocage.fleet lists."
        )


def new_key() -> rsa.RSAPrivateKey:
    require_libraries()
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def seal_key(key: Any, passphrase: bytes) -> bytes:
    """The key as encrypted PKCS#8 in PEM (RFC 5958)."""
    kept = serialization.BestAvailableEncryption(passphrase)
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept)
    return pem


def open_key(pem: bytes, passphrase: bytes, where: str, passphrase_where: str) -> rsa.RSAPrivateKey:
    """The key of a file. Raises BadInput without a word of its content."""
    require_libraries()
    if b"ENCRYPTED PRIVATE KEY" not in pem:
        raise BadInput(
            f"The key file {where} is not encrypted; encrypt it with `openssl pkcs8 -topk8` before it is used."
        )
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The text of the error could quote the key's bytes, so it is not repeated.
        raise BadInput(
            f"The key file {where} does not open with the passphrase in {passphrase_where}; bring the right one, or,"
            " where it is lost, raise the generation of this key with previous=revoked."
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadInput(f"The key file {where} does not hold an RSA key, which packages are signed with.")
    return key


def public_digest(key: Any) -> str:
    """SHA-256 of a public key (SubjectPublicKeyInfo), in hex."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate (DER), in hex, as WAPT names a signer."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def public_key(pem: bytes, what: str) -> rsa.RSAPublicKey:
    """The public key of a signer whose private key is elsewhere. Raises BadInput."""
    require_libraries()
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{what} cannot be read; write it with `openssl pkey -pubout`.") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS:
        raise BadInput(f"{what} is not an RSA key of at least {KEY_BITS} bits, which packages are signed with.")
    return key


def subject_of(name: str, organization: str) -> x509.Name:
    found = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        found.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(found)


def authority_certificate(
    subject: x509.Name, key: Any, issuer: x509.Certificate | None, issuer_key: Any, path_length: int,
    begins: datetime, ends: datetime,
) -> x509.Certificate:  # fmt: skip
    """A certificate that may sign certificates and revocation lists; without `issuer` it is a root."""
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = _builder(subject, key, issuer, begins, ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(usage, critical=True).sign(issuer_key, hashes.SHA256())


def signer_certificate(
    subject: x509.Name, key: Any, issuer: x509.Certificate, issuer_key: Any, may_execute: bool,
    begins: datetime, ends: datetime,
) -> x509.Certificate:  # fmt: skip
    """A certificate that may sign packages; what executes only where `may_execute` is true."""
    builder = _builder(subject, key, issuer, begins, ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True, content_commitment=True), critical=True)
    if may_execute:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def revocation_list(
    issuer: x509.Certificate, issuer_key: Any, entries: Mapping[int, tuple[datetime, str]], number: int,
    now: datetime, next_update: datetime,
) -> x509.CertificateRevocationList:  # fmt: skip
    """A revocation list with its number (RFC 5280, 5.2.3); entries are moments and reasons by serial number."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(now).next_update(next_update)
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    builder = builder.add_extension(_authority_identifier(issuer), critical=False)
    for serial, (moment, reason) in sorted(entries.items()):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        if (flag := _FLAGS.get(reason)) is not None:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(flag)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer_key, hashes.SHA256())


def entries_of(found: x509.CertificateRevocationList) -> dict[int, tuple[datetime, str]]:
    """What a list says, in the shape that `revocation_list` takes."""
    names = {flag: reason for reason, flag in _FLAGS.items()}
    result = {}
    for entry in found:
        try:
            reason = names.get(
                entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value, "unspecified"
            )
        except x509.ExtensionNotFound:
            reason = "unspecified"
        result[entry.serial_number] = (entry.revocation_date_utc, reason)
    return result


def number_of(found: x509.CertificateRevocationList) -> int:
    try:
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def signed_by(found: x509.Certificate | x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether the authority's key signed this; nothing is said of dates or rights."""
    key = issuer.public_key()
    if found.issuer != issuer.subject or not isinstance(key, rsa.RSAPublicKey):
        return False
    if isinstance(found, x509.CertificateRevocationList):
        return found.is_signature_valid(key)
    try:
        algorithm = found.signature_hash_algorithm
        if algorithm is None:
            return False
        key.verify(found.signature, found.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def rights_of(found: x509.Certificate) -> str:
    """What a certificate allows, in the words of `Party.rights`."""
    try:
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "none"
    if constraints.ca:
        return f"authority {constraints.path_length}"
    try:
        usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "deployer"
    return "developer" if ExtendedKeyUsageOID.CODE_SIGNING in usages else "deployer"


def load_certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    require_libraries()
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadInput(f"{what} holds no certificate in PEM; restore it.") from error


def load_list(pem: bytes, what: str) -> x509.CertificateRevocationList:
    require_libraries()
    try:
        return x509.load_pem_x509_crl(pem)
    except ValueError as error:
        raise BadInput(f"{what} holds no revocation list in PEM; restore it or remove it.") from error


def pem(found: Iterable[x509.Certificate | x509.CertificateRevocationList]) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in found)


def _builder(
    subject: x509.Name, key: Any, issuer: x509.Certificate | None, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject if issuer is None else issuer.subject)
    builder = builder.public_key(key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begins.astimezone(UTC)).not_valid_after(ends.astimezone(UTC))
    builder = builder.add_extension(identifier, critical=False)
    above = (
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        if issuer is None
        else _authority_identifier(issuer)
    )
    return builder.add_extension(above, critical=False)


def _authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _usage(**given: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: given.get(name, False) for name in names})


# RFC 5280, 5.3.1, as the library names the reasons; an unspecified one is left out, as the RFC asks.
_FLAGS = {
    "key_compromise": "keyCompromise",
    "affiliation_changed": "affiliationChanged",
    "superseded": "superseded",
    "cessation_of_operation": "cessationOfOperation",
}
