# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, signs, judges, tries and publishes packages: the command line of whoever packages software."""

from __future__ import annotations
