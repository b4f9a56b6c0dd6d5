# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the trust folder and a source of documents to what is believed of each host of the inventory."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError, Untrusted
from ansible_collections.bocage.fleet.plugins.module_utils._state import mesh_epoch
from ansible_collections.bocage.fleet.plugins.module_utils._state import trust as trust_folder
from ansible_collections.bocage.fleet.plugins.module_utils._state.acceptance import LastSeen
from ansible_collections.bocage.fleet.plugins.module_utils._state.enrolment import MAX_ENROLMENT_BYTES, Enrolment
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_documents import Documents
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_drift import (
    mesh_drift,
    mtu_drift,
    package_drift,
    seal_drift,
    service_drift,
)
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_enrolments import (
    NOBODY,
    Identity,
    Offers,
    identify,
)
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_reports import Judgement, judge
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import Evidence, State, classify
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_verify import (
    ENOUGH_FOR_WORKERS,
    Claim,
    Verifier,
)
from ansible_collections.bocage.fleet.plugins.module_utils._state.trust import Trust

from .estate_cache import CacheUnusable, EstateCache
from .estate_settings import EstateSettings
from .estate_source import Offered, from_folder, from_history, from_registry

DesiredAddresses = Callable[[str], frozenset[str] | None]
MOST_NAMES = 10
NO_DRIFT: frozenset[str] = frozenset()
ONLY_MESH = frozenset({"mesh"})
# of paths that carry less than planned
PATHS = "mtu"
# of packages that are not as they should be
PACKAGES = "packages"
# The group of hosts with a seal that is broken or refused, whatever its role.
ANY_SEAL = "config"


@dataclass(frozen=True, slots=True)
class HostState:
    """One host: the value of its variable, and the groups that follow from it."""

    reported: dict[str, Any]
    state: State
    drift: frozenset[str] = NO_DRIFT
    """The ends of the names of its drift groups."""


@dataclass
class Loaded:
    hosts: dict[str, HostState] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    answered: bool = True
    signatures: int = 0
    requests: int = 0


def load(
    settings: EstateSettings, names: Sequence[str], desired: DesiredAddresses, now: datetime | None = None
) -> Loaded:
    """The state of every named host. Raises BocageError where nothing at all can be said, or `strict` asks for it."""
    moment = settings.as_of or now or timestamps.now()
    loaded = Loaded()
    if not (settings.trust / trust_folder.KEY_FILE).exists():
        loaded.notices.append(f"No enrolment key is pinned in {settings.trust}; no host is enrolled yet.")
        for name in names:
            loaded.hosts[name] = _host_state(name, NOBODY, Judgement(), None, settings, moment, True, None)
        return loaded
    key = trust_folder.read_enrolment_key(settings.trust)
    cache = _open_cache(settings, key, loaded)
    try:
        _load(settings, names, desired, moment, key, cache, loaded)
    finally:
        cache.close()
    return loaded


def _load(
    settings: EstateSettings,
    names: Sequence[str],
    desired: DesiredAddresses,
    moment: datetime,
    key: bytes,
    cache: EstateCache,
    loaded: Loaded,
) -> None:
    past = settings.as_of is not None
    proofs = cache.proofs()
    verifier = Verifier(known=set(proofs))
    trust = _read_trust(settings, key, verifier)
    offered = _offered(settings, trust, verifier, cache)
    loaded.answered, loaded.requests = offered.answered, offered.requests
    loaded.warnings += [trust.problems[name] for name in sorted(trust.problems) if name not in set(names)]
    loaded.warnings += offered.warnings
    loaded.notices += offered.notices
    offers = _offers(offered, key, verifier)
    loaded.warnings += _strangers(trust, offers, names)
    identities = identify(names, trust, offers, moment, past=past)
    stated = _stated_keys(settings, identities, verifier, loaded)
    documents = {one.host_id: one for one in offered.documents}
    _prove_reports(identities, documents, verifier)
    seen = {} if past else cache.seen()
    newly_seen: dict[str, LastSeen] = {}
    for name in names:
        identity = identities[name]
        current = identity.current
        host_id = None if current is None else current.host_id
        found = None if host_id is None else documents.get(host_id)
        floors = None if past and trust.floors is not None and trust.floors.issued_at > moment else trust
        judgement = judge(
            identity,
            found,
            verifier,
            last_seen=None if host_id is None else seen.get(host_id),
            floor=None if floors is None or host_id is None else floors.floor(host_id),
            until=moment if past else None,
        )
        if judgement.report is not None:
            last = seen.get(judgement.report.host_id)
            if last is None or last.digest != judgement.report.digest:
                newly_seen[judgement.report.host_id] = LastSeen.of(judgement.report)
        loaded.hosts[name] = _host_state(
            name, identity, judgement, found, settings, moment, offered.answered, desired, stated.get(name, {})
        )
    loaded.signatures = verifier.checked
    if not past:
        cache.remember(proofs, verifier.used, newly_seen)
    if settings.strict:
        _raise_problems(settings, offered, loaded)


