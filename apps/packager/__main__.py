# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs as `python3 -m bocage_packager`."""

from __future__ import annotations

import sys

from .main import main

sys.exit(main())
