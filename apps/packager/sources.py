# SPDX-License-Identifier: GPL-3.0-or-later
"""What `init` can begin with, beside its templates: a .deb, an AppImage, a Flatpak, a folder."""

from __future__ import annotations

import configparser
import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput, BocageError

from . import debian, templates
from .answers import plain
from .drafts import AGENT, Draft, architecture_of, name_of, version_of

MAX_APPIMAGE = 4 * 1024**3
_MAX_REF = 256 * 1024
_DOWNLOAD_SECONDS = 3600.0
# e_machine of an ELF header, two bytes at 18
_MACHINES = {3: "x86", 62: "x64", 40: "armhf", 183: "arm64"}
_APPLICATION = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*){2,}", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ARCHIVE = re.compile(
    rf"{AGENT}-(?P<version>(?P<release>[0-9]+(?:\.[0-9]+){{1,3}})-[0-9a-f]{{12}})-(?P<machine>[a-z0-9_]+)\.tar\.gz"
)
_ARCHITECTURE_IN_NAME = re.compile(r"[-_.](x86[-_]64|amd64|i[36]86|aarch64|arm64|armhf)", re.IGNORECASE)


def from_deb(path: Path, prefix: str) -> Draft:
    found = debian.read_fields(path)
    version, note = version_of(found["version"])
    summary, _newline, _rest = found.get("description", "").partition("\n")
    more = {"name": found["package"], "homepage": found.get("homepage", ""), "sources": path.name}
    return Draft(
        name_of(found["package"], prefix),
        version,
        architecture=architecture_of(found.get("architecture", "all"), str(path)),
        description=plain(summary),
        more={name: plain(value) for name, value in more.items()},
        setup=templates.deb(plain(found["package"]), f"files/{path.name}"),
        copies={f"files/{path.name}": path},
        notes=tuple(one for one in (note, _wanted(found.get("depends", ""))) if one),
    )


def from_agent(path: Path) -> Draft:
    """The agent's archive, whose name says its version and for which processor it is."""
    found = _ARCHIVE.fullmatch(path.name)
    if found is None:
        raise BadInput(
            f"{path} is not called as an archive of the agent, such as {AGENT}-0.1.0-3f1c2a9b7d10-x86_64.tar.gz; take the"
            " one that make build makes."
        )
    _check_archive(path)
    return Draft(
        AGENT,
        version_of(found["release"])[0],
        architecture=architecture_of(found["machine"], str(path)),
        description=f"The agent {found['version']}",
        more={"name": AGENT, "sources": path.name},
        setup=templates.agent(),
        texts={"agent.json": json.dumps({"version": found["version"]}) + "\n"},
        copies={"agent.tar.gz": path},
        notes=(
            f"The version {version_of(found['release'])[0]} is of the release; builds of one release need --version, as in"
            f" {found['release']}-2.",
        ),
    )


