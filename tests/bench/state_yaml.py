# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer: the same inventory as an operator would write it, in YAML's block style.

What was reported is tagged `!unsafe`, as values that must never be templates are in YAML; without the tag the two
inventories would not print the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def write_yaml(path: Path, desired: dict[str, dict[str, Any]], ready: dict[str, Any]) -> None:
    with path.open("w") as stream:
        stream.write("all:\n  children:\n    managed:\n      hosts:\n")
        for name, values in desired.items():
            stream.write(f"        {name}:\n")
            for key, value in values.items():
                stream.write(f"          {key}: {json.dumps(value)}\n")
            stream.write("          reported: !unsafe\n")
            stream.writelines(_block(ready["reported"][name], 12))
        for group, hosts in ready["groups"].items():
            stream.write(f"    {group}:\n      hosts:\n" if hosts else f"    {group}:\n")
            stream.writelines(f"        {name}:\n" for name in hosts)


def _block(values: dict[str, Any], indent: int) -> Iterator[str]:
    space = " " * indent
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{space}{key}:\n"
            yield from _block(value, indent + 2)
        elif isinstance(value, list) and value:
            yield f"{space}{key}:\n"
            yield from _items(value, indent + 2)
        else:
            yield f"{space}{key}: {json.dumps(value)}\n"


def _items(values: list[Any], indent: int) -> Iterator[str]:
    space = " " * indent
    for value in values:
        if isinstance(value, dict):
            first, *rest = _block(value, indent + 2)
            yield f"{space}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{space}- {json.dumps(value)}\n"
