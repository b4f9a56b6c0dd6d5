# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority in folders: made, renewed, rotated, revoked, and what it refuses."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from authority_estate import NOW, PASSPHRASE, Estate, a_signer, make
from bocage_core._common.errors import BadInput
from bocage_core._packages import authority, authority_certificates, authority_files
from bocage_core._packages.authority_parties import parties
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@pytest.fixture
def estate(tmp_path: Path, rsa_keys: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Estate:
    return make(tmp_path, rsa_keys, monkeypatch)


def test_all_of_it_is_made_once(estate: Estate) -> None:
    predicted = estate.run(check=True)
    assert predicted.changed and not (estate.folder / "secret").exists()
    done = estate.run()
    assert done.after == predicted.after and done.before == []
    for path in [*estate.folder.glob("secret/*/*.key"), estate.folder / "secret/authority/issued.json"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in estate.folder.glob("secret/*/*.key"):
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        serialization.load_pem_private_key(path.read_bytes(), PASSPHRASE.encode())
    assert len(list(estate.folder.glob("secret/*/*.key"))) == 4
    before = {path: path.read_bytes() for path in estate.folder.rglob("*") if path.is_file()}
    again = estate.run()
    assert (again.changed, again.after, again.warnings) == (False, [], [])
    assert {path: path.read_bytes() for path in estate.folder.rglob("*") if path.is_file()} == before


def test_profiles(estate: Estate) -> None:
    estate.run()
    alice, above = estate.chain("alice")
    carol = estate.chain("carol")[0]
    root = estate.authority("authorities/estate")
    assert above == estate.authority("intermediates/packages")
    for one, length in ((root, 2), (above, 0)):
        constraints = one.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = one.extensions.get_extension_for_class(x509.KeyUsage)
        assert constraints.critical and (constraints.value.ca, constraints.value.path_length) == (True, length)
        assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
        assert not usage.value.digital_signature
    codes = alice.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in codes] == ["1.3.6.1.5.5.7.3.3"]
    with pytest.raises(x509.ExtensionNotFound):
        carol.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert alice.subject.rfc4514_string() == "CN=alice,O=Example"
    assert alice.not_valid_before_utc == NOW - timedelta(hours=1)
    assert alice.not_valid_after_utc == NOW + timedelta(days=365)
    for name in ("estate", "packages"):
        crl = estate.crl(name)
        assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 1


def test_keys_made_here_have_3072_bits() -> None:
    key = authority_certificates.new_key()
    sealed = authority_certificates.seal_key(key, b"a passphrase")
    opened = authority_certificates.open_key(sealed, b"a passphrase", "a.key", "a.txt")
    assert (opened.key_size, opened.public_key().public_numbers().e) == (3072, 65537)


def test_a_signer_is_renewed_before_it_ends_with_the_same_key(estate: Estate) -> None:
    estate.run()
    first = estate.chain("alice")[0]
    estate.now += timedelta(days=334)
    assert not [one for one in estate.run().after if "certificate" in one]
    estate.now += timedelta(days=2)
    done = estate.run()
    assert "alice: a certificate until 2027-11-22" in done.before
    second = estate.chain("alice")[0]
    assert second.public_key() == first.public_key() and second.serial_number != first.serial_number
    assert second.not_valid_after_utc == estate.now + timedelta(days=365)
    assert not estate.run().changed


def test_an_authority_is_renewed_while_it_covers_what_it_signs(estate: Estate) -> None:
    estate.run()
    first = estate.authority("intermediates/packages")
    estate.now += timedelta(days=1825 - 365 - 29)
    estate.run()
    second = estate.authority("intermediates/packages")
    assert second.serial_number != first.serial_number and second.public_key() == first.public_key()
    assert second.subject == first.subject
    assert estate.chain("alice")[1] == second
    assert not estate.run().changed


def test_lists_are_renewed_before_they_end(estate: Estate) -> None:
    estate.run()
    estate.now += timedelta(days=19)
    assert not estate.run().changed
    estate.now += timedelta(days=1)
    done = estate.run()
    assert done.after == ["packages: the revocation list until 2027-01-11, renewed before it ends"]
    assert estate.crl("packages").extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2
    assert not estate.run().changed


def test_a_new_key_of_a_signer(estate: Estate) -> None:
    estate.run()
    old = estate.chain("alice")[0]
    estate.signers[0] |= {"generation": 2, "previous": "revoked", "reason": "key_compromise"}
    estate.run()
    new = estate.chain("alice.2")[0]
    assert new.public_key() != old.public_key() and new.subject == old.subject
    entry = estate.crl("packages").get_revoked_certificate_by_serial_number(old.serial_number)
    assert entry is not None
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert estate.revoked("packages") == {old.serial_number}
    assert not estate.run().changed


def test_a_signer_that_left_is_revoked_with_all_of_its_certificates(estate: Estate) -> None:
    estate.run()
    serials = {estate.chain("alice")[0].serial_number}
    estate.now += timedelta(days=340)
    estate.run()
    serials.add(estate.chain("alice")[0].serial_number)
    estate.signers[0]["state"] = "revoked"
    assert estate.run(check=True).after[0] == "alice: revocation of 2 certificates, revoked (unspecified)"
    estate.run()
    assert estate.revoked("packages") == serials and len(serials) == 2
    assert not estate.run().changed
    estate.signers[0]["state"] = "present"
    with pytest.raises(BadInput, match=r"The certificate alice is revoked and declared as present; raise its generat"):
        estate.run()


def test_attack_a_list_of_before_a_revocation_is_put_back(estate: Estate) -> None:
    estate.run()
    path = estate.folder / "trust/crl/packages.crl"
    before = path.read_bytes()
    estate.signers[0]["state"] = "revoked"
    estate.run()
    revoked = estate.revoked("packages")
    for damage in (lambda: path.write_bytes(before), path.unlink):
        damage()
        assert estate.run().changed
        assert estate.revoked("packages") == revoked != set()
    assert estate.crl("packages").extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 4


def test_who_loses_the_right_to_execute_loses_the_old_certificate_too(estate: Estate) -> None:
    estate.run()
    old = estate.chain("alice")[0]
    estate.signers[0]["purpose"] = "deployer"
    estate.run()
    assert estate.revoked("packages") == {old.serial_number}
    assert authority_certificates.rights_of(estate.chain("alice")[0]) == "deployer"
    assert not estate.run().changed


def test_a_new_key_of_an_intermediate(estate: Estate) -> None:
    estate.run()
    old, alice = estate.authority("intermediates/packages"), estate.chain("alice")[0]
    estate.authorities[1] |= {"generation": 2, "previous": "revoked"}
    estate.run()
    new = estate.authority("intermediates/packages.2")
    leaf, above = estate.chain("alice")
    assert above == new and leaf.public_key() == alice.public_key()
    assert estate.revoked("estate") == {old.serial_number}
    leaf.verify_directly_issued_by(new)
    assert not estate.run().changed


def test_a_new_root_is_vouched_for_by_the_old_one_until_that_is_withdrawn(estate: Estate) -> None:
    estate.run()
    old = estate.authority("authorities/estate")
    estate.authorities[0]["generation"] = 2
    estate.run()
    new = estate.authority("authorities/estate.2")
    leaf, above, cross = estate.chain("alice")
    above.verify_directly_issued_by(new)
    cross.verify_directly_issued_by(old)
    assert (cross.subject, cross.public_key()) == (new.subject, new.public_key())
    assert cross.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1
    leaf.verify_directly_issued_by(above)
    assert {path.name for path in estate.folder.glob("trust/crl/*")} == {"estate.crl", "estate.2.crl", "packages.crl"}
    assert not estate.run().changed
    estate.authorities[0]["previous"] = "revoked"
    estate.run()
    assert {path.name for path in estate.folder.glob("trust/authorities/*")} == {"estate.2.crt"}
    assert len(estate.chain("alice")) == 2
    bundle = (estate.folder / "trust/authorities.pem").read_bytes()
    assert x509.load_pem_x509_certificates(bundle) == [new]
    assert not estate.run().changed


def test_roots_of_an_authority_that_exists_are_given_to_hosts_too(estate: Estate) -> None:
    estate.run()
    other = Estate(estate.folder / "other")
    other.folder.mkdir()
    other.run()
    root = other.authority("authorities/estate")
    path = estate.folder / "trust/authorities/former.crt"
    path.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    assert estate.run().after == ["authorities.pem: the roots, all roots in one file, for hosts"]
    bundle = x509.load_pem_x509_certificates((estate.folder / "trust/authorities.pem").read_bytes())
    assert bundle == [estate.authority("authorities/estate"), root]
    path.unlink()
    assert estate.run().changed and not estate.run().changed


def test_keys_that_are_elsewhere_are_missed_only_when_they_are_needed(estate: Estate) -> None:
    estate.run()
    key = estate.folder / "secret/authority/estate.key"
    away = key.rename(estate.folder / "estate.key")
    estate.now += timedelta(days=20)
    assert estate.run().warnings == []
    estate.now += timedelta(days=290)
    done = estate.run()
    assert done.warnings == [
        f"The key {key} is not here, and estate: the revocation list until 2028-09-27, renewed before it ends needs it;"
        " bring it from where it is kept."
    ]
    estate.now += timedelta(days=60)
    with pytest.raises(BadInput, match=r"estate\.key is not here, and estate: the revocation list"):
        estate.run()
    away.rename(key)
    assert estate.run().warnings == []


def test_a_lost_passphrase_is_told_in_one_sentence_and_changes_nothing(estate: Estate) -> None:
    estate.run()
    (estate.folder / "passphrase").write_text("another passphrase\n")
    before = {path: path.read_bytes() for path in estate.folder.rglob("*") if path.is_file()}
    assert not estate.run().changed
    estate.signers.append(a_signer("dave"))
    with pytest.raises(BadInput) as refused:
        estate.run()
    assert str(refused.value) == (
        f"The key file {estate.folder}/secret/authority/packages.key does not open with the passphrase in"
        f" {estate.folder}/passphrase; bring the right one, or, where it is lost, raise the generation of this key with"
        " previous=revoked."
    )
    assert {path: path.read_bytes() for path in estate.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (b"short\n", 0o600, "does not hold one line of at least 12 characters"),
        (b"two lines of\nwords\n", 0o600, "does not hold one line"),
        (b"a good passphrase\n", 0o640, "can be read by others; give it the mode 0600"),
        (None, 0o600, "cannot be read: No such file or directory; bring it first"),
    ],
)
def test_unusable_passphrase_files(tmp_path: Path, content: bytes | None, mode: int, sentence: str) -> None:
    path = tmp_path / "phrase"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(BadInput, match=sentence):
        authority_files.read_passphrase(path)


