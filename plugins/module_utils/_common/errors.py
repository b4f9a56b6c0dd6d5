# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of exceptions: each message is a sentence for an operator."""

from __future__ import annotations


class BocageError(Exception):
    """Something failed; the message says what, on which host or file, and what to do."""


class BadInput(BocageError):
    """What the operator wrote cannot be used; nothing was changed."""


class Untrusted(BocageError):
    """Bytes did not verify against pinned trust; they were not parsed any further."""


def opening(what: str) -> str:
    """What a sentence is about, as it begins one: "the file x" becomes "The file x"."""
    return what[:1].upper() + what[1:]
