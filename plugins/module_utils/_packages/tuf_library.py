# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of python-tuf that the repository uses, in one place, so that the other files load without it.

Documentation can be read, and a module can say what it misses, where the libraries are not installed.
"""

from __future__ import annotations

from .._common.errors import BadInput

try:
    from securesystemslib.signer import CryptoSigner, Key, Signature, Signer, SSlibKey
    from tuf.api import exceptions
    from tuf.api.metadata import (
        DelegatedRole,
        Delegations,
        Metadata,
        MetaFile,
        Role,
        Root,
        Snapshot,
        SuccinctRoles,
        TargetFile,
        Targets,
        Timestamp,
    )
    from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig
    from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
    FetcherInterface = TrustedMetadataSet = Updater = object  # type: ignore[assignment,misc]
else:
    MISSING_LIBRARY = None

__all__ = [
    "MISSING_LIBRARY",
    "CryptoSigner",
    "DelegatedRole",
    "Delegations",
    "FetcherInterface",
    "Key",
    "MetaFile",
    "Metadata",
    "Role",
    "Root",
    "SSlibKey",
    "Signature",
    "Signer",
    "Snapshot",
    "SuccinctRoles",
    "TargetFile",
    "Targets",
    "Timestamp",
    "TrustedMetadataSet",
    "Updater",
    "UpdaterConfig",
    "exceptions",
    "require_libraries",
]


def require_libraries() -> None:
    """Raise BadInput where a library that a repository needs is not installed."""
    if MISSING_LIBRARY is not None:
        raise BadInput(
            f"The Python library {MISSING_LIBRARY} is missing on this machine; install what requirements/runtime.in"
            " of bocage.fleet lists."
        )
