# SPDX-License-Identifier: GPL-3.0-or-later
"""Making one report: collect, number, fit, sign, spool."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, dsse, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._state import enrolment as enrolments
from bocage_core._state import report as reports
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.report import MAX_REPORT_BYTES, Report

from . import chain
from .collect_gateway import collect_gateway
from .collect_mesh import collect_mesh
from .collect_system import boot_id, collect_system
from .commands import run
from .settings import Settings
from .spool import Spool

Log = Callable[[str], None]
COUNTER_FILE = "counter.json"


def read_enrolment(settings: Settings) -> Enrolment:
    """Who this host is. Its own file is believed as it stands; the registry and the inventory verify it."""
    path = settings.enrolment_file
    try:
        envelope = dsse.load(atomic.read_bounded(path, enrolments.MAX_ENROLMENT_BYTES), f"the file {path}")
        return Enrolment.from_payload(dsse.unverified_payload(envelope, f"the file {path}"), f"the file {path}")
    except FileNotFoundError as error:
        raise BocageError(f"This host is not enrolled: {path} is missing; run the playbook enrol for it.") from error


def collect(settings: Settings, enrolment: Enrolment) -> dict[str, Any]:
    sections: dict[str, Any] = {"system": collect_system()}
    if settings.mesh_interface is not None:
        sections["mesh"] = collect_mesh(run, settings.mesh_interface, settings.mesh_directory, enrolment.mesh_key)
    if settings.lan_interface is not None:
        sections["gateway"] = collect_gateway(
            run, settings.lan_interface, settings.mesh_interface, settings.nftables_directory
        )
    return sections


def draft(settings: Settings, enrolment: Enrolment, place: chain.Chain) -> Report:
    return Report(
        host_id=enrolment.host_id,
        generation=place.generation,
        counter=place.counter,
        issued_at=timestamps.now(),
        boot_id=boot_id(),
        previous=place.previous,
        sections=collect(settings, enrolment),
    )


def spool_report(settings: Settings, spool: Spool, log: Log) -> Report:
    """Make the next report and put it in the spool; the caller holds the lock."""
    enrolment = read_enrolment(settings)
    counter_file = settings.state_directory / COUNTER_FILE
    last = chain.read(counter_file)
    place = last.next_in(enrolment.generation)
    if last.generation not in (0, place.generation) and (dropped := spool.drop_all()):
        log(f"The host was enrolled anew: {len(dropped)} spooled reports of the last generation were dropped.")
    report, envelope = sign_fitting(draft(settings, enrolment, place), _private_key(settings.key_file))
    chain.write(counter_file, replace(place, previous=report.digest))
    spool.add(report.counter, envelope)
    if dropped := spool.drop_oldest():
        log(f"The spool is full: the undelivered reports {dropped[0]} to {dropped[-1]} were dropped.")
    return report


def sign_fitting(report: Report, private_key_pem: bytes) -> tuple[Report, bytes]:
    """Sign; where the peers of a large hub would not fit, fewer are listed and all are still counted."""
    while True:
        payload = report.to_payload()
        # Nothing is signed that a reader would refuse for its form: better to fail here with a reason.
        checked = Report.from_payload(payload, "this host's own report")
        envelope = json.dumps(dsse.sign(payload, reports.PAYLOAD_TYPE, private_key_pem)).encode()
        if len(envelope) <= MAX_REPORT_BYTES:
            return replace(checked, digest=canonical.digest(payload)), envelope
        mesh = report.sections.get("mesh")
        if not mesh or not mesh["peers"]:
            raise BocageError(f"The report has {len(envelope)} bytes, more than the {MAX_REPORT_BYTES} accepted.")
        shorter = {**mesh, "peers": mesh["peers"][: len(mesh["peers"]) * 3 // 4]}
        report = replace(report, sections={**report.sections, "mesh": shorter})


def _private_key(path: Path) -> bytes:
    try:
        return atomic.read_bounded(path, 4096)
    except OSError as error:
        raise BocageError(f"The report key {path} cannot be read: {error.strerror}; run the playbook enrol.") from error
