# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authority makes, judged by the rule of hosts, by OpenSSL, and beside certificates that WAPT made."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import wapt_vectors
from authority_estate import Estate, a_signer, make
from bocage_core._common.refused import Refused
from bocage_core._packages import authority_certificates as x
from bocage_core._packages import signing
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.certificates import Chain, Trust, load_chain, verify_chain
from bocage_core._packages.control import Control
from bocage_core._packages.revocation import load_crl
from bocage_core._packages.trust_store import load_certificates
from cryptography import x509
from package_maker import FIELDS, FILES, make_folder, sign_again

DAY = timedelta(days=1)


@pytest.fixture
def estate(tmp_path: Path, rsa_keys: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Estate:
    made = make(tmp_path, rsa_keys, monkeypatch)
    made.run()
    return made


def store(estate: Estate, revocation: Literal["where_listed", "required"] = "required") -> Trust:
    """What a host has after it heard of the estate: the roots, and the lists of the day."""
    folder = estate.folder / "trust"
    bundle = folder / "authorities.pem"
    roots = load_certificates(bundle.read_bytes(), bundle)
    lists = tuple(load_crl(path.read_bytes(), path.name) for path in sorted(folder.glob("crl/*.crl")))
    return Trust(roots, lists, "refused", revocation)


def judge(estate: Estate, name: str, trust: Trust | None = None, after: timedelta = timedelta()) -> Chain:
    presented = load_chain((estate.folder / f"trust/signers/{name}.crt").read_bytes(), name)
    return verify_chain(presented, trust or store(estate), estate.now + after, "a package")


def refusal(estate: Estate, name: str, trust: Trust | None = None, after: timedelta = timedelta()) -> str:
    with pytest.raises(Refused) as refused:
        judge(estate, name, trust, after)
    return refused.value.code


def test_a_developer_may_execute_and_a_deployer_may_not(estate: Estate) -> None:
    assert judge(estate, "alice").code_signing == "granted"
    assert judge(estate, "carol").code_signing == "absent"


def test_attack_a_signer_that_was_revoked(estate: Estate) -> None:
    estate.signers[0]["state"] = "revoked"
    estate.run()
    assert refusal(estate, "alice") == "revoked"
    assert judge(estate, "carol").signer


def test_attack_a_signer_whose_certificate_ended(estate: Estate) -> None:
    trust = store(estate, "where_listed")
    assert refusal(estate, "alice", Trust(trust.certificates, (), "refused"), 366 * DAY) == "expired"


def test_attack_an_authority_below_one_that_signs_for_signers_only(estate: Estate) -> None:
    """The key of the intermediate is stolen, and makes an authority of its own, beyond its path length."""
    phrase = (estate.folder / "passphrase").read_bytes().strip()
    sealed = (estate.folder / "secret/authority/packages.key").read_bytes()
    stolen, packages = x.open_key(sealed, phrase, "", ""), estate.authority("intermediates/packages")
    begins, ends = estate.now - DAY, estate.now + DAY
    keys = [
        x.open_key((estate.folder / f"secret/signers/{one}.key").read_bytes(), phrase, "", "")
        for one in ("alice", "carol")
    ]
    below = x.authority_certificate(x.subject_of("below", ""), keys[0].public_key(), packages, stolen, 0, begins, ends)
    leaf = x.signer_certificate(x.subject_of("mallory", ""), keys[1].public_key(), below, keys[0], True, begins, ends)
    (estate.folder / "trust/signers/mallory.crt").write_bytes(x.pem([leaf, below, packages]))
    assert refusal(estate, "mallory", Trust(store(estate).certificates, (), "refused")) == "untrusted_signer"


def test_attack_a_signer_makes_certificates_for_others(estate: Estate) -> None:
    phrase = (estate.folder / "passphrase").read_bytes().strip()
    key = x.open_key((estate.folder / "secret/signers/carol.key").read_bytes(), phrase, "", "")
    carol, *above = estate.chain("carol")
    begins, ends = estate.now - DAY, estate.now + DAY
    leaf = x.signer_certificate(x.subject_of("mallory", ""), key.public_key(), carol, key, True, begins, ends)
    (estate.folder / "trust/signers/mallory.crt").write_bytes(x.pem([leaf, carol, *above]))
    assert refusal(estate, "mallory", Trust(store(estate).certificates, (), "refused")) == "untrusted_signer"


@dataclass
class Holder:
    """A signer with the key and the chain that the authority made."""

    estate: Estate
    name: str

    def signer(self) -> signing.KeyFileSigner:
        phrase = (self.estate.folder / "passphrase").read_bytes().strip()
        key = self.estate.folder / f"secret/signers/{self.name}.key"
        return signing.load_signer(key, self.estate.folder / f"trust/signers/{self.name}.crt", phrase)


def package(estate: Estate, name: str, files: dict[str, bytes]) -> Path:
    source = make_folder(estate.folder / f"source-{name}", files)
    output = estate.folder / f"{name}.wapt"
    return signing.build_package(source, Control(dict(FIELDS)), output, Holder(estate, name).signer(), estate.now).path


def test_packages_of_a_developer_and_of_a_deployer(estate: Estate) -> None:
    accepted = verify_package(package(estate, "alice", FILES), store(estate), estate.now)
    assert (accepted.signer, accepted.executables) == ("alice", ("setup.py",))
    plain = package(estate, "carol", {"data": b"text"})
    assert verify_package(plain, store(estate), estate.now).executables == ()


@pytest.mark.parametrize("name", ["setup.py", "Setup.Py"])
def test_attack_a_deployer_with_what_executes(estate: Estate, name: str) -> None:
    """Past our own tools, which would not sign it: the manifest is made and signed with the deployer's own key."""
    plain = package(estate, "carol", {"data": b"text"})
    spoilt = sign_again(plain, {name: b"print(1)"}, Holder(estate, "carol"))  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        verify_package(spoilt, store(estate), estate.now)
    assert refused.value.code == "not_code_signing"


def test_attack_a_package_of_a_signer_that_was_revoked_later(estate: Estate) -> None:
    made = package(estate, "alice", FILES)
    estate.signers[0] |= {"state": "revoked", "reason": "key_compromise"}
    estate.run()
    with pytest.raises(Refused) as refused:
        verify_package(made, store(estate), estate.now)
    assert refused.value.code == "revoked"


def test_attack_an_intermediate_that_was_revoked(estate: Estate) -> None:
    before = (estate.folder / "trust/signers/alice.crt").read_bytes()
    estate.authorities[1] |= {"generation": 2, "previous": "revoked", "reason": "key_compromise"}
    estate.run()
    assert judge(estate, "alice").code_signing == "granted"
    (estate.folder / "trust/signers/alice.crt").write_bytes(before)
    assert refusal(estate, "alice") == "revoked"


def test_attack_lists_that_are_held_back(estate: Estate) -> None:
    """Without a fresh list nobody is believed, as it may be the one that revokes."""
    assert judge(estate, "alice", after=29 * DAY).signer
    assert refusal(estate, "alice", after=31 * DAY) == "no_fresh_crl"
    trust = store(estate)
    assert refusal(estate, "alice", Trust(trust.certificates, (), "refused", "required")) == "no_fresh_crl"


def test_a_demoted_developer_cannot_go_on_with_the_old_certificate(estate: Estate) -> None:
    before = (estate.folder / "trust/signers/alice.crt").read_bytes()
    estate.signers[0]["purpose"] = "deployer"
    estate.run()
    assert judge(estate, "alice").code_signing == "absent"
    (estate.folder / "trust/signers/alice.crt").write_bytes(before)
    assert refusal(estate, "alice") == "revoked"


def test_a_host_that_slept_through_a_new_root_believes_it(estate: Estate) -> None:
    """It knows the first root alone; the lists are targets of the repository, so it has those of the day."""
    first = store(estate).certificates
    for generation in (2, 3):
        estate.authorities[0]["generation"] = generation
        estate.now += 20 * DAY
        estate.run()
        for roots in (first, store(estate).certificates, store(estate).certificates[-1:]):
            assert judge(estate, "alice", Trust(roots, store(estate).crls, "refused", "required")).signer


def test_a_host_that_slept_past_the_end_of_a_root_does_not(estate: Estate) -> None:
    first = store(estate).certificates
    estate.authorities[0] |= {"generation": 2, "previous": "revoked"}
    estate.run()
    assert refusal(estate, "alice", Trust(first, store(estate).crls, "refused")) == "untrusted_signer"
    assert judge(estate, "alice").signer


def test_what_was_signed_before_a_renewal_stays_good(estate: Estate) -> None:
    before = (estate.folder / "trust/signers/alice.crt").read_bytes()
    estate.now += 340 * DAY
    estate.run()
    (estate.folder / "trust/signers/alice.crt").write_bytes(before)
    assert judge(estate, "alice").signer


def test_openssl_is_of_the_same_opinion(estate: Estate) -> None:
    estate.signers.append(a_signer("dave"))
    estate.run()
    estate.signers[-1]["state"] = "revoked"
    estate.run()
    folder = estate.folder / "trust"
    lists = estate.folder / "lists.pem"
    lists.write_bytes(b"".join(path.read_bytes() for path in folder.glob("crl/*.crl")))

    def verify(name: str) -> str:
        chain = str(folder / f"signers/{name}.crt")
        command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-attime", str(int(estate.now.timestamp()))]
        command += ["-CAfile", str(folder / "authorities.pem"), "-CRLfile", str(lists), "-untrusted", chain, chain]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert verify("alice").endswith("alice.crt: OK\n") and verify("carol").endswith("carol.crt: OK\n")
    assert "certificate revoked" in verify("dave")


@pytest.mark.parametrize(("own", "theirs"), [("alice", "dev"), ("carol", "dep")])
def test_agents_of_wapt_read_the_same_in_it(estate: Estate, own: str, theirs: str) -> None:
    """What WAPT's own tools put into a certificate is in ours, in the same words."""
    mine = estate.chain(own)[0]
    vector = x509.load_pem_x509_certificate((wapt_vectors.FOLDER / f"certs/{theirs}.crt").read_bytes())
    assert mine.signature_algorithm_oid == vector.signature_algorithm_oid
    assert mine.version == vector.version
    for extension in vector.extensions:
        held = mine.extensions.get_extension_for_oid(extension.oid)
        assert held.critical == extension.critical, extension.oid
        if not isinstance(extension.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier):
            assert held.value == extension.value
    assert {one.oid for one in mine.extensions} == {one.oid for one in vector.extensions}
