# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of machine this is, for choosing among packages: what the settings say, else what the system says."""

from __future__ import annotations

import platform as python_platform
import sys
from collections.abc import Mapping
from typing import Any

from bocage_core._common import fields
from bocage_core._packages.matching import Machine

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "i386": "x86", "i686": "x86", "aarch64": "arm64"}
_LISTS = ("architectures", "locales", "maturities", "target_os")
_TEXTS = ("os_version", "wapt_version")
_NONE: frozenset[str] = frozenset()


def described(document: Mapping[str, Any]) -> Machine:
    """Raises Refused (malformed) for settings that describe no machine."""
    what = "machine in the settings of packages"
    own = {"architectures": _architectures(), "target_os": _systems(), "os_version": _version()}
    found: dict[str, Any] = {**{name: [] for name in _LISTS}, **dict.fromkeys(_TEXTS, ""), **own, **document}
    fields.only(found, frozenset({*_LISTS, *_TEXTS}), _NONE, what)
    lists = {name: tuple(fields.texts(found, name, what, most=64)) for name in _LISTS}
    texts = {name: fields.text(found, name, what) for name in _TEXTS}
    return Machine(
        architectures=lists["architectures"],
        locales=lists["locales"],
        maturities=lists["maturities"],
        target_os=lists["target_os"],
        os_version=texts["os_version"],
        wapt_version=texts["wapt_version"],
    )


def _architectures() -> list[str]:
    machine = python_platform.machine().lower()
    return [_ARCHITECTURES.get(machine, machine)]


def _systems() -> list[str]:
    if sys.platform == "win32":
        return ["windows"]
    if sys.platform == "darwin":
        return ["darwin", "macos", "unix"]
    return ["linux", "unix", *_names_of_the_distribution()]


def _names_of_the_distribution() -> list[str]:
    try:
        release = python_platform.freedesktop_os_release()
    except OSError:
        return []
    return [release["ID"], *release.get("ID_LIKE", "").split()]


def _version() -> str:
    if sys.platform != "linux":
        version = python_platform.mac_ver()[0] or python_platform.version()
    else:
        try:
            version = python_platform.freedesktop_os_release().get("VERSION_ID", "")
        except OSError:
            return ""
    return version if all(part.isdigit() for part in version.split(".")) else ""
