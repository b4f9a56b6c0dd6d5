# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository of packages as a publisher exported it, on the controller."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.module_utils._packages import root_ceremony
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_repository import Repository, read_exported

MAX_ROOT = 1 << 20


def read_repository(exported: str, trust_directory: str) -> Repository:
    """Raises BocageError."""
    root = Path(trust_directory) / root_ceremony.PINNED
    try:
        pinned = atomic.read_bounded(root, MAX_ROOT)
    except OSError as error:
        raise BadInput(f"The root of packages {root} cannot be read: {error.strerror}.") from error
    with tempfile.TemporaryDirectory(prefix="bocage-rollout-") as folder:
        return read_exported(Path(exported), Path(folder), pinned, timestamps.now())
