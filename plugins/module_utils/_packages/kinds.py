# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seven types of packages: where the repository lists each, and which sections of a control file mean it."""

from __future__ import annotations

import re

from .._common.errors import BadInput
from . import repository_layout as layout
from .control import Control
from .names import file_name

KINDS = ("base", "group", "host", "unit", "profile", "selfservice", "policy")
# What a directory calls a unit (OU=lab,DC=acme) or a group, as far as a package can have that name; no sign of it means
# anything to a template, a shell or a path.
DIRECTORY_NAME = re.compile(r"[^\W_](?:[\w.=,+&'@ -]{0,253}[\w.+&'@-])?")
# Names whose spelling by WAPT is that of no other unit or group: commas become _ and spaces ~, the rest is dropped.
_UNIT_OF_WAPT = re.compile(r"[^\W\d_]+=[\w. -]+(?:,[^\W\d_]+=[\w. -]+)*")
_PROFILE_OF_WAPT = re.compile(r"[\w.= -]+")
_SPELLING_OF_WAPT = str.maketrans(", ", "_~")
# other spellings that producers use
_SECTIONS = {
    "self-service": "selfservice",
    "wsus": "policy",
    "waptwua": "policy",
    "update-policy": "policy",
}


def kind_of_section(section: str) -> str:
    """What is none of the others is software, whatever its section is called."""
    word = section.strip().lower()
    word = _SECTIONS.get(word, word)
    return word if word in KINDS else "base"


def kind_of_path(path: str) -> str:
    """Empty for what is no package."""
    kind = path.partition("/")[0]
    return kind if kind in KINDS and path.endswith(".wapt") else ""


def names_of_place(place: str, kind: str) -> list[str]:
    """What the package of a unit or group (`unit` or `profile`) may be called: as in the directory, or as agents of WAPT ask for it."""
    form = _UNIT_OF_WAPT if kind == "unit" else _PROFILE_OF_WAPT
    spelled = place.translate(_SPELLING_OF_WAPT) if form.fullmatch(place) else place
    return [place] if spelled == place else [place, spelled]


def target_path(control: Control, site: str, remedy: str) -> str:
    """Where a package stands in a repository; `remedy` ends the sentence for a package of a host without its site.

    Raises BadInput.
    """
    kind = kind_of_section(control.section)
    if kind == "host":
        if not site:
            raise BadInput(f"{control} is the package of a host; {remedy}.")
        kind = f"host/{site}"
    return layout.check_path(f"{kind}/{file_name(control.fields)}")
