# SPDX-License-Identifier: GPL-3.0-or-later
"""The seven types of packages: where the repository lists each, and which sections of a control file mean it."""

from __future__ import annotations

KINDS = ("base", "group", "host", "unit", "profile", "selfservice", "policy")
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
