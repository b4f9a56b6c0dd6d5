# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of a host ask for, and its place in a directory: packages of its units and groups. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bocage_core._packages import kinds
from bocage_core._packages.requests import Request

from .packages_ports import Offer
from .packages_settings import PackageSettings
from .packages_store import Row


def of_settings(
    settings: PackageSettings, rows: Mapping[str, Row], offers: Callable[[str], Sequence[Offer]]
) -> list[str | Request]:
    """What counts more comes first. The unit that is nearest to the host counts most; one for which there is no package asks for nothing.

    One that is installed is asked for without an offer, too: a host that reaches no repository keeps it.
    """
    found: list[str | Request] = [] if settings.host_package is None else [settings.host_package]
    found += settings.require
    for name, kind in _places(settings):
        known = offers(name)
        installed = name in rows and rows[name].version is not None and rows[name].section == kind
        # whoever may name units and groups in the directory gets no software by it
        if any(one.section == kind for one in known) or (installed and not known):
            found.append(Request(name))
    return found


def required(settings: PackageSettings, rows: Mapping[str, Row]) -> set[str]:
    """Packages that stay as long as the host lies where it lies."""
    return {name for name, kind in _places(settings) if name in rows and rows[name].section == kind}


def _places(settings: PackageSettings) -> list[tuple[str, str]]:
    places = [(name, "unit") for name in reversed(settings.units)] + [(name, "profile") for name in settings.profiles]
    names = [(name, kind) for place, kind in places for name in kinds.names_of_place(place, kind)]
    return [(name, kind) for name, kind in names if name not in settings.forbidden]
