# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections of a report: known ones field by field, later ones as plain objects.

A newer agent may say more than an older reader knows, so unknown fields and sections pass; wrong types never do.
"""

from __future__ import annotations

import re
from typing import Any

from .._common import fields, timestamps
from .._common.rings import MAX_RINGS

MAX_PEERS = 200
MAX_PATHS = 50
MAX_SEAL_FINDINGS = 5
MAX_SESSIONS = 50
MAX_EXITS = 20
MAX_SEGMENTS = 64
MAX_PACKAGES = 200
MAX_PACKAGE_PROBLEMS = 20
MAX_ENDS = 20
END_KINDS = ("metadata", "crl", "certificate", "unreadable")
END_STATES = ("good", "renew", "alert", "expired")
PACKAGE_STATES = ("OK", "NEED-INSTALL", "NEED-UPGRADE", "NEED-REMOVE", "ERROR", "MISSING")
# one that is in use, and one beside it while keys rotate; more only where something went wrong
MAX_LIVE_EPOCHS = 4
MAX_ACTIONS = 20
ACTION_STATES = ("accepted", "running", "done", "failed", "refused")
SEAL_STATES = ("intact", "broken", "changed", "stale", "missing", "refused")
_BOOT_STAGES = frozenset(f"{stage}_milliseconds" for stage in ("firmware", "loader", "kernel", "initrd", "userspace"))
_SECTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_PREFIX = re.compile(r"[0-9a-f.:]{2,45}/[0-9]{1,3}")
_ENDPOINT = re.compile(r"(\[[0-9a-f:.]{2,45}(%[A-Za-z0-9_.-]{1,15})?\]|[0-9.]{7,15}):[0-9]{1,5}")
_PEER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}")
_NONCE = re.compile(r"[0-9a-f]{32}")
# as control files name them, and units of a directory, which have spaces; what is a version is judged where versions are compared
_PACKAGE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{1,255}")
_VERSION = re.compile(r"[^\x00-\x20\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{1,128}")
_MAX_COUNT = 2**64 - 1


def check_sections(value: object, what: str) -> dict[str, Any]:
    sections = fields.record(value, f"the list of sections in {what}")
    for name, section in sections.items():
        if not _SECTION_NAME.fullmatch(name):
            raise fields.malformed(what, "has a section whose name is not a small word")
        fields.record(section, f"the section {name} of {what}")
        check = _CHECKS.get(name)
        if check is not None:
            check(section, f"the section {name} of {what}")
    return sections


def _check_system(section: dict[str, Any], what: str) -> None:
    for name in ("hostname", "os", "kernel", "agent_version"):
        fields.text(section, name, what)
    for name in ("uptime_seconds", "memory_total_bytes", "cpu_count"):
        fields.integer(section, name, what)
    # of agents that tell, once the boot is finished
    boot = fields.record(section.get("boot", {}), f"the boot in {what}")
    for name in boot:
        if name in _BOOT_STAGES:
            fields.integer(boot, name, f"the boot in {what}")


def _check_agent(section: dict[str, Any], what: str) -> None:
    fields.text(section, "version", what)
    fields.flag(section, "managed", what)
    if section.get("read_at") is not None:
        timestamps.parse(section["read_at"], f"read_at of {what}")
    fields.texts(section, "drift", what)


def _check_mesh(section: dict[str, Any], what: str) -> None:
    fields.text(section, "interface", what, _INTERFACE)
    # An interface that is down has no key, port or size; the reason is then in drift.
    if section.get("backend") not in ("kernel", "userspace", None):
        raise fields.malformed(what, "names an unknown backend")
    if section.get("public_key") is not None:
        fields.text(section, "public_key", what, fields.KEY)
    if section.get("config_digest") is not None:
        fields.text(section, "config_digest", what, fields.SHA256)
    for name in ("listen_port", "mtu"):
        if section.get(name) is not None:
            fields.integer(section, name, what, 0, 65535)
    fields.texts(section, "addresses", what, _PREFIX)
    fields.texts(section, "drift", what)
    peers = section.get("peers")
    if not isinstance(peers, list) or len(peers) > MAX_PEERS:
        raise fields.malformed(what, f"needs a list of at most {MAX_PEERS} peers")
    fields.integer(section, "peer_count", what, len(peers))
    for peer in peers:
        _check_peer(fields.record(peer, f"a peer in {what}"), f"a peer in {what}")
    # of agents that measure
    paths = section.get("paths", [])
    if not isinstance(paths, list) or len(paths) > MAX_PATHS:
        raise fields.malformed(what, f"needs a list of at most {MAX_PATHS} paths")
    for path in paths:
        _check_path(fields.record(path, f"a path in {what}"), f"a path in {what}")
    # where a peer answered
    if "round_trip_microseconds" in section:
        fields.integer(section, "round_trip_microseconds", what)
    # of agents that know epochs of keys; null where the interface has a key that is none of this host's
    if section.get("epoch") is not None:
        fields.integer(section, "epoch", what)
    epochs = section.get("live_epochs", [])
    if not isinstance(epochs, list) or len(epochs) > MAX_LIVE_EPOCHS:
        raise fields.malformed(what, f"needs a list of at most {MAX_LIVE_EPOCHS} epochs in live_epochs")
    for epoch in epochs:
        fields.integer({"live_epochs": epoch}, "live_epochs", what)


def _check_path(path: dict[str, Any], what: str) -> None:
    fields.text(path, "peer", what, _PEER)
    for name in ("planned", "allowed", "measured"):
        fields.integer(path, name, what, 0, 65535)
    if path.get("underlay") is not None:
        fields.integer(path, "underlay", what, 0, 65535)


def _check_peer(peer: dict[str, Any], what: str) -> None:
    fields.text(peer, "public_key", what, fields.KEY)
    if peer.get("endpoint") is not None:
        fields.text(peer, "endpoint", what, _ENDPOINT)
    fields.texts(peer, "allowed_ips", what, _PREFIX, 4096)
    for name in ("latest_handshake", "rx_bytes", "tx_bytes"):
        fields.integer(peer, name, what, 0, _MAX_COUNT)


def _check_gateway(section: dict[str, Any], what: str) -> None:
    fields.text(section, "lan_interface", what, _INTERFACE)
    fields.flag(section, "forwarding", what)
    if section.get("ruleset_digest") is not None:
        fields.text(section, "ruleset_digest", what, fields.SHA256)
    for name in ("clients", "conntrack_count", "conntrack_max"):
        if name in section:
            fields.integer(section, name, what)
    fields.texts(section, "drift", what)

    health = section.get("health")
    if health is not None:
        fields.record(health, f"the health in {what}")
        for name in ("healthy", "drained", "lan", "wan"):
            fields.flag(health, name, what)
        fields.integer(health, "since", what)


def _check_routing(section: dict[str, Any], what: str) -> None:
    for name in ("session_count", "sessions_up"):
        fields.integer(section, name, what)
    for name, most in (("sessions", MAX_SESSIONS), ("exits", MAX_EXITS)):
        entries = section.get(name)
        if not isinstance(entries, list) or len(entries) > most:
            raise fields.malformed(what, f"needs a list of at most {most} {name}")
    for session in section["sessions"]:
        entry = fields.record(session, f"a session in {what}")
        fields.text(entry, "address", what, _ADDRESS)
        fields.flag(entry, "up", what)
    for one in section["exits"]:
        entry = fields.record(one, f"an exit in {what}")
        fields.text(entry, "prefix", what, _PREFIX)
        fields.text(entry, "gateway", what, _ADDRESS)
    fields.texts(section, "drift", what)


def _check_segments(section: dict[str, Any], what: str) -> None:
    entries = section.get("segments")
    if not isinstance(entries, list) or len(entries) > MAX_SEGMENTS:
        raise fields.malformed(what, f"needs a list of at most {MAX_SEGMENTS} segments")
    for one in entries:
        entry = fields.record(one, f"a segment in {what}")
        fields.text(entry, "name", what, _PEER)
        fields.flag(entry, "active", what)
        fields.text(entry, "fitness", what)
    fields.texts(section, "drift", what)


def _check_packages(section: dict[str, Any], what: str) -> None:
    installed = fields.record(section.get("installed"), f"the versions in {what}")
    if len(installed) > MAX_PACKAGES:
        raise fields.malformed(what, f"has more than {MAX_PACKAGES} versions in installed")
    for name in installed:
        fields.text({"installed": name}, "installed", what, _PACKAGE)
        fields.text(installed, name, what, _VERSION)
    fields.integer(section, "installed_count", what, len(installed))
    fields.text(section, "installed_digest", what, fields.SHA256)
    for name in ("problem_count", "errors"):
        fields.integer(section, name, what)
    fields.flag(section, "needs_upgrade", what)
    fields.texts(section, "interrupted", what, _PACKAGE)
    if section.get("last_update_at") is not None:
        timestamps.parse(section["last_update_at"], f"last_update_at of {what}")
    fields.text(section, "last_problem", what)
    if "fetched" in section:
        _check_fetched(fields.record(section["fetched"], f"what was fetched in {what}"), f"what was fetched in {what}")
    for role in fields.record(section.get("metadata"), f"the metadata in {what}"):
        fields.integer(section["metadata"], role, f"the metadata in {what}")
    _check_rollouts(fields.record(section.get("rollouts", {}), f"the rollouts in {what}"), what)
    for problem in _entries(section, "problems", what):
        if problem.get("state") not in PACKAGE_STATES:
            raise fields.malformed(what, "has a package in an unknown state")
        for name in ("version", "wanted"):
            if problem.get(name) is not None:
                fields.text(problem, name, what, _VERSION)
        fields.text(problem, "reason", what)
    for failed in _entries({"sessions": [], **section}, "sessions", what):
        fields.integer(failed, "users", what, 1)
        fields.text(failed, "version", what, _VERSION)
        fields.text(failed, "reason", what)
    for record in _entries(section, "offline_records", what):
        timestamps.parse(record.get("accepted_at"), f"accepted_at of {what}")
    for refused in _entries(section, "refused", what):
        for name in ("code", "reason"):
            fields.text(refused, name, what)
        timestamps.parse(refused.get("at"), f"at of {what}")
    audits = fields.record(section.get("audits"), f"the audits in {what}")
    for name, audit in audits.items():
        fields.text({"audits": name}, "audits", what, _PACKAGE)
        entry = fields.record(audit, f"an audit in {what}")
        for key in ("answer", "reason"):
            fields.text(entry, key, what)
    for name in ("audit_count", "session_count", "rollout_count"):
        fields.integer({name: 0, **section}, name, what)


def _check_repository(section: dict[str, Any], what: str) -> None:
    ends = section.get("ends")
    if not isinstance(ends, list) or len(ends) > MAX_ENDS:
        raise fields.malformed(what, f"needs a list of at most {MAX_ENDS} ends")
    fields.integer(section, "end_count", what, len(ends))
    for one in ends:
        entry = fields.record(one, f"an end in {what}")
        fields.text(entry, "name", what)
        if entry.get("kind") not in END_KINDS or entry.get("state") not in END_STATES:
            raise fields.malformed(what, "has an end of an unknown kind or state")
        timestamps.parse(entry.get("ends_at"), f"ends_at of {what}")
        if entry.get("signed_by") not in ("publisher", "holders"):
            raise fields.malformed(what, "has an end that nobody who is known signs")
    expiring = fields.texts(section, "expiring", what, most=MAX_ENDS)
    fields.integer(section, "expiring_count", what, len(expiring))
    fields.text(section, "problem", what)


def _check_fetched(fetched: dict[str, Any], what: str) -> None:
    """From copies of the host's own site and from elsewhere; no share where nothing came, or where there is no copy."""
    timestamps.parse(fetched.get("since"), f"since of {what}")
    for name in ("site_bytes", "site_requests", "elsewhere_bytes", "elsewhere_requests"):
        fields.integer(fetched, name, what)
    if "site_percent" in fetched:
        fields.integer(fetched, "site_percent", what, 0, 100)


