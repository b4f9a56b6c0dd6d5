# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package sign-change`: a second holder adds a signature to a change before the publisher takes it in.

What is about to be signed is shown, and nothing is signed with a key that does not count for it.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bocage_core._common import timestamps
from bocage_core._common.atomic import read_bounded
from bocage_core._common.errors import BadInput
from bocage_core._packages import repository_edit, repository_keys, repository_layout, repository_root, tokens
from bocage_core._packages import repository_roles as roles
from bocage_core._packages import tuf_library as tuf
from bocage_core._packages.building import read_passphrase
from bocage_core._packages.change_archive import read_change, write_change
from bocage_core._packages.change_signatures import Frame, lacking
from bocage_core._packages.repository_store import Store

from .answers import Answer, plain

if TYPE_CHECKING:
    from bocage_core._packages.repository_edit import Change

_MOST_TARGETS = 200


def sign_change(options: Namespace) -> Answer:
    root, store = read_bounded(options.root, repository_layout.MAX_ROOT), None
    with tempfile.TemporaryDirectory(prefix="bocage-change-") as laid:
        change = read_change(options.change, Path(laid))
        if options.repository is not None:
            store = _store(options.repository, root)
        _check_root(change, root)
        frame = Frame(change, root, store)
        if store is not None and (name := frame.overtaken()):
            raise BadInput(
                f"The change {options.change} was overtaken: its list {name} is not the next one of"
                f" {options.repository}; let it be made anew."
            )
        found = frame.roles()
        if options.role not in found:
            raise BadInput(f"The change has no list of {options.role}; it has those of {', '.join(sorted(found))}.")
        signer = _signer(options)
        key, role = signer.public_key.keyid, found[options.role]
        if key not in role.keys:
            raise BadInput(
                f"The key {key[:16]} is of no holder of {options.role}, so that its signature counts nothing."
            )
        changed = key not in role.signers
        if changed:
            repository_edit.sign_change(change, options.role, [signer])
            frame = Frame(change, root, store)
            if key not in frame.roles()[options.role].signers:
                raise BadInput(f"The key {key[:16]} made a signature that is not good; nothing was written.")
            if not options.plan:
                write_change(change, options.change)
        missing = frame.missing()
        document = _described(change, frame, store)
    document |= {"changed": changed, "role": options.role, "key": key, "missing_signatures": missing}
    return Answer(document, [*_lines(document), _sentence(options, changed, missing)])


def _check_root(change: Change, root: bytes) -> None:
    """A root that the change brings is the pinned one, or the one after it with all its signatures."""
    if change.root is not None and change.root != root:
        repository_root.check(change.root, root, timestamps.now())


def _store(folder: Path, root: bytes) -> Store:
    """A copy of the repository whose top list is that of the pinned root. Raises Refused or BadInput."""
    store = Store(folder)
    heads = store.heads()
    if "targets" not in heads:
        raise BadInput(f"There is no repository in {folder}; bring a copy with bocage-package replicate.")
    roles.verify(roles.read_root(root), "targets", store.role("targets", heads["targets"]))
    return store


def _signer(options: Namespace) -> tuf.Signer:
    if options.pkcs11 is None:
        passphrase = None if options.passphrase_file is None else read_passphrase(options.passphrase_file)
        return repository_keys.load_signer(options.key, passphrase)
    pin_file = tokens.needed_pin_file(options.passphrase_file)
    return tokens.list_signer(options.pkcs11, None, pin_file)


def _described(change: Change, frame: Frame, store: Store | None) -> dict[str, Any]:
    """What whoever signs is asked for: all that the lists say which are not listed by name elsewhere."""
    lists = []
    for name, metadata in frame.lists.items():
        signed = metadata.signed
        one: dict[str, Any] = {"list": name, "version": signed.version, "expires": timestamps.write(signed.expires)}
        if name == "targets":
            one["delegations"] = _delegations(signed)
        else:
            one["targets"] = sorted(signed.targets)
        lists.append(one)
    return {
        "lists": lists,
        "files": sorted(change.files),
        "new_root": change.root is not None,
        "steps": None if store is None else frame.steps(),
    }


def _delegations(top: tuf.Targets) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "paths": role.paths,
            "keys": sorted(role.keyids),
            "threshold": role.threshold,
            "may_execute": roles.may_execute(role),
        }
        for name, role in roles.delegated(top).items()
    ]


def _lines(document: dict[str, Any]) -> list[str]:
    lines = []
    for one in document["lists"]:
        head = f"{one['list']}: version {one['version']} until {one['expires']}"
        lines.append(f"{head}, {len(one['targets'])} targets" if "targets" in one else head)
        lines += [_line(each) for each in one.get("delegations", ())]
        if document["steps"] is None:
            paths = one.get("targets", ())
            lines += [f"  {plain(path)}" for path in paths[:_MOST_TARGETS]]
            lines += [f"  and {len(paths) - _MOST_TARGETS} more"] if len(paths) > _MOST_TARGETS else []
    return lines + [plain(step) for step in document["steps"] or ()]


def _line(delegation: dict[str, Any]) -> str:
    keys = ", ".join(key[:16] for key in delegation["keys"])
    right = ", may execute" if delegation["may_execute"] else ""
    whose = f"{delegation['threshold']} of {len(delegation['keys'])} keys ({keys})"
    return plain(f"  {delegation['name']}: {', '.join(delegation['paths'])} by {whose}{right}")


def _sentence(options: Namespace, changed: bool, missing: dict[str, int]) -> str:
    deed = "has this signature already" if not changed else "would be signed" if options.plan else "signed"
    if missing:
        return f"{options.change}: {deed}; it still lacks {lacking(missing)}: pass it on."
    return f"{options.change}: {deed}; it is complete: take it in."
