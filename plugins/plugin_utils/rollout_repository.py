# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository of packages as a publisher exported it, on the controller."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._packages import estate_roots
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_repository import Repository, read_exported


def read_repository(exported: str, trust_directory: str) -> Repository:
    """Raises BocageError."""
    known = estate_roots.read(Path(trust_directory))
    with tempfile.TemporaryDirectory(prefix="bocage-rollout-") as folder:
        return read_exported(Path(exported), Path(folder), known, timestamps.now())