def test_a_key_whose_private_half_is_elsewhere(estate: Estate) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = authority_certificates.public_digest(key.public_key())
    estate.signers.append(a_signer("token", public_key=pem, public_key_digest=digest))
    estate.run()
    assert estate.chain("token")[0].public_key() == key.public_key()
    assert not (estate.folder / "secret/signers/token.key").exists()
    assert not estate.run().changed
    estate.signers[-1] |= {"public_key_digest": "0" * 64}
    with pytest.raises(BadInput, match="raise its generation, so that the new key gets a certificate of its own"):
        estate.run()


def test_attack_a_certificate_laid_in_the_place_of_a_root(estate: Estate) -> None:
    estate.run()
    other = Estate(estate.folder / "other")
    other.folder.mkdir()
    other.run()
    path = estate.folder / "trust/authorities/estate.crt"
    path.write_bytes((other.folder / "trust/authorities/estate.crt").read_bytes())
    with pytest.raises(
        BadInput, match=r"estate\.crt is not what this authority made, as its book says; restore the fi"
    ):
        estate.run()


def test_without_the_book_nothing_is_signed(estate: Estate) -> None:
    estate.run()
    book = estate.folder / "secret/authority/issued.json"
    content = book.read_bytes()
    book.unlink()
    with pytest.raises(BadInput, match="restore the book, since without it nobody knows what was revoked"):
        estate.run()
    for damaged in (b"", b"[]", b"{}", content[:-9], content.replace(b'"format":1', b'"format":2')):
        book.write_bytes(damaged)
        with pytest.raises(BadInput, match="cannot be read; restore it from the copy beside the keys"):
            estate.run()


