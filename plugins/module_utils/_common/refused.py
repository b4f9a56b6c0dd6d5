# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a signed document was refused: a code for programs and a sentence for people."""

from __future__ import annotations

from typing import Literal

from .errors import Untrusted

Code = Literal[
    "malformed",
    "oversized",
    "wrong_type",
    "bad_signature",
    "unknown_host",
    "wrong_host",
    "old_generation",
    "unknown_generation",
    "replayed",
    "old_counter",
    "forked",
    "below_floor",
    "revoked",
    "expired",
    "enrolment_conflict",
    "other_host",
    "other_role",
    "wrong_desired",
    "rolled_back",
    "wrong_digest",
    "incomplete",
    "too_slow",
    "wrong_clock",
    "not_permitted",
    "too_many",
    # packages: the archive, its signer, its contents, what the repository said of it
    "bad_archive",
    "unsigned",
    "weak",
    "untrusted_signer",
    "not_yet_valid",
    "no_fresh_crl",
    "other_signer",
    "altered",
    "wrong_target",
    "not_code_signing",
    "not_delegated",
]


class Refused(Untrusted):
    """A document that must not be believed; `code` names the rule that it broke."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Code = code
