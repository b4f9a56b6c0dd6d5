# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package import`: what another estate signed, verified under its trust, shown, and signed under ours.

All packages of a call are judged before the first is written.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import building, certificates, entry_names, index, signing
from bocage_core._packages.acceptance import Accepted, verify_container
from bocage_core._packages.container import open_container
from bocage_core._packages.trust_store import read_trust
from bocage_core._packages.versions import Version

from . import contents, fetching, indexed
from .answers import Answer, moment, plain
from .diff import difference
from .make import signer_of

if TYPE_CHECKING:
    from bocage_core._packages.certificates import Trust

# What older producers of WAPT put beside the signature that counts: it is the former signer's, and SHA-1.
_FORMER = frozenset({"WAPT/signature", "WAPT/signature.sha1", "WAPT/manifest.sha1"})


@dataclass(frozen=True)
class _Came:
    """A package of theirs that is here, with the place that it was asked for at."""

    place: str
    path: Path
    signature: str = ""
    """Of the control file as the index has it; empty where it was not found by one."""
    refused: tuple[str, ...] = ()


def take_in(options: Namespace) -> Answer:
    if options.against is not None and len(options.sources) > 1:
        raise BadInput("--against is what we have of one package; import one at a time with it.")
    asked = [one for one in ("architecture", "maturity", "locale") if getattr(options, one) is not None]
    if options.index is None and asked:
        raise BadInput(f"--{asked[0]} chooses among the packages of an index; give --index with it.")
    at, trust, signer = moment(options.at), read_trust(options.trust), signer_of(options)
    with tempfile.TemporaryDirectory(prefix="bocage-import-") as work:
        plans: list[building.Planned] = []
        made: list[dict[str, Any]] = []
        lines: list[list[str]] = []
        for came in _fetched(options, trust, at, Path(work)):
            folder = Path(work) / f"unpacked-{len(plans)}"
            accepted = _verified(came, trust, at, folder)
            plans.append(_planned(came, accepted, folder, signer, at, options.output))
            shown, said = _shown(came, options.against, signer)
            made.append({**_document(came, accepted, plans[-1], signer), **shown})
            lines.append(said)
        outputs = [planned.output for planned in plans]
        if twice := [one for one in outputs if outputs.count(one) > 1]:
            raise BadInput(f"Two of these packages would be {twice[0]}; import one of them.")
        for planned in plans:
            if planned.reasons and not options.plan:
                building.build(planned, signer, at)
    changed = any(planned.reasons for planned in plans)
    told = [line for one, said in zip(made, lines, strict=True) for line in (*said, _sentence(one, options.plan))]
    return Answer({"changed": changed, "planned": options.plan, "packages": made}, told)


def _fetched(options: Namespace, trust: Trust, at: datetime, work: Path) -> Iterator[_Came]:
    """One after the other, each in a folder of its own."""
    listed: index.Index | None = None
    for number, one in enumerate(options.sources):
        folder = work / f"fetched-{number}"
        folder.mkdir()
        if options.index is None:
            yield _Came(one, fetching.fetch(one, fetching.MAX_PACKAGE_BYTES, folder).path)
            continue
        if listed is None:
            listed = indexed.read(options.index, trust, at, work)
        entry, refused = indexed.newest(listed, one, options)
        found = indexed.fetch(options.index, entry, folder)
        place = fetching.beside(options.index, entry.unsigned["filename"])
        yield _Came(place, found.path, entry.control.get("signature"), tuple(refused))


def _verified(came: _Came, trust: Trust, at: datetime, folder: Path) -> Accepted:
    """Accepted as `verify` does, then unpacked, each file with the digest that was accepted. Raises Refused."""
    certificates.require_libraries()
    with open_container(came.path) as container:
        accepted = verify_container(container, trust, at)
        if came.signature and accepted.control.get("signature") != came.signature:
            raise Refused(
                "wrong_target", f"The file {came.path.name} is another package than the index says: {accepted.control}."
            )
        container.extract(folder, accepted.digests)
    for name in _FORMER & set(container.names):
        (folder / name).unlink()
    return accepted


def _planned(
    came: _Came, accepted: Accepted, folder: Path, signer: signing.Signer, at: datetime, place: Path
) -> building.Planned:
    certificate = signer.certificates[0]
    if accepted.executables and not certificates.has_code_signing(certificate):
        raise BadInput(
            f"The package {came.path.name} holds {accepted.executables[0]}, which hosts execute, and the certificate"
            f" {certificates.common_name(certificate)} lacks codeSigning; let a developer import it."
        )
    planned = building.plan(folder, place, signer, at, whole=True)
    if planned.reasons and planned.output.exists() and fetching.is_file_of(came.place, planned.output):
        raise BadInput(
            f"{planned.output} is what is to be imported and would be lost; give another folder to --output."
        )
    if planned.reasons and planned.output.exists() and not planned.same_content:
        raise BadInput(
            f"{planned.output} is there already with other content; look at it with --against and --plan, and move it"
            " away where this one is to take its place."
        )
    return planned


def _shown(came: _Came, ours: Path | None, signer: signing.Signer) -> tuple[dict[str, Any], list[str]]:
    """The difference of what we have to what it will be; a version that goes back is told."""
    refused = [f"Not accepted of the index: {plain(one)}" for one in came.refused]
    if ours is None:
        return {"difference": None, "older": False, "refused": list(came.refused)}, refused
    old, new = contents.read(ours), contents.read(came.path)
    if old.control.package != new.control.package:
        raise BadInput(f"{ours} is {plain(old.control.package)[:80]}, and {came.path.name} is another package.")
    chain = b"".join(index.pem_of(one) for one in signer.certificates)
    document, lines = difference(old, replace(new, certificates=chain))
    older = Version.parse(new.control.version) < Version.parse(old.control.version)
    if older:
        lines = [*lines, f"Older than {ours}: {new.control.version} is below {old.control.version}."]
    return {"difference": document, "older": older, "refused": list(came.refused)}, [*refused, *lines]


def _document(came: _Came, accepted: Accepted, planned: building.Planned, signer: signing.Signer) -> dict[str, Any]:
    return {
        "source": plain(came.place),
        "file": str(planned.output),
        "package": accepted.control.package,
        "version": accepted.control.version,
        "section": accepted.control.section,
        "files": sorted(planned.after.files),
        "executables": list(entry_names.executables(planned.after.files)),
        "former_signer": accepted.signer,
        "former_signer_fingerprint": accepted.signer_fingerprint,
        "signer": certificates.common_name(signer.certificates[0]),
        "signer_fingerprint": certificates.fingerprint_of(signer.certificates[0]),
        "changed": bool(planned.reasons),
    }


def _sentence(one: dict[str, Any], plan: bool) -> str:
    what = f"{one['file']}: {one['package']}={one['version']}"
    if not one["changed"]:
        return plain(f"{what} is there already, signed by {one['signer']}.")
    deed = "would be signed" if plan else "signed"
    return plain(f"{what}, accepted as signed by {one['former_signer']}, {deed} by {one['signer']}.")