def _open_cache(settings: EstateSettings, key: bytes, loaded: Loaded) -> EstateCache:
    try:
        return EstateCache.open(settings.cache_file, key)
    except CacheUnusable as error:
        loaded.warnings.append(str(error))
        return EstateCache.in_memory(key)


def _read_trust(settings: EstateSettings, key: bytes, verifier: Verifier) -> Trust:
    paths = list((settings.trust / trust_folder.ENROLMENTS).glob("*.json"))
    if len(paths) - len(verifier.known) >= ENOUGH_FOR_WORKERS:
        verifier.prove(Claim("enrolment", atomic.read_bounded(path, MAX_ENROLMENT_BYTES), key) for path in paths)
    return trust_folder.read_trust(settings.trust, verifier.enrolment)


def _offered(settings: EstateSettings, trust: Trust, verifier: Verifier, cache: EstateCache) -> Offered:
    if settings.reports is not None:
        return from_folder(settings, trust.enrolment_key, trust.enrolments.values(), verifier)
    if settings.as_of is None:
        return from_registry(settings, cache)
    ids = {one.host_id for one in trust.enrolments.values()} | {one.host_id for one in cache.documents()}
    return from_history(settings, sorted(ids), settings.as_of)


def _offers(offered: Offered, key: bytes, verifier: Verifier) -> Offers:
    """The enrolments among the documents; a false one speaks against the host that it was offered for."""
    verifier.prove(Claim("enrolment", raw, key) for one in offered.documents for raw in one.enrolments)
    offers = Offers()
    for one in offered.documents:
        for raw in one.enrolments:
            try:
                enrolment = verifier.enrolment(raw, key, "the enrolment that was offered")
            except Untrusted as error:
                one.problem = str(error)
                continue
            if enrolment.host_id == one.host_id:
                offers.add(enrolment)
            else:
                one.problem = f"The enrolment that was offered is that of {enrolment.name}."
    return offers


def _prove_reports(identities: Mapping[str, Identity], documents: Mapping[str, Documents], verifier: Verifier) -> None:
    currents = [identity.current for identity in identities.values() if identity.distrust is None]
    verifier.prove(
        Claim("report", raw, current.report_key)
        for current in currents
        if current is not None and current.host_id in documents
        for raw in documents[current.host_id].reports
    )


def _strangers(trust: Trust, offers: Offers, names: Sequence[str]) -> list[str]:
    """Enrolled hosts that nobody wants any more; they are told, not added."""
    enrolled = {name for name, one in trust.enrolments.items() if not trust.is_revoked(one)}
    for name, offered in offers.by_name.items():
        newest = max(offered, key=lambda one: (one.generation, one.issued_at))
        if name not in trust.enrolments and not trust.is_revoked(newest):
            enrolled.add(name)
    strangers = sorted(enrolled - set(names))
    if not strangers:
        return []
    listed = ", ".join(strangers[:MOST_NAMES])
    more = "" if len(strangers) <= MOST_NAMES else f" and {len(strangers) - MOST_NAMES} more"
    return [f"Enrolled, but not in the group managed of the inventory: {listed}{more}; add them or revoke them."]


def _raise_problems(settings: EstateSettings, offered: Offered, loaded: Loaded) -> None:
    problems = loaded.warnings + ([] if offered.answered else loaded.notices)
    if not offered.answered and not problems and settings.registry_url is not None:
        problems = [f"The registry {settings.registry_url} was not asked."]
    if problems:
        raise BocageError(" ".join(problems))


