# SPDX-License-Identifier: GPL-3.0-or-later
"""A real repository in a folder, packages with real signatures of both kinds, and a host that uses them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bocage_agent.packages_library import PackageLibrary, machine_of
from bocage_core._packages import (
    repository,
    repository_edit,
    repository_publish,
    rollout_document,
    signing,
    target_custom,
)
from bocage_core._packages.container import open_container
from bocage_core._packages.control import Control, parse_control
from bocage_core._packages.rollout_document import RolloutDocument
from cryptography.hazmat.primitives.serialization import Encoding
from package_fakes import Host

_LIBRARY_TESTS = Path(__file__).parents[2] / "plugins" / "module_utils"
sys.path[:0] = [str(_LIBRARY_TESTS), str(_LIBRARY_TESTS / "_packages")]

from party_maker import CODE, DAY, Party  # noqa: E402  # found by the path above
from signed_repository import NOW, Holders, SignedRepository, signers  # noqa: E402

HOST_ID = "0b9f5a8e-6f0f-4b7c-9a53-0d6d0a0f6c11"


class Repository(SignedRepository):
    """One with a delegation for rollouts."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder, self.now, self.path = folder, now, folder / "repository"
        self.holders = Holders()
        self.holders.lists["rollouts"] = signers()
        self.root = self.holders.new_root(None, now=now)
        change = repository.new_change(self.root, self.holders.delegations(), self.holders.signing, now)
        repository_publish.init(self.path, change, self.holders.online, now)


@dataclass
class Estate:
    """Who signs packages, and where they are published."""

    folder: Path
    now: datetime = NOW
    root: Party = field(init=False)
    developer: Party = field(init=False)
    deployer: Party = field(init=False)
    repository: SignedRepository = field(init=False)
    built: int = 0

    def __post_init__(self) -> None:
        valid = {"start": self.now - 365 * DAY, "end": self.now + 365 * DAY}
        self.root = Party.root("estate", **valid)
        self.developer = self.root.issue("developer", extended=CODE, **valid)
        self.deployer = self.root.issue("deployer", **valid)
        (self.folder / "estate").mkdir()
        self.repository = Repository(self.folder / "estate", self.now)
        self.revoke()

    def revoke(self, *parties: Party, days: float = 30) -> None:
        """Publish the list of revoked certificates."""
        crl = self.root.crl(parties, start=self.now - DAY, end=self.now + days * DAY)
        path = self.folder / "estate" / "estate.crl"
        path.write_bytes(crl.public_bytes(Encoding.DER))
        self.repository.add(repository_edit.add_file("crl/estate.crl", path))

    def build(
        self,
        package: str,
        version: str,
        setup: str = "",
        *,
        section: str = "base",
        signer: Party | None = None,
        files: Mapping[str, str] | None = None,
        **fields: str,
    ) -> Path:
        self.built += 1
        source = self.folder / "estate" / f"source-{self.built}"
        source.mkdir()
        for name, text in {"setup.py": setup, **(files or {})}.items():
            if text:
                (source / name).write_text(text)
        words = {"package": package, "version": version, "architecture": "all", "section": section, **fields}
        control = Control({**words, "priority": "optional"})
        output = self.folder / "estate" / f"{package}_{self.built}.wapt"
        by = signer or (self.developer if setup else self.deployer)
        signing.build_package(source, control, output, by.signer(), self.now)
        return output

    def publish(self, package: str, version: str, setup: str = "", *, path: str = "", **options: Any) -> Path:
        """Build, sign, list: as a developer or a deployer does."""
        built = self.build(package, version, setup, **options)
        self.list(path or f"{options.get('section', 'base')}/{package}_{version}.wapt", built)
        return built

    def roll_out(self, document: RolloutDocument) -> None:
        path = self.folder / "estate" / f"{document.name}.json"
        path.write_bytes(rollout_document.render(document))
        self.repository.add(repository_edit.add_file(f"rollouts/{document.name}.json", path))

    def list(self, path: str, built: Path) -> None:
        with open_container(built) as container:
            raw = container.control_raw
        custom = target_custom.from_control(parse_control(raw).fields, raw).to_dict()
        self.repository.add(repository_edit.add_file(path, built, custom))


@dataclass
class RealHost(Host):
    """The same host, with the real library and a repository on its own disk."""

    estate: Estate = field(kw_only=True)

    def __post_init__(self) -> None:
        trust = self.folder / "etc"
        trust.mkdir()
        (trust / "root.json").write_bytes(self.estate.repository.root)
        (trust / "authorities.pem").write_bytes(self.estate.root.certificate.public_bytes(Encoding.PEM))
        self.changes = {"replicas": [{"url": self.estate.repository.public.as_uri() + "/"}], **self.changes}

    def run(self, verb: Any) -> Any:
        self.library = PackageLibrary(
            self.settings, HOST_ID, "erp1", machine_of(self.settings.machine), lambda: self.now
        )  # type: ignore[assignment]
        return super().run(verb)
