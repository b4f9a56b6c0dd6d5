# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests of this folder import what they share, and find the tools beside their Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
sys.path.insert(0, str(Path(__file__).parent))
