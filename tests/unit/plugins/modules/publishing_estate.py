# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust, keys and a publisher in folders, for the tests of publishing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import package_maker
import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._packages import repository_keys, repository_root
from ansible_collections.bocage.fleet.plugins.module_utils._packages.control import parse_control
from ansible_collections.bocage.fleet.plugins.module_utils._packages.names import file_name
from bocage_packager.main import main as packager
from cryptography.hazmat.primitives.serialization import Encoding
from party_maker import CODE, DAY, Party

PASSPHRASE = "three words of bread"
DELEGATIONS = ("base", "deployers", "host-paris", "rollouts", "crl")


class Estate:
    """Trust and keys as package_trust.yml leaves them, and a publisher beside."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], targets: int = 1) -> None:
        """`targets` keys sign the top list, all of them."""
        self.folder, self.capsys = folder, capsys
        self.holders = [f"targets-{number}" for number in range(1, targets + 1)]
        self.trust, self.secret = folder / "trust", folder / "secret"
        (self.trust / "keys").mkdir(parents=True)
        self.secret.mkdir()
        (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
        keys = {}
        for name in (*(f"root-{number}" for number in (1, 2, 3)), *self.holders, *DELEGATIONS):
            keys[name] = repository_keys.generate_key_file(self.secret / f"{name}.key", PASSPHRASE.encode())
            (self.trust / "keys" / f"{name}.pub").write_bytes(repository_keys.write_public_key(keys[name]))
        online = self.packager("online-keys", folder / "online")["public"]
        keys |= {role: repository_keys.read_public_key(text.encode()) for role, text in online.items()}
        plan = repository_root.RootPlan(
            repository_root.holders([keys[f"root-{number}"] for number in (1, 2, 3)], 2),
            repository_root.holders([keys[name] for name in self.holders], targets),
            *(repository_root.holders([keys[name]]) for name in ("snapshot", "timestamp")),
        )
        signers = [
            repository_keys.load_signer(self.secret / f"root-{number}.key", PASSPHRASE.encode()) for number in (1, 2)
        ]
        draft = repository_root.draft(plan, None, timestamps.now())
        (self.trust / "root.json").write_bytes(repository_keys.sign(draft, signers, "root"))
        now = timestamps.now()
        self.lives = {"start": now - 30 * DAY, "end": now + 30 * DAY}
        self.authority = Party.root("estate", **self.lives)
        self.developer = self.authority.issue("ann", extended=CODE, **self.lives)
        self.deployer = self.authority.issue("carol", **self.lives)
        (self.trust / "authorities.pem").write_bytes(self.authority_pem())
        (self.trust / "crl").mkdir()
        self.revoke()

    def authority_pem(self) -> bytes:
        return self.authority.certificate.public_bytes(Encoding.PEM)

    def revoke(self, *parties: Party) -> None:
        """The authority's list of revoked certificates, with these."""
        now = timestamps.now()
        crl = self.authority.crl(parties, start=now - DAY, end=now + DAY)
        (self.trust / "crl/estate.crl").write_bytes(crl.public_bytes(Encoding.PEM))

    def package(self, party: Party, files: Mapping[str, bytes], **fields: str) -> Path:
        """A package that `party` signed, with the name that its control file gives it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        path = package_maker.build(folder, files, party, **{"depends": "", **fields})
        control = parse_control(package_maker.contents(path)["WAPT/control"])
        return path.rename(folder / file_name(control.fields))

    def packager(self, *words: object) -> dict[str, Any]:
        self.capsys.readouterr()
        status = packager(["--json", *(str(word) for word in words)])
        answer: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        assert status == 0, answer
        return answer

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "output": str(self.folder / "signed.change"),
            "trust_directory": str(self.trust),
            "secret_directory": str(self.secret),
            "passphrase_file": str(self.folder / "passphrase"),
            "targets_holders": self.holders,
            "delegations": ["rollouts"],
            **more,
        }

    def exported(self) -> str:
        self.packager("export", "--output", self.folder / "exported.tar", self.folder / "repository")
        return str(self.folder / "exported.tar")

    def commit(self) -> dict[str, Any]:
        change, keys = self.folder / "signed.change", self.folder / "online"
        return self.packager("commit", change, "--keys", keys, self.folder / "repository")
