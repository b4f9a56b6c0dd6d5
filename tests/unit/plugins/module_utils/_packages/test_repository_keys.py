# SPDX-License-Identifier: GPL-3.0-or-later
"""Key files, the ceremony of the root, and the proof of what a publisher's folder holds."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_keys, repository_publish, repository_root
from bocage_core._packages.repository_key_check import find_private_keys
from bocage_core._packages.tuf_library import CryptoSigner, Signer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_repository import NOW, Holders, SignedRepository, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

PASSPHRASE = b"correct horse"


class TestKeyFiles:
    def test_a_key_file_signs_after_its_passphrase(self, tmp_path: Path) -> None:
        path = tmp_path / "root1.pem"
        public = repository_keys.generate_key_file(path, PASSPHRASE)
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"ENCRYPTED PRIVATE KEY" in path.read_bytes()
        assert repository_keys.load_signer(path, PASSPHRASE).public_key == public

    def test_a_key_of_a_publisher_needs_no_person(self, tmp_path: Path) -> None:
        public = repository_keys.generate_key_file(tmp_path / "timestamp.pem", None)
        assert repository_keys.load_signer(tmp_path / "timestamp.pem", None).public_key == public

    @pytest.mark.parametrize("passphrase", [b"another horse", None])
    def test_a_wrong_passphrase(self, tmp_path: Path, passphrase: bytes | None) -> None:
        path = tmp_path / "root1.pem"
        repository_keys.generate_key_file(path, PASSPHRASE)
        with pytest.raises(BadInput, match=r"root1\.pem cannot be opened: a private key in PEM and its passphrase"):
            repository_keys.load_signer(path, passphrase)

    def test_a_key_is_never_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "root1.pem"
        repository_keys.generate_key_file(path, PASSPHRASE)
        with pytest.raises(BadInput, match="exists; move it away"):
            repository_keys.generate_key_file(path, PASSPHRASE)

    def test_a_passphrase_that_is_too_short(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="is shorter than 8 characters"):
            repository_keys.generate_key_file(tmp_path / "x", b"short")
        assert not (tmp_path / "x").exists()

    def test_files_that_hold_no_key(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="cannot be read: No such file"):
            repository_keys.load_signer(tmp_path / "none", None)
        other = tmp_path / "p256.pem"
        other.write_bytes(CryptoSigner.generate_ecdsa().private_bytes)
        with pytest.raises(BadInput, match="does not hold an Ed25519 key"):
            repository_keys.load_signer(other, None)

    def test_public_keys_travel(self) -> None:
        for signer in (signers()[0], CryptoSigner.generate_ecdsa()):
            raw = repository_keys.write_public_key(signer.public_key)
            assert repository_keys.read_public_key(raw) == signer.public_key

    def test_a_key_under_two_names_would_sign_twice(self) -> None:
        key = signers()[0].public_key
        raw = repository_keys.write_public_key(key).replace(key.keyid.encode(), b"0" * 64)
        with pytest.raises(BadInput, match="carries a name that is not its own"):
            repository_keys.read_public_key(raw)

    @given(st.binary(max_size=300) | st.just(b'{"keyid":1,"keytype":"rsa","scheme":"x","keyval":{"public":"-"}}'))
    @settings(max_examples=40)
    def test_public_keys_of_any_bytes(self, raw: bytes) -> None:
        with pytest.raises((BadInput, Refused)):
            repository_keys.read_public_key(raw)

    def test_a_token_signs_as_well(self, tmp_path: Path) -> None:
        """P-256, as on PKCS#11 tokens, through the same interface."""
        signed = SignedRepository(tmp_path)
        signed.holders.lists["base"] = [CryptoSigner.generate_ecdsa()]
        change = repository_edit.delegate(signed.store, signed.holders.delegations(), signed.holders.signing, NOW)
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
        signed.publish("base/a_1.wapt")
        assert len(signed.client().update()) == 1


