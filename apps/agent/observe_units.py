# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seal observes of systemd's units: all of them are asked for in one call."""

from __future__ import annotations

from collections.abc import Iterable

from .commands import Finish, Start
from .observe_files import Observed

_PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"


class Units:
    """Asks at once, and waits when the first answer is needed."""

    def __init__(self, start: Start, names: Iterable[str]) -> None:
        self._names = sorted(set(names))
        self._answer: dict[str, Observed] | None = None
        self._finish: Finish | None = None
        if self._names:
            self._finish = start(["systemctl", "show", f"--property={_PROPERTIES}", "--", *self._names])

    def unit(self, name: str) -> Observed:
        """Enablement in systemd's word, whether it runs, and whether it runs as its file says."""
        if self._answer is None:
            self._answer = self._read()
        return self._answer[name]

    def _read(self) -> dict[str, Observed]:
        status, output, error = (127, "", "nothing was asked") if self._finish is None else self._finish()
        blocks = [block for block in output.split("\n\n") if block.strip()]
        if status != 0 or len(blocks) != len(self._names):
            reason = " ".join(error.split()) or "systemctl gave no answer for each unit"
            return {name: {"error": f"{name} cannot be looked at: {reason}."} for name in self._names}
        # systemctl answers in the order of its arguments
        return {name: _observed(block) for name, block in zip(self._names, blocks, strict=True)}


def _observed(block: str) -> Observed:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    return {
        "enabled": values.get("UnitFileState") or values.get("LoadState", "unknown"),
        "active": values.get("ActiveState") in ("active", "reloading", "refreshing"),
        "needs_reload": values.get("NeedDaemonReload") == "yes",
    }
