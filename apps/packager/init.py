# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package init`: a folder to begin with, whole or absent."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bocage_core._common.errors import BadInput
from bocage_core._packages.control import Control, arranged, render_control
from bocage_core._packages.versions import Version

from . import sources, templates
from .answers import Answer
from .drafts import AGENT, Draft, check_name, name_of, version_of


def init(options: Namespace) -> Answer:
    target: Path = options.folder
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise BadInput(f"{target} exists already; give a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as work:
        draft = _draft(options, work / "fetched")
        _write(draft, options.maintainer, work / "package")
        if target.exists():
            target.rmdir()
        (work / "package").replace(target)
    files = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    document = {
        "folder": str(target),
        "package": draft.package,
        "version": draft.version,
        "section": draft.section,
        "files": files,
        "notes": list(draft.notes),
    }
    lines = [f"{target}: {draft.package} {draft.version} ({draft.section}), {len(files)} files", *draft.notes]
    return Answer(document, [*lines, f"Next: edit {target / 'WAPT' / 'control'}, then sign the folder."])


def _draft(options: Namespace, fetched: Path) -> Draft:
    if options.version is not None:
        Version.parse(options.version)
    prefix: str = options.prefix
    if (options.template == "agent") is not (options.archive is not None):
        raise BadInput(
            "--template agent and --archive FILE go together: the archive is the agent, as make build makes it."
        )
    if options.template == "agent":
        if options.package is not None or prefix:
            raise BadInput(
                f"The package of the agent is called {AGENT} on all hosts; leave --package and --prefix out."
            )
        draft = sources.from_agent(options.archive)
    elif options.deb is not None:
        draft = sources.from_deb(options.deb, prefix)
    elif options.appimage is not None:
        fetched.mkdir()
        draft = sources.from_appimage(options.appimage, prefix, options.sha256, fetched)
    elif options.flatpak is not None:
        draft = sources.from_flatpak(options.flatpak, prefix, options.remote)
    elif options.content is not None:
        draft = sources.from_folder(options.content, prefix, options.target, options.package)
    else:
        section = options.template or "base"
        name = options.package or name_of(options.folder.resolve().name, prefix)
        draft = templates.of_type(section, check_name(name, section), version_of(options.version or "1-1")[0])
    if options.package is not None:
        draft = dataclasses.replace(draft, package=check_name(options.package, draft.section))
    if options.version is not None:
        # what a source could not tell is told
        kept = tuple(note for note in draft.notes if "ersion" not in note)
        draft = dataclasses.replace(draft, version=options.version, notes=kept)
    return draft


def _write(draft: Draft, maintainer: str, folder: Path) -> None:
    fields: dict[str, str | int] = {
        "package": draft.package,
        "version": draft.version,
        "architecture": draft.architecture,
        "section": draft.section,
        "priority": "optional",
        "maintainer": maintainer,
        "description": draft.description,
        "depends": "",
        "conflicts": "",
        "maturity": "PROD",
        "locale": "all",
        "target_os": draft.target_os,
        **{name: value for name, value in draft.more.items() if value},
    }
    (folder / "WAPT").mkdir(parents=True)
    (folder / "WAPT" / "control").write_bytes(render_control(Control(arranged(fields))))
    texts = {**draft.texts, **({"setup.py": draft.setup} if draft.setup else {})}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, source in draft.copies.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder on the same disk, that is gone afterwards: what it held was moved out, or is not wanted."""
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work)
