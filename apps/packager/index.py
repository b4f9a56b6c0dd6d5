# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package index`: the index `Packages` of a folder of packages, for agents of WAPT; ours trust none of it."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput
from bocage_core._packages import certificates, entry_names
from bocage_core._packages import index as indexes
from bocage_core._packages.container import open_container
from bocage_core._packages.control import parse_control

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
        with open_container(path) as container:
            control = parse_control(container.control_raw, f"the control file of {path.name}")
            chain = certificates.load_chain(container.certificates_raw, f"{entry_names.CERTIFICATE} in {path.name}")
        with path.open("rb") as stream:
            # WAPT's agents know files by it; it proves nothing, and nothing here relies on it
            md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            size = stream.tell()
        signers |= {certificates.fingerprint_of(one): one for one in chain}
        listed.append(indexes.Listed(control, name, size, md5))
    return indexes.write_index(listed, signers.values()), sorted(str(one.control) for one in listed)
