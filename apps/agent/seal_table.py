# SPDX-License-Identifier: GPL-3.0-or-later
"""Seals as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = ("role", "status", "sealed at", "digest")


def lines(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line for each seal, and under it what is wrong with it."""
    if not found:
        yield "This host has no seals; they are left by roles that converged."
        return
    rows = [
        (role, seal["status"], seal["sealed_at"] or "-", (seal["digest"] or "-")[:16]) for role, seal in found.items()
    ]
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(len(_HEAD))]
    yield _row(_HEAD, widths)
    for row in rows:
        yield _row(row, widths)
        for finding in found[row[0]]["findings"]:
            yield f"  {finding}"


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
