# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that judge: `verify`, `verify-index`, `verify-action` and `compare-versions`."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused

from .answers import GOOD, REFUSED, Answer, moment, plain, verdict

if TYPE_CHECKING:
    from bocage_core._packages.index import Entry

_MOST_REASONS = 5


def compare_versions(options: Namespace) -> Answer:
    from bocage_core._packages.versions import compare

    result = compare(options.a, options.b)
    return Answer({"result": result}, [str(result)])


def verify(options: Namespace) -> Answer:
    from bocage_core._packages.acceptance import verify_package
    from bocage_core._packages.trust_store import read_trust

    subject = str(options.file)
    at, trust = moment(options.at), read_trust(options.trust)
    try:
        accepted = verify_package(options.file, trust, at)
    except Refused as refused:
        return verdict(False, str(refused), subject, code=refused.code)
    found = {
        "package": accepted.control.package,
        "version": accepted.control.version,
        "signer": accepted.signer,
        "signer_fingerprint": accepted.signer_fingerprint,
        "executables": list(accepted.executables),
    }
    return verdict(True, f"{accepted.control}, signed by {accepted.signer}.", subject, **found)


def verify_action(options: Namespace) -> Answer:
    from bocage_core._packages import claims
    from bocage_core._packages.trust_store import read_trust

    subject = str(options.file)
    if options.max_age < 0:
        raise BadInput("--max-age is below 0 seconds; give the seconds for which an action is good.")
    at, trust, raw = moment(options.at), read_trust(options.trust), _bytes(options.file, claims.MAX_BYTES)
    try:
        action = claims.verify_action(raw, trust, at, options.max_age)
    except Refused as refused:
        return verdict(False, str(refused), subject, code=refused.code)
    found = {
        "action": action.name,
        "host": action.uuid,
        "signer": action.signer,
        "signer_fingerprint": action.signer_fingerprint,
        "digest": action.digest,
    }
    return verdict(True, f"{action.name} for {action.uuid}, signed by {action.signer}.", subject, **found)


def verify_index(options: Namespace) -> Answer:
    """Accepted where each entry is; which are not, and why, is told by entry."""
    from bocage_core._packages import index
    from bocage_core._packages.trust_store import read_trust

    subject = str(options.file)
    at, trust, raw = moment(options.at), read_trust(options.trust), _bytes(options.file, index.MAX_BYTES)
    try:
        found = index.read_index(raw, trust, at)
    except Refused as refused:
        return verdict(False, str(refused), subject, code=refused.code, entries=[])
    entries: list[dict[str, Any]] = []
    for one in found.accepted:
        reason = _other_file(one, options.file.parent)
        entry = {"entry": str(one), "accepted": not reason, "signer": one.signer, "unsigned": dict(one.unsigned)}
        entries.append({**entry, "reason": reason or f"Signed by {one.signer}."})
    entries += [{"entry": one.name, "accepted": False, "reason": one.reason} for one in found.discarded]
    good = [one["entry"] for one in entries if one["accepted"]]
    bad = [one["entry"] for one in entries if not one["accepted"]]
    reason = f"All {len(good)} entries are accepted." if not bad else _refused(entries, len(bad))
    document = {
        "accepted": not bad,
        "reason": reason,
        "entries": entries,
        "accepted_entries": sorted(good),
        "discarded_entries": sorted(bad),
    }
    marks = {True: "accepted", False: "refused "}
    lines = [f"{marks[one['accepted']]}  {plain(one['entry'])}  {plain(one['reason'])}" for one in entries]
    return Answer(document, [*lines, f"{subject}: {plain(reason)}"], REFUSED if bad else GOOD)


def _refused(entries: list[dict[str, Any]], number: int) -> str:
    reasons = [one["reason"] for one in entries if not one["accepted"]][:_MOST_REASONS]
    return " ".join([f"{number} of {len(entries)} entries are refused.", *reasons])


def _other_file(entry: Entry, folder: Path) -> str:
    """Why the file that lies beside the index under an entry's name is not that of the entry; empty where none lies there.

    Nobody signed the name, the size and the MD5 of an entry, so that they are compared with what they speak of.
    """
    from bocage_core._packages import control, entry_names
    from bocage_core._packages.container import open_container

    name = entry.unsigned.get("filename", "")
    path = folder / name
    if not name or "/" in name or "\0" in name or not path.is_file():
        return ""
    with path.open("rb") as stream:
        md5 = hashlib.file_digest(stream, "md5").hexdigest()
    if entry.unsigned.get("size") != str(path.stat().st_size) or entry.unsigned.get("md5sum") != md5:
        return f"The file {name} beside the index has another size or MD5 than the index says."
    try:
        with open_container(path) as container:
            there = control.parse_control(container.small(entry_names.CONTROL), f"the control file of {name}")
    except (Refused, BocageError) as error:
        return str(error)
    if there.get("signature") != entry.control.get("signature"):
        return f"The file {name} beside the index is another package, {there}."
    return ""


def _bytes(path: Path, maximum: int) -> bytes:
    """Of a file that is judged: one that is too large is refused by its reader, and not held here."""
    if path.exists() and not path.is_file():
        # a pipe in its place would be waited for without an end
        raise BadInput(f"{path} cannot be judged: it is not a file.")
    with path.open("rb") as stream:
        return stream.read(maximum + 1)
