# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate with an authority in folders, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bocage_core._packages import authority, authority_certificates, authority_files
from bocage_core._packages.authority_parties import parties
from cryptography import x509
from cryptography.hazmat.primitives import serialization

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
PASSPHRASE = "three words of bread"


def an_authority(name: str, issuer: str | None = None, **changes: Any) -> dict[str, Any]:
    given = {"name": name, "issuer": issuer, "days": 1825 if issuer else 7300, "generation": 1, "previous": "valid"}
    given |= {"state": "present", "reason": "unspecified", "path_length": None, "crl_days": 30 if issuer else 365}
    return given | changes


def a_signer(name: str, purpose: str = "developer", **changes: Any) -> dict[str, Any]:
    given = {"name": name, "purpose": purpose, "issuer": "packages", "days": 365, "generation": 1, "previous": "valid"}
    return given | {"state": "present", "reason": "unspecified"} | changes


@dataclass
class Estate:
    folder: Path
    now: datetime = NOW
    authorities: list[dict[str, Any]] = field(
        default_factory=lambda: [an_authority("estate"), an_authority("packages", "estate")]
    )
    signers: list[dict[str, Any]] = field(default_factory=lambda: [a_signer("alice"), a_signer("carol", "deployer")])

    @property
    def folders(self) -> authority_files.Folders:
        return authority_files.Folders(self.folder / "trust", self.folder / "secret")

    def run(self, check: bool = False) -> authority.Outcome:
        phrase = self.folder / "passphrase"
        if not phrase.exists():
            phrase.write_text(PASSPHRASE + "\n")
            phrase.chmod(0o600)
        declared = parties(self.authorities, self.signers, 30)
        both = authority.Passphrases(phrase, phrase)
        return authority.converge(declared, self.folders, both, "Example", self.now, check)

    def chain(self, name: str) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates((self.folder / f"trust/signers/{name}.crt").read_bytes())

    def authority(self, path: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / f"trust/{path}.crt").read_bytes())

    def crl(self, name: str) -> x509.CertificateRevocationList:
        return x509.load_pem_x509_crl((self.folder / f"trust/crl/{name}.crl").read_bytes())

    def revoked(self, name: str) -> set[int]:
        return {one.serial_number for one in self.crl(name)}


def make(folder: Path, keys: Callable[[], Any], patch: pytest.MonkeyPatch) -> Estate:
    """An estate whose keys are made and opened in little time."""
    patch.setattr(authority_certificates, "new_key", keys)
    quick = partial(serialization.load_pem_private_key, unsafe_skip_rsa_key_validation=True)
    patch.setattr(serialization, "load_pem_private_key", quick)
    return Estate(folder)
