# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the traffic classes of this host to what is desired: files, the rules outside, the queues of the uplink.

What depends on the state of peers (marks, policy routing) is the watcher's, which reads the files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._common.atomic import write_file
from .._common.commands import Run, must
from .._common.errors import BadInput, BocageError
from .render import (
    HANDLE,
    MARKS_TABLE,
    OUTER_TABLE,
    Settings,
    render_marks,
    render_outer,
    render_shaping,
    render_watch,
    settings_from,
)

UNIT = "bocage-traffic.service"
FILES = ("outer.nft", "marks.nft", "shaping.tc", "watch.json", "state.json")
# In a network namespace of its own, of which nothing is left: which disciplines this kernel has.
_PROBE = """\
tc qdisc add dev lo root handle 1: htb default 1 2>/dev/null && echo htb
tc qdisc replace dev lo root fq_codel 2>/dev/null && echo fq_codel
tc qdisc replace dev lo root cake bandwidth 1mbit diffserv4 2>/dev/null && echo cake
exit 0
"""
_MARK_RANGE = (0x0B0C0000, 0x0B0CFFFF)


def probe_shaping(run: Run) -> str:
    """What this kernel can shape with: ``htb+fq_codel``, ``htb``, ``cake`` or ``none``.

    HTB comes first because it keeps the declared shares; those of cake are fixed.
    """
    found = must(
        run, ["unshare", "--net", "sh", "-c", _PROBE], "The kernel cannot be asked what it shapes with"
    ).split()
    if "htb" in found:
        return "htb+fq_codel" if "fq_codel" in found else "htb"
    return "cake" if "cake" in found else "none"


def find_uplink(run: Run, given: str) -> str:
    """The interface to shape: the given one, or that of the default route."""
    if given:
        return given
    for family in ("-4", "-6"):
        routes = json.loads(must(run, ["ip", "-json", family, "route", "show", "default"]) or "[]")
        found = [route["dev"] for route in sorted(routes, key=lambda one: one.get("metric", 0)) if "dev" in route]
        if found:
            return str(found[0])
    raise BadInput("This host has no default route to find its uplink by; name it in voice_uplink_interface.")


def _root_discipline(run: Run, device: str) -> dict[str, Any] | None:
    status, output, error = run(["tc", "-json", "qdisc", "show", "dev", device, "root"])
    if status != 0:
        raise BocageError(
            f"The uplink {device} of this host cannot be shaped: {error.strip()}; correct voice_uplink_interface."
        )
    found: list[dict[str, Any]] = json.loads(output or "[]")
    return next((one for one in found if one.get("root")), None)


def _shaping_digest(run: Run, device: str) -> str:
    """Of the live queues without their counters."""
    shown = must(run, ["tc", "qdisc", "show", "dev", device]) + must(run, ["tc", "class", "show", "dev", device])
    steady = re.sub(r" (direct_packets_stat|refcnt) \d+", "", shown)
    return hashlib.sha256("\n".join(sorted(steady.splitlines())).encode()).hexdigest()


def _outer_digest(run: Run) -> str | None:
    status, output, _error = run(["nft", "--stateless", "list", "table", "inet", OUTER_TABLE])
    return hashlib.sha256(output.encode()).hexdigest() if status == 0 else None


