# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: collects what a host has to say, signs it and delivers it."""

from __future__ import annotations

VERSION = "0.1.0"
