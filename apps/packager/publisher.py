# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the host that publishes, and on copies: no person, no key but those of snapshot and timestamp."""

from __future__ import annotations

import filecmp
import tarfile
from argparse import Namespace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bocage_core._common import timestamps
from bocage_core._common.atomic import read_bounded, write_file
from bocage_core._common.errors import BadInput, BocageError, opening
from bocage_core._packages import (
    repository_ends,
    repository_expiry,
    repository_keys,
    repository_layout,
    repository_publish,
    repository_refresh,
)
from bocage_core._packages.change_archive import read_change
from bocage_core._packages.repository_key_check import find_private_keys
from bocage_core._packages.repository_refresh import OnlineKeys
from bocage_core._packages.repository_replica import newest
from bocage_core._packages.repository_replica import replicate as replicate_from
from bocage_core._packages.repository_store import Store

from .answers import FAILED, GOOD, REFUSED, Answer
from .workplace import workplace

ROLES = ("snapshot", "timestamp")
_MAX_ROOT = 1 << 20


def online_keys(options: Namespace) -> Answer:
    """Make the keys of snapshot and timestamp where they are not there; their public halves are the answer.

    Those of former generations go once the root that is served names the new ones alone.
    """
    made, public, keyids = [], {}, set()
    if not options.plan:
        options.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    for role in ROLES:
        path = options.folder / f"{_named(role, options.generation)}.key"
        if not path.exists():
            made.append(role)
            if options.plan:
                continue
            repository_keys.generate_key_file(path, None)
        key = repository_keys.load_signer(path, None).public_key
        keyids.add(key.keyid)
        public[role] = repository_keys.write_public_key(key).decode()
        there = path.with_suffix(".pub")
        if not options.plan and not (there.is_file() and there.read_text() == public[role]):
            write_file(there, public[role].encode(), 0o644)
    former = _former(options, keyids) if not made else []
    if not options.plan:
        for path in former:
            path.with_suffix(".pub").unlink(missing_ok=True)
            path.unlink()
    removed = [path.name for path in former]
    lines = [f"{role}: {'made' if role in made else 'there'}" for role in ROLES]
    lines += [f"{name}: removed, the root that is served names it no more" for name in removed]
    document = {"changed": bool(made or removed), "made": made, "removed": removed, "public": public}
    return Answer(document, lines)


def _named(role: str, generation: int) -> str:
    return role if generation == 1 else f"{role}-{generation}"


def _former(options: Namespace, current: set[str]) -> list[Path]:
    """Key files that the served root does not name, where it names the `current` ones."""
    if options.repository is None or not (options.repository / repository_layout.PUBLIC).is_dir():
        return []
    named = repository_keys.online_keys(Store(options.repository).root_bytes())
    if not current <= named:
        return []
    paths = [path for role in ROLES for path in sorted(options.folder.glob(f"{role}*.key"))]
    return [path for path in paths if repository_keys.load_signer(path, None).public_key.keyid not in named]


def commit(options: Namespace) -> Answer:
    """Take in a change that others signed; the first one makes the repository."""
    folder, now = options.folder, timestamps.now()
    online = online_signers(options.keys)
    if not options.plan:
        folder.mkdir(parents=True, exist_ok=True)
    with workplace(folder if folder.is_dir() else None, ".change-", clear=not options.plan) as laid:
        change = read_change(options.change, laid)
        new = not (folder / repository_layout.PUBLIC / repository_layout.metadata_file("timestamp", None)).exists()
        if options.plan:
            changed = repository_publish.foresee(folder, change, online, now, options.root_first)
        elif new:
            repository_publish.init(folder, change, online, now, _lifetimes(options))
            changed = True
        else:
            changed = repository_publish.commit(folder, change, online, now, _lifetimes(options), options.root_first)
    if not options.plan:
        # the upkeep does that, too, and may be away
        store = Store(folder)
        with store.locked():
            repository_expiry.note(store, options.keys / repository_expiry.AUTHORITIES)
    lists = sorted(change.lists)
    done = {"changed": changed, "new": new, "lists": lists, "files": len(change.files)}
    if not changed:
        return Answer(done, ["This change was taken in before."])
    return Answer(done, [f"{'Made' if new else 'Published'}: {len(change.files)} files, lists {', '.join(lists)}"])


