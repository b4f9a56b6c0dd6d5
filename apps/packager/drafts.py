# SPDX-License-Identifier: GPL-3.0-or-later
"""What `init` begins with, whatever it is made from: control fields, setup.py, files; and names and versions for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bocage_core._common.errors import BadInput

from .answers import plain

# What WAPT calls processors, by the names that others have for them.
ARCHITECTURES = {
    word: ours
    for ours, words in {
        "all": ("all", "any"),
        "x64": ("x64", "amd64", "x86_64"),
        "x86": ("x86", "i386", "i686"),
        "arm64": ("arm64", "aarch64"),
        "armhf": ("armhf", "arm"),
    }.items()
    for word in words
}
# The name under which hosts know the package that is their agent.
AGENT = "bocage-agent"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")
# Units have the names of a directory, as OU=lab,DC=acme; hosts their own.
_WIDE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.=, _-]{0,254}")
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){0,3}")


@dataclass(frozen=True)
class Draft:
    package: str
    version: str
    section: str = "base"
    architecture: str = "all"
    target_os: str = "linux"
    description: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    """Other control fields."""
    setup: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Small files, by path in the package."""
    copies: Mapping[str, Path] = field(default_factory=dict)
    """Files to copy, by path in the package."""
    notes: tuple[str, ...] = ()
    """What its author should look at."""


def name_of(text: str, prefix: str = "") -> str:
    """A package's name out of what others call a thing: lower case, no signs that file names use as separators."""
    name = prefix + re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
    return check_name(name, "base")


def check_name(name: str, section: str) -> str:
    """Raises BadInput where a package of this type may not be called so."""
    form = _WIDE_NAME if section in ("host", "unit", "profile") else _NAME
    if not form.fullmatch(name) or ".." in name:
        raise BadInput(
            f"{plain(name)[:80] or 'An empty text'} is no name for a package; give one with --package, of lower-case"
            " letters, digits, dots and minus signs."
        )
    return name


def version_of(text: str) -> tuple[str, str]:
    """A version out of what others call one, and a note where something of it was left out.

    `1:2.4.1~rc1+dfsg-3+deb12u1` becomes 2.4.1-3: up to four numbers, and the number of the packaging.
    """
    upstream, _minus, revision = text.partition(":")[2 if ":" in text else 0].rpartition("-")
    if not upstream:
        upstream, revision = revision, ""
    numbers = _NUMBERS.search(upstream)
    packaging = re.match(r"[0-9]+", revision)
    if numbers is None:
        return "0-1", f"The version {plain(text)[:60]} has no number; 0-1 was put in its place: edit WAPT/control."
    found = f"{numbers[0]}-{int(packaging[0]) if packaging else 1}"
    if text in (found, numbers[0]):
        return found, ""
    return (
        found,
        f"The version {plain(text)[:60]} was written as {found}; give --version where the order needs another.",
    )


def architecture_of(text: str, what: str) -> str:
    found = ARCHITECTURES.get(text.lower())
    if found is None:
        raise BadInput(f"{what} is for the processor {plain(text)[:40]}, for which there are no packages.")
    return found
