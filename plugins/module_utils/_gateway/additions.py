# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a site's own: files in a folder of the host that become part of our table.

Their text is copied into the ruleset, so that what a boot or a revert loads is what was checked and confirmed,
whatever happens to the files in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._common.errors import BadInput
from .rights import ADDITION, ADDITION_ENDS

FOLDER = "site.d"
# our chains jump into these before they accept anything that begins
CHAINS = ("site_input", "site_forward")
_WORDS_OF_OTHERS = re.compile(r"^(include|flush|delete|destroy|table)\b")
_FOREIGN_CHAIN = re.compile(r"^chain (?!site_)(\S+)")
_QUOTED = re.compile(r'"[^"]*"')
_ERROR = re.compile(r":(\d+):[\d-]+:\s*(?:Error:\s*)?(.*)")


@dataclass(frozen=True, slots=True)
class Addition:
    """One file of rules."""

    name: str
    text: str


def read_additions(folder: Path) -> list[Addition]:
    """The files ``*.nft`` of the folder in the order of their names; raises BadInput on one that leaves our table."""
    found = []
    for path in sorted(folder.glob("*.nft")) if folder.is_dir() else ():
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                f"Addition {path} to the firewall cannot be read, and nothing was changed: {error}."
            ) from error
        _check_bounds(path, text)
        found.append(Addition(path.name, text))
    return found


def _check_bounds(path: Path, text: str) -> None:
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        code = _QUOTED.sub('""', line).partition("#")[0].strip()
        depth_before, depth = depth, depth + code.count("{") - code.count("}")
        if depth < 0 or (depth_before == 0 and _WORDS_OF_OTHERS.match(code)):
            raise BadInput(
                f"Addition {path} to the firewall leaves our table in line {number}, and nothing was changed: "
                "write chains and sets alone, as inside of a table."
            )
        if depth_before == 0 and (match := _FOREIGN_CHAIN.match(code)):
            raise BadInput(
                f"Addition {path} to the firewall has a chain {match.group(1)} in line {number}, and nothing was "
                "changed: its chains begin with site_, such as site_input and site_forward."
            )
    if depth:
        raise BadInput(
            f"Addition {path} to the firewall has an opening brace without its end, and nothing was changed: correct it."
        )


def lines_of(additions: Iterable[Addition]) -> list[str]:
    """The additions as lines of our table, each between two marks."""
    lines: list[str] = []
    for addition in additions:
        lines += [f"\t{ADDITION}{addition.name}", *addition.text.splitlines(), f"\t{ADDITION_ENDS}{addition.name}"]
    return lines


def blamed(ruleset: str, error: str, additions: Sequence[Addition], folder: Path) -> str | None:
    """Where one of the additions is what nft complains of, that in words."""
    match = _ERROR.search(error)
    if match is None or not additions:
        return None
    before = ruleset.splitlines()[: int(match.group(1))]
    begins = [number for number, line in enumerate(before, start=1) if line.strip().startswith(ADDITION)]
    ends = [number for number, line in enumerate(before, start=1) if line.strip().startswith(ADDITION_ENDS)]
    if len(begins) == len(ends):
        return None
    name = before[begins[-1] - 1].strip().removeprefix(ADDITION)
    return (
        f"nft refuses line {int(match.group(1)) - begins[-1]} of the addition {folder / name} to the firewall, "
        f"and nothing was changed: {match.group(2).strip()}; correct or remove it."
    )
