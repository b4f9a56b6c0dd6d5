# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust, keys and a publisher in folders, for the tests of publishing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import package_maker
import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._packages import repository_keys, root_ceremony
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
        self.make_keys("root-1", "root-2", "root-3", *self.holders, *DELEGATIONS)
        self.ceremony()
        now = timestamps.now()
        self.lives = {"start": now - 30 * DAY, "end": now + 30 * DAY}
        self.authority = Party.root("estate", **self.lives)
        self.developer = self.authority.issue("ann", extended=CODE, **self.lives)
        self.deployer = self.authority.issue("carol", **self.lives)
        (self.trust / "authorities.pem").write_bytes(self.authority_pem())
        (self.trust / "crl").mkdir()
        self.revoke()

    def make_keys(self, *names: str) -> None:
        for name in names:
            path = self.secret / f"{name}.key"
            key = repository_keys.generate_key_file(path, PASSPHRASE.encode())
            self.public(name).write_bytes(repository_keys.write_public_key(key))

    def public(self, name: str) -> Path:
        return self.trust / "keys" / f"{name}.pub"

    def online_keys(self, generation: int = 1) -> dict[str, Any]:
        """Made on the publisher, their public halves carried to the trust folder."""
        repository = ("--repository", self.folder / "repository")
        made = self.packager("online-keys", "--generation", generation, *repository, self.folder / "online")
        for role, text in made["public"].items():
            self.public(role if generation == 1 else f"{role}-{generation}").write_text(text)
        return made

    def ceremony(
        self, *former: str, holders: Sequence[str] = ("root-1", "root-2", "root-3"), generation: int = 1,
        days: int = 365, now: datetime | None = None,
    ) -> None:  # fmt: skip
        """The next root as package_root.yml makes it, signed by two of its holders and by those of the `former` one."""
        self.online_keys(generation)
        end = "" if generation == 1 else f"-{generation}"
        public, now = self.public, now or timestamps.now()
        plan = root_ceremony.plan_of(
            [public(name) for name in holders], 2, [public(name) for name in self.holders], len(self.holders),
            [public(f"snapshot{end}")], [public(f"timestamp{end}")],
        )  # fmt: skip
        root_ceremony.draft(self.trust, plan, now, timedelta(days=days), renew=timedelta(days=3650), check=False)
        for name in (*holders[:2], *former):
            signer = repository_keys.load_signer(self.secret / f"{name}.key", PASSPHRASE.encode())
            root_ceremony.sign(self.trust, lambda signer=signer: signer, signer.public_key, False)
        assert root_ceremony.finish(self.trust, now, False).changed

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
        assert status == 0, str(answer)
        return answer

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "output": str(self.folder / "signed.change"),
            "trust_directory": str(self.trust),
            "secret_directory": str(self.secret),
            "passphrase_file": str(self.folder / "passphrase"),
            "delegations": ["rollouts"],
            **more,
        }

    def exported(self) -> str:
        self.packager("export", "--output", self.folder / "exported.tar", self.folder / "repository")
        return str(self.folder / "exported.tar")

    def commit(self, *words: str) -> dict[str, Any]:
        change, keys = self.folder / "signed.change", self.folder / "online"
        return self.packager("commit", *words, change, "--keys", keys, self.folder / "repository")
