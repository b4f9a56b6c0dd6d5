# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._packages import root_ceremony
from ansible_collections.bocage.fleet.plugins.modules import package_root
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    phrase = tmp_path / "phrase"
    phrase.write_text("a passphrase of holders\n")
    phrase.chmod(0o600)
    return tmp_path / "trust"


def key(trust: Path, name: str) -> dict[str, Any]:
    files = {"key_file": str(trust.parent / f"home/{name}.key"), "public_key_file": str(trust / f"keys/{name}.pub")}
    return {"trust_directory": str(trust), "passphrase_file": str(trust.parent / "phrase"), **files}


def draft(trust: Path) -> dict[str, Any]:
    roles = {"root": (1, 2, 3), "targets": (1, 2, 3), "snapshot": (1,), "timestamp": (1,)}
    public = {f"{role}_keys": [str(trust / f"keys/{role}-{n}.pub") for n in numbers] for role, numbers in roles.items()}
    return {"trust_directory": str(trust), "step": "draft", **public}


def four(call_module: Any, **options: Any) -> dict[str, Any]:
    """Check, do, check again, do again."""
    predicted = call_module(package_root, check=True, **options)
    done: dict[str, Any] = call_module(package_root, diff=True, **options)
    assert predicted["changed"] and done["changed"], done
    assert predicted["diff"] == done["diff"]
    assert "a passphrase of holders" not in str(done)
    for check in (True, False):
        assert not call_module(package_root, check=check, **options)["changed"]
    return done


def test_four_calls_of_each_step(call_module: Any, trust: Path) -> None:
    for role, count in (("root", 3), ("targets", 3), ("snapshot", 1), ("timestamp", 1)):
        for n in range(1, count + 1):
            four(call_module, step="key", **key(trust, f"{role}-{n}"))
    assert four(call_module, **draft(trust))["root"]["missing_signatures_new"] == 2
    four(call_module, step="sign", **key(trust, "root-1"))
    refused = call_module(package_root, step="finish", trust_directory=str(trust))
    assert refused["failed"] and "pass the file on" in refused["msg"]
    assert four(call_module, step="sign", **key(trust, "root-2"))["root"]["complete"]
    finished = four(call_module, step="finish", trust_directory=str(trust))
    assert finished["root"]["version"] == 1 and (trust / "root.json").exists()
    assert not call_module(package_root, **draft(trust))["changed"]


def test_tickets_of_those_who_are_named_count_and_of_nobody_else(call_module: Any, trust: Path) -> None:
    """Who is named no more has no say any more, and who has made no key yet is waited for."""

    def place(*names: str) -> dict[str, Any]:
        files = {"public_key_file": str(trust / "downgrade-keys.pem"), "trust_directory": str(trust)}
        options = {"step": "ticket_keys", **files, "ticket_keys": [str(trust / f"keys/{name}.pub") for name in names]}
        found = four(call_module, **options)
        keys = root_ceremony.ticket_keys(trust)
        found["names"] = [name for name, key in raw.items() if key in keys]
        assert len(keys) == len(found["names"])
        return found

    raw = {}
    for name in ("first", "second"):
        call_module(package_root, step="key", **key(trust, name))
        public = root_ceremony.read_public(trust / f"keys/{name}.pub")
        raw[name] = bytes.fromhex(public.keyval["public"])
    assert place("first")["names"] == ["first"]
    both = place("first", "second", "elsewhere")
    assert both["names"] == ["first", "second"]
    assert both["warnings"] == [
        f"Downgrade tickets of elsewhere do not count, as {trust}/keys/elsewhere.pub is missing; ask its holder for it."
    ]
    assert place("second")["names"] == ["second"]
    assert place()["names"] == []
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    (trust / "keys/token.pub").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    options = {"trust_directory": str(trust), "public_key_file": str(trust / "downgrade-keys.pem")}
    refused = call_module(package_root, step="ticket_keys", ticket_keys=[str(trust / "keys/token.pub")], **options)
    assert refused["failed"] and "token.pub is no Ed25519 key" in refused["msg"]
    assert root_ceremony.ticket_keys(trust) == []


def test_a_lost_passphrase(call_module: Any, trust: Path) -> None:
    for role, count in (("root", 3), ("targets", 3), ("snapshot", 1), ("timestamp", 1)):
        for n in range(1, count + 1):
            call_module(package_root, step="key", **key(trust, f"{role}-{n}"))
    call_module(package_root, **draft(trust))
    (trust.parent / "phrase").write_text("another long passphrase\n")
    message = call_module(package_root, step="sign", **key(trust, "root-1"))["msg"]
    assert "root-1.key cannot be opened" in message and "another long" not in message


def test_what_a_step_needs(call_module: Any, trust: Path) -> None:
    assert "key_file" in call_module(package_root, step="key", trust_directory=str(trust))["msg"]
    result = call_module(package_root, **draft(trust))
    assert "root-1.pub cannot be read" in result["msg"]
    options = {**key(trust, "root-1"), "token_label": "estate"}
    assert "mutually exclusive" in call_module(package_root, step="sign", **options)["msg"]


def test_a_missing_library_is_named(call_module: Any, trust: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_root, "MISSING_LIBRARY", "tuf")
    assert "(tuf)" in call_module(package_root, step="finish", trust_directory=str(trust))["msg"]