def _host_state(
    name: str,
    identity: Identity,
    judgement: Judgement,
    documents: Documents | None,
    settings: EstateSettings,
    moment: datetime,
    answered: bool,
    desired: DesiredAddresses | None,
    stated: Mapping[int, str] | None = None,
) -> HostState:
    report, current = judgement.report, identity.current
    stated = stated or {}
    issued_at = None
    if report is not None:
        issued_at = report.issued_at
    elif judgement.last_seen is not None:
        issued_at = judgement.last_seen.issued_at
    evidence = Evidence(
        name=name,
        enrolled=current is not None,
        distrust=judgement.distrust,
        issued_at=issued_at,
        received_at=None if documents is None or settings.as_of is not None else documents.received_at,
        withheld=report is None and issued_at is not None,
    )
    verdict = classify(evidence, settings.thresholds, moment, answered=answered)
    reported: dict[str, Any] = {"state": verdict.state, "reason": verdict.reason}
    # Nobody peers with a host whose enrolment does not count.
    if current is not None and identity.distrust is None:
        reported["enrolment"] = _enrolment_value(current, stated)
    groups = NO_DRIFT
    if report is not None and current is not None:
        drift: dict[str, list[str]] = {"mesh": []}
        sections = dict(report.sections)
        mesh = sections.get("mesh")
        if mesh is not None:
            drift["mesh"] = mesh_drift(
                mesh, {current.mesh_key, *stated.values()}, None if desired is None else desired(name)
            )
        if drift["mesh"]:
            groups = ONLY_MESH
        if mesh is not None and mesh.get("paths") and (sizes := mtu_drift(mesh)):
            drift["mtu"] = sizes
            groups |= {PATHS}
        for name, sentences in service_drift(sections).items():
            drift[name] = sentences
            groups |= {name}
        packages = sections.get("packages")
        if packages is not None:
            # the versions by name stand in one place of a listing
            reported["packages"] = packages["installed"]
            sections["packages"] = {name: value for name, value in packages.items() if name != "installed"}
            if found := package_drift(packages):
                drift["packages"] = found
                groups |= {PACKAGES}
        # apart from the others, and not twice in every listing of the inventory
        seals = sections.pop("seals", None) or {}
        broken = seal_drift(seals) if seals else None
        if broken:
            groups |= {ANY_SEAL, *broken}
            for role, sentences in broken.items():
                drift[role] = drift.get(role, []) + sentences
        reported |= {
            "generation": report.generation,
            "counter": report.counter,
            "issued_at": timestamps.write(report.issued_at),
            "boot_id": report.boot_id,
            "sections": sections,
            "seals": seals,
            "drift": drift,
        }
    return HostState(reported, verdict.state, groups)


def _stated_keys(
    settings: EstateSettings, identities: Mapping[str, Identity], verifier: Verifier, loaded: Loaded
) -> dict[str, dict[int, str]]:
    """By host and epoch, the mesh keys that hosts themselves vouch for; one that does not verify is a warning."""
    found: dict[str, dict[int, str]] = {}
    folder = settings.trust / mesh_epoch.EPOCHS
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        identity = identities.get(path.stem, NOBODY)
        if identity.current is None or identity.distrust is not None:
            continue
        signer = mesh_epoch.Signer.of(identity.current)
        found[path.stem], problems = mesh_epoch.keys_by_epoch(path, signer, verifier.statement)
        loaded.warnings += problems
    return found


def _enrolment_value(enrolment: Enrolment, stated: Mapping[int, str]) -> dict[str, Any]:
    epochs = {"epochs": {str(epoch): key for epoch, key in sorted(stated.items())}} if stated else {}
    return {
        "host_id": enrolment.host_id,
        "generation": enrolment.generation,
        "tenant": enrolment.tenant,
        "site": enrolment.site,
        "mesh_key": enrolment.mesh_key,
        "report_key": base64.b64encode(enrolment.report_key).decode("ascii"),
        "not_after": timestamps.write(enrolment.not_after),
        **epochs,
    }
