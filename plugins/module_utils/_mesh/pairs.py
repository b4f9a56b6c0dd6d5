# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a run have to do for their pairs in the new epoch: make keys, take keys, prove peers.

Pure. One call to a host is for all of its pairs. Pairs with a host that is not in the run wait for one in which it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .._common.errors import BocageError
from .._common.links import main_interface
from .epochs import Epochs
from .psk import maker

Plans = Mapping[str, Mapping[str, Any]]


def peers_of(mesh: Mapping[str, Any]) -> list[str]:
    """All peers of a host, on whatever interface."""
    found = {peer["name"] for one in (mesh, *mesh.get("links", ())) for peer in one["peers"]}
    return sorted(found)


def to_make(plans: Plans, epochs: Epochs, epoch: int, hosts: Collection[str]) -> dict[str, dict[str, str]]:
    """By host, the peers for which it makes the pre-shared key, with their public mesh keys."""
    result: dict[str, dict[str, str]] = {}
    for name in hosts:
        own = epochs.key(name, epoch)
        result[name] = {}
        if own is None or not own.stated:
            continue
        for peer in peers_of(plans[name]["mesh"]):
            key = epochs.key(peer, epoch)
            if peer in hosts and key is not None and key.stated and maker(name, peer) == name:
                result[name][peer] = key.public
    return result


def to_deliver(boxes: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """By receiver and maker, from the boxes by maker and receiver."""
    result: dict[str, dict[str, str]] = {}
    for made_by, given in boxes.items():
        for receiver, box in given.items():
            result.setdefault(receiver, {})[made_by] = box
    return result


def check_agreement(fingerprints: Mapping[str, Mapping[str, str]]) -> None:
    """Both ends of each pair of these hosts have the same key; raises BocageError with the first that differs."""
    for name, seen in sorted(fingerprints.items()):
        for peer, found in sorted(seen.items()):
            other = fingerprints.get(peer)
            if other is not None and other.get(name) not in (None, found):
                raise BocageError(
                    f"Hosts {name} and {peer} have different pre-shared keys; run playbooks/rotate_keys.yml again."
                )


def to_prove(plans: Plans, epochs: Epochs, epoch: int, hosts: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """By host, its interfaces of the new epoch with the peers that are to answer there."""
    addresses = {name: plan["mesh"]["addresses"][0].partition("/")[0] for name, plan in plans.items()}
    result: dict[str, list[dict[str, Any]]] = {}
    for name in hosts:
        result[name] = []
        for one in plans[name]["mesh"].get("interfaces", ()):
            if not one["name"].startswith(main_interface(epoch)):
                continue
            if not one["addresses"]:
                continue  # of a class of traffic: packets keep the source of the interface beside it
            peers = [
                {"name": peer["name"], "public_key": peer["public_key"], "address": addresses[peer["name"]]}
                for peer in one["peers"]
                if peer["name"] in addresses and peer["name"] in hosts
            ]
            if peers:
                result[name].append({"name": one["name"], "peers": peers})
    return result
