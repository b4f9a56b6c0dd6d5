# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that takes actions, whose children only say what they would have done."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bocage_agent import action_store
from bocage_agent.action_store import read_section
from bocage_agent.action_verbs import Child
from bocage_agent.listen import Listener
from bocage_agent.settings import read_settings
from bocage_core._state.sections import check_sections


@dataclass
class Ear:
    """The host, its policy, and its clock beside the estate's."""

    agent: Any
    estate: Any
    offset: timedelta = field(default_factory=timedelta)
    said: list[str] = field(default_factory=list)
    begun: list[list[str]] = field(default_factory=list)
    script: str = "print('first line'); print('2 packages were upgraded.')"

    def __post_init__(self) -> None:
        self.policy_file = self.agent.folder / "actions.json"
        self.policy_file.write_text(json.dumps(self.document()))
        self.agent.configure(actions_file=str(self.policy_file))
        self.start()

    def document(self) -> dict[str, Any]:
        policy = self.estate.policy
        return {
            "keys": {
                key.name: {"public_key": base64.b64encode(key.public).decode(), "roles": sorted(key.roles)}
                for key in policy.keys.values()
            },
            "roles": {role: sorted(verbs) for role, verbs in policy.roles.items()},
        }

    def start(self) -> None:
        self.settings = read_settings(self.agent.config)
        self.listener = Listener(self.settings, self.said.append, self.begin, self.clock)

    def clock(self) -> datetime:
        moment: datetime = self.estate.now + self.offset
        return moment

    def begin(self, command: Sequence[str], seconds: int, name: str) -> Child:
        self.begun.append(list(command))
        return Child([sys.executable, "-c", self.script], seconds)

    @property
    def host(self) -> Any:
        return self.agent.host

    def hear(self, raw: bytes) -> list[str]:
        """Judge an action, do what was accepted, and give the verbs that were done."""
        before = len(self.begun)
        self.listener.judge(raw)
        while not self.listener.accepted.empty():
            self.listener.do(self.listener.accepted.get())
        return [command[1] for command in self.begun[before:]]

    @property
    def section(self) -> dict[str, Any]:
        """What the next report says, in a form that a reader takes."""
        found = read_section(self.settings.state_directory / action_store.FILE)
        assert found is not None
        check_sections({"actions": found}, "the report")
        return found

    def answer(self, action: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.section["answers"][action.nonce]
        return found
