# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of packages with bytes to begin from: one that is wrong raises our own errors and nothing else.

Where a parser has a writer, what was read is written and read again, and must be the same.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bocage_core._common import canonical, dsse, rollout
from bocage_core._common.errors import BocageError
from bocage_core._packages import (
    acceptance,
    certificates,
    change_archive,
    change_plan,
    claims,
    container,
    control,
    downgrades,
    estate_roots,
    index,
    manifest,
    repository_roles,
    requests,
    revocation,
    rollout_document,
    target_custom,
    tuf_library,
    versions,
    wapt_json,
    zip_pieces,
)
from bocage_core._packages.repository_edit import Change

_TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_TESTS / "unit/plugins/module_utils"))

from signed_repository import SignedRepository  # noqa: E402  # found by the path above

VECTORS = _TESTS / "vectors" / "wapt"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
# so that seeds are accepted, and all of the rule is reached
TRUST = certificates.Trust(certificates.load_chain((VECTORS / "certs/root-ca.crt").read_bytes(), "the root"))
KEY = dsse.generate_private_key()
TEXT = "utf-8"
HOST = "6f1c1f3e-0a51-4a0c-9a53-0d7c3f0a9b11"
# A limit under which no honest seed falls, so that a bomb is seen by the memory it takes.
_SMALL = container.Limits(entries=64, file_bytes=1 << 20, total_bytes=1 << 22, free_bytes=1 << 16)


class Wrong(Exception):
    """What was read is not what was written."""


@dataclass(frozen=True)
class Target:
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    max_bytes: int = 8192


def allow(run: Callable[[], object]) -> None:
    """Our own errors are answers."""
    with suppress(BocageError):
        run()


def same(one: object, other: object) -> None:
    if one != other:
        raise Wrong(f"{one!r} and {other!r}")


def table(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_bytes())


def packages() -> Iterator[Path]:
    return iter(sorted((VECTORS / "packages").glob("*.wapt")))


