# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents of the lab as others could have built them, and the packages that bring them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from bocage_packager.main import main as packager
from packages_made import sign

# What is added to files of the agent.
ANOTHER = {"lib/bocage_agent/__init__.py": b"\n# another build\n"}
# It starts, and ends before it has made a report.
SILENT = {"lib/bocage_agent/make_report.py": b"\nraise RuntimeError('on purpose')\n"}


def remade(folder: Path, role_version: str, changes: Mapping[str, bytes]) -> Path:
    """The role's archive with something added to files of it, named as `make build` names one."""
    source = Path(f"~/.cache/bocage/bocage-agent-{role_version}-x86_64.tar.gz").expanduser()
    release = role_version.partition("-")[0]
    digest = hashlib.sha256(repr((role_version, dict(changes), time.time_ns())).encode()).hexdigest()[:12]
    made = folder / f"bocage-agent-{release}-{digest}-x86_64.tar.gz"
    with tarfile.open(source) as before, tarfile.open(made, "w:gz") as after:
        for member in before:
            content = before.extractfile(member)
            data = (b"" if content is None else content.read()) + changes.get(member.name, b"")
            member.size = len(data)
            after.addfile(member, io.BytesIO(data))
    return made


def version_of(archive: Path) -> str:
    return archive.name.removeprefix("bocage-agent-").removesuffix("-x86_64.tar.gz")


def package(folder: Path, archive: Path, version: str) -> Path:
    """Signed, and of this version as a package."""
    source = folder / f"agent-{version}"
    begun = ["init", str(source), "--template", "agent", "--archive", str(archive), "--version", version]
    assert packager(begun) == 0
    sign(folder, source)
    return folder / f"bocage-agent_{version}_x64_PROD.wapt"