class TestCeremony:
    def test_a_draft_goes_from_holder_to_holder(self) -> None:
        holders = Holders()
        draft = repository_root.draft(holders.plan(), None, NOW)
        said = repository_root.describe(draft, None)
        assert (said["version"], said["missing_signatures_new"], said["complete"]) == (1, 2, False)
        assert said["expires"] == "2027-11-21T12:00:00Z"
        with pytest.raises(Refused, match=r"The root 1 is not complete: .* 2 of its own are missing; pass the file on"):
            repository_root.check(draft, None, NOW)
        once = repository_keys.sign(draft, holders.root[2:], "root")
        assert repository_root.describe(once, None)["signed_by"] == [holders.root[2].public_key.keyid]
        twice = repository_keys.sign(once, holders.root[:1], "root")
        assert repository_root.describe(twice, None)["complete"]
        assert repository_root.check(twice, None, NOW).signed.version == 1

    def test_a_second_signature_of_one_holder_counts_once(self) -> None:
        holders = Holders()
        draft = repository_root.draft(holders.plan(), None, NOW)
        same = repository_keys.sign(draft, [holders.root[0]] * 2, "root")
        assert repository_root.describe(same, None)["missing_signatures_new"] == 1

    def test_a_new_root_needs_the_holders_of_the_old_one(self) -> None:
        old, new = Holders(), Holders()
        first = old.new_root(None)
        draft = repository_root.draft(new.plan(), first, NOW)
        by_new = repository_keys.sign(draft, new.root[:2], "root")
        said = repository_root.describe(by_new, first)
        assert (said["missing_signatures_old"], said["missing_signatures_new"], said["complete"]) == (2, 0, False)
        assert sorted(said["roles"]["root"]["removed"]) == sorted(one.public_key.keyid for one in old.root)
        with pytest.raises(Refused, match="2 signatures of the holders of the previous root and 0 of its own"):
            repository_root.check(by_new, first, NOW)
        both = repository_keys.sign(by_new, old.root[1:], "root")
        assert repository_root.check(both, first, NOW).signed.version == 2

    def test_one_lost_key_is_replaced_by_the_two_others(self, tmp_path: Path) -> None:
        signed = SignedRepository(tmp_path)
        client = signed.client()
        client.update()
        kept = signed.holders.root[:2]
        signed.holders.root = [*kept, *signers()]
        root = repository_keys.sign(repository_root.draft(signed.holders.plan(), signed.root, NOW), kept, "root")
        repository_publish.commit(signed.path, repository_edit.Change(root=root), signed.holders.online, NOW)
        assert client.update().root == 2

    def test_plans_that_lock_out(self) -> None:
        holders = Holders()
        plan = holders.plan()
        keys = [one.public_key for one in holders.root]
        one = repository_root.holders
        for wrong, sentence in (
            (replace(plan, root=one(keys, 1)), "at least two of three keys"),
            (replace(plan, root=one(keys[:2], 2)), "at least two of three keys"),
            (replace(plan, root=one([*keys[:2], keys[0]], 2)), "The role root names a key twice"),
            (replace(plan, targets=one(keys, 4)), "asks for 4 of 3 keys"),
            (replace(plan, snapshot=one([])), "asks for 1 of 0 keys"),
            (replace(plan, timestamp=one(keys[:1])), "would be on the publisher and sign offline roles"),
        ):
            with pytest.raises(BadInput, match=sentence):
                repository_root.draft(wrong, None, NOW)

    def test_roots_out_of_order_or_expired(self) -> None:
        holders = Holders()
        first = holders.new_root(None)
        second = holders.new_root(first)
        with pytest.raises(Refused, match="The root has the version 2; 1 is the next one"):
            repository_root.check(second, None, NOW)
        with pytest.raises(Refused, match="The root has the version 1; 2 is the next one"):
            repository_root.check(first, first, NOW)
        with pytest.raises(Refused, match="The root 1 expired at 2027-11-21T12:00:00Z; draft it again"):
            repository_root.check(first, None, NOW + timedelta(days=400))
        assert repository_root.plan_of(first) == holders.plan()

    def test_the_rotation_of_online_keys_needs_both(self, tmp_path: Path) -> None:
        signed = SignedRepository(tmp_path)
        signed.holders.timestamp = signers()
        change = repository_edit.Change(root=signed.holders.new_root(signed.root))
        with pytest.raises(
            BadInput, match=r"do not suffice to sign the timestamp under the root 1; .* old and the new"
        ):
            repository_publish.commit(signed.path, change, signed.holders.online, NOW)
        assert not (signed.path / "pending").exists()


def pem(signer: Signer) -> bytes:
    assert isinstance(signer, CryptoSigner)
    return signer.private_bytes


