# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a ceremony with files: keys of holders, a draft of the root, signatures that are added, the pinned root.

The draft travels between holders as one file (TUF specification 4.3 and 6.1). Each step can be taken again; a step that
finds its work done changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .._common import atomic, dsse
from .._common.errors import BadInput
from . import downgrades
from . import repository_keys as keys
from . import repository_layout as layout
from . import repository_roles as roles
from . import repository_root as root
from . import tuf_library as tuf

DRAFT = "root-draft.json"
PINNED = "root.json"
ROOTS = "roots"
"""Folder of each root there was, by version."""
MAX_TICKET_KEYS = 65_536
_PEM = b"-----BEGIN PUBLIC KEY-----"


@dataclass(frozen=True)
class Done:
    """What a step did, and how the root stands: as `repository_root.describe` says it, empty without a root."""

    changed: bool
    words: str
    state: dict[str, Any]


def read_public(path: Path) -> tuf.Key:
    """A public key, as `repository_keys.write_public_key` writes it or in PEM. Raises BadInput or Refused."""
    tuf.require_libraries()
    try:
        raw = atomic.read_bounded(path, keys.MAX_KEY_FILE)
    except OSError as error:
        raise BadInput(
            f"The public key {path} cannot be read: {error.strerror}; ask its holder for the file."
        ) from error
    if not raw.startswith(_PEM):
        return keys.read_public_key(raw, f"the public key {path}")
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return tuf.SSlibKey.from_crypto(load_pem_public_key(raw))
    except ValueError as error:
        raise BadInput(f"The public key {path} is of a kind that signs no metadata; use Ed25519 or P-256.") from error


def place_public(public_file: Path, key: Callable[[], tuf.Key], check: bool) -> Done:
    """The public half of a key that is on a token. One that is there stays: signing tells whether it is the right one."""
    if public_file.exists():
        read_public(public_file)
        return Done(False, "", {})
    if not check:
        _write(public_file, keys.write_public_key(key()))
    return Done(True, f"{public_file.name}: the public half", {})


def make_key(key_file: Path, public_file: Path, passphrase: Callable[[], bytes], check: bool) -> Done:
    """A holder's key and its public half. A key that is there stays; a public half of another key is an error."""
    if not key_file.exists():
        if public_file.exists():
            raise BadInput(
                f"{public_file} is the public half of a key that is not in {key_file}; bring the key from its holder, or"
                " move the public half away when the key is lost."
            )
        if not check:
            phrase = passphrase()
            key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            public = keys.generate_key_file(key_file, phrase)
            _write(public_file, keys.write_public_key(public))
        return Done(True, f"{key_file.name}: a new key, mode 0600, and its public half", {})
    return place_public(public_file, lambda: keys.load_signer(key_file, passphrase()).public_key, check)


def place_ticket_keys(public_files: Sequence[Path], bundle: Path, check: bool) -> Done:
    """The keys whose downgrade tickets count, and no others, in the file (PEM) that hosts get. Raises BadInput.

    A file that is not there yet is left out: its holder makes it.
    """
    there = [path for path in public_files if path.exists()]
    found = []
    for path in there:
        key = read_public(path)
        if key.scheme != "ed25519":
            raise BadInput(f"{path} is no Ed25519 key, as downgrade tickets need it; ask its holder for one.")
        found.append(dsse.public_key_to_pem(bytes.fromhex(key.keyval["public"])))
    wanted = b"".join(dict.fromkeys(found))
    if bundle.exists() and atomic.read_bounded(bundle, MAX_TICKET_KEYS) == wanted:
        return Done(False, "", {})
    if not check:
        _write(bundle, wanted)
    names = ", ".join(path.stem for path in there) or "nobody"
    return Done(True, f"{bundle.name}: downgrade tickets of {names} count", {})


def ticket_keys(folder: Path) -> list[bytes]:
    """The keys (raw Ed25519) whose downgrade tickets hosts believe. Raises BadInput."""
    path = folder / downgrades.KEYS_FILE
    try:
        return downgrades.read_keys(atomic.read_bounded(path, MAX_TICKET_KEYS))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}; run playbooks/package_root.yml once more.") from error


def read_ticket_key(path: Path, passphrase: bytes) -> bytes:
    """A key of downgrade tickets as PEM without a passphrase, for memory only. Raises BadInput."""
    try:
        sealed = atomic.read_bounded(path, keys.MAX_KEY_FILE)
    except OSError as error:
        raise BadInput(
            f"The key of downgrade tickets {path} cannot be read: {error.strerror}; playbooks/package_root.yml makes one."
        ) from error
    return dsse.unlocked(sealed, passphrase.decode())


