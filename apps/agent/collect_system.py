# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `system`: which machine this is."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from . import VERSION
from .commands import sentence


def collect_system() -> dict[str, Any]:
    names = os.uname()
    return {
        "hostname": sentence(names.nodename),
        "os": sentence(os_name(Path("/etc/os-release"))),
        "kernel": sentence(names.release),
        "uptime_seconds": int(Path("/proc/uptime").read_text().split(".")[0]),
        "memory_total_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "cpu_count": os.cpu_count() or 0,
        "agent_version": VERSION,
    }


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def os_name(release_file: Path) -> str:
    """PRETTY_NAME of os-release(5)."""
    try:
        text = release_file.read_text(errors="replace")
    except FileNotFoundError:
        return "unknown"
    for line in text.splitlines():
        name, _equals, value = line.partition("=")
        if name == "PRETTY_NAME":
            return "".join(shlex.split(value)[:1]) or "unknown"
    return "unknown"
