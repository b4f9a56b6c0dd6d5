# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the segments of this host to what is desired.

What is live first, then the files: these say what was applied, so a run that is interrupted is finished by the next
one. A LAN interface that a bridge takes the place of is a change of its own, which a new connection confirms.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._common.atomic import write_file
from .._common.commands import Run, must
from .._common.errors import BocageError
from .._common.systemd import UnitState, read_units
from .links import (
    NOWHERE,
    Action,
    End,
    ends_from,
    is_bridge,
    made_links,
    plan_links,
    render_closing,
    render_floods,
    render_lans,
    render_links,
)
from .rules import FAMILIES, TABLE, render

UNIT, ELECTOR = "bocage-segments.service", "bocage-segments-elector.service"
TIMER = "bocage-segments-revert"
DIGEST = "rules.sha256"
_FILTERS = "/proc/sys/net/bridge/bridge-nf-call-*"


def ensure(parameters: Mapping[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Apply what differs. ``token`` in the result names a change that waits for its confirmation."""
    folder = Path(parameters["directory"])
    live = _links(run)
    ends = ends_from(parameters["segments"], parameters.get("lan_interface"))
    lans_before = dict(line.split() for line in _text(folder / "lan.list").splitlines())
    moves, own = _lan_moves(ends, live, lans_before)
    if parameters["phase"] == "confirm":
        _confirm(run, moves)
    if moves and not check_mode and parameters["phase"] == "apply" and parameters["confirm_seconds"]:
        _move_lans(moves, run, int(parameters["confirm_seconds"]))
        return {"changed": True, "actions": [move.about for move in moves], "token": TIMER, "lan_ports": {}, "diff": []}
    resolved = _resolved(ends, live, own)
    files = _files(folder, parameters, ends, own)
    before = {path: _text(path) for path in files}
    changed = {path: text for path, text in files.items() if before[path] != text}
    unit, elector = read_units(run, [UNIT, ELECTOR])
    made = made_links(before[folder / "links.ip"])
    actions = [] if any(end.gateway for end in ends) else _of_unit(ELECTOR, elector, False)
    actions += [] if parameters["phase"] == "confirm" else moves
    if ends and unit.active:
        if folder / "rules.nft" in changed or _digest(run) != _text(folder / DIGEST).strip():
            actions.append(Action("load the rules", ("nft", "--file", str(folder / "rules.nft"))))
        actions += plan_links(ends, live, _floods(ends, live, run), made)
        actions += _unfiltered(run)
    else:
        stale = {*made, *(end.port for end in ends), *(end.bridge for end in ends if not end.gateway)}
        actions += [
            Action(f"remove {name}", ("ip", "link", "delete", "dev", name)) for name in sorted(stale & set(live))
        ]
    actions += _of_unit(UNIT, unit, bool(ends))
    if not ends and _digest(run):
        actions += [
            Action(f"remove the rules for {family}", ("nft", "delete", "table", family, TABLE)) for family in FAMILIES
        ]
    result: dict[str, Any] = {
        "changed": bool(changed or actions),
        "actions": [action.about for action in actions],
        "token": "",
        "lan_ports": resolved,
        "diff": _diff(before, changed, actions),
    }
    if check_mode or not result["changed"]:
        return result
    if unit.needs_reload:
        must(run, ["systemctl", "daemon-reload"])
    rules = folder / "rules.nft"
    if rules in changed and files[rules]:
        _write({rules: files[rules]})
    for action in actions:
        if action.command[:2] == ("systemctl", "restart"):
            # the unit makes the links from them
            _write(changed)
        must(run, list(action.command), f"This host refuses to {action.about}")
    _write(changed)
    _write({folder / DIGEST: _digest(run) + "\n" if ends else ""})
    return result


def _files(folder: Path, parameters: Mapping[str, Any], ends: Sequence[End], own: Mapping[str, str]) -> dict[Path, str]:
    """Contents by path; an empty content means that the file should not exist."""
    return {
        folder / "links.ip": render_links(ends),
        folder / "links.bridge": render_floods(ends),
        folder / "lan.list": render_lans(ends, own),
        folder / "close.ip": render_closing(ends),
        folder / "rules.nft": render(parameters["segments"], parameters["elector_port"]) if ends else "",
    }


def _of_unit(name: str, unit: UnitState, wanted: bool) -> list[Action]:
    actions = []
    if wanted != unit.active:
        verb = "restart" if wanted else "stop"
        actions.append(Action(f"{verb} {name}", ("systemctl", verb, name)))
    if wanted != unit.enabled:
        verb = "enable" if wanted else "disable"
        actions.append(Action(f"{verb} {name}", ("systemctl", verb, "--quiet", name)))
    return actions


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        if text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text.encode(), 0o644)
        else:
            path.unlink(missing_ok=True)


def _links(run: Run) -> dict[str, dict[str, Any]]:
    found = json.loads(must(run, ["ip", "-json", "-details", "link", "show"]) or "[]")
    return {one["ifname"]: one for one in found if "ifname" in one}


def _floods(ends: Sequence[End], live: Mapping[str, Any], run: Run) -> dict[str, frozenset[str]]:
    floods = {}
    for end in ends:
        if end.port in live:
            table = json.loads(must(run, ["bridge", "-json", "fdb", "show", "dev", end.port]) or "[]")
            floods[end.port] = frozenset(one["dst"] for one in table if one.get("mac") == NOWHERE and "dst" in one)
    return floods


def _lan_moves(
    ends: Sequence[End], live: Mapping[str, Mapping[str, Any]], before: Mapping[str, str]
) -> tuple[list[Action], dict[str, str]]:
    """What is to be done to LAN interfaces, and the bridges that are ours with their ports.

    A bridge that the operator made is used as it is and left alone.
    """
    moves: list[Action] = []
    own: dict[str, str] = {}
    for end in ends:
        if end.lan_port is None:
            continue
        link = live.get(end.bridge)
        if link is None:
            raise BocageError(
                f"The LAN interface {end.bridge} does not exist on this host; correct gateway_lan_interface, or "
                "lan_interface of the segment in estate_sites."
            )
        if not is_bridge(link):
            own[end.bridge] = end.lan_port
            moves.append(_move("up", end.bridge, end.lan_port))
        elif end.bridge in before or end.lan_port in live:
            own[end.bridge] = before.get(end.bridge, end.lan_port)
    for name, port in before.items():
        if name not in own and port in live:
            moves.append(_move("down", name, port))
    return moves, own


def _move(action: str, name: str, port: str) -> Action:
    about = f"put a bridge in the place of {name}" if action == "up" else f"put {name} back in the place of its bridge"
    return Action(about, ("/etc/bocage/segments/lan-bridge", action, name, port))


def _move_lans(moves: Sequence[Action], run: Run, seconds: int) -> None:
    """Move them with a timer that moves them back; a boot in between does, too, since no file is written yet."""
    back = [
        f"{program} {'down' if action == 'up' else 'up'} {name} {port}"
        for program, action, name, port in (move.command for move in reversed(moves))
    ]
    run(["systemctl", "stop", f"{TIMER}.timer", f"{TIMER}.service"])
    run(["systemctl", "reset-failed", f"{TIMER}.timer", f"{TIMER}.service"])
    must(
        run,
        ["systemd-run", "--quiet", f"--unit={TIMER}", f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms",
         "/bin/sh", "-c", "; ".join(back)],
        "The timer that takes a change of a LAN interface back could not be started, and nothing was changed",
    )  # fmt: skip
    for move in moves:
        must(run, list(move.command), f"This host refuses to {move.about}, and will undo it in {seconds} seconds")


def _confirm(run: Run, moves: Sequence[Action]) -> None:
    run(["systemctl", "stop", f"{TIMER}.timer"])
    # the timer may have fired just before it was stopped
    if moves:
        raise BocageError(
            "The change of a LAN interface was already taken back on this host, because no new connection confirmed it "
            "in time."
        )


def _resolved(ends: Sequence[End], live: Mapping[str, Mapping[str, Any]], own: Mapping[str, str]) -> dict[str, str]:
    """By number of a segment the port of the bridge that leads to the LAN."""
    found = {}
    for end in ends:
        if not end.gateway:
            continue
        if end.bridge in own:
            found[str(end.number)] = own[end.bridge]
            continue
        ports = [name for name, link in live.items() if link.get("master") == end.bridge and name != end.port]
        if len(ports) != 1:
            raise BocageError(
                f"The bridge {end.bridge} of this host has {len(ports)} ports beside {end.port}, and a segment needs to "
                "know the one that leads to the LAN; leave one, or name another LAN interface."
            )
        found[str(end.number)] = ports[0]
    return found


def _digest(run: Run) -> str:
    """Of the live tables without their counters; empty where one is missing."""
    total = hashlib.sha256()
    for family in FAMILIES:
        status, output, _error = run(["nft", "--stateless", "list", "table", family, TABLE])
        if status != 0:
            return ""
        total.update(output.encode())
    return total.hexdigest()


def _unfiltered(run: Run) -> list[Action]:
    """A frame that crosses a bridge is none of the firewall's, which only knows packets that are routed."""
    # where there is no filter of bridges, there are no such settings
    _status, output, _error = run(["sh", "-c", f"grep -H . {_FILTERS}"])
    settings = dict(line.split(":", 1) for line in output.splitlines() if ":" in line)
    return [
        Action(f"take {path.rpartition('/')[2]} off", ("sh", "-c", f"echo 0 > {path}"))
        for path, value in sorted(settings.items())
        if value.strip() != "0"
    ]


def _diff(before: Mapping[Path, str], changed: Mapping[Path, str], actions: Sequence[Action]) -> list[dict[str, str]]:
    diffs = [
        {"before_header": str(path), "after_header": str(path), "before": before[path], "after": text}
        for path, text in changed.items()
    ]
    if actions:
        lines = "".join(f"{action.about}\n" for action in actions)
        diffs.append({"before_header": "live links", "after_header": "live links", "before": "", "after": lines})
    return diffs