def _state(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        # without a note of what was applied it is applied once more
        return {}
    return found


class _Shaping:
    """The queues of the uplink: what is there, and what should be."""

    def __init__(self, run: Run, settings: Settings, kind: str, before: Mapping[str, Any]) -> None:
        self._run = run
        self._device = settings.uplink_interface if kind not in ("off", "none") else ""
        self._last = before.get("uplink_interface") or ""
        self._digest = before.get("shaping_digest")
        self._root = _root_discipline(run, self._device) if self._device else None

    @property
    def ours(self) -> bool:
        return self._root is not None and str(self._root.get("handle", "")).rstrip(":") == HANDLE

    def check_owner(self) -> None:
        """What the kernel put there has no handle; anything else is somebody's."""
        if self._root is not None and not self.ours and str(self._root.get("handle")) not in ("0:", "None"):
            raise BocageError(
                f"The uplink {self._device} has the queueing discipline {self._root['kind']} {self._root['handle']} of "
                "somebody else; remove it, or set voice_uplink_kbit to 0 and leave the shaping to it."
            )

    @property
    def differs(self) -> bool:
        return bool(self._device) and (not self.ours or _shaping_digest(self._run, self._device) != self._digest)

    def actions(self, changed_file: bool) -> list[str]:
        actions = [f"stop shaping {self._last}"] if self._last and self._last != self._device else []
        return actions + ([f"shape {self._device}"] if self._device and (changed_file or self.differs) else [])

    def apply(self, file: Path) -> None:
        if self._last and self._last != self._device:
            clear_shaping(self._run, self._last)
        if self._device:
            clear_shaping(self._run, self._device)
            must(self._run, ["tc", "-batch", str(file)])

    def note(self) -> dict[str, Any]:
        if not self._device:
            return {}
        return {"uplink_interface": self._device, "shaping_digest": _shaping_digest(self._run, self._device)}


def clear_shaping(run: Run, device: str) -> bool:
    """Take our discipline off an interface, also one that has gone; whether it was there."""
    status, output, _error = run(["tc", "-json", "qdisc", "show", "dev", device, "root"])
    roots = json.loads(output or "[]") if status == 0 else []
    if not any(str(one.get("handle", "")).rstrip(":") == HANDLE for one in roots):
        return False
    must(run, ["tc", "qdisc", "del", "dev", device, "root"])
    return True


def ensure_present(parameters: Mapping[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Write the files that differ; load rules and queues where they, or what is live, differ."""
    folder = Path(parameters["directory"])
    settings = settings_from(parameters)
    kind = "off" if settings.uplink_kbit == 0 else probe_shaping(run)
    shaped = kind not in ("off", "none")
    if shaped:
        device = find_uplink(run, settings.uplink_interface)
        settings = replace(settings, uplink_interface=device)
    before = _state(folder / "state.json")
    shaping = _Shaping(run, settings, kind, before)
    shaping.check_owner()
    files = {
        folder / "outer.nft": render_outer(settings),
        folder / "marks.nft": render_marks(settings),
        folder / "shaping.tc": render_shaping(settings, kind) if shaped else "",
        folder / "watch.json": render_watch(settings, str(folder), shaped),
    }
    old = {path: path.read_text() if path.exists() else "" for path in files}
    changed = {path: content for path, content in files.items() if old[path] != content}
    shape_actions = shaping.actions(folder / "shaping.tc" in changed)
    outer = folder / "outer.nft" in changed or _outer_digest(run) != before.get("outer_digest")
    actions = [*(["load the rules for outer packets"] if outer else []), *shape_actions]
    result = {
        "changed": bool(changed or actions),
        "actions": actions,
        "shaping": kind,
        "diff": _diff(old, changed, actions),
    }
    if check_mode or not result["changed"]:
        return result
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    _write(changed)
    if outer:
        must(run, ["nft", "-f", str(folder / "outer.nft")])
    if shape_actions:
        shaping.apply(folder / "shaping.tc")
    note = {"outer_digest": _outer_digest(run), **shaping.note()}
    write_file(folder / "state.json", (json.dumps(note, sort_keys=True) + "\n").encode(), 0o644)
    return result


def ensure_absent(parameters: Mapping[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Stop the watcher, remove files, rules, queues and marks; without them all traffic takes the ordinary interfaces."""
    folder = Path(parameters["directory"])
    found = {folder / name: (folder / name).read_text() for name in FILES if (folder / name).exists()}
    if not found:
        return {"changed": False, "actions": [], "shaping": "off", "diff": []}
    device = _state(folder / "state.json").get("uplink_interface") or ""
    tables = [name for name in (OUTER_TABLE, MARKS_TABLE) if run(["nft", "list", "table", "inet", name])[0] == 0]
    rules = _rules(run)
    actions = [f"remove the table {name}" for name in tables] + [
        f"remove the rule for mark {rule[1]}" for rule in rules
    ]
    if device:
        actions.append(f"stop shaping {device}")
    result = {
        "changed": True,
        "actions": actions,
        "shaping": "off",
        "diff": _diff(found, dict.fromkeys(found, ""), actions),
    }
    if check_mode:
        return result
    # as it goes, the unit takes the table of marks along
    must(run, ["systemctl", "disable", "--quiet", "--now", UNIT])
    for name in tables:
        run(["nft", "delete", "table", "inet", name])
    for family, mark, table in rules:
        must(run, ["ip", family, "rule", "del", "fwmark", mark, "lookup", table])
        run(["ip", family, "route", "flush", "table", table])
    if device:
        clear_shaping(run, device)
    _write(dict.fromkeys(found, ""))
    return result


def _rules(run: Run) -> list[tuple[str, str, str]]:
    """Rules of policy routing that are ours, by their marks: family, mark, table."""
    return [
        (family, str(rule["fwmark"]), str(rule["table"]))
        for family in ("-4", "-6")
        for rule in json.loads(must(run, ["ip", "-json", family, "rule", "show"]) or "[]")
        if _MARK_RANGE[0] <= int(str(rule.get("fwmark", "0")), 0) <= _MARK_RANGE[1]
    ]


def _write(files: Mapping[Path, str]) -> None:
    for path, content in files.items():
        if content:
            write_file(path, content.encode(), 0o644)
        else:
            path.unlink(missing_ok=True)


def _diff(before: Mapping[Path, str], changed: Mapping[Path, str], actions: list[str]) -> list[dict[str, str]]:
    diffs = [
        {"before_header": str(path), "after_header": str(path), "before": before[path], "after": content}
        for path, content in changed.items()
        if path.name != "state.json"
    ]
    if actions:
        diffs.append(
            {
                "before_header": "live state",
                "after_header": "live state",
                "before": "",
                "after": "".join(f"{one}\n" for one in actions),
            }
        )
    return diffs
