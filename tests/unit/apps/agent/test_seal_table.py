# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from bocage_agent.seal_table import lines


def test_seals_and_what_is_wrong_with_them() -> None:
    intact = {"status": "intact", "sealed_at": "2026-01-31T08:30:00Z", "digest": "a" * 64, "findings": []}
    broken = {"status": "refused", "sealed_at": None, "digest": None, "findings": ["Not signed.", "Old."]}
    assert list(lines({"gateway": intact, "mesh": broken})) == [
        "role     status   sealed at             digest",
        "gateway  intact   2026-01-31T08:30:00Z  aaaaaaaaaaaaaaaa",
        "mesh     refused  -                     -",
        "  Not signed.",
        "  Old.",
    ]


def test_no_seals_are_said_in_words() -> None:
    assert list(lines({})) == ["This host has no seals; they are left by roles that converged."]
