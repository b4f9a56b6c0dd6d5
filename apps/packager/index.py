# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package index`: the index `Packages` of a folder of packages, for agents of WAPT; ours trust none of it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput
from bocage_core._packages import certificates
from bocage_core._packages import index as indexes

from .answers import Answer

if TYPE_CHECKING:
    from cryptography import x509


def index(options: Namespace) -> Answer:
    folder: Path = options.folder
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder of packages.")
    output: Path = options.output or folder / indexes.NAME
    raw, listed = index_of((path.name, path) for path in sorted(folder.glob("*.wapt")))
    atomic.write_file(output, raw)
    document = {"file": str(output), "packages": listed, "bytes": len(raw)}
    return Answer(document, [f"{output}: {len(listed)} packages, {len(raw)} bytes"])


def index_of(packages: Iterable[tuple[str, Path]]) -> tuple[bytes, list[str]]:
    """The index of signed packages by the names that they are served under, and what it lists. Raises Refused."""
    listed: list[indexes.Listed] = []
    signers: dict[str, x509.Certificate] = {}
    for name, path in packages:
        found = indexes.read_package(name, path)
        signers |= {certificates.fingerprint_of(one): one for one in found.chain}
        listed.append(found.listed)
    return indexes.write_index(listed, signers.values()), sorted(str(one.control) for one in listed)
