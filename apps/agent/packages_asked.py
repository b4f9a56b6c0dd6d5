# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packages are that somebody on this host named, and whether they may come or go. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bocage_core._common.errors import BadInput

from . import packages_directory
from . import packages_plan as plans
from .packages_ports import Library, Offer
from .packages_settings import PackageSettings
from .packages_store import Store


def named_by(requests: Sequence[str], settings: PackageSettings, library: Library) -> dict[str, str]:
    """Requests by the package that each names. Raises BadInput where that may not be."""
    named = {name: request for request in requests for name in library.names(request)}
    if not named:
        raise BadInput("No package is named; write for example `bocage-agent install firefox`.")
    if refused := sorted(set(named) & set(settings.forbidden)):
        raise BadInput(f"The package {refused[0]} is forbidden on this host; ask who maintains its settings.")
    return named


def going(
    names: Sequence[str], settings: PackageSettings, store: Store, library: Library, *, ensure: bool
) -> tuple[list[str], list[str]]:
    """Of packages that shall go those that are installed, and those that are only asked for. Raises BadInput.

    With `ensure`, one that is neither is good as it is.
    """
    rows, requests = store.rows(), store.requests()
    required = {one for request in settings.require for one in library.names(request)} | {settings.host_package}
    required |= packages_directory.required(settings, rows)
    installed: list[str] = []
    absent: list[str] = []
    for name in names:
        if name in rows and (rows[name].version is not None or store.uninstall(name) is not None):
            installed.append(name)
        elif not ensure:
            raise BadInput(f"The package {name} is not installed on this host.")
        elif name in requests:
            absent.append(name)
        else:
            continue
        users = [one for one in plans.dependents(name, rows, library.names) if one not in names]
        if users:
            raise BadInput(f"The package {name} stays: {', '.join(users[:5])} needs it; remove that first.")
        if name in required:
            raise BadInput(f"The package {name} stays: the settings of this host require it.")
    return installed, absent


def known(names: Sequence[str], store: Store, *, ensure: bool) -> list[str]:
    """Those of which this host knows anything. Raises BadInput without `ensure`, where it does not."""
    found = {*store.rows(), *(store.requests() if ensure else ())}
    if not ensure and (strange := [name for name in names if name not in found]):
        raise BadInput(f"The package {strange[0]} is not known on this host.")
    return [name for name in names if name in found]


def closure(names: Iterable[str], wanted: Sequence[Offer], library: Library) -> set[str]:
    """These packages and all that they need."""
    by_name = {one.package: one for one in wanted}
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += library.names(by_name[name].depends)
    return found
