# SPDX-License-Identifier: GPL-3.0-or-later
"""The long drill: at least twenty takeovers of mixed causes."""

from __future__ import annotations

import json
from pathlib import Path

import driver
from evidence import keep

TAKEOVERS = 21


def test_twenty_takeovers_of_mixed_causes_take_less_than_a_second_each(tmp_path: Path) -> None:
    run = driver.playbook(
        "playbooks/drill_failover.yml",
        extra={"drill_site": "lyon", "drill_takeovers": TAKEOVERS, "drill_directory": str(tmp_path)},
    )
    kept = sorted(tmp_path.glob("*.json"))
    assert kept, run.failures
    found = json.loads(kept[0].read_text())
    keep("failover", found)
    print(
        json.dumps({key: found[key] for key in ("p50_seconds", "p99_seconds", "max_seconds", "failback_lost_probes")})
    )
    assert run.ok, run.failures
    assert len(found["takeovers"]) == TAKEOVERS and found["max_seconds"] < 1.0
    assert all(one["survived"] for one in found["downloads"])
