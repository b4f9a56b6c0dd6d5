# SPDX-License-Identifier: GPL-3.0-or-later
"""Elects the active gateway of each layer 2 segment, and opens or closes its port."""

from __future__ import annotations
