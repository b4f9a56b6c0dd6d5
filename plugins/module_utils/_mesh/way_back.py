# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that bring the overlay of a host back to what it is now, written before it is changed.

On a live interface only what the change touches is set back, so that other sessions go on. The files of before come
back, too, which is all that a boot needs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._common.commands import Run
from .._common.confirm import WayBack
from .._common.systemd import UnitState, read_units
from .device import read
from .interface import InterfaceState, plan


def way_back(directory: Path) -> WayBack:
    return WayBack(folder=directory / "way-back", timer="bocage-mesh-revert-timer", what="the overlay")


@dataclass(frozen=True)
class Present:
    """An interface as it is before a change; ``state`` is None where it does not run."""

    name: str
    files: Mapping[Path, bytes | None]
    state: InterfaceState | None
    enabled: bool

    @property
    def unit(self) -> str:
        return f"bocage-mesh@{self.name}.service"

    @property
    def existed(self) -> bool:
        return any(content is not None for content in self.files.values())


def look(
    run: Run, name: str, paths: Iterable[Path], unit: UnitState | None = None, state: InterfaceState | None = None
) -> Present:
    """What there is of an interface now; ``unit`` and ``state`` where they were read a moment ago."""
    files = {path: path.read_bytes() if path.exists() else None for path in paths}
    if unit is None:
        (unit,) = read_units(run, [f"bocage-mesh@{name}.service"])
    if state is None and unit.active:
        # whatever its key is: a way back does not change it
        state = read(run, name, None)
    return Present(name, files, None if state is None else _with_secrets(state, files), unit.enabled)


def _with_secrets(state: InterfaceState, files: Mapping[Path, bytes | None]) -> InterfaceState:
    """The live peers with the files of their pre-shared keys, so that one that comes back has its own."""
    known: dict[str, str] = {}
    for path, content in files.items():
        if path.suffix == ".keys" and content is not None:
            words = [line.split() for line in content.decode().splitlines()]
            known.update({line[1]: line[3] for line in words if line[0] == "peer"})
    peers = {key: replace(peer, preshared_key_file=known.get(key)) for key, peer in state.peers.items()}
    return replace(state, peers=peers)


def revert_commands(before: Present, wanted: InterfaceState, private_key_file: str) -> list[tuple[str, ...]]:
    """What sets a live interface back from what is wanted to what it was."""
    if before.state is None:
        raise ValueError("an interface that was not there has no state to go back to")
    goal = replace(before.state, public_key="unchanged")
    return [
        action.command
        for action in plan(before.name, goal, replace(wanted, public_key="unchanged"), {}, private_key_file).actions
    ]


def script(
    present: Iterable[Present], wanted: Mapping[str, Mapping[str, Any]], states: Mapping[str, InterfaceState]
) -> str:
    """Commands for sh that undo the change from ``present`` to ``wanted``, of which ``states`` are the desired ones."""
    first: list[str] = []
    then: list[str] = []
    units: list[str] = []
    files: list[str] = []
    reload = False
    for one in present:
        for path, content in one.files.items():
            files.append(_restore(path, content))
            reload |= path.suffix == ".d" or "/systemd/" in str(path)
        unit = shlex.quote(one.unit)
        if not one.existed:
            go = shlex.quote(f"bocage-wireguard-go@{one.name}.service")
            units += [f"systemctl disable --quiet {unit}", f"systemctl stop $wait {unit} {go}"]
        elif one.name in wanted and one.state is not None:
            for command in revert_commands(one, states[one.name], str(wanted[one.name]["private_key_file"])):
                line = shlex.join(command)
                if "del" in command:
                    # a route or address that is gone already is as it should be
                    first.append(f"{line} || :")
                else:
                    then.append(f'{line} || failed="$failed {one.name}"')
        elif one.enabled or one.state is not None:
            units += [f"systemctl enable --quiet {unit}", f"systemctl restart $wait {unit}"]
    lines = [
        "failed=",
        "wait=",
        'if [ "$1" = boot ]; then',
        "wait=--no-block",
        "else",
        ":",
        *first,
        *then,
        "fi",
        *files,
    ]
    if reload:
        lines.append("systemctl daemon-reload")
    # what could not be set back as a difference begins anew from its files
    lines += [*units, "for name in $failed; do systemctl restart $wait bocage-mesh@$name.service; done"]
    return "\n".join(lines) + "\n"


def saved(present: Iterable[Present]) -> dict[str, bytes]:
    """Contents by the names under which the script finds them."""
    return {_saved_name(path): content for one in present for path, content in one.files.items() if content is not None}


def _saved_name(path: Path) -> str:
    # drop-ins of all interfaces have one name, so the folder is part of it
    return (
        path.name
        if path.suffix in (".conf", ".ip", ".keys") and "/systemd/" not in str(path)
        else f"{path.parent.name}.{path.name}"
    )


def _restore(path: Path, content: bytes | None) -> str:
    target = shlex.quote(str(path))
    if content is None:
        return f"rm -f {target}"
    source, beside = shlex.quote(f"files/{_saved_name(path)}"), shlex.quote(f"{path}.before")
    return f"mkdir -p {shlex.quote(str(path.parent))} && cp {source} {beside} && mv {beside} {target}"
