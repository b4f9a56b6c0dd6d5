# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from party_maker import (
    AT,
    CODE,
    DAY,
    WAPT,
    Party,
    elliptic_key,
    key_usage,
    name_of,
    rsa_key,
    trust,
    wapt_certificate,
    wapt_trust,
)

UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\5\0")


def chain(presented: Sequence[x509.Certificate], store: certificates.Trust, at: datetime = AT) -> certificates.Chain:
    return certificates.verify_chain(presented, store, at, "the package x.wapt")


def refusal(presented: Sequence[x509.Certificate], store: certificates.Trust, at: datetime = AT) -> Refused:
    with pytest.raises(Refused) as caught:
        chain(presented, store, at)
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("presented", "store", "code"),
    [
        (["dev"], ["root-ca"], ""),
        (["dev"], [], "untrusted_signer"),
        (["dev-4096"], ["root-ca"], ""),
        (["dev-inter", "inter-ca"], ["root-ca"], ""),
        (["dev-inter"], ["root-ca"], "untrusted_signer"),
        (["dev-inter"], ["root-ca", "inter-ca"], ""),
        (["dev-inter", "inter-ca"], ["inter-ca"], ""),
        # As with WAPT: an authority that is not self-signed ends a chain only where the package carries it.
        (["dev-inter"], ["inter-ca"], "untrusted_signer"),
        (["dev-expired"], ["root-ca"], "expired"),
        (["dev-expired"], ["dev-expired"], "expired"),
        (["dev-future"], ["root-ca"], "not_yet_valid"),
        (["dev-by-expired-ca"], ["root-ca", "expired-ca"], "untrusted_signer"),
        (["dev-by-no-certsign"], ["root-ca", "ca-no-certsign"], "untrusted_signer"),
        (["dev-badpath", "sub-of-pathlen0", "inter-pathlen0"], ["root-ca"], "untrusted_signer"),
        (["dev-badpath", "sub-of-pathlen0", "inter-pathlen0"], ["root-ca", "inter-pathlen0"], "untrusted_signer"),
        (["dev-by-leaf", "dev-notca"], ["root-ca"], "untrusted_signer"),
        (["dev-by-leaf", "dev-notca"], ["root-ca", "dev-notca"], "untrusted_signer"),
        (["dev-other"], ["root-ca"], "untrusted_signer"),
        (["dev-selfsigned"], ["root-ca"], "untrusted_signer"),
        (["dev-revoked"], ["root-ca"], ""),
    ],
)
def test_certificates_of_the_vectors(presented: list[str], store: list[str], code: str) -> None:
    found = [wapt_certificate(name) for name in presented]
    if code:
        assert refusal(found, wapt_trust(store)).code == code
    else:
        assert chain(found, wapt_trust(store)).signer == found[0]


@pytest.mark.parametrize("name", ["dev", "dev-selfsigned"])
def test_pinned_signers_both_ways(name: str) -> None:
    """WAPT trusts a certificate that is in the store, self-signed or not; path validation does not."""
    presented = [wapt_certificate(name)]
    pinned = chain(presented, wapt_trust([name]))
    assert pinned.certificates == tuple(presented)
    assert pinned.code_signing == "granted"
    assert refusal(presented, wapt_trust([name], pinned_signers="refused")).code == "untrusted_signer"


def test_a_signer_in_the_store_still_counts_by_its_path() -> None:
    store = wapt_trust(["dev", "root-ca"], pinned_signers="refused")
    assert len(chain([wapt_certificate("dev")], store).certificates) == 2


def test_a_pinned_signer_issues_nothing() -> None:
    root = Party.root()
    signer = root.issue("signer")
    forged = signer.issue("forged", rsa_key("other"), extended=CODE)
    assert refusal([forged.certificate, signer.certificate], trust(signer)).code == "untrusted_signer"
    assert refusal([forged.certificate], trust(signer)).code == "untrusted_signer"


@pytest.mark.parametrize("name", ["pinned", "by path"])
def test_weak_signers_are_refused_both_ways(name: str) -> None:
    root = Party.root()
    short = root.issue("short", rsa_key("short", 1024))
    sha1 = root.issue("sha1", sha1=True)
    elliptic = root.issue("elliptic", elliptic_key("narrow", wide=False))
    for one in (short, sha1, elliptic):
        assert refusal([one.certificate], trust(one if name == "pinned" else root)).code == "weak"
    assert "SHA1, which is refused outright" in str(refusal([sha1.certificate], trust(root)))


