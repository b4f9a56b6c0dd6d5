# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with one unit whose process remembers what it read when it started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Answer = tuple[int, str, str]
GOOD: Answer = (0, "", "")


@dataclass
class FakeSystemd:
    exists: bool = True
    active: str = "inactive"
    sub: str = "dead"
    enabled: bool = False
    stale: bool = False
    commands: list[str] = field(default_factory=list)
    fail_at: str | None = None
    dies: bool = False
    read_configuration: Callable[[], object] = lambda: None
    running_with: object = None

    def __call__(self, command: list[str]) -> Answer:
        verb = command[1] if command[0] == "systemctl" else command[0]
        if verb == "show":
            return 0, "\n".join(self._shown() for _name in command[command.index("--") + 1 :]), ""
        self.commands.append(" ".join(word for word in command if not word.startswith("--")))
        if self.fail_at == verb:
            return 1, "", f"{verb} failed\n"
        match verb:
            case "start" | "restart" | "reload":
                self.active, self.sub = ("activating", "auto-restart") if self.dies else ("active", "running")
                self.running_with = self.read_configuration()
            case "stop":
                self.active, self.sub = "inactive", "dead"
            case "enable" | "disable":
                self.enabled = verb == "enable"
            case "daemon-reload":
                self.stale = False
        return GOOD

    def _shown(self) -> str:
        values = {
            "LoadState": "loaded" if self.exists else "not-found",
            "ActiveState": self.active,
            "SubState": self.sub,
            "UnitFileState": ("enabled" if self.enabled else "disabled") if self.exists else "",
            "NeedDaemonReload": "yes" if self.stale else "no",
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())