def _check_rollouts(rollouts: dict[str, Any], what: str) -> None:
    """By rollout, the ring of the host, whether it waits or has the change, and the digest of the versions it keeps to."""
    for name, one in rollouts.items():
        fields.text({"rollouts": name}, "rollouts", what, _PACKAGE)
        entry = fields.record(one, f"a rollout in {what}")
        fields.text(entry, "digest", what, fields.SHA256)
        fields.integer(entry, "ring", what, 0, MAX_RINGS)
        for flag in ("pending", "taken", *(name for name in ("begun", "due") if name in entry)):
            fields.flag(entry, flag, what)
        if entry.get("audited_at") is not None:
            timestamps.parse(entry["audited_at"], f"audited_at of a rollout in {what}")


def _entries(section: dict[str, Any], name: str, what: str) -> list[dict[str, Any]]:
    entries = section.get(name)
    if not isinstance(entries, list) or len(entries) > MAX_PACKAGE_PROBLEMS:
        raise fields.malformed(what, f"needs a list of at most {MAX_PACKAGE_PROBLEMS} {name}")
    found = [fields.record(one, f"an entry of {name} in {what}") for one in entries]
    for one in found:
        fields.text(one, "package", what, _PACKAGE)
    return found


def _check_seals(section: dict[str, Any], what: str) -> None:
    for role, seal in section.items():
        if not fields.ROLE.fullmatch(role):
            raise fields.malformed(what, "has a seal of something that is no role")
        _check_seal(fields.record(seal, f"a seal in {what}"), f"a seal in {what}")


