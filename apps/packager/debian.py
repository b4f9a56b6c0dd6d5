# SPDX-License-Identifier: GPL-3.0-or-later
"""The control fields of a Debian package (deb(5): an ar archive with control.tar.* inside), without Debian's tools.

Only control.tar.zst, which Python 3.11 cannot read, is left to dpkg-deb.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from bocage_core._common.errors import BadInput

_MAGIC = b"!<arch>\n"
_HEADER = 60
_MAX_MEMBER = 16 * 1024 * 1024
_MAX_CONTROL = 1024 * 1024
_MAX_MEMBERS = 16
_PLAIN = {"control.tar", "control.tar.gz", "control.tar.xz", "control.tar.bz2"}


def read_fields(path: Path) -> dict[str, str]:
    """Fields by name in lower case. Raises BadInput, OSError."""
    name, raw = _control_archive(path)
    if name == "control.tar.zst":
        return parse(_by_dpkg(path), path)
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:*") as archive:
            for member in archive:
                if member.name in ("control", "./control") and member.isfile() and member.size <= _MAX_CONTROL:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        return parse(stream.read(_MAX_CONTROL), path)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise _damaged(path, f"{name} cannot be read") from error
    raise _damaged(path, f"{name} holds no control file")


def parse(raw: bytes, path: Path) -> dict[str, str]:
    """The one stanza of a control file; later lines of a field follow on lines of their own."""
    found: dict[str, str] = {}
    last = ""
    for line in raw.decode("utf-8", "replace").splitlines():
        if line[:1] in (" ", "\t"):
            if last:
                found[last] += "\n" + line.strip()
        elif ":" in line:
            last, _colon, value = line.partition(":")
            last = last.strip().lower()
            found[last] = value.strip()
    if not found.get("package") or not found.get("version"):
        raise _damaged(path, "its control file names no package and version")
    return found


def _control_archive(path: Path) -> tuple[str, bytes]:
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise _damaged(path, "it does not begin as one")
        for _member in range(_MAX_MEMBERS):
            header = stream.read(_HEADER)
            if len(header) < _HEADER or header[58:60] != b"`\n" or not header[48:58].strip().isdigit():
                break
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            size = int(header[48:58])
            if name in _PLAIN or name == "control.tar.zst":
                if size > _MAX_MEMBER:
                    raise _damaged(path, f"{name} has more than {_MAX_MEMBER} bytes")
                return name, stream.read(size)
            # members begin at even places
            stream.seek(size + size % 2, io.SEEK_CUR)
    raise _damaged(path, "it has no control.tar")


def _by_dpkg(path: Path) -> bytes:
    try:
        done = subprocess.run(["dpkg-deb", "--field", str(path)], capture_output=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise BadInput(f"{path} is packed with zstd, for which dpkg-deb is needed; install dpkg.") from error
    if done.returncode != 0:
        raise _damaged(path, "dpkg-deb cannot read it")
    return done.stdout[:_MAX_CONTROL]


def _damaged(path: Path, why: str) -> BadInput:
    return BadInput(f"{path} is no Debian package: {why}.")
