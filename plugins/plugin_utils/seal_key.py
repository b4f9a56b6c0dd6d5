# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's key for seals."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput


def read_seal_key(path: Path) -> bytes | None:
    """The private key, PEM; None where the file does not exist, which means that nothing is sealed."""
    try:
        return atomic.read_bounded(path, 4096)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"The seal key {path} cannot be read: {error.strerror}; correct seal_key_file.") from error
