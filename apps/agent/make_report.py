# SPDX-License-Identifier: GPL-3.0-or-later
"""Making one report: collect, number, fit, sign, spool."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bocage_core._common import canonical, dsse, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._state import report as reports
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.report import MAX_REPORT_BYTES, Report

from . import chain
from .action_store import FILE as ACTIONS_FILE
from .action_store import read_section
from .collect_agent import collect_agent
from .collect_boot import collect_boot
from .collect_gateway import collect_gateway
from .collect_load import collect_load
from .collect_mesh import collect_mesh
from .collect_repository import collect_repository
from .collect_routing import collect_routing
from .collect_segments import collect_segments
from .collect_system import boot_id, collect_system
from .commands import run, sentence
from .identity import read_enrolment, read_private_key
from .settings import Settings
from .spool import Spool

Log = Callable[[str], None]
COUNTER_FILE = "counter.json"
_LISTS_OF_PACKAGES = (
    "problems",
    "audits",
    "sessions",
    "refused",
    "offline_records",
    "interrupted",
    "metadata",
    "rollouts",
)


def collect(settings: Settings, enrolment: Enrolment) -> dict[str, Any]:
    sections: dict[str, Any] = {"system": collect_system() | collect_boot(run)}
    own = collect_agent(settings.state_directory, timestamps.now())
    if own is not None:
        sections["agent"] = own
    if settings.mesh_interface is not None:
        sections["mesh"] = collect_mesh(run, settings.mesh_interface, settings.mesh_directory, enrolment.mesh_key)
        sections["mesh"] |= collect_paths(settings, sections["mesh"]["drift"])
    if settings.lan_interface is not None:
        sections["gateway"] = collect_gateway(
            run, settings.lan_interface, settings.mesh_interface, settings.nftables_directory
        ) | collect_load(run)
    routing = collect_routing(run)
    if routing is not None:
        sections["routing"] = routing
    segments = collect_segments()
    if segments is not None:
        sections["segments"] = segments
    sections["seals"] = collect_seals(settings)
    actions = read_section(settings.state_directory / ACTIONS_FILE)
    if actions is not None:
        sections["actions"] = actions
    packages = collect_packages(settings)
    if packages is not None:
        sections["packages"] = packages
    repository = collect_repository(settings.repository_directory, timestamps.now())
    if repository is not None:
        sections["repository"] = repository
    return sections


def collect_paths(settings: Settings, problems: list[str]) -> dict[str, Any]:
    """What `mesh` says of paths: sizes of packets, and how long they take. What fails is said with what else is wrong."""
    found: dict[str, Any] = {"paths": []}
    if not (settings.mesh_directory / "paths.json").exists():
        return found
    from .collect_mtu import collect_mtu
    from .collect_round_trip import collect_round_trip

    try:
        found["paths"] = collect_mtu(run, settings.mesh_directory, settings.state_directory)
        round_trip = collect_round_trip(settings.mesh_directory, settings.state_directory)
        if round_trip is not None:
            found["round_trip_microseconds"] = round_trip
    except (BocageError, OSError, ValueError, KeyError) as error:
        problems.append(sentence(f"The paths of this host could not be measured: {error}"))
    return found


def collect_seals(settings: Settings) -> dict[str, Any]:
    """The section `seals`; what it needs is loaded only where there are seals."""
    if not any(settings.seals_directory.glob("*.json")):
        return {}
    from .seals import section

    return section(settings)


def collect_packages(settings: Settings) -> dict[str, Any] | None:
    """The section `packages`; None on a host that has none. A state that cannot be read is said, and stops no report."""
    if not (settings.packages_directory / "state.sqlite").exists():
        return None
    from .packages_report import section, unreadable

    try:
        return section(settings.packages_directory)
    except (BocageError, OSError) as error:
        return unreadable(sentence(str(error)))


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
    private_key = read_private_key(settings.key_file)
    if dsse.public_key_of(private_key) != enrolment.report_key:
        # in the spool it would hold up all that follow, for ever
        raise BocageError(
            f"The report key {settings.key_file} is not the one that this host is enrolled with, so that nobody would believe"
            " its reports; run the playbook enrol for it, or put the key back."
        )
    report, envelope = sign_fitting(draft(settings, enrolment, place), private_key)
    chain.write(counter_file, replace(place, previous=report.digest))
    spool.add(report.counter, envelope)
    if dropped := spool.drop_oldest():
        log(f"The spool is full: the undelivered reports {dropped[0]} to {dropped[-1]} were dropped.")
    return report


def sign_fitting(report: Report, private_key_pem: bytes) -> tuple[Report, bytes]:
    """Sign; where the peers of a large hub would not fit, fewer are listed and all are still counted.

    Then paths go that carry what is planned, the versions of packages (their digest stays), what of a repository ends
    late, all findings on a seal but the first, older answers to actions, and in the end half by half what failed of
    packages, the least important first.
    """
    while True:
        payload = report.to_payload()
        # Nothing is signed that a reader would refuse for its form: better to fail here with a reason.
        checked = Report.from_payload(payload, "this host's own report")
        envelope = json.dumps(dsse.sign(payload, reports.PAYLOAD_TYPE, private_key_pem)).encode()
        if len(envelope) <= MAX_REPORT_BYTES:
            return replace(checked, digest=canonical.digest(payload)), envelope
        shorter = _shorter(report.sections)
        if shorter is None:
            raise BocageError(f"The report has {len(envelope)} bytes, more than the {MAX_REPORT_BYTES} accepted.")
        report = replace(report, sections=shorter)


def _shorter(sections: Mapping[str, Any]) -> dict[str, Any] | None:
    """Sections that say a little less, or None where there is nothing left to leave out."""
    mesh = sections.get("mesh")
    if mesh and mesh["peers"]:
        return {**sections, "mesh": {**mesh, "peers": mesh["peers"][: len(mesh["peers"]) * 3 // 4]}}
    if mesh and mesh.get("paths"):
        return {**sections, "mesh": {**mesh, "paths": mesh["paths"][: len(mesh["paths"]) // 2]}}
    packages = sections.get("packages")
    if packages and packages.get("installed"):
        # the digest of all of them stays
        return {**sections, "packages": {**packages, "installed": {}}}
    repository = sections.get("repository")
    if repository and len(repository["ends"]) > 1:
        return {**sections, "repository": {**repository, "ends": repository["ends"][:1]}}
    seals = sections.get("seals") or {}
    if any(len(seal["findings"]) > 1 for seal in seals.values()):
        fewer = {role: {**seal, "findings": seal["findings"][:1]} for role, seal in seals.items()}
        return {**sections, "seals": fewer}
    actions = sections.get("actions")
    if actions and len(actions["answers"]) > 1:
        newest = dict(list(actions["answers"].items())[: len(actions["answers"]) // 2])
        return {**sections, "actions": {**actions, "answers": newest}}
    if packages:
        # each list is counted, and has what matters most at its beginning
        longest = max(_LISTS_OF_PACKAGES, key=lambda name: len(canonical.dumps(packages.get(name, []))))
        entries = packages.get(longest, [])
        if len(entries) > 1:
            some = list(entries)[: len(entries) // 2]
            kept = {name: entries[name] for name in some} if isinstance(entries, dict) else some
            return {**sections, "packages": {**packages, longest: kept}}
    return None