@pytest.mark.parametrize("after", range(1, 17, 2))
def test_a_run_that_was_interrupted_anywhere_is_completed(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    real, written = authority.atomic.write_file, []

    def write(path: Path, data: bytes, mode: int = 0o644) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(path)
        real(path, data, mode)

    with monkeypatch.context() as patch:
        patch.setattr(authority.atomic, "write_file", write)
        with pytest.raises(KeyboardInterrupt):
            estate.run()
    estate.run()
    assert not estate.run().changed
    assert len(estate.chain("carol")) == 2
    book = json.loads((estate.folder / "secret/authority/issued.json").read_text())
    assert {one["name"] for one in book["certificates"]} == {"estate", "packages", "alice", "carol"}


def test_two_runs_at_a_time(estate: Estate) -> None:
    estate.run()
    with authority._alone(estate.folders), pytest.raises(BadInput, match="Another run is at work with the keys"):
        estate.run()


def test_keys_stay_out_of_the_public_folder(estate: Estate, tmp_path: Path) -> None:
    declared = parties(estate.authorities, estate.signers, 30)
    folders = authority_files.Folders(tmp_path / "trust", tmp_path / "trust/secret")
    with pytest.raises(BadInput, match="would be in the public folder"):
        authority.converge(declared, folders, authority.Passphrases(tmp_path, tmp_path), "", NOW, True)


def test_nothing_secret_is_told(estate: Estate) -> None:
    told = str(estate.run())
    for path in estate.folder.glob("secret/*/*.key"):
        assert path.read_text().splitlines()[3] not in told
    assert PASSPHRASE not in told
