# SPDX-License-Identifier: GPL-3.0-or-later
"""Observing the items of seals: programs are begun first, files are read while they work."""

from __future__ import annotations

from collections.abc import Iterable

from bocage_core._seals.items import Item

from .commands import Start
from .observe_files import Files, Observed
from .observe_packages import Packages
from .observe_probes import Probes
from .observe_units import Units

Hint = dict[str, int] | None

# Counts up with each change of what is observed or how it is digested: a seal of another count can be neither
# confirmed nor called broken.
OBSERVER = 1


class Observer:
    """Looks at each thing once, however many seals speak of it; `root` is an empty text for the real host."""

    def __init__(self, start: Start, root: str, key: bytes, items: Iterable[Item]) -> None:
        self.root = root
        names: dict[str, list[str]] = {"unit": [], "probe": []}
        for item in items:
            if item["kind"] in names:
                names[item["kind"]].append(item["name"])
        self._units = Units(start, root, names["unit"])
        self._probes = Probes(start, root, names["probe"])
        self._files = Files(root, key)
        self._trees: dict[str, Observed] = {}
        self.packages = Packages(root)

    def observe(self, item: Item, sealed: Observed | None = None, hint: Hint = None) -> tuple[Observed, Hint]:
        """What is so now; with what was sealed, an untouched file is not read again."""
        kind, name = item["kind"], item["name"]
        if kind == "file":
            return self._files.file(name, item["state"], sealed, hint)
        if kind == "package":
            return self.packages.package(name), None
        if kind == "unit":
            return self._units.unit(name), None
        if kind == "account":
            return self._files.account(name), None
        if kind == "probe":
            return self._probes.probe(name), None
        if name not in self._trees:
            self._trees[name] = self._files.tree(name)
        return self._trees[name], None

    def depends(self, items: Iterable[Item]) -> dict[str, Observed]:
        """What the packages of these items need."""
        names = [one["name"] for one in items if one["kind"] == "package" and one["state"] == "present"]
        return {name: self.packages.package(name) for name in self.packages.closure(names)}