def refresh(options: Namespace) -> Answer:
    """Sign again what is about to end; a list that a person has to sign soon is told, and is no failure yet."""
    if not (options.folder / repository_layout.PUBLIC).exists():
        return Answer({"changed": False, "written": {}, "expiries": []}, ["Nothing was published here yet."])
    now = timestamps.now()
    online, authorities = online_signers(options.keys), options.keys / repository_expiry.AUTHORITIES
    if options.plan:
        store = Store(options.folder)
        waits = (options.folder / repository_layout.PENDING).exists()
        written = repository_refresh.due(store, now)
        expiries = repository_refresh.expiring(store, now, authorities)
        done = {"finished": waits, "written": written, "expiries": expiries}
    else:
        done = repository_refresh.refresh(options.folder, online, now, _lifetimes(options), authorities)
    # the walk over all files is for when something new is served, and that is at least each time the timestamp is
    cleared = repository_publish.clear(options.folder, now) if done["written"] and not options.plan else []
    urgent = [one for one in done["expiries"] if one["state"] in ("alert", "expired")]
    lines = [f"{role}: version {version} signed" for role, version in done["written"].items()]
    lines += [f"{opening(repository_ends.sentence(one))}." for one in urgent]
    document = {"changed": bool(done["written"]) or done["finished"], **done, "cleared": cleared}
    return Answer(document, lines, FAILED if any(map(repository_ends.stops_hosts, urgent)) else GOOD)


def replicate(options: Namespace) -> Answer:
    """Bring a copy up to date from the first source that answers with something newer that is good."""
    root = read_bounded(options.root, _MAX_ROOT)
    failures = []
    for source in options.source:
        try:
            done = _foreseen(source, options.folder, root) if options.plan else _replicated(source, options, root)
        except BocageError as error:
            failures.append(f"{source}: {error}")
            continue
        lines = [f"Timestamp {done['timestamp']} of {source}: {done['files']} files, {done['bytes']} bytes came."]
        return Answer({**done, "source": source, "failures": failures}, lines)
    raise BocageError(f"No source could be copied from, and the copy stays as it was. {' '.join(failures)}")


def _replicated(source: str, options: Namespace, root: bytes) -> dict[str, Any]:
    authorities = options.root.with_name(repository_expiry.AUTHORITIES)
    done = replicate_from(source, options.folder, root, authorities=authorities)
    return {"changed": bool(done["written"]), **done}


def _foreseen(source: str, folder: Path, root: bytes) -> dict[str, Any]:
    """By the version of the timestamp; a copy that lacks a file of what it serves is seen by a real run."""
    version = newest(source, folder, root)
    served = Store(folder).timestamp()
    changed = served is None or served.signed.version != version
    return {"changed": changed, "timestamp": version, "files": 0, "bytes": 0}


def export(options: Namespace) -> Answer:
    """All metadata and rollouts that are served, for whoever signs lists; nothing in it is secret."""
    public = options.folder / repository_layout.PUBLIC
    if not (public / repository_layout.metadata_file("timestamp", None)).exists():
        return Answer({"changed": False, "exists": False}, ["There is no repository here yet."])
    store = Store(options.folder)
    place = None if options.plan else options.output.parent
    with workplace(place, ".export-") as work:
        made = work / "exported"
        with store.locked(), tarfile.open(made, "w") as archive:
            names = sorted((public / repository_layout.METADATA).rglob("*.json"))
            names += sorted((public / repository_layout.TARGETS / "rollouts").glob("*.json"))
            for path in names:
                archive.add(path, path.relative_to(public).as_posix(), recursive=False)
        changed = not options.output.is_file() or not filecmp.cmp(made, options.output, shallow=False)
        if changed and not options.plan:
            made.replace(options.output)
    return Answer({"changed": changed, "exists": True, "files": len(names)}, [f"{len(names)} files of metadata."])


def check_keys(options: Namespace) -> Answer:
    """Whether the folders of a publisher hold no private key but those of snapshot and timestamp."""
    root = Store(options.folder).root_bytes()
    folders = [options.folder, *options.more]
    found = [
        {"path": str(one.path), "reason": one.reason} for folder in folders for one in find_private_keys(folder, root)
    ]
    lines = [f"{one['path']}: {one['reason']}" for one in found] or [
        "No private key but those of snapshot and timestamp."
    ]
    return Answer({"clean": not found, "found": found}, lines, REFUSED if found else GOOD)


def online_signers(folder: Path) -> OnlineKeys:
    """All keys of a role, since those of two generations sign while one follows the other."""
    signers = {
        role: [repository_keys.load_signer(path, None) for path in sorted(folder.glob(f"{role}*.key"))]
        for role in ROLES
    }
    for role, found in signers.items():
        if not found:
            raise BadInput(f"There is no key of the role {role} in {folder}; make it with bocage-package online-keys.")
    return repository_refresh.online_keys(signers["snapshot"], signers["timestamp"])


def _lifetimes(options: Namespace) -> repository_layout.Lifetimes:
    return repository_layout.Lifetimes(
        snapshot=timedelta(days=options.snapshot_days), timestamp=timedelta(hours=options.timestamp_hours)
    )