def test_sha1_is_refused_in_every_certificate_of_the_path() -> None:
    old_root = Party.root("old", sha1=True)
    assert refusal([old_root.issue("signer").certificate], trust(old_root)).code == "weak"
    root = Party.root()
    middle = root.issue("middle", rsa_key("middle"), authority=True, sha1=True)
    signer = middle.issue("signer")
    assert refusal([signer.certificate, middle.certificate], trust(root)).code == "untrusted_signer"
    # What came along and is not needed is not judged.
    assert chain([root.issue("signer").certificate, old_root.certificate], trust(root))


def test_usages_of_keys() -> None:
    root = Party.root()
    signer = root.issue("signer", usage=key_usage("key_encipherment"))
    reason = refusal([signer.certificate], trust(root))
    assert "a signer without the key usage digitalSignature" in str(reason)
    assert refusal([signer.certificate], trust(signer)).code == "untrusted_signer"
    assert chain([root.issue("signer", usage=None).certificate], trust(root))
    for usage in (None, key_usage("crl_sign")):
        middle = root.issue("middle", rsa_key("middle"), authority=True, usage=usage)
        found = [middle.issue("signer").certificate, middle.certificate]
        assert refusal(found, trust(root)).code == "untrusted_signer"


def test_an_authority_may_sign_where_it_is_pinned_and_has_the_usage() -> None:
    """The vendor's own certificate is such a one: authority, code signing and signer in one."""
    both = Party.root("both", extended=CODE, usage=key_usage("key_cert_sign", "digital_signature"))
    assert chain([both.certificate], trust(both)).code_signing == "granted"
    only = Party.root("only")
    assert refusal([only.certificate], trust(only)).code == "untrusted_signer"
    vendor = x509.load_pem_x509_certificate(next((WAPT / "real" / "certs").glob("8c5127*.crt")).read_bytes())
    assert chain([vendor], certificates.Trust((vendor,))).code_signing == "granted"


def test_right_to_execute() -> None:
    root = Party.root()
    for extended, right in [
        (CODE, "granted"),
        ((), "absent"),
        ((ExtendedKeyUsageOID.CLIENT_AUTH,), "absent"),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), "absent"),
        ((ExtendedKeyUsageOID.CLIENT_AUTH, *CODE), "granted"),
    ]:
        assert chain([root.issue("signer", extended=extended).certificate], trust(root)).code_signing == right


@pytest.mark.parametrize(
    ("limit", "right"),
    [((ExtendedKeyUsageOID.EMAIL_PROTECTION,), "absent"), (CODE, "granted"), ((), "granted")],
)
def test_an_authority_limited_to_other_usages_gives_no_right_to_execute(limit: Any, right: str) -> None:
    root = Party.root()
    middle = root.issue("middle", rsa_key("middle"), authority=True, extended=limit)
    signer = middle.issue("signer", extended=CODE)
    assert chain([signer.certificate, middle.certificate], trust(root)).code_signing == right


def test_unknown_critical_extensions_are_refused() -> None:
    root = Party.root()
    assert refusal([root.issue("s", extensions=[(UNKNOWN, True)]).certificate], trust(root)).code == "untrusted_signer"
    assert chain([root.issue("s", extensions=[(UNKNOWN, False)]).certificate], trust(root))
    pinned = root.issue("s", extensions=[(UNKNOWN, True)])
    assert refusal([pinned.certificate], trust(pinned)).code == "untrusted_signer"
    middle = root.issue("middle", rsa_key("middle"), authority=True, extensions=[(UNKNOWN, True)])
    assert refusal([middle.issue("s").certificate, middle.certificate], trust(root)).code == "untrusted_signer"


def test_lengths_of_paths() -> None:
    root = Party.root(path_length=1)
    first = root.issue("first", rsa_key("middle"), authority=True, path_length=0)
    second = first.issue("second", rsa_key("other"), authority=True)
    good, bad = first.issue("good"), second.issue("bad")
    assert chain([good.certificate, first.certificate], trust(root))
    assert refusal([bad.certificate, second.certificate, first.certificate], trust(root)).code == "untrusted_signer"


