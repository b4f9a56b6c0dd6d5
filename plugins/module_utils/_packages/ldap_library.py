# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of ldap3 that are used, in one place, so that the other files load without it: a module says what it misses."""

from __future__ import annotations

try:
    from ldap3 import NONE, SUBTREE, Connection, Server, Tls
    from ldap3.core.exceptions import (
        LDAPException,
        LDAPInvalidDnError,
        LDAPInvalidFilterError,
        LDAPOperationResult,
    )
    from ldap3.utils.dn import parse_dn
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = None

__all__ = [
    "MISSING_LIBRARY",
    "NONE",
    "SUBTREE",
    "Connection",
    "LDAPException",
    "LDAPInvalidDnError",
    "LDAPInvalidFilterError",
    "LDAPOperationResult",
    "Server",
    "Tls",
    "parse_dn",
]
