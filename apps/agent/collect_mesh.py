# SPDX-License-Identifier: GPL-3.0-or-later
"""The section `mesh`: the live interface, its peers, and how both differ from what was configured.

The state is read by the same code that applies it, which keeps secrets out of this process.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, dsse
from bocage_core._common.commands import Run
from bocage_core._common.errors import BocageError
from bocage_core._common.links import MAIN, main_interface
from bocage_core._mesh import device, drift
from bocage_core._mesh.interface import InterfaceState
from bocage_core._state import mesh_epoch
from bocage_core._state.sections import MAX_PEERS

from .commands import sentence

_MAX_DRIFT = 20


def collect_mesh(run: Run, name: str, directory: Path, enrolled_key: str) -> dict[str, Any]:
    """The section for the main interface, with the peers and differences of the links to gateways beside its own.

    What is wrong is said in `drift`, never raised.
    """
    section, problems = _collect(run, name, directory, enrolled_key)
    keys = {name: section["public_key"]}
    links = sorted(path.stem for path in directory.glob(f"{MAIN}*.conf") if path.stem != name)
    for link in links:
        part, more = _collect(run, link, directory, enrolled_key)
        problems += more
        keys[link] = part["public_key"]
        section["peer_count"] += part["peer_count"]
        section["peers"] += part["peers"][: MAX_PEERS - len(section["peers"])]
    epochs = {enrolled_key: 0, **stated_keys(directory)}
    mains = (name, main_interface(0), main_interface(1))
    live = {epochs[key] for main in mains if (key := keys.get(main)) in epochs}
    section.update(
        links=links,
        drift=_shortened(problems),
        # 0 is also the key of the enrolment of a host that came in a later epoch
        epoch=epochs.get(section["public_key"]),
        live_epochs=sorted(live),
    )
    return section


def _collect(run: Run, name: str, directory: Path, enrolled_key: str) -> tuple[dict[str, Any], list[str]]:
    """One interface, and what is wrong with it."""
    section: dict[str, Any] = {
        "interface": name,
        "backend": None,
        "public_key": None,
        "listen_port": None,
        "mtu": None,
        "addresses": [],
        "config_digest": None,
        "drift": [],
        "peer_count": 0,
        "peers": [],
    }
    problems: list[str] = []
    desired = _configured(name, directory, section, problems)
    try:
        current = _read(run, name, section)
    except (BocageError, ValueError) as error:
        problems.append(f"The interface {name} cannot be read: {error}")
    else:
        if current is None:
            problems.append(f"The interface {name} does not exist.")
        else:
            if current.public_key != enrolled_key and current.public_key not in stated_keys(directory):
                problems.append(f"The interface {name} has another key than the one that was enrolled.")
            if desired is not None:
                problems += drift.differences(name, desired, current)
    return section, problems


def _configured(name: str, directory: Path, section: dict[str, Any], problems: list[str]) -> InterfaceState | None:
    try:
        configuration = (directory / f"{name}.conf").read_text()
        addresses = (directory / f"{name}.ip").read_text()
        desired = drift.configured_state(configuration, addresses)
    except (OSError, ValueError) as error:
        problems.append(f"The configuration of {name} in {directory} cannot be read: {error}")
        return None
    section["config_digest"] = hashlib.sha256(f"{configuration}\0{addresses}".encode()).hexdigest()
    return desired


def _read(run: Run, name: str, section: dict[str, Any]) -> InterfaceState | None:
    found = device.link(run, name)
    if found is None:
        return None
    public_key = show(run, name, "public-key").strip()
    current = device.read(run, name, public_key, found)
    if current is None:
        return None
    handshakes = dict(line.split() for line in show(run, name, "latest-handshakes").splitlines())
    transfers = {key: (int(rx), int(tx)) for key, rx, tx in map(str.split, show(run, name, "transfer").splitlines())}
    section.update(
        backend=device.backend_of(found),
        public_key=public_key if public_key != "(none)" else None,
        listen_port=current.listen_port,
        mtu=current.mtu,
        addresses=sorted(current.addresses),
        peer_count=len(current.peers),
    )
    for key, peer in sorted(current.peers.items())[:MAX_PEERS]:
        received, sent = transfers.get(key, (0, 0))
        section["peers"].append(
            {
                "interface": name,
                "public_key": key,
                "endpoint": peer.endpoint,
                "allowed_ips": sorted(peer.allowed_ips),
                "latest_handshake": int(handshakes.get(key, 0)),
                "rx_bytes": received,
                "tx_bytes": sent,
            }
        )
    return current


def stated_keys(directory: Path) -> dict[str, int]:
    """The keys of later epochs that this host vouches for. Its own files are believed as they stand; others verify."""
    found: dict[str, int] = {}
    for path in directory.glob("epoch-*.json"):
        try:
            envelope = dsse.load(atomic.read_bounded(path, mesh_epoch.MAX_FILE_BYTES))
            statement = mesh_epoch.Statement.from_payload(dsse.unverified_payload(envelope))
            found[statement.mesh_key] = statement.epoch
        except (BocageError, OSError):
            continue  # then the key counts as another one, and the drift says so
    return found


def show(run: Run, name: str, what: str) -> str:
    status, output, error = run(["wg", "show", name, what])
    if status != 0:
        raise BocageError(f"'wg show {name} {what}' failed: {error.strip()}.")
    return output


def _shortened(problems: list[str]) -> list[str]:
    sentences = [sentence(problem) for problem in problems[:_MAX_DRIFT]]
    if len(problems) > _MAX_DRIFT:
        sentences.append(f"There are {len(problems) - _MAX_DRIFT} more differences.")
    return sentences
