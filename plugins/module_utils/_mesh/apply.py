# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the WireGuard interfaces of this host to what is desired.

A live interface first, then the files: these say what was applied, so a run that
is interrupted is finished by the next one. Where the unit starts the interface
from them, the files come first.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common.atomic import write_file
from .._common.commands import Run, must
from .._common.errors import BadInput, BocageError
from .._common.links import MAIN
from .._common.systemd import UnitState, read_units
from .device import backend_of, kernel_has_wireguard, link, read
from .interface import (
    InterfaceState,
    configured_endpoints,
    desired_state,
    plan,
    render_addresses,
    render_configuration,
    render_keys,
)
from .way_back import Present, look, saved, script, way_back

_LIVE = "live interface"
# A crash of wireguard-go restarts what is part of it; what is bound to it would only stop. It is not required: a start
# may fail, as wg(8) takes a socket for a stale one between its bind and its listen and removes it (any reader at that
# moment does it), so it is started until it runs. On a restart the old process is still leaving, too.
USERSPACE_DROP_IN = """\
# Managed by Bocage.
[Unit]
Wants=bocage-wireguard-go@{name}.service
After=bocage-wireguard-go@{name}.service
PartOf=bocage-wireguard-go@{name}.service

[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'for try in $(seq 100); do \
ip link show dev {name} >/dev/null 2>&1 && ss -Hxl | grep -q "/wireguard/{name}.sock " && exit 0; \
systemctl start bocage-wireguard-go@{name}.service; sleep 0.05; done; exit 1'
"""


def _drop_in(name: str) -> Path:
    return Path(f"/etc/systemd/system/bocage-mesh@{name}.service.d/userspace.conf")


def _read_text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _normal(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with every prefix in its canonical form; raises BadInput on one that is none."""
    _check_name(parameters["name"])
    normal = dict(parameters)
    try:
        normal["addresses"] = [str(ipaddress.ip_interface(address)) for address in parameters["addresses"]]
        normal["routes"] = [
            {
                "prefix": str(ipaddress.ip_network(route["prefix"])),
                "source": str(ipaddress.ip_address(route["source"])) if route.get("source") else None,
                "metric": route.get("metric"),
                "table": route.get("table"),
            }
            for route in parameters["routes"]
        ]
        normal["peers"] = [
            {**peer, "allowed_ips": [_canonical(prefix) for prefix in peer["allowed_ips"]]}
            for peer in parameters["peers"]
            # the other end's key has not come yet: a session without it would be one that nobody asked for
            if not peer.get("preshared_key_file") or Path(peer["preshared_key_file"]).exists()
        ]
    except ValueError as error:
        raise BadInput(f"Interface {parameters['name']}: {error}; give prefixes in their usual form.") from error
    return normal


def _canonical(prefix: str) -> str:
    """A prefix as wg(8) writes it; raises ValueError. A thousand peers have an address each, so the usual case is quick."""
    address, _slash, length = prefix.partition("/")
    family = {"32": socket.AF_INET, "128": socket.AF_INET6}.get(length)
    if family is not None and (":" in address) == (family == socket.AF_INET6):
        try:
            text = socket.inet_ntop(family, socket.inet_pton(family, address))
        except OSError as error:
            raise ValueError(f"'{prefix}' does not appear to be an IPv4 or IPv6 network") from error
        # the two libraries differ in how they write an IPv4 address inside of an IPv6 one
        if family == socket.AF_INET or "." not in text:
            return f"{text}/{length}"
    return str(ipaddress.ip_network(prefix))


def _check_name(name: str) -> None:
    """The kernel's limit of length; and a name that is part of paths and units must not lead elsewhere."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,14}", name):
        raise BadInput(
            f"The interface name '{name}' cannot be used; give 1 to 15 letters, digits, hyphens and underscores."
        )


def _choose_backend(parameters: Mapping[str, Any], run: Run, found: dict[str, Any] | None, check_mode: bool) -> str:
    wanted = str(parameters["backend"])
    if wanted == "auto":
        if found is not None:
            return backend_of(found)
        if _drop_in(parameters["name"]).exists():
            return "userspace"
        if check_mode:
            return "auto"
        return "kernel" if kernel_has_wireguard(run) else "userspace"
    return wanted


def _files(parameters: Mapping[str, Any], desired: InterfaceState, backend: str) -> dict[Path, str]:
    """Contents by path; an empty content means that the file should not exist."""
    name, directory = parameters["name"], Path(parameters["configuration_directory"])
    files = {
        directory / f"{name}.conf": render_configuration(desired),
        directory / f"{name}.ip": render_addresses(name, desired),
        directory / f"{name}.keys": render_keys(desired, parameters["private_key_file"]),
    }
    if backend != "auto":
        files[_drop_in(name)] = USERSPACE_DROP_IN.format(name=name) if backend == "userspace" else ""
    return files


def _write_files(name: str, files: Mapping[Path, str], run: Run) -> None:
    for path, content in files.items():
        if content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, content.encode(), 0o644)
        else:
            path.unlink(missing_ok=True)
    if _drop_in(name) in files:
        must(run, ["systemctl", "daemon-reload"])


