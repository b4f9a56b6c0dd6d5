# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's id and the public half of its report key, read on the host with what Debian has."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from pathlib import Path

from .._common.errors import BocageError

# RFC 8410, section 4: the DER form of an Ed25519 public key is this, then 32 bytes.
DER_PREFIX = bytes.fromhex("302a300506032b6570032100")

Run = Callable[[list[str]], tuple[int, bytes, bytes]]


def report_key(run: Run, path: Path) -> str:
    """The raw public key in base64."""
    status, output, error = run(["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"])
    if status != 0 or not output.startswith(DER_PREFIX) or len(output) != len(DER_PREFIX) + 32:
        raise BocageError(
            f"The file {path} does not hold an Ed25519 key; restore it, or move it away and enrol the host again."
            + (f" ({error.decode(errors='replace').strip().splitlines()[0]})" if error else "")
        )
    return base64.b64encode(output[len(DER_PREFIX) :]).decode()


def host_id(path: Path) -> str:
    try:
        return str(uuid.UUID(path.read_text().strip()))
    except ValueError as error:
        raise BocageError(
            f"The file {path} does not hold a host id; restore it, or remove it and enrol the host again."
        ) from error
