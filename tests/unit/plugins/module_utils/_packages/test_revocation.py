# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import certificates, revocation
from bocage_core._packages.certificates import Trust
from bocage_core._packages.trust_store import read_trust
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from party_maker import AT, DAY, WAPT, Party, key_usage, rsa_key, wapt_certificate, with_sha1

ROOT = Party.root()
SIGNER = ROOT.issue("signer")
OTHER = ROOT.issue("other")
MIDDLE = ROOT.issue("middle", rsa_key("middle"), authority=True)
BELOW = MIDDLE.issue("below")


def verify(party: Party, *crls: x509.CertificateRevocationList, **options: Any) -> certificates.Chain:
    store = Trust((ROOT.certificate,), crls, **options)
    presented = [party.certificate, MIDDLE.certificate] if party is BELOW else [party.certificate]
    return certificates.verify_chain(presented, store, AT, "the package x.wapt")


def refusal(party: Party, *crls: x509.CertificateRevocationList, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        verify(party, *crls, **options)
    return caught.value


def test_revoked_and_not_revoked() -> None:
    assert verify(OTHER, ROOT.crl([SIGNER]))
    reason = refusal(SIGNER, ROOT.crl([SIGNER]))
    assert reason.code == "revoked"
    assert str(reason) == "The certificate signer, on which the signature of the package x.wapt rests, was revoked."


def test_an_authority_on_the_way_can_be_revoked() -> None:
    assert verify(BELOW, ROOT.crl([SIGNER]))
    assert refusal(BELOW, ROOT.crl([MIDDLE])).code == "revoked"
    assert refusal(BELOW, ROOT.crl(), MIDDLE.crl([BELOW])).code == "revoked"


def test_without_a_list_only_where_none_is_required() -> None:
    assert verify(SIGNER)
    reason = refusal(SIGNER, revocation="required")
    assert reason.code == "no_fresh_crl"
    assert "from the list of the authority root: there is none; publish a new one" in str(reason)
    assert refusal(BELOW, ROOT.crl(), revocation="required").code == "no_fresh_crl"
    assert verify(BELOW, ROOT.crl(), MIDDLE.crl(), revocation="required")


IDENTIFIER = x509.AuthorityKeyIdentifier(b"another key", None, None)


def old_list() -> x509.CertificateRevocationList:
    crl = ROOT.crl()
    return x509.load_der_x509_crl(with_sha1(crl.public_bytes(Encoding.DER), crl.tbs_certlist_bytes, ROOT.key))


PARTIAL = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)


@pytest.mark.parametrize(
    ("crl", "reason"),
    [
        (ROOT.crl(end=AT - DAY / 2), "it was to be replaced by 2026-11-20 12:00"),
        (ROOT.crl(end=AT), "it was to be replaced by 2026-11-21 00:00"),
        (ROOT.crl(start=AT + DAY / 2), "it is of 2026-11-21 12:00, after the time at which this is judged"),
        (ROOT.crl(key=rsa_key("forger")), "its signature is not the authority's"),
        (old_list(), "it is signed with a digest that is refused"),
        (ROOT.crl(extensions=[(PARTIAL, True)]), "it covers a part of the certificates only"),
        (ROOT.crl(extensions=[(x509.DeltaCRLIndicator(1), True)]), "it covers a part of the certificates only"),
    ],
)
@pytest.mark.parametrize("revoked", ["where_listed", "required"])
def test_a_list_that_does_not_count_fails_closed(
    crl: x509.CertificateRevocationList, reason: str, revoked: str
) -> None:
    found = refusal(SIGNER, crl, revocation=revoked)
    assert found.code == "no_fresh_crl"
    assert reason in str(found)
    # One that counts beside it is enough.
    assert verify(SIGNER, crl, ROOT.crl(), revocation=revoked)


def test_a_stale_list_still_revokes() -> None:
    assert refusal(SIGNER, ROOT.crl([SIGNER], end=AT - DAY / 2), ROOT.crl()).code == "revoked"


def test_lists_of_another_key_of_the_same_name_say_nothing_of_this_one() -> None:
    assert verify(SIGNER, ROOT.crl(extensions=[(IDENTIFIER, False)]))
    identified = Party.root("root", extensions=[(x509.SubjectKeyIdentifier(b"this key"), False)])
    signer = identified.issue("signer")
    store = Trust((identified.certificate,), (ROOT.crl(extensions=[(IDENTIFIER, False)], key=rsa_key("forger")),))
    assert certificates.verify_chain([signer.certificate], store, AT, "it")


