# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel: in the file that a boot reads, and live."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._common.errors import BadInput, BocageError
from .._common.sysctl import setting_path
from .files import ensure_files

OWNER = "root"
LIVE = Path("/proc/sys")
FOLDER = Path("/etc/sysctl.d")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_KEY = re.compile(r"[a-z0-9_]+([./][A-Za-z0-9_*:@-]+)+")


def ensure_settings(
    name: str, settings: Mapping[str, Any], check_mode: bool, folder: Path = FOLDER, live: Path = LIVE
) -> dict[str, Any]:
    """Write the file, then set what differs in the order that is given; raises BocageError."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"'{name}' cannot be the name of a file in {folder}; use letters, digits, dots and hyphens.")
    wanted: dict[str, str] = {}
    for key, value in settings.items():
        if not _KEY.fullmatch(key) or ".." in key:
            raise BadInput(f"'{key}' is no name of a setting of the kernel, as in net.ipv4.ip_forward.")
        if isinstance(value, bool) or not isinstance(value, str | int) or "\n" in str(value):
            raise BadInput(f"The setting {key} needs a number or a line of text.")
        wanted[key] = " ".join(str(value).split())
    text = "# Managed by Bocage\n" + "".join(f"{key} = {value}\n" for key, value in wanted.items())
    path = str(folder / f"{name}.conf")
    found = {key: _read(key, live, check_mode) for key in wanted}
    differing = [key for key, value in wanted.items() if found[key] != value]
    file = ensure_files([{"path": path, "state": "file", "content": text, "owner": OWNER, "group": OWNER}], check_mode)
    if not check_mode:
        for key in differing:
            _set(key, wanted[key], live)
        for key in differing:
            if (now := _read(key, live, check_mode)) != wanted[key]:
                raise BocageError(f"The kernel keeps {key} at {now} instead of {wanted[key]}.")
    return {
        "changed": file["changed"] or bool(differing),
        "path": path,
        "diff": [*file["diff"], *_diff({key: (found[key], wanted[key]) for key in differing})],
    }


def _read(key: str, live: Path, check_mode: bool) -> str | None:
    try:
        return " ".join((live / setting_path(key)).read_text().split())
    except OSError as error:
        if check_mode:
            # an interface or a module that an earlier task brings
            return None
        raise BocageError(f"The kernel of this host has no setting {key}: {error.strerror}.") from error


def _set(key: str, value: str, live: Path) -> None:
    try:
        (live / setting_path(key)).write_text(f"{value}\n")
    except OSError as error:
        raise BocageError(f"The kernel of this host does not take {key} = {value}: {error.strerror}.") from error


def _diff(live: Mapping[str, tuple[str | None, str]]) -> list[dict[str, str]]:
    if not live:
        return []
    return [
        {
            "before_header": "live settings",
            "after_header": "live settings",
            "before": "".join(f"{key} = {old}\n" for key, (old, _new) in live.items() if old is not None),
            "after": "".join(f"{key} = {new}\n" for key, (_old, new) in live.items()),
        }
    ]
