# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine could have, what it has, and what it shall have: the solver's input as plain values.

A universe holds the candidates that already match the machine (architecture, locale, maturity, system); matching is
not done here. Names of packages are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .._common.errors import BadInput
from .requests import Request, parse_requests
from .versions import Version

# In `Goal.upgrade`: all that is installed may become newer.
EVERYTHING = "*"
# Far above any estate, and low enough that a hostile index cannot fill the memory.
MAX_CANDIDATES = 200_000


@dataclass(frozen=True, eq=False)
class Candidate:
    """One package in one version, as a repository offers it or as it is installed. Compared by identity.

    `rank` orders equal versions, lower first: how well locale, architecture and maturity fit the machine.
    """

    package: str
    version: Version
    depends: tuple[Request, ...] = ()
    conflicts: tuple[Request, ...] = ()
    sha256: str = ""
    section: str = "base"
    rank: int = 0

    @classmethod
    def parse(
        cls,
        package: str,
        version: str,
        depends: str = "",
        conflicts: str = "",
        *,
        sha256: str = "",
        section: str = "base",
        rank: int = 0,
    ) -> Candidate:
        """From the texts of a control file or of a target's custom data. Raises BadInput that names the package."""
        try:
            requests = parse_requests(depends), parse_requests(conflicts)
            return cls(package, Version.parse(version), *requests, sha256, section, rank)
        except BadInput as error:
            raise BadInput(f"The package {package[:60]!a} cannot be used: {error}") from error

    @property
    def label(self) -> str:
        """`unit:lab` for packages that stand for something of the estate, the bare name for software."""
        return self.package if self.section in ("", "base") else f"{self.section}:{self.package}"

    def __str__(self) -> str:
        return f"{self.label} {self.version}"


@dataclass(frozen=True)
class Installed:
    """A package that is on the machine; `asked` is false where it only came because another needed it."""

    candidate: Candidate
    asked: bool = True


@dataclass(frozen=True)
class Wanted:
    """A request that must be met, and who asks for it (`host:erp1`, `the command line`)."""

    request: Request
    origin: str = "this request"


@dataclass(frozen=True)
class Rule:
    """A pin (present only in versions that the request allows) or a ban (present in none of them), and whose it is."""

    request: Request
    origin: str


@dataclass(frozen=True)
class Goal:
    """What must hold afterwards. `upgrade` names what may become newer though it fits: names, or EVERYTHING."""

    wanted: tuple[Wanted, ...] = ()
    pins: tuple[Rule, ...] = ()
    forbidden: tuple[Rule, ...] = ()
    upgrade: frozenset[str] = frozenset()

    def upgrades(self, package: str) -> bool:
        return package in self.upgrade or EVERYTHING in self.upgrade


@dataclass(frozen=True)
class Universe:
    """Candidates by name, newest first and among equals the best fit first; and what is installed, by name.

    `left_out` has versions that are not for this machine, with the reason, by name; only explanations read it.
    """

    candidates: Mapping[str, tuple[Candidate, ...]]
    installed: Mapping[str, Installed] = field(default_factory=dict)
    left_out: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        candidates: Iterable[Candidate],
        installed: Iterable[Installed] = (),
        left_out: Mapping[str, tuple[tuple[str, str], ...]] | None = None,
    ) -> Universe:
        """Sort and group. Raises BadInput: a package installed twice, or more candidates than the bound."""
        present: dict[str, Installed] = {}
        for item in installed:
            if item.candidate.package in present:
                raise BadInput(
                    f"The package {item.candidate.package} is recorded as installed twice; repair the agent's state."
                )
            present[item.candidate.package] = item
        groups: dict[str, list[Candidate]] = {}
        for count, candidate in enumerate(candidates, 1):
            if count > MAX_CANDIDATES:
                raise BadInput(f"There are more than {MAX_CANDIDATES} packages; split the repository.")
            groups.setdefault(candidate.package, []).append(candidate)
        for name, item in present.items():
            groups[name] = [item.candidate, *(other for other in groups.get(name, ()) if not _same(other, item))]
        here = {name: item.candidate for name, item in present.items()}
        return cls({name: _sorted(groups[name], here.get(name)) for name in sorted(groups)}, present, left_out or {})


def _same(offered: Candidate, item: Installed) -> bool:
    """Whether the repository offers just what is installed; a digest that nobody recorded is taken as equal."""
    here = item.candidate
    return offered.version == here.version and (offered.sha256 == here.sha256 or not (offered.sha256 and here.sha256))


def _sorted(group: list[Candidate], here: Candidate | None) -> tuple[Candidate, ...]:
    # Stable sorts from the least to the most important, since a version has no opposite to sort by.
    if len(group) > 1:
        group = sorted(group, key=lambda candidate: (candidate is not here, candidate.rank, candidate.sha256))
        group.sort(key=lambda candidate: candidate.version, reverse=True)
    return tuple(group)