def test_the_order_of_what_is_presented_does_not_matter_and_a_loop_ends() -> None:
    root = Party.root()
    first = root.issue("first", rsa_key("middle"), authority=True)
    second = first.issue("second", rsa_key("other"), authority=True)
    signer = second.issue("signer").certificate
    assert len(chain([signer, first.certificate, second.certificate], trust(root)).certificates) == 4
    back = second.issue("first", rsa_key("middle"), authority=True)
    assert refusal([signer, second.certificate, back.certificate], trust(root)).code == "untrusted_signer"


def test_a_name_is_not_a_key() -> None:
    forger = Party.root(key=rsa_key("other"))
    assert refusal([forger.issue("signer").certificate], trust(Party.root())).code == "untrusted_signer"
    assert refusal([forger.issue("s").certificate, forger.certificate], trust(Party.root())).code == "untrusted_signer"


def test_names_of_an_authority_are_limited() -> None:
    limits = x509.NameConstraints([x509.DNSName("lab.example")], None)
    root = Party.root(extensions=[(limits, True)])
    for name, good in (("a.lab.example", True), ("a.example.org", False)):
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        presented = [root.issue("signer", extensions=[(names, False)]).certificate]
        if good:
            assert chain(presented, trust(root))
        else:
            assert refusal(presented, trust(root)).code == "untrusted_signer"


def test_times_are_judged_to_the_second() -> None:
    root = Party.root()
    signer = root.issue("signer", start=AT, end=AT + DAY)
    for at in (AT, AT + DAY):
        assert chain([signer.certificate], trust(root), at)
    early, late = AT - timedelta(seconds=1), AT + DAY + timedelta(seconds=1)
    reason = refusal([signer.certificate], trust(root), early)
    assert (
        str(reason)
        == "The certificate signer, which signed the package x.wapt, is valid from 2026-11-21 only; the time"
        " is 2026-11-20."
    )
    reason = refusal([signer.certificate], trust(root), late)
    assert reason.code == "expired"
    assert "ended on 2026-11-22; sign it again with one that is valid" in str(reason)
    with pytest.raises(BadInput, match="needs a zone"):
        chain([signer.certificate], trust(root), datetime(2026, 11, 21))


def test_nothing_presented() -> None:
    assert refusal([], trust(Party.root())).code == "unsigned"


def test_chains_in_pem() -> None:
    pem = wapt_certificate("dev").public_bytes(Encoding.PEM)
    assert certificates.load_chain(b"subject=dev\n" + pem, "it") == (wapt_certificate("dev"),)
    for text in (b"", b"x", pem[:-40], pem.replace(b"MII", b"AII")):
        with pytest.raises(Refused, match=r"^The file does not hold certificates in PEM that can be read\.$"):
            certificates.load_chain(text, "the file")
    with pytest.raises(Refused, match="holds 17 certificates; at most 16 are read"):
        certificates.load_chain(pem * 17, "the file")
    with pytest.raises(Refused, match="at most 262144 are read"):
        certificates.load_chain(b"x" * 300_000, "the file")


def test_names_and_fingerprints() -> None:
    certificate = wapt_certificate("dev")
    assert certificates.common_name(certificate) == "dev"
    fingerprint = "a13a75773c611f3a9790ca550315305f4378fa45b6fa64b9bbec5f7c2a7b9ae9"
    assert certificates.fingerprint_of(certificate) == fingerprint
    store = wapt_trust(["root-ca", "dev"])
    assert store.by_fingerprint(fingerprint) == certificate
    assert store.by_fingerprint("") is None
    nameless = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(nameless).issuer_name(name_of("root"))
    builder = builder.public_key(rsa_key("signer").public_key()).serial_number(7)
    builder = builder.not_valid_before(AT - DAY).not_valid_after(AT + DAY)
    assert certificates.common_name(builder.sign(rsa_key("authority"), hashes.SHA256())) == ""


@given(st.data())
@few
def test_damaged_certificates_are_refused_or_good(data: st.DataObject) -> None:
    der = bytearray(wapt_certificate("dev-inter").public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    import base64

    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(bytes(der)) + b"\n-----END CERTIFICATE-----\n"
    try:
        found = certificates.load_chain(pem, "it")
        chain([*found, wapt_certificate("inter-ca")], wapt_trust(["root-ca"]), datetime(2026, 11, 21, tzinfo=UTC))
    except Refused:
        return
    assert found == (wapt_certificate("dev-inter"),)
