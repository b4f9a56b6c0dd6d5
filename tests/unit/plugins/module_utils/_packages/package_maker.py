# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that are built and signed as ours are, and then spoilt."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bocage_core._packages import control as controls
from bocage_core._packages import signatures, signing, target_custom, wapt_json
from bocage_core._packages.control import Control
from party_maker import AT, CODE, Party
from zip_maker import Part, make_zip

HOST = "6f1c1f3e-0a51-4a0c-9a53-0d7c3f0a9b11"
FIELDS: dict[str, str | int] = {
    "package": "tis-app",
    "version": "1.2-3",
    "architecture": "all",
    "section": "base",
    "priority": "optional",
    "description": "Démonstration",
    "depends": "tis-lib(>=2)",
    "maturity": "PROD",
    "installed_size": 12,
}
FILES = {"setup.py": b"print(1)\n", "data/é": b"text" * 40, "data/empty": b""}
ROOT = Party.root()
DEVELOPER = ROOT.issue("developer", extended=CODE)
DEPLOYER = ROOT.issue("deployer")


def make_folder(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def build(folder: Path, files: Mapping[str, bytes] = FILES, party: Party = DEVELOPER, **fields: str | int) -> Path:
    """A good package in `folder`, with the fields of its control file replaced."""
    source = make_folder(folder / "source", files)
    built = signing.build_package(source, Control({**FIELDS, **fields}), folder / "app.wapt", party.signer(), AT)
    return built.path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, changes: Mapping[str, bytes | None]) -> Path:
    """The same package with files replaced, added or, for None, taken away; nothing is signed again."""
    found = {**contents(path), **changes}
    path.write_bytes(make_zip([Part(name, data) for name, data in found.items() if data is not None]))
    return path


def sign_again(path: Path, changes: Mapping[str, bytes | None], party: Party = DEVELOPER) -> Path:
    """The same with the manifest made and signed anew by `party`, whatever the files say."""
    found = {name: data for name, data in {**contents(path), **changes}.items() if data is not None}
    unlisted = {"WAPT/manifest.sha256", "WAPT/signature.sha256"}
    listed = [[name, hashlib.sha256(data).hexdigest()] for name, data in found.items() if name not in unlisted]
    manifest = wapt_json.dumps(listed)
    signature = signatures.encode_lines(party.signer().sign(manifest))
    return rewrite(path, {**changes, "WAPT/manifest.sha256": manifest, "WAPT/signature.sha256": signature})


def change_control(path: Path, party: Party = DEVELOPER, **fields: str | int | None) -> Path:
    """The same with a control file that was changed after its signature, in a manifest that is signed."""
    control = controls.parse_control(contents(path)["WAPT/control"])
    changed = {key: value for key, value in {**control.fields, **fields}.items() if value is not None}
    return sign_again(path, {"WAPT/control": controls.render_control(Control(changed))}, party)


@dataclass(frozen=True)
class Said:
    """What a repository says of a file."""

    length: int
    sha256: str
    custom: target_custom.Custom
    may_execute: bool = True

    @classmethod
    def of(cls, path: Path, **options: bool) -> Said:
        data, raw = path.read_bytes(), contents(path)["WAPT/control"]
        custom = target_custom.from_control(controls.parse_control(raw).fields, raw)
        return cls(len(data), hashlib.sha256(data).hexdigest(), custom, **options)
