# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seal observes of systemd's units: all of them are asked for in one call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bocage_core._common.systemd import shown

from .commands import Finish, Start
from .observe_files import Observed

_PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"


class Units:
    """Asks at once, and waits when the first answer is needed."""

    def __init__(self, start: Start, root: str, names: Iterable[str]) -> None:
        self._root = root
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
        units = shown(output)
        if status != 0 or len(units) != len(self._names):
            reason = " ".join(error.split()) or "systemctl gave no answer for each unit"
            return {name: {"error": f"{name} cannot be looked at: {reason}."} for name in self._names}
        # systemctl answers in the order of its arguments
        links = self._links()
        return {
            name: {**_observed(values), "links": links.get(name, [])}
            for name, values in zip(self._names, units, strict=True)
        }

    def _links(self) -> dict[str, list[str]]:
        """By unit, the links by which others start it: systemd calls it enabled wherever they lead."""
        found: dict[str, list[str]] = {}
        wanted = set(self._names)
        folders = Path(f"{self._root}/etc/systemd/system")
        for folder in sorted(folders.iterdir()) if folders.is_dir() else []:
            for entry in sorted(folder.iterdir()) if folder.name.endswith((".wants", ".requires")) else []:
                if entry.name in wanted and entry.is_symlink():
                    where = str(entry).removeprefix(self._root)
                    found.setdefault(entry.name, []).append(f"{where} -> {entry.readlink()}")
        return found


def _observed(values: dict[str, str]) -> Observed:
    return {
        "enabled": values.get("UnitFileState") or values.get("LoadState", "unknown"),
        "active": values.get("ActiveState") in ("active", "reloading", "refreshing"),
        "needs_reload": values.get("NeedDaemonReload") == "yes",
    }
