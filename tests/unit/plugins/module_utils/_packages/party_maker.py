# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities, signers and lists of revoked ones for tests, from a few keys that are made once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bocage_core._packages.certificates import Trust
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

VECTORS = Path(__file__).parents[4] / "vectors"
WAPT = VECTORS / "wapt"
AT = datetime(2026, 11, 21, tzinfo=UTC)
CODE = (ExtendedKeyUsageOID.CODE_SIGNING,)
DAY = timedelta(days=1)


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def elliptic_key(name: str, wide: bool = True) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1() if wide else ec.SECP224R1())


def key_usage(*names: str) -> x509.KeyUsage:
    known = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in names for name in known})


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Party:
    """A certificate with its key; what it issues comes from `issue`."""

    def __init__(self, certificate: x509.Certificate, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    @classmethod
    def root(cls, name: str = "root", key: rsa.RSAPrivateKey | None = None, **options: object) -> Party:
        return _make(name, None, key or rsa_key("authority"), authority=True, **options)

    def issue(self, name: str, key: object = None, **options: object) -> Party:
        return _make(name, self, key or rsa_key("signer"), **options)

    def signer(self, *more: Party) -> Any:
        assert isinstance(self.key, rsa.RSAPrivateKey)
        from bocage_core._packages.signing import KeyFileSigner

        return KeyFileSigner((self.certificate, *(one.certificate for one in more)), self.key)

    def crl(
        self,
        revoked: Sequence[Party] = (),
        start: datetime = AT - DAY,
        end: datetime = AT + DAY,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        key: object = None,
    ) -> x509.CertificateRevocationList:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(start).next_update(end)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(start).build())
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(key or self.key, hashes.SHA256())  # type: ignore[arg-type]


def _make(
    name: str,
    issuer: Party | None,
    key: object,
    *,
    authority: bool = False,
    path_length: int | None = None,
    usage: x509.KeyUsage | str | None = "usual",
    extended: Sequence[ObjectIdentifier] = (),
    start: datetime = AT - 365 * DAY,
    end: datetime = AT + 365 * DAY,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    sha1: bool = False,
) -> Party:
    if usage == "usual":
        usage = key_usage("key_cert_sign", "crl_sign") if authority else key_usage("digital_signature")
    signing = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(name))
        .issuer_name(issuer.certificate.subject if issuer else name_of(name))
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
    )
    if isinstance(usage, x509.KeyUsage):
        builder = builder.add_extension(usage, critical=True)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(signing, hashes.SHA256())  # type: ignore[arg-type]
    if sha1:
        der = with_sha1(certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes, signing)
        certificate = x509.load_der_x509_certificate(der)
    return Party(certificate, key)  # type: ignore[arg-type]


def with_sha1(der: bytes, body: bytes, key: object) -> bytes:
    """What was signed over SHA-256, signed over SHA-1 instead, which the library no longer does."""
    sha256, sha1 = (bytes.fromhex("06092a864886f70d0101") + last for last in (b"\x0b", b"\x05"))
    old = body.replace(sha256, sha1)
    size = key.key_size // 8  # type: ignore[attr-defined]
    head = der[: der.index(body)] + old + der[der.index(body) + len(body) : -size].replace(sha256, sha1)
    return head + key.sign(old, padding.PKCS1v15(), hashes.SHA1())  # type: ignore[attr-defined]


def trust(*parties: Party, **options: object) -> Trust:
    return Trust(tuple(one.certificate for one in parties), **options)  # type: ignore[arg-type]


def wapt_certificate(name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((WAPT / "certs" / f"{name}.crt").read_bytes())


def wapt_trust(names: Sequence[str], **options: object) -> Trust:
    return Trust(tuple(wapt_certificate(name) for name in names), **options)  # type: ignore[arg-type]
