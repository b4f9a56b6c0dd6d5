# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of tests, opened as packages are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from bocage_core._common.refused import Refused
from bocage_core._packages import container
from bocage_core._packages.zip_layout import Limits
from zip_maker import Part

CONTROL = Part("WAPT/control", b"package : x\n")
NAME = "x.wapt"


def write(folder: Path, data: bytes) -> Path:
    path = folder / NAME
    path.write_bytes(data)
    return path


def contents(folder: Path, data: bytes, limits: Limits | None = None) -> dict[str, str]:
    with container.open_container(write(folder, data), limits) as opened:
        return {name: opened.digest(name) for name in opened.names}


def refusal(folder: Path, data: bytes, limits: Limits | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        contents(folder, data, limits)
    assert str(caught.value).startswith("The package x.wapt ")
    assert str(caught.value).endswith(".")
    return caught.value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
