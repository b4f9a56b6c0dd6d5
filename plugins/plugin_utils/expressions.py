# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions compiled once and run per host.

Ansible's templating compiles an expression anew each time it is evaluated, about a millisecond for each host and
expression. What it compiles to does not depend on the variables, so it is kept for as long as one inventory is loaded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ansible.template import Templar

# Variables of hosts may be templates themselves; those that are different for every host are not worth keeping.
MOST_KEPT = 4096
_COMPILERS = ("_compile_expression", "_compile_template")


@contextlib.contextmanager
def compiled_once(templar: Templar) -> Iterator[list[str]]:
    """Within the block `templar` compiles each expression once; yields the list of what it compiled."""
    compiled: list[str] = []
    engine = getattr(templar, "_engine", None)
    compilers = [name for name in _COMPILERS if callable(getattr(engine, name, None))]
    for name in compilers:
        setattr(engine, name, _kept(getattr(engine, name), compiled))
    try:
        yield compiled
    finally:
        for name in compilers:
            # The method of the class shows again.
            delattr(engine, name)


def _kept(compile_one: Callable[[str, Any], Any], compiled: list[str]) -> Callable[[str, Any], Any]:
    kept: dict[tuple[str, Any], Any] = {}

    def compile_or_reuse(text: str, options: Any) -> Any:
        key = (str(text), options)
        found = kept.get(key)
        if found is None:
            found = compile_one(text, options)
            compiled.append(str(text))
            if len(kept) < MOST_KEPT:
                kept[key] = found
        return found

    return compile_or_reuse