def _check_seal(seal: dict[str, Any], what: str) -> None:
    if seal.get("status") not in SEAL_STATES:
        raise fields.malformed(what, "has an unknown status")
    # A seal that was refused says nothing that counts; the reason is then in findings.
    for name in ("digest", "base"):
        if seal.get(name) is not None:
            fields.text(seal, name, what, fields.SHA256)
    if seal.get("counter") is not None:
        fields.integer(seal, "counter", what)
    if seal.get("sealed_at") is not None:
        timestamps.parse(seal["sealed_at"], f"sealed_at of {what}")
    fields.facts(seal.get("facts"), what)
    fields.texts(seal, "findings", what, most=MAX_SEAL_FINDINGS)


def _check_actions(section: dict[str, Any], what: str) -> None:
    answers = fields.record(section.get("answers"), f"answers in {what}")
    if len(answers) > MAX_ACTIONS:
        raise fields.malformed(what, f"has more than {MAX_ACTIONS} answers")
    for nonce, one in answers.items():
        answer = fields.record(one, f"an answer in {what}")
        if not _NONCE.fullmatch(nonce) or answer.get("state") not in ACTION_STATES:
            raise fields.malformed(what, "has an answer with an unusable nonce or an unknown state")
        for name in ("verb", "role", "key", "result"):
            fields.text(answer, name, what)
        if answer.get("code") is not None:
            fields.text(answer, "code", what, _SECTION_NAME)
        timestamps.parse(answer.get("received_at"), f"received_at of {what}")
    for code in fields.record(section.get("refused"), f"refused in {what}"):
        fields.integer(section["refused"], code, what)
    if section.get("problem") is not None:
        fields.text(section, "problem", what)


_CHECKS = {
    "actions": _check_actions,
    "agent": _check_agent,
    "system": _check_system,
    "mesh": _check_mesh,
    "gateway": _check_gateway,
    "routing": _check_routing,
    "segments": _check_segments,
    "packages": _check_packages,
    "repository": _check_repository,
    "seals": _check_seals,
}
