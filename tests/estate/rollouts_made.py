# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts of the lab as an operator runs them, and how they stand by what the publisher serves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import driver

SERVED = "/srv/bocage/packages/public/targets/rollouts"


@dataclass
class Rollout:
    """`definition` is what the inventory would say of it, beside its files; `options` are those of the playbook."""

    name: str
    definition: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, command: str, *, file: Path | None = None, rounds: int = 1, **more: Any) -> driver.Run:
        extra: dict[str, Any] = {
            "rollout": self.name,
            "rollout_command": command,
            "rollout_rounds": rounds,
            "rollout_pause_seconds": 2,
            "package_rollouts": {self.name: {"files": [str(file)], **self.definition}},
            **self.options,
            **more,
        }
        return driver.playbook("playbooks/rollout.yml", extra=extra)

    def state(self) -> dict[str, Any]:
        """How it stands, as the publisher serves it now."""
        raw = driver.on("hub1", f'cat "$(ls -t {SERVED}/*.{self.name}.json | head -1)"')
        found: dict[str, Any] = json.loads(raw)["state"]
        return found


def end_earlier_ones() -> None:
    """In a lab that was kept, a rollout of an earlier run may hold the packages of these tests."""
    run = driver.playbook("playbooks/rollout.yml", extra={"rollout_command": "status"})
    assert run.ok, run.failures
    # files of those that are over are served for a while, so that they tell nothing
    for name in re.findall(r'(?:^|m) {8}"([^"]+)": \{', run.stdout, re.MULTILINE):
        for command in ("abort", "end"):
            Rollout(name, {}).run(command)


def upgrade(host: str) -> str:
    """What the agent says that looks by itself."""
    return driver.on(host, f"{driver.AGENT} upgrade --wait 60 2>&1", check=False, timeout=120)
