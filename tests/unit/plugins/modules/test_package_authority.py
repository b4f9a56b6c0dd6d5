# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import package_authority


@pytest.fixture
def options(tmp_path: Path, rsa_keys: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(package_authority.authority_certificates, "new_key", rsa_keys)
    phrase = tmp_path / "passphrase"
    phrase.write_text("three words of bread\n")
    phrase.chmod(0o600)
    return {
        "trust_directory": str(tmp_path / "trust"),
        "secret_directory": str(tmp_path / "secret"),
        "passphrase_file": str(phrase),
        "authorities": [{"name": "acme", "days": 7300, "crl_days": 365}, {"name": "packages", "issuer": "acme"}],
        "signers": [{"name": "alice", "purpose": "developer", "issuer": "packages"}],
    }


def test_four_calls(call_module: Any, options: dict[str, Any]) -> None:
    predicted = call_module(package_authority, check=True, **options)
    assert predicted["changed"] and predicted["signers"][0]["fingerprint"] is None
    assert not Path(options["trust_directory"]).exists()
    done = call_module(package_authority, diff=True, **options)
    assert done["changed"] and done["steps"] == predicted["steps"]
    assert "alice: a private key, mode 0600, a new RSA key of alice" in done["diff"]["after"]
    assert Path(done["signers"][0]["path"]).exists() and Path(done["signers"][0]["key_path"]).exists()
    assert [one["kind"] for one in done["authorities"]] == ["root", "intermediate"]
    assert "three words of bread" not in str(done)
    for check in (True, False):
        again = call_module(package_authority, check=check, **options)
        assert (again["changed"], again["steps"]) == (False, [])
        assert again["signers"] == done["signers"]


def test_renewal_is_predicted_and_done(
    call_module: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = call_module(package_authority, **options)["signers"][0]
    later = package_authority.timestamps.now() + timedelta(days=340)
    monkeypatch.setattr(package_authority.timestamps, "now", lambda: later)
    predicted = call_module(package_authority, check=True, **options)
    done = call_module(package_authority, **options)
    assert predicted["steps"] == done["steps"] and any("renewed before it ends" in one for one in done["steps"])
    assert done["signers"][0]["fingerprint"] != first["fingerprint"]
    assert not call_module(package_authority, **options)["changed"]


def test_a_lost_passphrase(call_module: Any, options: dict[str, Any]) -> None:
    call_module(package_authority, **options)
    Path(options["passphrase_file"]).write_text("some other passphrase\n")
    options["signers"].append({"name": "dave", "purpose": "deployer", "issuer": "packages"})
    message = call_module(package_authority, **options)["msg"]
    assert "packages.key does not open with the passphrase in" in message
    assert "raise the generation of this key with previous=revoked" in message
    assert "some other passphrase" not in message


def test_the_signers_keys_have_a_passphrase_of_their_own(call_module: Any, options: dict[str, Any]) -> None:
    other = Path(options["passphrase_file"]).with_name("signers")
    options["signer_passphrase_file"] = str(other)
    message = call_module(package_authority, **options)["msg"]
    assert f"The passphrase file {other} cannot be read" in message
    other.write_text("another long passphrase\n")
    other.chmod(0o600)
    key = Path(call_module(package_authority, **options)["signers"][0]["key_path"]).read_bytes()
    opened = package_authority.authority_certificates.open_key(key, b"another long passphrase", "a", "b")
    assert opened.key_size == 2048


def test_a_public_key_that_is_too_short(call_module: Any, options: dict[str, Any], rsa_keys: Any) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path = Path(options["passphrase_file"]).with_name("alice.pub")
    options["signers"][0]["public_key_file"] = str(path)
    assert "cannot be read: No such file" in call_module(package_authority, **options)["msg"]
    path.write_bytes(rsa_keys().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert "is not an RSA key of at least 3072 bits" in call_module(package_authority, **options)["msg"]
    path.write_text("nothing")
    assert "write it with `openssl pkey -pubout`" in call_module(package_authority, **options)["msg"]


def test_a_missing_library_is_named(call_module: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_authority, "MISSING_LIBRARY", "cryptography")
    assert "(cryptography)" in call_module(package_authority, **options)["msg"]
