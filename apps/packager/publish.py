# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package publish`: packages become targets of a repository, signed by the keys of its lists.

The keys of lists are with people and those of snapshot and timestamp on the publisher; so what is made here is a change
in one file that is carried there and taken in by `commit`. With `--online-keys` both happen at once, on one machine.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bocage_core._common import atomic, timestamps
from bocage_core._common.errors import BadInput
from bocage_core._packages import (
    change_plan,
    change_signatures,
    publishable,
    repository_edit,
    repository_keys,
    repository_layout,
    repository_publish,
)
from bocage_core._packages.change_archive import write_change
from bocage_core._packages.repository_store import Store
from bocage_core._packages.trust_store import read_trust

from .answers import Answer

if TYPE_CHECKING:
    from bocage_core._packages import tuf_library as tuf

_MAX_KEY = 65536


def publish(options: Namespace) -> Answer:
    if not options.files and not options.retire:
        raise BadInput("There is nothing to publish; give packages, or --retire with the paths of targets.")
    store, now = Store(options.repository), timestamps.now()
    trust, rights = read_trust(options.trust), change_plan.may_execute(store)
    given = [(file, options.site or "") for file in options.files]
    additions = publishable.packages(given, lambda: trust, now, rights, "give --site with the site of the host")
    paths = [one.target.path for one in additions]
    publishable.refuse_other_bytes(change_plan.listed(store), additions)
    change = repository_edit.prepare(store, additions, options.retire, _signers(options), now)
    missing: dict[str, int] = {}
    if options.online_keys is not None:
        from .publisher import online_signers

        repository_publish.commit(options.repository, change, online_signers(options.online_keys), now)
        where = str(options.repository)
    else:
        missing = change_signatures.Frame(change, store.root_bytes(), store).missing()
        write_change(change, options.output)
        where = str(options.output)
    done = "published" if options.online_keys is not None else "prepared; take it in with commit on the publisher"
    if missing:
        done = f"lacks {change_signatures.lacking(missing)}; let the next holder add one with sign-change"
    document: dict[str, Any] = {
        "targets": paths,
        "retired": list(options.retire),
        "lists": sorted(change.lists),
        "written": where,
        "missing_signatures": missing,
        "published": options.online_keys is not None,
    }
    lines = [*paths, *(f"{path} (retired)" for path in options.retire), f"{where}: {done}."]
    return Answer(document, lines)


def _signers(options: Namespace) -> Mapping[str, Sequence[tuf.Signer]]:
    passphrase = None
    if options.passphrase_file is not None:
        passphrase = atomic.read_bounded(options.passphrase_file, 4096).partition(b"\n")[0].removesuffix(b"\r")
    found: dict[str, list[tuf.Signer]] = {}
    for word in options.key:
        role, equals, name = word.partition("=")
        if not equals or not name:
            raise BadInput(f"--key {ascii(word)[1:-1][:80]} is not ROLE=FILE, as in base=base.key.")
        encrypted = b"ENCRYPTED" in atomic.read_bounded(Path(name), _MAX_KEY)
        signer = repository_keys.load_signer(Path(name), passphrase if encrypted else None)
        found.setdefault(repository_layout.check_role(role), []).append(signer)
    return found
