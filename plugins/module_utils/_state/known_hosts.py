# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of one host in a file of known hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable

from .._common.errors import BadInput

_NAME = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


def name_of(host: str, port: int | None) -> str:
    """How a host is called in the file: with its port where that is not SSH's own."""
    if not _NAME.fullmatch(host):
        raise BadInput(f"The address {host!a} cannot stand in a file of known hosts; correct ansible_host.")
    return host if port in (None, 22) else f"[{host}]:{port}"


def pin(text: str, name: str, keys: Iterable[str]) -> str:
    """The file with these keys and no others for `name`; words of other hosts, authorities and revocations stay."""
    wanted = [f"{name} {key}" for key in keys]
    kept: list[str] = []
    for line in text.splitlines():
        if line in wanted:
            # where it stands, so that a second time changes nothing
            wanted.remove(line)
            kept.append(line)
            continue
        left = _without(line, name)
        if left is not None:
            kept.append(left)
    return "".join(f"{line}\n" for line in kept + wanted)


def _without(line: str, name: str) -> str | None:
    """The line without this host, or None where it is about no other."""
    words = line.split(maxsplit=1)
    if len(words) < 2 or line.lstrip().startswith(("#", "@")):
        return line
    if words[0].startswith("|"):
        return None if _hashed(words[0], name) else line
    names = words[0].split(",")
    others = [other for other in names if other != name]
    if len(others) == len(names):
        return line
    return f"{','.join(others)} {words[1]}" if others else None


def _hashed(word: str, name: str) -> bool:
    parts = word.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except binascii.Error:
        return False
    # the form of the file, not a choice of ours
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
