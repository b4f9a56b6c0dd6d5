# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaving seals on this host, after roles have converged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bocage_core._common import fields, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._seals import documents
from bocage_core._seals.documents import Desired, Observed

from . import compare
from .commands import sentence
from .observe import OBSERVER, Observer
from .observe_files import TICK_NS
from .seal_store import SealStore
from .seals import Host, Machine
from .settings import Settings

_REQUEST = frozenset({"seals"})
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Statement:
    envelope: Mapping[str, Any]
    desired: Desired


class _Contradicted(BocageError):
    """What is so on the host cannot be what the role made."""


def write(settings: Settings, document: Any, machine: Machine | None = None) -> dict[str, Any]:
    """Seal what the controller signed, role by role, where it is true; `document` is the request."""
    machine = machine or Machine.real()
    request = fields.record(document, "the request")
    fields.only(request, _REQUEST, _NONE, "the request")
    envelopes = fields.record(request["seals"], "seals in the request")
    store = SealStore(settings.seals_directory)
    refused: dict[str, str] = {}
    with store.locked():
        host = Host.read(settings)
        statements = _statements(envelopes, host, machine, refused)
        key = store.prepare()
        items = [item for one in statements.values() for item in one.desired.items]
        observer = Observer(machine.start, machine.root, key, items)
        # After this, what changes has other times than what is observed now, even by the kernel's coarse clock.
        time.sleep(TICK_NS / 10**9)
        observed: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {}
        for role, statement in statements.items():
            try:
                observed[role] = _observe(statement.desired, observer)
            except (BocageError, OSError) as error:
                refused[role] = str(error)
        # From here on no earlier seal of these roles counts; an interruption leaves none.
        counters = store.advance(observed) if observed else {}
        for role, (observations, depends) in observed.items():
            envelope = statements[role].envelope
            half = Observed(
                host_id=host.host_id,
                role=role,
                counter=counters[role],
                sealed_at=timestamps.now(),
                desired=documents.desired_digest(envelope),
                observer=OBSERVER,
                observations=observations,
                depends=depends,
            )
            try:
                store.write(role, _seal(envelope, half, host))
            except BocageError as error:
                refused[role] = str(error)
    return {
        "sealed": sorted(observed.keys() - refused),
        "refused": {role: sentence(refused[role]) for role in sorted(refused)},
    }


def _statements(
    envelopes: Mapping[str, Any], host: Host, machine: Machine, refused: dict[str, str]
) -> dict[str, _Statement]:
    """Those that the controller signed for this host as it is; why the others are not is put in `refused`."""
    found: dict[str, _Statement] = {}
    for role, envelope in sorted(envelopes.items()):
        try:
            record = fields.record(envelope, f"the seal of {role[:40]}")
            desired = documents.verify_desired(record, host.name, host.host_id, role, host.controller_key)
            facts = machine.facts(desired.facts)
            for name, value in sorted(desired.facts.items()):
                if facts[name] != value:
                    raise _Contradicted(f"the fact {name} is not what the seal says; run the role again.")
            found[role] = _Statement(record, desired)
        except BocageError as error:
            refused[role] = str(error)
    return found


def _seal(envelope: Mapping[str, Any], half: Observed, host: Host) -> bytes:
    """The file of a seal; raises BocageError for one that no check would read."""
    seal = documents.write_seal(envelope, documents.sign_observed(half, host.private_key))
    if len(seal) > documents.MAX_SEAL_BYTES:
        raise BocageError(f"the seal would have {len(seal)} bytes, more than the {documents.MAX_SEAL_BYTES} read.")
    return seal


def _observe(desired: Desired, observer: Observer) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    observations = []
    for item in desired.items:
        observed, hint = observer.observe(item)
        if wrong := compare.contradiction(item, observed):
            raise _Contradicted(wrong)
        observations.append({"item": item, "observed": observed, "hint": hint})
    return observations, observer.depends(desired.items)
