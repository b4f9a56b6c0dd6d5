# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One archive of an application with its locked dependencies inside.

Built on the controller, named by the digest of what makes it, the same bytes
from the same content.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

LAUNCHER = """\
#!/usr/bin/python3 -I
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "lib"))

from {package}.main import main

sys.exit(main())
"""


def packages_of(collection: Path, app: str) -> dict[str, Path]:
    """The import packages that an application is built from, by name, and the folder of each."""
    return {"bocage_core": collection / "plugins" / "module_utils", f"bocage_{app}": collection / "apps" / app}


def sources(packages: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """``(path in the archive's lib, file)`` of each import package, in a stable order."""
    for package, folder in sorted(packages.items()):
        for path in sorted(folder.rglob("*.py")):
            if "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(folder)}", path


def digest(packages: Mapping[str, Path], lock: bytes, target: str) -> str:
    """SHA-256 over sources, lock file and target; what the archive is named by."""
    total = hashlib.sha256()
    for name, path in sources(packages):
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    total.update(hashlib.sha256(lock).digest())
    total.update(LAUNCHER.encode())
    total.update(target.encode())
    return total.hexdigest()


def _entry(name: str, size: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, mode, 0
    return entry


def write_archive(output: Path, program: str, package: str, packages: Mapping[str, Path], dependencies: Path) -> None:
    """Write ``bin/<program>`` and ``lib/`` with dependencies and sources, without dates or owners."""
    members: list[tuple[str, bytes, int]] = [(f"bin/{program}", LAUNCHER.format(package=package).encode(), 0o755)]
    members += [
        (f"lib/{path.relative_to(dependencies)}", path.read_bytes(), 0o755 if path.suffix == ".so" else 0o644)
        for path in sorted(dependencies.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.parts[len(dependencies.parts)] != "bin"
    ]
    members += [(f"lib/{name}", path.read_bytes(), 0o644) for name, path in sources(packages)]
    temporary = output.with_suffix(".new")
    with (
        temporary.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="", compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content, mode in members:
            archive.addfile(_entry(name, len(content), mode), io.BytesIO(content))
    temporary.replace(output)
