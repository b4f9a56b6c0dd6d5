# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the packager share: the shape of its calls, and where the vectors lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
VECTORS = ROOT / "tests" / "vectors" / "wapt"
Call = Callable[..., tuple[int, dict[str, Any]]]
Say = Callable[..., tuple[int, str, str]]