def _check_archive(path: Path) -> None:
    """It can be read, and has the program where hosts run it."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            there = any(member.name == f"bin/{AGENT}" and member.isfile() for member in archive)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is no archive that can be unpacked: {error}.") from error
    if not there:
        raise BadInput(f"{path} has no program bin/{AGENT}; take the archive that make build makes.")


def from_appimage(source: str, prefix: str, sha256: str | None, folder: Path) -> Draft:
    """`source` is a file, or a URL of https whose bytes must have the digest; it is fetched into `folder`."""
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise BadInput("--sha256 is not a SHA-256 in hexadecimal, which has 64 digits.")
    if re.match(r"[a-z]+://", source):
        path = _fetch(source, sha256, folder)
    else:
        path = Path(source)
        if sha256 is not None and _digest(path) != sha256.lower():
            raise BadInput(f"{path} does not have the digest of --sha256; it is another file.")
    with path.open("rb") as stream:
        head = stream.read(32)
    # https://github.com/AppImage/AppImageSpec, type 1 and 2: an ELF file with AI and the type at 8
    if head[:4] != b"\x7fELF" or head[8:10] != b"AI" or len(head) < 20:
        raise BadInput(f"{path} is no AppImage: it lacks the marks of one.")
    machine = _MACHINES.get(int.from_bytes(head[18:20], "little"))
    if machine is None:
        raise BadInput(f"{path} is for a processor for which there are no packages.")
    stem = _ARCHITECTURE_IN_NAME.sub("", re.sub(r"\.appimage$", "", path.name, flags=re.IGNORECASE))
    title, version, note = _split(stem)
    name = name_of(title, prefix)
    file = f"files/{name}.AppImage"
    return Draft(
        name,
        version,
        architecture=machine,
        description=f"{plain(title)} (AppImage)",
        more={"name": plain(title), "sources": plain(source)},
        setup=templates.appimage(name, file),
        copies={file: path},
        notes=(note,) if note else (),
    )


def from_flatpak(source: str, prefix: str, remote: str | None) -> Draft:
    """`source` is an id, a full ref (`app/ID/ARCHITECTURE/BRANCH`, `ID//BRANCH`), or a .flatpakref file."""
    url, known = "", "flathub"
    if source.endswith(".flatpakref"):
        application, branch, url, known = _reference_file(Path(source))
        architecture = ""
    else:
        words = source.removeprefix("app/").split("/")
        application, architecture, branch = [*words, "", ""][:3]
        if len(words) > 3 or (branch and not _BRANCH.fullmatch(branch)):
            raise BadInput(
                f"{plain(source)[:80]} is no reference of a Flatpak such as app/org.example.App/x86_64/stable."
            )
    if not _APPLICATION.fullmatch(application):
        raise BadInput(f"{plain(application)[:80]} is no id of a Flatpak such as org.example.App.")
    if remote is not None:
        if re.match(r"(https|file|oci\+https)://[^\s]+$", remote):
            url, known = remote, name_of(application.rpartition(".")[0])
        elif _REMOTE.fullmatch(remote):
            url, known = "", remote
        else:
            raise BadInput(f"--remote {plain(remote)[:80]} is neither the name of a remote nor a URL of https.")
    reference = f"{application}/{architecture}/{branch}" if architecture or branch else application
    return Draft(
        name_of(application.rpartition(".")[2], prefix),
        "1-1",
        architecture=architecture_of(architecture, source) if architecture else "all",
        description=f"{application} (Flatpak of {known})",
        more={"name": application, "sources": plain(url or known)},
        setup=templates.flatpak(application, reference, known, url),
        notes=("A Flatpak's reference has no version; 1-1 was put in its place: raise it with every change.",),
    )


def from_folder(content: Path, prefix: str, target: str | None, name: str | None) -> Draft:
    """All files of a folder, to be placed into `target` on a host."""
    if not content.is_dir():
        raise BadInput(f"{content} is no folder.")
    package = name or name_of(content.resolve().name, prefix)
    place = target or f"/opt/{package}"
    if not re.fullmatch(r"/[^\x00-\x1f]+", place) or ".." in place.split("/"):
        raise BadInput(f"--target {plain(place)[:80]} is not a full path.")
    copies: dict[str, Path] = {}
    for path in sorted(content.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BadInput(
                f"{path} is a link or a device, which packages do not hold; take it out, or put a file there."
            )
        if path.is_file():
            copies[f"files/{path.relative_to(content).as_posix()}"] = path
    if not copies:
        raise BadInput(f"The folder {content} holds no file.")
    return Draft(
        package,
        "1-1",
        description=f"Files in {place}",
        setup=templates.folder(package, place),
        copies=copies,
        notes=("The version is 1-1: raise it with every change.",),
    )


def _wanted(depends: str) -> str:
    return f"It needs Debian packages, which apt brings along: {plain(depends)[:200]}." if depends else ""


def _split(stem: str) -> tuple[str, str, str]:
    """Title, version and a note, out of Title-1.2.3."""
    found = re.search(r"[-_ ]v?([0-9]+(?:\.[0-9]+)*)(.*)$", stem)
    if found is None:
        return stem, "0-1", "The file's name has no version; 0-1 was put in its place: edit WAPT/control."
    version, note = version_of(found[1] + found[2])
    return stem[: found.start()], version, note


def _reference_file(path: Path) -> tuple[str, str, str, str]:
    """Id, branch, URL and name of the remote of a .flatpakref file (flatpak-flatpakref(5))."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(atomic.read_bounded(path, _MAX_REF).decode("utf-8"))
        section = parser["Flatpak Ref"]
        application, url = section["Name"], section["Url"]
    except (configparser.Error, KeyError, ValueError, BocageError) as error:
        raise BadInput(f"{path} is no .flatpakref file: it lacks the section Flatpak Ref with Name and Url.") from error
    branch = section.get("Branch", "")
    if (branch and not _BRANCH.fullmatch(branch)) or not re.fullmatch(r"https://\S+", url):
        raise BadInput(f"{path} names a branch or a URL that cannot be used; the URL must be one of https.")
    known = section.get("SuggestRemoteName", "")
    if not _REMOTE.fullmatch(known):
        known = name_of(application.rpartition(".")[0] or "remote")
    return application, branch, url, known


def _fetch(url: str, sha256: str | None, folder: Path) -> Path:
    if not url.startswith("https://") or sha256 is None:
        raise BadInput("An AppImage from a URL needs https and --sha256, so that it is the file that you looked at.")
    path = folder / (re.sub(r"[^A-Za-z0-9._-]", "_", url.partition("?")[0].rpartition("/")[2]) or "download.AppImage")
    with path.open("wb") as stream:
        _download(url, _Hashing(stream, sha256.lower(), url).take)
    if _digest(path) != sha256.lower():
        raise BadInput(f"What {plain(url)[:200]} gave does not have the digest of --sha256; nothing was kept.")
    return path


class _Hashing:
    """Bounds what a server sends."""

    def __init__(self, stream: BinaryIO, sha256: str, url: str) -> None:
        self._stream, self._url, self._size = stream, url, 0

    def take(self, block: bytes) -> None:
        self._size += len(block)
        if self._size > MAX_APPIMAGE:
            raise BocageError(f"{plain(self._url)[:200]} gives more than {MAX_APPIMAGE} bytes; nothing was kept.")
        self._stream.write(block)


def _download(url: str, take: Callable[[bytes], None]) -> None:
    import time

    import httpx

    deadline = time.monotonic() + _DOWNLOAD_SECONDS
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=30.0) as answer:
            answer.raise_for_status()
            for block in answer.iter_bytes(1024 * 1024):
                take(block)
                if time.monotonic() > deadline:
                    raise BocageError(f"{plain(url)[:200]} did not end in {_DOWNLOAD_SECONDS:.0f} seconds.")
    except httpx.HTTPError as error:
        raise BocageError(f"{plain(url)[:200]} cannot be fetched: {error}.") from error


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
