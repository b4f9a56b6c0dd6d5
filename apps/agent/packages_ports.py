# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine needs of the library of packages, and nothing more: so that it is tested without a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bocage_core._common.errors import BocageError
from bocage_core._packages.requests import Request

# Types of packages that hold settings and dependencies and are never executed to be there.
CONTROL_ONLY = frozenset({"group", "host", "unit", "profile", "selfservice", "self-service", "policy", "waptwua"})

# Bytes that have arrived, and all that are expected.
Progress = Callable[[int, int], None]


class Unreachable(BocageError):
    """No replica answered: the host goes on with what it has."""


@dataclass(frozen=True)
class Offer:
    """A package that a repository, or the cache, has for this host."""

    package: str
    version: str
    section: str = "base"
    depends: str = ""
    conflicts: str = ""
    sha256: str = ""
    size: int = 0
    path: str = ""
    """Of the target in the repository; empty for what is installed and known by its record only."""
    rank: int = 0
    """Orders equal versions, lower first: how well they fit to this host."""
    source: Any = field(default=None, compare=False, repr=False)
    """The library's own object."""


@dataclass(frozen=True)
class Taken:
    """What came over a network, of metadata and packages: from copies of the host's own site, and from elsewhere."""

    site_bytes: int = 0
    site_requests: int = 0
    elsewhere_bytes: int = 0
    elsewhere_requests: int = 0
    site_has_copy: bool = False
    """Whether the host knows of any copy at its own site."""


@dataclass(frozen=True)
class Accepted:
    """What the acceptance rule found in a file that it let pass."""

    package: str
    version: str
    section: str
    depends: str
    conflicts: str
    signer: str
    executable: bool
    control: Mapping[str, Any]


@dataclass(frozen=True)
class Solution:
    """What a host should have, dependencies first."""

    wanted: tuple[Offer, ...]
    """All that shall be there, also what is and stays."""
    missing: Mapping[str, str]
    """By package that was asked for, why it cannot be had."""
    reasons: Mapping[str, str]
    """By package, why it comes in this version, stays in an older one, or leaves."""


class Library(Protocol):
    """The trusted side of packages: metadata, acceptance, solver."""

    def update(self) -> dict[str, int]:
        """Refresh the metadata; versions by role. Raises Unreachable, or BocageError where it must not be believed."""

    def versions(self) -> dict[str, int]:
        """Of the metadata that is known, by role, as of the last update."""

    def taken(self) -> Taken:
        """What came since this was asked last."""

    def kept(self, installed: Mapping[str, str]) -> Mapping[str, Any]:
        """What rollouts let this host have, as plain data, by the last update; `installed` has versions by package."""

    def offers(self, package: str) -> Sequence[Offer]:
        """All versions of a package that are for this kind of host."""

    def search(self, words: Sequence[str]) -> Sequence[Offer]: ...

    def download(self, offer: Offer, path: Path, progress: Progress) -> None:
        """Write the target, verified by length and hash, to the path."""

    def accept(self, path: Path, offer: Offer, floor: str | None, moment: datetime) -> Accepted:
        """The rest of the rule. Raises Refused."""

    def unpack(self, path: Path, sha256: str, folder: Path) -> None:
        """Lay the content of an accepted file of this hash into a folder, which is made."""

    def solve(
        self,
        requests: Iterable[str | Request],
        forbidden: Iterable[str],
        installed: Mapping[str, Offer],
        offers: Callable[[str], Sequence[Offer]],
        renew: Callable[[str], bool],
        kept: Mapping[str, Any],
    ) -> Solution:
        """What to have for the requests, texts or read ones, of which the first counts most; what is installed and no setting is kept.

        `renew` says of which packages a newer version is wanted, `kept` to what rollouts hold the host.
        """

    def compare(self, first: str, second: str) -> int:
        """Below, equal to or above 0, as the first version is older, the same or newer."""

    def clash(self, first: Offer, second: Offer) -> bool:
        """Whether one of the two says that it is in conflict with the other."""

    def names(self, requests: str) -> list[str]:
        """The packages that a list of requests names."""
