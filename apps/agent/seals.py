# SPDX-License-Identifier: GPL-3.0-or-later
"""Checking this host's seals: for a run of the controller, for a report, for people.

All of it works inside the sandbox of the report service: nothing is written there, and systemd, netlink and the
resolver answer. Its own /tmp and /var/tmp are the one thing that a report cannot see, so items there are left to
checks by the controller; its unit leaves home folders readable for the sake of items there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, dsse, fields, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._seals import documents
from bocage_core._seals import facts as host_facts
from bocage_core._seals.documents import Seal
from bocage_core._seals.items import Item

from . import compare
from .commands import Start, sentence, shared, start
from .identity import read_enrolment, read_private_key
from .observe import OBSERVER, Observer
from .seal_package import package_agent
from .seal_store import SealStore
from .settings import Settings

MOST_IN_A_REPORT = 5
MOST_IN_A_CHECK = 20
_MOST_CHARACTERS = 200
_HIDDEN_FROM_REPORTS = ("/tmp/", "/var/tmp/")  # noqa: S108  # names of items, nothing is written there
_CHECK = frozenset({"expected"})
_CHECK_OPTIONS = frozenset({"parts", "facts", "drop", "max_age_seconds"})
_NS = 10**9


@dataclass(frozen=True)
class Host:
    """Whose seals these are, and the keys that must have signed them."""

    name: str
    host_id: str
    private_key: bytes
    public_key: bytes
    controller_key: bytes

    @classmethod
    def read(cls, settings: Settings) -> Host:
        enrolment = read_enrolment(settings)
        private = read_private_key(settings.key_file)
        path = settings.seal_public_key_file
        try:
            controller = dsse.public_key_from_pem(atomic.read_bounded(path, 4096))
        except OSError as error:
            raise BocageError(
                f"The estate's seal key {path} cannot be read: {error.strerror}; run the role agent."
            ) from error
        return cls(enrolment.name, enrolment.host_id, private, dsse.public_key_of(private), controller)


@dataclass(frozen=True)
class Machine:
    """Where things are looked at: the real host, or what a test puts in its place."""

    start: Start
    root: str = ""

    @classmethod
    def real(cls) -> Machine:
        return cls(shared(start))

    def facts(self, names: Iterable[str]) -> dict[str, Any]:
        return host_facts.gather(names, lambda command: self.start(command)(), Path(self.root or "/"))


@dataclass
class Verdict:
    """What became of one seal."""

    status: str
    seal: Seal | None = None
    findings: list[str] = field(default_factory=list)

    def told(self, most: int) -> list[str]:
        """The findings, few and short enough to be sent."""
        return [sentence(one)[:_MOST_CHARACTERS] for one in self.findings[:most]]


def check(settings: Settings, document: Any, machine: Machine | None = None) -> dict[str, Any]:
    """What the controller asks at the beginning of a run; `document` is its request."""
    machine = machine or Machine.real()
    what = "the request"
    request = fields.record(document, what)
    fields.only(request, _CHECK, _CHECK_OPTIONS, what)
    request = {"parts": False, "facts": [], "drop": False, "max_age_seconds": None, **request}
    expected = fields.record(request["expected"], "expected in the request")
    for role in expected:
        if not fields.ROLE.fullmatch(role):
            raise fields.malformed(what, "names a role that cannot be one")
        fields.text(expected, role, "expected in the request", fields.SHA256)
    age = None if request["max_age_seconds"] is None else fields.integer(request, "max_age_seconds", what)
    drop, with_parts = fields.flag(request, "drop", what), fields.flag(request, "parts", what)
    wanted = fields.texts(request, "facts", what, fields.FACT)

    store = SealStore(settings.seals_directory)
    with store.locked() if drop else nullcontext():
        host = Host.read(settings)
        verdicts, facts = _judge(store, host, machine, expected, wanted, age)
        if drop:
            store.drop(role for role, verdict in verdicts.items() if verdict.status != "intact")
    return {
        "host_id": host.host_id,
        "facts": {name: facts[name] for name in wanted},
        "seals": {role: _answer(verdict, with_parts) for role, verdict in verdicts.items()},
    }


def section(
    settings: Settings, machine: Machine | None = None, *, sandboxed: bool = True, most: int = MOST_IN_A_REPORT
) -> dict[str, Any]:
    """All seals of this host, as a report tells of them; what is wrong is said in it, never raised."""
    store = SealStore(settings.seals_directory)
    roles = store.roles()
    if not roles:
        return {}
    hidden = _HIDDEN_FROM_REPORTS if sandboxed else ()
    try:
        verdicts, _facts = _judge(
            store, Host.read(settings), machine or Machine.real(), dict.fromkeys(roles), hidden=hidden
        )
    except (BocageError, OSError) as error:
        verdicts = {role: Verdict("refused", None, [str(error)]) for role in roles}
    return {role: _told(verdict, most) for role, verdict in verdicts.items()}


def _judge(
    store: SealStore,
    host: Host,
    machine: Machine,
    expected: Mapping[str, str | None],
    wanted_facts: Iterable[str] = (),
    max_age_seconds: int | None = None,
    hidden: tuple[str, ...] = (),
) -> tuple[dict[str, Verdict], dict[str, Any]]:
    """A verdict on each expected role, where a base of None is not compared, and the facts."""
    verdicts = read_verdicts(store, host, {*store.roles(), *expected})
    readable = {role: verdict.seal for role, verdict in verdicts.items() if verdict.seal is not None}
    seals = {role: seal for role, seal in readable.items() if role in expected}
    kept = {
        role: seal
        for role, seal in seals.items()
        if expected[role] in (None, seal.desired.base) and seal.observed.observer == OBSERVER
    }
    items = [item for seal in kept.values() for item in seal.desired.items]
    # programs work from here on, while facts and files are read
    observer = Observer(machine.start, machine.root, store.key() or b"", items)
    facts = machine.facts({*wanted_facts, *(name for seal in seals.values() for name in seal.desired.facts)})
    # Configuration of packages that a role wrote, this one or another: its seal watches the file itself.
    owned = frozenset(path for seal in readable.values() for path in _owned(seal.desired.items))
    for role, seal in seals.items():
        changed = list(_changed_facts(seal, facts))
        if seal.observed.observer != OBSERVER and expected[role] in (None, seal.desired.base):
            verdicts[role] = Verdict("stale", seal, ["another release of the agent wrote the seal."])
            continue
        if changed or role not in kept:
            verdicts[role] = Verdict("changed", seal, changed)
            continue
        found = list(_differences(seal, observer, owned, hidden))
        if found:
            verdicts[role] = Verdict("broken", seal, found)
        elif max_age_seconds is not None:
            age = int((timestamps.now() - seal.observed.sealed_at).total_seconds())
            # one from the future says nothing of its age either
            if not 0 <= age <= max_age_seconds:
                verdicts[role] = Verdict("stale", seal, [f"the seal is {age} seconds old."])
    return {role: verdicts[role] for role in sorted(expected)}, facts


def read_verdicts(store: SealStore, host: Host, roles: Iterable[str]) -> dict[str, Verdict]:
    """Seals that are whole, signed and not old are `intact` as far as their bytes tell."""
    verdicts: dict[str, Verdict] = {}
    problem: str | None = None
    counters: dict[str, int] = {}
    try:
        # before the seals: one that is written meanwhile is then above its counter, not below
        counters = store.counters()
        if store.key() is None:
            problem = f"The key of this host's seals in {store.directory} is missing or damaged; run the roles again."
    except BocageError as error:
        problem = str(error)
    for role in sorted(roles):
        raw = store.read(role)
        if raw is None:
            verdicts[role] = Verdict("missing")
        elif problem is not None or role not in counters:
            verdicts[role] = Verdict("refused", None, [problem or f"This host has no counter for the seal of {role}."])
        else:
            try:
                seal = documents.verify_seal(
                    raw, host.name, host.host_id, role, host.controller_key, host.public_key, counters[role]
                )
                verdicts[role] = Verdict("intact", seal)
            except Refused as error:
                verdicts[role] = Verdict("refused", None, [str(error)])
    return verdicts


def _differences(seal: Seal, observer: Observer, owned: frozenset[str], hidden: tuple[str, ...]) -> Iterator[str]:
    sealed_ns = (int(seal.observed.sealed_at.timestamp()) + 1) * _NS

    def altered(name: str) -> list[str]:
        return observer.packages.altered(name, sealed_ns)

    own = package_agent(observer.root)
    for one in seal.observed.observations:
        item: Item = one["item"]
        if own is not None and own.answers_for(item):
            continue
        if hidden and item["kind"] in ("file", "tree") and item["name"].startswith(hidden):
            continue
        now, _hint = observer.observe(item, one["observed"], one["hint"])
        yield from compare.findings(item, one["observed"], now, altered, owned)
    for name, sealed in seal.observed.depends.items():
        yield from compare.depends_findings(name, sealed, observer.packages.package(name), altered, owned)


def _changed_facts(seal: Seal, facts: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(seal.desired.facts.items()):
        if facts[name] != value:
            yield f"the fact {name} is {_words(facts[name])} instead of {_words(value)}."


def _words(value: Any) -> str:
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)


def _owned(items: Iterable[Item]) -> Iterator[str]:
    """Files that a seal answers for, also where a package brought them."""
    return (one["name"] for one in items if one["kind"] == "file" and one["state"] != "absent")


def _answer(verdict: Verdict, with_parts: bool) -> dict[str, Any]:
    seal = verdict.seal
    return {
        "status": verdict.status,
        "findings": verdict.told(MOST_IN_A_CHECK),
        "digest": None if seal is None else seal.desired.digest,
        "parts": dict(seal.desired.parts) if with_parts and seal is not None and verdict.status == "changed" else None,
    }


def _told(verdict: Verdict, most: int) -> dict[str, Any]:
    seal = verdict.seal
    return {
        "status": verdict.status,
        "digest": None if seal is None else seal.desired.digest,
        "base": None if seal is None else seal.desired.base,
        "facts": {} if seal is None else dict(seal.desired.facts),
        "counter": None if seal is None else seal.observed.counter,
        "sealed_at": None if seal is None else timestamps.write(seal.observed.sealed_at),
        "findings": verdict.told(most),
    }