def members(name: str) -> Iterator[bytes]:
    """One member of each package that has it."""
    for path in packages():
        with suppress(KeyError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            yield archive.read(name)


def a_control(data: bytes) -> None:
    found = control.parse_control(data)
    allow(lambda: control.require_signed(found))
    allow(lambda: control.signed_payload(found))
    allow(lambda: target_custom.from_control(found.fields, data))
    try:
        written = control.render_control(found)
    except BocageError:
        return
    # the order is the writer's
    same(control.parse_control(written).fields, found.fields)


def controls() -> Iterator[bytes]:
    yield from members("WAPT/control")
    yield from (path.read_bytes() for path in sorted((VECTORS / "real/control").glob("*.control")))
    yield from (row[0].encode() for row in table("control_parse")["rows"])


def a_manifest(data: bytes) -> None:
    found = manifest.parse_manifest(data)
    same(manifest.parse_manifest(manifest.render_manifest(found)), found)


def an_index(data: bytes) -> None:
    index.read_index(data, TRUST, AT)


def indexes() -> Iterator[bytes]:
    yield from (path.read_bytes() for path in sorted((VECTORS / "index").glob("*/Packages")))
    yield zip_pieces.archive(index.NAME, [zip_pieces.pack(b"package: a\n\n"), zip_pieces.pack(b"")], {"x": b""})


def entries(data: bytes) -> None:
    index.parse_entries(data)


def lists() -> Iterator[bytes]:
    for raw in indexes():
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            yield archive.read(index.NAME)[:4096]


def a_version(data: bytes) -> None:
    first, _, second = data.decode(TEXT, "replace").partition("\n")
    # neither hides that the other cannot be read
    allow(lambda: versions.Version.parse(second))
    one = versions.Version.parse(first)
    same(versions.compare(first, first), 0)
    same(versions.compare(first, second), -versions.compare(second, first))
    same(versions.Version.parse(str(one)), one)


def pairs() -> Iterator[bytes]:
    for row in table("versions")["rows"][::7]:
        yield f"{row[0]}\n{row[1]}".encode()
    yield from (f"{text}\n1.0-1".encode() for text in table("versions")["syntax"])


def a_request(data: bytes) -> None:
    for one in requests.parse_requests(data.decode(TEXT, "replace")):
        one.matches("tis-a", versions.Version.parse("1.0-1"))
        same(requests.parse_request(str(one)), one)


def wishes() -> Iterator[bytes]:
    for row in table("matching")["requests"]:
        yield str(row[0]).encode()


def an_envelope(data: bytes) -> None:
    envelope = dsse.load(data)
    allow(lambda: dsse.signer_key_ids(envelope))
    allow(lambda: dsse.unverified_payload(envelope))
    allow(lambda: downgrades.verify_bytes(data, [dsse.public_key_of(KEY)]))
    dsse.verify(envelope, "application/json", dsse.public_key_of(KEY))


def a_ticket(data: bytes) -> None:
    """What is read once the signature around it is good."""
    found = downgrades.Ticket.from_payload(data)
    same(downgrades.Ticket.from_payload(found.to_payload()), found)


def tickets() -> Iterator[bytes]:
    yield downgrades.Ticket("tis-app", "1.0-1", (HOST,), AT).to_payload()


def envelopes() -> Iterator[bytes]:
    ticket = downgrades.Ticket("tis-app", "1.0-1", (HOST,), AT)
    yield canonical.dumps(dsse.sign(b'{"a":1}', "application/json", KEY))
    yield canonical.dumps(downgrades.sign(ticket, KEY))


def json_of_wapt(data: bytes) -> None:
    found = wapt_json.loads(data)
    try:
        written = wapt_json.dumps(found)
    except BocageError:
        return
    same(wapt_json.dumps(wapt_json.loads(written)), written)


def documents() -> Iterator[bytes]:
    for row in table("canonical")["rows"]:
        yield row["canonical"].encode()
    for one in table("claims")["claims"].values():
        yield json.dumps(one).encode()


def our_json(data: bytes) -> None:
    found = canonical.loads(data, "the document")
    same(canonical.loads(canonical.dumps(found), "the document"), found)


def an_action(data: bytes) -> None:
    claims.verify_action(data, TRUST, AT)


def a_container(data: bytes) -> None:
    with container.read_container(io.BytesIO(data), Path("a.wapt"), _SMALL) as found:
        for name in found.names:
            allow(lambda name=name: found.digest(name))
        for part in ("control_raw", "manifest_raw", "signature_raw", "certificates_raw"):
            allow(lambda part=part: getattr(found, part))


def a_package(data: bytes) -> None:
    """All of the rule that the package itself decides."""
    with container.read_container(io.BytesIO(data), Path("a.wapt"), _SMALL) as found:
        acceptance.verify_container(found, TRUST, AT)


def a_rollout(data: bytes) -> None:
    found = rollout_document.parse(data)
    rollout_document.pins(found, HOST, "desk1", "lyon", AT, {"editor": "1.0-1"})
    same(rollout_document.parse(rollout_document.render(found)), found)


def rollouts() -> Iterator[bytes]:
    definition = {
        "name": "editor-2",
        "salt": "salt",
        "rings": [{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "share_percent": 100}],
        "gates": {"failed_percent": "0.5"},
        "expires": "2026-12-01T00:00:00Z",
    }
    old, new = (rollout_document.Locked(version, ("a" * 64,)) for version in ("1.0-1", "2.0-1"))
    yield rollout_document.render(
        rollout_document.RolloutDocument(
            definition=definition,
            state=rollout.State("running", 0),
            before={"editor": old},
            after={"editor": new, "plugin": new},
            tickets=({"payload": "x"},),
        )
    )


def a_change(data: bytes) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bocage-fuzz-"))
    try:
        (folder / "change").write_bytes(data)
        (folder / "laid").mkdir()
        found = change_archive.read_change(folder / "change", folder / "laid")
        for raw in found.lists.values():
            allow(lambda raw=raw: repository_roles.from_bytes(raw, tuf_library.Targets, "base"))
        outside = [path for path in folder.rglob("*") if path.parent not in (folder, folder / "laid")]
        same(outside, [])
    finally:
        shutil.rmtree(folder)


def changes() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a").write_bytes(b"content")
        change = Change({"base": b"{}"}, {"targets/base/aa.a_1.wapt": folder / "a"}, b"{}")
        change_archive.write_change(change, folder / "change")
        yield (folder / "change").read_bytes()
        with tarfile.open(folder / "change", "w") as archive:
            link = tarfile.TarInfo("files/0")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        yield (folder / "change").read_bytes()


@functools.cache
def repository() -> tuple[bytes, bytes]:
    """The root of a small repository, and what its publisher exports."""
    with tempfile.TemporaryDirectory() as name:
        made = SignedRepository(Path(name), AT)
        made.publish("base/a_1.wapt")
        with tarfile.open(Path(name) / "exported", "w", format=tarfile.USTAR_FORMAT) as archive:
            for path in sorted((made.public / "metadata").glob("*.json")):
                archive.add(path, f"metadata/{path.name}")
        return made.root, (Path(name) / "exported").read_bytes()


def an_export(data: bytes) -> None:
    """What the machine with the keys reads of a publisher who may lie."""
    root, _exported = repository()
    folder = Path(tempfile.mkdtemp(prefix="bocage-fuzz-"))
    try:
        (folder / "exported").write_bytes(data)
        store = change_plan.take_exported(folder / "exported", folder / "work", estate_roots.EstateRoots({1: root}), AT)
        change_plan.listed(store)
        same(sorted(path.name for path in folder.iterdir()), ["exported", "work"])
    finally:
        shutil.rmtree(folder)


def metadata(data: bytes) -> None:
    for kind in (tuf_library.Root, tuf_library.Targets, tuf_library.Snapshot, tuf_library.Timestamp):
        allow(lambda kind=kind: repository_roles.from_bytes(data, kind, "base"))


def signed_lists() -> Iterator[bytes]:
    one = repository_roles.target("base/a_1.wapt", 7, "a" * 64, {"package": "a"})
    yield repository_roles.new_list(1, AT, [one]).to_bytes()
    bins = repository_roles.bins_of("base", ["a" * 64], 1, 4)
    yield repository_roles.new_list(1, AT, (), bins, {}).to_bytes()
    yield tuf_library.Metadata(tuf_library.Root(version=1, expires=AT)).to_bytes()


def certificate(data: bytes) -> None:
    for load in (certificates.load_chain, certificates.load_der, revocation.load_crl):
        allow(lambda load=load: load(data, "the file"))


def certificate_files() -> Iterator[bytes]:
    yield from (path.read_bytes() for path in sorted((VECTORS / "certs").glob("*.crt")))


TARGETS = {
    "control": Target(a_control, controls),
    "manifest": Target(a_manifest, lambda: members("WAPT/manifest.sha256")),
    "index": Target(an_index, indexes, 32768),
    "entries": Target(entries, lists),
    "version": Target(a_version, pairs, 256),
    "request": Target(a_request, wishes, 256),
    "envelope": Target(an_envelope, envelopes),
    "wapt_json": Target(json_of_wapt, documents),
    "canonical": Target(our_json, documents),
    "action": Target(an_action, documents),
    "container": Target(a_container, lambda: (path.read_bytes() for path in packages()), 32768),
    "package": Target(a_package, lambda: (path.read_bytes() for path in packages()), 32768),
    "ticket": Target(a_ticket, tickets),
    "rollout": Target(a_rollout, rollouts),
    "change": Target(a_change, changes, 32768),
    "exported": Target(an_export, lambda: [repository()[1]], 65536),
    "metadata": Target(metadata, signed_lists),
    "certificate": Target(certificate, certificate_files),
}


def judge(name: str, data: bytes) -> None:
    """What is fuzzed: only our own errors may come of it."""
    allow(lambda: TARGETS[name].run(data))
