# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.bocage.fleet.plugins.plugin_utils.proof_text import failures, summary, table


def result(proof: str, passed: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "proof": proof,
        "kind": "ping",
        "target": "fd7b::1",
        "about": "tele1 -> gw1",
        "reach": True,
        "passed": passed,
        "seconds": 0.2,
        **changes,
    }


def test_one_row_a_proof_in_the_order_in_which_they_are_told() -> None:
    results = [
        result("state"),
        result("zebra"),
        result("overlay", seconds=0.5),
        result("another"),
        result("overlay", passed=False, seconds=1.25),
        {**result("pages"), "seconds": 0},
    ]
    del results[5]["seconds"]
    rows = summary(results)
    assert [row["proof"] for row in rows] == ["overlay", "pages", "state", "another", "zebra"]
    assert rows[0] == {"proof": "overlay", "passed": 1, "total": 2, "slowest_seconds": 1.25}
    assert rows[1]["slowest_seconds"] == 0.0


def test_the_table_tells_what_was_proved() -> None:
    rows = summary([result("overlay"), result("overlay", passed=False, seconds=2), result("own")])
    assert table(rows) == (
        "\n"
        "  FAILED  hosts reach each other over the overlay, and no others     1 of 2    slowest 2.00 s\n"
        "  proved  own                                                        1 of 1    slowest 0.20 s\n"
    )
    assert table([]) == "\n"


def test_each_failure_is_a_sentence() -> None:
    results = [
        result("overlay"),
        result("overlay", passed=False),
        result("overlay", passed=False, reach=False),
        result("state", passed=False, reason="it is in state_lost", kind="report", target="gw1", about="gw1 reported"),
        result("listeners", passed=False, reason="", reach=False),
    ]
    assert failures(results) == [
        "tele1 -> gw1 (ping fd7b::1): did not work",
        "tele1 -> gw1 (ping fd7b::1): worked, and must not",
        "gw1 reported (report gw1): it is in state_lost",
        "tele1 -> gw1 (ping fd7b::1): worked, and must not",
    ]