def draft(folder: Path, plan: root.RootPlan, now: datetime, lifetime: timedelta, renew: timedelta, check: bool) -> Done:
    """The next root as a file for the holders, where one is needed. Signatures of a draft that still fits are kept."""
    previous, pending = read(folder / PINNED), read(folder / DRAFT)
    if previous is not None and _fits(previous, plan, now, renew):
        return Done(False, "", _state(folder, previous))
    version = 1 if previous is None else roles.read_root(previous).version + 1
    if pending is not None and roles.read_root(pending).version == version and _fits(pending, plan, now, renew):
        return Done(False, "", root.describe(pending, previous))
    made = root.draft(plan, previous, now, lifetime)
    if not check:
        _write(folder / DRAFT, made)
    return Done(True, f"{DRAFT}: root {version}, to be signed", root.describe(made, previous))


def sign(folder: Path, signer: Callable[[], tuf.Signer], public: tuf.Key, check: bool) -> Done:
    """Add the signature of one holder. Raises BadInput for a key that neither root knows."""
    previous, pending = read(folder / PINNED), read(folder / DRAFT)
    if pending is None:
        return Done(False, "", {})
    state = root.describe(pending, previous)
    known = {*state["roles"]["root"]["added"], *state["roles"]["root"]["kept"], *state["roles"]["root"]["removed"]}
    if public.keyid not in known:
        raise BadInput(
            f"The key {public.keyid[:16]} is of no holder of the root {state['version']} or of the one before; sign with"
            " a key that was declared, or draft the root again."
        )
    if public.keyid in state["signed_by"]:
        return Done(False, "", state)
    if not check:
        holder = signer()
        if holder.public_key.keyid != public.keyid:
            raise BadInput(
                f"The private key is not the one of the public key {public.keyid[:16]}; bring the right one."
            )
        pending = keys.sign(pending, [holder], f"the root {state['version']}")
        _write(folder / DRAFT, pending)
    return Done(True, f"{DRAFT}: signed by {public.keyid[:16]}", root.describe(pending, previous))


def finish(folder: Path, now: datetime, check: bool) -> Done:
    """Put a draft with all signatures in the place of the pinned root. Raises Refused with what lacks."""
    previous, pending = read(folder / PINNED), read(folder / DRAFT)
    if pending is None:
        if previous is None:
            raise BadInput(f"There is neither {folder / DRAFT} nor {folder / PINNED}; draft a root first.")
        return Done(False, "", _state(folder, previous))
    if previous is not None and roles.read_root(pending).version <= roles.read_root(previous).version:
        # An interruption came between the two steps below.
        state = _state(folder, previous)
    else:
        root.check(pending, previous, now)
        state = root.describe(pending, previous)
        if not check:
            _write(folder / ROOTS / f"{state['version']}.root.json", pending)
            _write(folder / PINNED, pending)
    if not check:
        (folder / DRAFT).unlink()
        atomic.sync_directory(folder)
    return Done(True, f"{PINNED}: root {state['version']} until {state['expires'][:10]}", state)


def plan_of(
    root_keys: Sequence[Path], root_threshold: int, targets_keys: Sequence[Path], targets_threshold: int,
    snapshot_keys: Sequence[Path], timestamp_keys: Sequence[Path],
) -> root.RootPlan:  # fmt: skip
    """Who signs what, from files of public keys."""
    return root.RootPlan(
        root.holders([read_public(one) for one in root_keys], root_threshold),
        root.holders([read_public(one) for one in targets_keys], targets_threshold),
        root.holders([read_public(one) for one in snapshot_keys]),
        root.holders([read_public(one) for one in timestamp_keys]),
    )


def pinned(folder: Path) -> bytes:
    """The root that hosts get. Raises BadInput where there is none."""
    path = folder / PINNED
    try:
        return atomic.read_bounded(path, layout.MAX_ROOT)
    except OSError as error:
        raise BadInput(f"The root of packages {path} cannot be read: {error.strerror}.") from error


def read(path: Path) -> bytes | None:
    try:
        return atomic.read_bounded(path, layout.MAX_ROOT)
    except FileNotFoundError:
        return None


def _fits(document: bytes, plan: root.RootPlan, now: datetime, renew: timedelta) -> bool:
    held = root.plan_of(document)
    for name in ("root", "targets", "snapshot", "timestamp"):
        mine, theirs = getattr(plan, name), getattr(held, name)
        if mine.threshold != theirs.threshold or {one.keyid for one in mine.keys} != {one.keyid for one in theirs.keys}:
            return False
    expires: datetime = roles.read_root(document).expires
    return expires - now > renew


def _state(folder: Path, document: bytes) -> dict[str, Any]:
    """How a pinned root stands; the one before it is where its ceremony left it."""
    version = roles.read_root(document).version
    before = read(folder / ROOTS / f"{version - 1}.root.json")
    if version > 1 and before is None:
        raise BadInput(
            f"{folder / ROOTS}/{version - 1}.root.json is missing; restore it, since hosts that slept need it."
        )
    return root.describe(document, before)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    atomic.write_file(path, data, 0o644)