FORMS: dict[str, Callable[[CryptoSigner], bytes]] = {
    "PKCS#8": lambda one: one.private_bytes,
    "with text around it": lambda one: b"x" * 70_000 + one.private_bytes,
    "two in a file": lambda one: signers()[0].private_bytes + one.private_bytes,  # type: ignore[attr-defined]
    "with a passphrase": lambda one: one._private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)
    ),
    "OpenSSH": lambda one: one._private_key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    "DER": lambda one: one._private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "DER with a passphrase": lambda one: one._private_key.private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)
    ),
    "seed": lambda one: one._private_key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
    "seed in hexadecimal": lambda one: (
        one._private_key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex().encode() + b"\n"
    ),
    "EC": lambda one: ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ),
    "PKCS#12": lambda one: pkcs12.serialize_key_and_certificates(
        b"k", ec.generate_private_key(ec.SECP256R1()), None, None, BestAvailableEncryption(PASSPHRASE)
    ),
    "OpenPGP": lambda one: b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxx\n-----END PGP PRIVATE KEY BLOCK-----\n",
    "PuTTY": lambda one: b"PuTTY-User-Key-File-3: ssh-ed25519\n",
    "cut off": lambda one: one.private_bytes[:60],
}


class TestProof:
    @pytest.fixture
    def signed(self, tmp_path: Path) -> SignedRepository:
        signed = SignedRepository(tmp_path)
        signed.publish("base/a_1.wapt", "crl/x.crl")
        keys = signed.path / "keys"
        keys.mkdir()
        (keys / "snapshot.pem").write_bytes(pem(signed.holders.snapshot[0]))
        (keys / "timestamp.pem").write_bytes(pem(signed.holders.timestamp[0]))
        return signed

    def test_a_publisher_with_its_two_keys(self, signed: SignedRepository) -> None:
        assert find_private_keys(signed.path, signed.root) == []

    @pytest.mark.parametrize("form", FORMS)
    def test_a_key_of_the_root_in_any_form(self, signed: SignedRepository, form: str) -> None:
        key = signed.holders.root[0]
        assert isinstance(key, CryptoSigner)
        path = signed.public / "wapt" / "innocent.txt"
        path.write_bytes(FORMS[form](key))
        (found,) = find_private_keys(signed.path, signed.root)
        assert found.path == path
        assert "key" in found.reason

    def test_the_seed_of_a_key_of_a_delegation(self, signed: SignedRepository) -> None:
        key = signed.holders.lists["base"][0]
        assert isinstance(key, CryptoSigner)
        (signed.path / "x").write_bytes(FORMS["seed"](key))
        assert find_private_keys(signed.path, signed.root) == []
        assert len(find_private_keys(signed.path, signed.root, [key.public_key.keyid])) == 1

    @pytest.mark.parametrize("form", ["seed", "seed in hexadecimal"])
    @pytest.mark.parametrize("start", [0x00, 0x30])
    def test_a_seed_that_begins_as_der_does(self, signed: SignedRepository, start: int, form: str) -> None:
        key = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([start]) + os.urandom(31)))
        (signed.path / "x").write_bytes(FORMS[form](key))
        assert len(find_private_keys(signed.path, signed.root, [key.public_key.keyid])) == 1

    def test_links_and_what_cannot_be_searched(self, signed: SignedRepository, tmp_path: Path) -> None:
        (signed.path / "inside").symlink_to("public")
        (signed.path / "outside").symlink_to(tmp_path)
        os.mkfifo(signed.path / "pipe")
        (found,) = find_private_keys(signed.path, signed.root)
        assert (found.path.name, found.reason) == ("outside", "is a link that leads out of the folder")

    def test_files_that_only_look_like_keys(self, signed: SignedRepository) -> None:
        (signed.path / "digest").write_text("0" * 64)
        (signed.path / "random").write_bytes(b"\x30" + os.urandom(31))
        (signed.path / "public.pem").write_bytes(repository_keys.write_public_key(signed.holders.root[0].public_key))
        with zipfile.ZipFile(signed.path / "a.zip", "w") as archive:
            archive.writestr("x", "y" * 100_000)
        assert find_private_keys(signed.path, signed.root) == []

    @given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda raw: b"-----BEGIN PRIVATE KEY-----" + raw))
    @settings(max_examples=40)
    def test_any_bytes_are_judged(self, raw: bytes) -> None:
        from bocage_core._packages import repository_key_check

        reason = repository_key_check._judge(raw, frozenset(), frozenset())
        assert isinstance(reason, str)
        assert not raw.startswith(b"-----BEGIN PRIVATE KEY-----") or reason
