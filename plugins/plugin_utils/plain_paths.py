# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that a template only points at, read as they are.

``{{ plan.hosts[inventory_hostname].mesh }}`` gives what lies there. Ansible's templating makes it anew, value by value,
and looks into each for a template: for the plans of a thousand hosts that takes longer than everything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.template import is_trusted_as_template

MISSING = object()
_PATH = re.compile(r"\{\{ ?([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*|\[[A-Za-z_]\w*\])+) ?\}\}", re.ASCII)
_STEP = re.compile(r"\.(\w+)|\[(\w+)\]", re.ASCII)
_MARKS = ("{{", "{%", "{#")


def plain_value(value: object, variables: Mapping[str, Any]) -> object:
    """What the template `value` points at; MISSING where that takes templating to find out."""
    if not isinstance(value, str) or (match := _PATH.fullmatch(value)) is None or not is_trusted_as_template(value):
        return MISSING
    found = variables.get(match[1], MISSING)
    for name, variable in _STEP.findall(match[2]):
        key = variables.get(variable, MISSING) if variable else name
        # of a name that is also a method, as items, templates get the method
        if (
            not isinstance(found, dict)
            or not isinstance(key, str)
            or not _is_plain(key)
            or (name and hasattr(dict, name))
        ):
            return MISSING
        found = found.get(key, MISSING)
    return found if _is_plain(found) else MISSING


def _is_plain(value: object) -> bool:
    """Whether there is nothing in it that templating would resolve."""
    if isinstance(value, str):
        return not ("{" in value and any(mark in value for mark in _MARKS))
    if value is None or isinstance(value, (bool, int, float)):
        return True
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(name) and _is_plain(inner) for name, inner in value.items())
    return isinstance(value, list) and all(map(_is_plain, value))