def _expected_public_key(parameters: Mapping[str, Any], run: Run) -> str:
    path = Path(parameters["private_key_file"])
    if not path.exists():
        raise BocageError(f"The private key {path} does not exist on this host; run bocage.fleet.mesh_key first.")
    # the shell reads the file, so that the key is in no argument and in no variable here
    return must(run, ["sh", "-c", 'exec wg pubkey < "$1"', "sh", str(path)]).strip()


def _other_secrets(name: str, desired: InterfaceState, run: Run) -> set[str]:
    """Peers whose pre-shared key is not that of their file; what is read here goes nowhere else."""
    files = {key: peer.preshared_key_file for key, peer in desired.peers.items() if peer.preshared_key_file}
    if not files:
        return set()
    found = dict(line.split("\t", 1) for line in must(run, ["wg", "show", name, "preshared-keys"]).splitlines())
    return {key for key, file in files.items() if key in found and found[key].strip() != Path(file).read_text().strip()}


def ensure_interfaces(parameters: Mapping[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """All interfaces of the overlay: those that are new first, and those that are no longer wanted last.

    All of them are checked before the first is touched. With ``confirm_seconds`` a change is taken back by itself
    unless the ``token`` of the result confirms it. Raises BadInput or BocageError.
    """
    directory = Path(parameters["configuration_directory"])
    shared = {name: parameters[name] for name in ("configuration_directory", "backend")}
    wanted = {one["name"]: _normal({**one, **shared}) for one in parameters["interfaces"]}
    if len(wanted) < len(parameters["interfaces"]):
        raise BadInput("An interface is listed twice; each name belongs to one interface.")
    states = {name: desired_state(one) for name, one in wanted.items()}
    back, seconds = way_back(directory), int(parameters.get("confirm_seconds") or 0)
    if not check_mode:
        back.take_back(run)
    known = _known(directory)
    changes = {
        name: _foresee(wanted[name], states[name], run, check_mode)
        for name in sorted(wanted, key=lambda name: name in known)
    }
    leaving = {
        name: ensure_absent({"name": name, **shared}, run, check_mode=True) for name in sorted(known - wanted.keys())
    }
    result = _result(changes, leaving)
    if check_mode or not result["changed"]:
        return {**result, "token": ""}
    token = ""
    if seconds:
        present = [_present(run, directory, name, changes.get(name)) for name in sorted({*wanted, *known})]
        token = back.prepare(run, script(present, wanted, states), saved(present), seconds)
    moved = False
    for name, foreseen in changes.items():
        # a route that another interface took or gave back is not where it was
        change = _foresee(wanted[name], states[name], run, check_mode=False) if moved else foreseen
        changes[name] = change
        if change.result["changed"]:
            _carry_out(change, run)
            moved = moved or any(command[:2] != ["wg", "set"] for command in change.commands)
    for name in leaving:
        leaving[name] = ensure_absent({"name": name, **shared}, run, check_mode=False)
    return {**_result(changes, leaving), "token": token}


def confirm_interfaces(parameters: Mapping[str, Any], run: Run) -> None:
    """Keep what was changed; raises BocageError where it was taken back already."""
    way_back(Path(parameters["configuration_directory"])).confirm(run, parameters["token"] or "")


def _known(directory: Path) -> set[str]:
    """Interfaces that have files."""
    return {path.stem for path in directory.glob(f"{MAIN}*.conf")}


def _paths(directory: Path, name: str) -> list[Path]:
    return [*(directory / f"{name}{suffix}" for suffix in (".conf", ".ip", ".keys")), _drop_in(name)]


def _present(run: Run, directory: Path, name: str, change: Change | None) -> Present:
    if change is None:
        return look(run, name, _paths(directory, name))
    return look(run, name, _paths(directory, name), change.unit, change.live)


def _result(changes: Mapping[str, Change], leaving: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {"changed": False, "actions": [], "diff": [], "interfaces": {}, "removed": [*leaving]}
    for name, change in changes.items():
        result["interfaces"][name] = change.result["backend"]
        _add(result, name, change.result)
    for name, done in leaving.items():
        _add(result, name, done)
    return result


def _add(result: dict[str, Any], name: str, done: Mapping[str, Any]) -> None:
    result["changed"] |= done["changed"]
    result["actions"] += [f"{name}: {action}" for action in done["actions"]]
    result["diff"] += [
        {**one, "before_header": f"{one['before_header']} ({name})", "after_header": f"{one['after_header']} ({name})"}
        if one["before_header"] == _LIVE
        else one
        for one in done["diff"]
    ]


def ensure_present(parameters: Mapping[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Write what differs, start the unit where the interface is not there, else apply the difference."""
    normal = _normal(parameters)
    change = _foresee(normal, desired_state(normal), run, check_mode)
    if change.result["changed"] and not check_mode:
        _carry_out(change, run)
    return change.result


@dataclass(frozen=True)
class Change:
    """What one interface needs, by what was read of it. ``live`` is None where the unit has to start it."""

    parameters: Mapping[str, Any]
    live: InterfaceState | None
    unit: UnitState
    stop: tuple[str, ...]
    """Units that go first, where the backend is another one."""
    reload: bool
    commands: list[list[str]]
    files: Mapping[Path, str]
    result: dict[str, Any]


def _foresee(parameters: Mapping[str, Any], desired: InterfaceState, run: Run, check_mode: bool) -> Change:
    name = parameters["name"]
    unit = f"bocage-mesh@{name}.service"
    found = link(run, name)
    backend = _choose_backend(parameters, run, found, check_mode)
    files = _files(parameters, desired, backend)
    before = {path: _read_text(path) for path in files}
    changed_files = {path: content for path, content in files.items() if before[path] != content}
    endpoints = configured_endpoints(before[Path(parameters["configuration_directory"]) / f"{name}.conf"])

    go_unit = f"bocage-wireguard-go@{name}.service"
    states = read_units(run, [unit, go_unit])
    # also of a run that was interrupted after it wrote them
    stale = any(state.needs_reload for state in states)
    switch = found is not None and backend != backend_of(found)
    live: InterfaceState | None = None
    commands: list[list[str]] = []
    actions: list[str] = []
    if found is not None and states[0].active and not switch:
        live = read(run, name, _expected_public_key(parameters, run), found)
    if live is not None:
        other_secrets = _other_secrets(name, desired, run)
        todo = plan(name, desired, live, endpoints, parameters["private_key_file"], other_secrets)
        commands = [list(action.command) for action in todo.actions]
        actions = [action.about for action in todo.actions]
    else:
        actions.append(f"start {unit} ({backend})")
        commands.append(["systemctl", "restart", unit])
    if not states[0].enabled:
        actions.append(f"enable {unit}")
    if stale:
        actions.append("read the changed files of units")
    return Change(
        parameters=parameters,
        live=live,
        unit=states[0],
        stop=(unit, go_unit) if switch else (),
        reload=stale,
        commands=commands,
        files=changed_files,
        result={
            "changed": bool(changed_files or actions),
            "actions": actions,
            "backend": backend,
            "diff": _diff(before, changed_files, actions),
        },
    )


def _carry_out(change: Change, run: Run) -> None:
    name = change.parameters["name"]
    if change.reload:
        must(run, ["systemctl", "daemon-reload"])
    if change.live is None:
        _expected_public_key(change.parameters, run)
        if change.stop:
            must(run, ["systemctl", "stop", *change.stop])
        _write_files(name, change.files, run)
    for command in change.commands:
        must(run, command)
    if change.live is not None:
        _write_files(name, change.files, run)
    if not change.unit.enabled:
        must(run, ["systemctl", "enable", "--quiet", f"bocage-mesh@{name}.service"])


def ensure_absent(parameters: Mapping[str, Any], run: Run, check_mode: bool) -> dict[str, Any]:
    """Stop the unit and remove the interface's files; the private key stays."""
    name, directory = parameters["name"], Path(parameters["configuration_directory"])
    _check_name(name)
    unit = f"bocage-mesh@{name}.service"
    paths = _paths(directory, name)
    before = {path: path.read_text() for path in paths if path.exists()}
    found = link(run, name)
    (state,) = read_units(run, [unit])
    enabled, active = state.enabled, found is not None or state.active
    actions = [*([f"stop {unit}"] if active else []), *([f"disable {unit}"] if enabled else [])]
    files = dict.fromkeys(before, "")
    result = {
        "changed": bool(files or actions),
        "actions": actions,
        "backend": "auto" if found is None else backend_of(found),
        "diff": _diff(before, files, actions),
    }
    if check_mode or not result["changed"]:
        return result
    if enabled:
        must(run, ["systemctl", "disable", "--quiet", unit])
    if active:
        go = [f"bocage-wireguard-go@{name}.service"] if _drop_in(name) in before else []
        must(run, ["systemctl", "stop", unit, *go])
    if link(run, name) is not None:
        # a link that the unit did not make
        must(run, ["ip", "link", "delete", "dev", name])
    _write_files(name, files, run)
    return result


def _diff(before: Mapping[Path, str], changed: Mapping[Path, str], actions: list[str]) -> list[dict[str, str]]:
    """Differences of the files, then what happens to the live interface; no secret is in either."""
    diffs = [
        {"before_header": str(path), "after_header": str(path), "before": before.get(path, ""), "after": content}
        for path, content in changed.items()
    ]
    if actions:
        diffs.append(
            {
                "before_header": _LIVE,
                "after_header": _LIVE,
                "before": "",
                "after": "\n".join(actions) + "\n",
            }
        )
    return diffs