def test_an_authority_without_the_usage_lists_nothing() -> None:
    root = Party.root(usage=key_usage("key_cert_sign"))
    store = Trust((root.certificate,), (root.crl(),))
    with pytest.raises(Refused, match="the authority lacks the key usage cRLSign"):
        certificates.verify_chain([root.issue("signer").certificate], store, AT, "it")


def test_a_pinned_signer_that_a_list_names_is_revoked() -> None:
    for crls, good in (((), True), ((ROOT.crl(),), True), ((ROOT.crl([SIGNER]),), False)):
        store = Trust((SIGNER.certificate,), crls)
        if good:
            assert certificates.verify_chain([SIGNER.certificate], store, AT, "it")
        else:
            with pytest.raises(Refused, match="was revoked"):
                certificates.verify_chain([SIGNER.certificate], store, AT, "it")


def test_the_revoked_signer_of_the_vectors() -> None:
    """The vectors have a signer to revoke; its authority's key is not there, so the list is known by name alone."""
    revoked = wapt_certificate("dev-revoked")
    forger = Party(wapt_certificate("root-ca"), rsa_key("forger"))
    store = Trust((wapt_certificate("root-ca"),), (forger.crl([Party(revoked, rsa_key("signer"))]),))
    with pytest.raises(Refused, match="dev-revoked, on which the signature of it rests, was revoked"):
        certificates.verify_chain([revoked], store, AT, "it")
    # A list that nobody can check never makes others good.
    with pytest.raises(Refused, match="its signature is not the authority's"):
        certificates.verify_chain([wapt_certificate("dev")], store, AT, "it")


def test_lists_in_pem_and_der() -> None:
    crl = ROOT.crl([SIGNER])
    assert revocation.load_crl(crl.public_bytes(Encoding.PEM), "it") == crl
    assert revocation.load_crl(crl.public_bytes(Encoding.DER), "it") == crl
    for raw in (b"", b"x", crl.public_bytes(Encoding.DER)[:-3], b"-----BEGIN X509 CRL-----\nAAAA\n"):
        with pytest.raises(Refused, match=r"^The file is not a list of revoked certificates in PEM or DER\.$"):
            revocation.load_crl(raw, "the file")
    with pytest.raises(Refused, match="at most 16777216 are read"):
        revocation.load_crl(bytes(revocation.MAX_CRL_BYTES + 1), "the file")


@given(st.data())
@few
def test_damaged_lists_never_make_a_signer_good(data: st.DataObject) -> None:
    der = bytearray(_LIST)
    der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        crl = revocation.load_crl(bytes(der), "it")
        verify(SIGNER, crl, revocation="required")
    except Refused:
        return
    assert crl.tbs_certlist_bytes == revocation.load_crl(_LIST, "it").tbs_certlist_bytes


_LIST = ROOT.crl([OTHER]).public_bytes(Encoding.DER)


def test_the_folder_of_trust(tmp_path: Path) -> None:
    (tmp_path / "root.crt").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "two.PEM").write_bytes((WAPT / "certs" / "root-ca.crt").read_bytes() * 2)
    (tmp_path / "middle.cer").write_bytes(MIDDLE.certificate.public_bytes(Encoding.DER))
    (tmp_path / "root.crl").write_bytes(ROOT.crl([SIGNER]).public_bytes(Encoding.DER))
    (tmp_path / "README.md").write_text("not read")
    store = read_trust(tmp_path)
    assert set(store.certificates) == {ROOT.certificate, MIDDLE.certificate, wapt_certificate("root-ca")}
    assert len(store.certificates) == 3
    assert len(store.crls) == 1
    assert (store.pinned_signers, store.revocation) == ("accepted", "where_listed")
    assert read_trust(tmp_path, "refused", "required").revocation == "required"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.crl", b"x", r"The file .*/bad\.crl is not a list of revoked certificates in PEM or DER\."),
        ("bad.crt", b"x", r"The file .*/bad\.crt holds no certificate in PEM or DER\."),
        ("bad.pem", b"-----BEGIN CERTIFICATE-----", r"The file .*/bad\.pem does not hold certificates in PEM"),
        ("bad.crt", None, r"The file of trust .*/bad\.crt cannot be read: Is a directory\."),
    ],
)
def test_a_bad_file_of_trust_is_not_passed_over(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_trust(tmp_path)


def test_a_folder_of_trust_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^The folder of trust .*/gone cannot be read: No such file or directory\.$"):
        read_trust(tmp_path / "gone")
    assert read_trust(tmp_path).certificates == ()
