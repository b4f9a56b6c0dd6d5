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
from bocage_core._packages import repository_edit, repository_keys, repository_layout, repository_publish, target_custom
from bocage_core._packages.acceptance import verify_package
from bocage_core._packages.certificates import Trust
from bocage_core._packages.change_archive import write_change
from bocage_core._packages.container import open_container
from bocage_core._packages.kinds import target_path
from bocage_core._packages.repository_store import Store
from bocage_core._packages.trust_store import read_trust

from .answers import Answer
from .index import index_of

if TYPE_CHECKING:
    from bocage_core._packages import tuf_library as tuf

_MAX_KEY = 65536


def publish(options: Namespace) -> Answer:
    if not options.files and not options.retire:
        raise BadInput("There is nothing to publish; give packages, or --retire with the paths of targets.")
    store, now = Store(options.repository), timestamps.now()
    trust, additions, paths = read_trust(options.trust), [], []
    for file in options.files:
        addition = _addition(file, trust, options.site)
        if addition.target.path in paths:
            raise BadInput(f"{file} is the second package for {addition.target.path}; publish one of them.")
        additions.append(addition)
        paths.append(addition.target.path)
    change = repository_edit.prepare(store, additions, options.retire, _signers(options), now)
    before = repository_publish.listing(options.repository)
    change.index, left_out = _index(options.repository, before, additions, options.retire)
    if options.online_keys is not None:
        from .publisher import online_signers

        repository_publish.commit(options.repository, change, online_signers(options.online_keys), now)
        where = str(options.repository)
    else:
        write_change(change, options.output)
        where = str(options.output)
    done = "published" if options.online_keys is not None else "prepared; take it in with commit on the publisher"
    document: dict[str, Any] = {
        "targets": paths,
        "retired": list(options.retire),
        "lists": sorted(change.lists),
        "written": where,
        "published": options.online_keys is not None,
        "index": not left_out,
    }
    lines = [*paths, *(f"{path} (retired)" for path in options.retire), f"{where}: {done}."]
    return Answer(document, [*lines, left_out] if left_out else lines)


def _addition(file: Path, trust: Trust, site: str | None) -> repository_edit.Addition:
    """A package that hosts would accept; one that they refuse is not worth their download."""
    accepted = verify_package(file, trust, timestamps.now())
    with open_container(file) as container:
        custom = target_custom.from_control(accepted.control.fields, container.control_raw)
    path = target_path(accepted.control, site or "", "give --site with the site of the host")
    return repository_edit.add_file(path, file, custom.to_dict())


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


def _index(
    repository: Path,
    before: Mapping[str, Mapping[str, Any]],
    additions: Sequence[repository_edit.Addition],
    retired: Sequence[str],
) -> tuple[bytes | None, str]:
    """The index of what is listed afterwards, made from the packages themselves; or None, and why."""
    files = {
        path: repository / repository_layout.PUBLIC / repository_layout.target_file(path, one["sha256"])
        for path, one in before.items()
        if path not in retired
    } | {one.target.path: one.source for one in additions}
    served = {
        plain.removeprefix("wapt/"): file
        for path, file in files.items()
        if (plain := repository_layout.plain_file(path)) and plain.startswith("wapt/")
    }
    if absent := [name for name, file in served.items() if not file.is_file()]:
        return None, (
            f"The index for agents of WAPT stays as it is: {len(absent)} packages, as {absent[0]}, are not in this copy."
        )
    return index_of(sorted(served.items()))[0], ""
