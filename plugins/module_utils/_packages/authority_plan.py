# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an estate's signing authority has to do, from what is declared and what lies there: plain data in and out.

A party is an authority or a signer, by name; a generation is one key of it. Files are called by the stem: `alice`,
then `alice.2` for the second key. Certificates are those of RFC 5280, revocation lists those of its section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .._common.errors import BadInput
from .authority_parties import Party, stem

# A certificate is valid a little before it was made, for hosts whose clock is behind.
CLOCK_SLACK = timedelta(hours=1)
# A renewal that would gain less is none: the party lives as long as its authority.
_LEAST_GAIN = timedelta(days=1)


@dataclass(frozen=True)
class Held:
    """A certificate that lies there, as far as the plan looks at it."""

    serial: int
    key: str
    """SHA-256 of the public key, in hex."""
    issuer_key: str
    """The same of the authority whose signature it bears; empty where nobody known signed it."""
    not_after: datetime
    rights: str
    """What it may do, as `Party.rights` says it."""
    fingerprint: str


@dataclass(frozen=True)
class HeldList:
    """A revocation list that lies there."""

    number: int
    next_update: datetime
    serials: frozenset[int]
    issuer_key: str


@dataclass(frozen=True)
class Issued:
    """A line of the authority's book: one certificate that it signed."""

    serial: int
    name: str
    stem: str
    issuer: str
    """Stem of the authority that signed."""
    not_after: datetime
    fingerprint: str = ""
    revoked_at: datetime | None = None
    reason: str = "unspecified"


@dataclass(frozen=True)
class Found:
    """All that lies there, by stem; chains hold the fingerprints of the certificates behind the signer's own."""

    certificates: dict[str, Held] = field(default_factory=dict)
    crosses: dict[str, Held] = field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: dict[str, HeldList] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    book: tuple[Issued, ...] = ()
    bundled: bool = False
    """Whether the file that hosts get holds all roots that lie there."""


@dataclass(frozen=True)
class Step:
    """One thing to do; `needs` are the stems of the keys that sign it, `why` a few words for a difference."""

    verb: str
    """make_key, issue, cross, chain, revoke, withdraw, list or bundle."""
    stem: str
    why: str
    party: Party
    needs: tuple[str, ...] = ()
    ends: datetime | None = None
    serials: tuple[int, ...] = ()
    urgent: bool = True
    """Whether it is too late, or wrong, to wait until the key that it needs is brought."""


@dataclass
class Plan:
    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def plan(parties: Sequence[Party], found: Found, now: datetime) -> Plan:
    """The steps in the order in which they are taken. Raises BadInput for what must not be done."""
    return _Planner({party.name: party for party in parties}, found, now).run(parties)


def cross_stem(new: str, old: str) -> str:
    """A root's certificate that an older root signed, for hosts that know only the older one."""
    return f"{new}.by.{old}"


class _Planner:
    def __init__(self, parties: dict[str, Party], found: Found, now: datetime) -> None:
        self.parties, self.found, self.now = parties, found, now
        self.result = Plan()
        # What will be there after the steps so far.
        self.ends = {name: held.not_after for name, held in found.certificates.items()}
        self.fresh: set[str] = set()
        self.withdrawn: set[str] = set()
        self.revoked = {one.serial for one in found.book if one.revoked_at is not None}

    def run(self, parties: Sequence[Party]) -> Plan:
        for party in parties:
            if party.state == "revoked":
                self._revoke(party, (one.serial for one in self._book(party.name)), "revoked")
                continue
            self._certificate(party)
            self._previous(party)
            if party.kind == "root":
                self._crosses(party)
        for party in parties:
            if party.is_signer and party.state == "present":
                self._chain(party)
        for party in parties:
            if not party.is_signer:
                self._lists(party)
        touched = any(
            step.verb == "withdraw" or (step.verb == "issue" and step.party.kind == "root")
            for step in self.result.steps
        )
        if touched or not self.found.bundled:
            self._add(Step("bundle", "authorities.pem", "all roots in one file, for hosts", parties[0]))
        return self.result

    def _certificate(self, party: Party) -> None:
        own, held = party.stem, self.found.certificates.get(party.stem)
        issuer = self.parties[party.issuer].stem if party.issuer else own
        if held is not None and held.serial in self.revoked:
            raise BadInput(
                f"The certificate {own} is revoked and declared as present; raise its generation, so that {party.name}"
                " gets a new key."
            )
        if held is not None and party.public_key_digest not in ("", held.key):
            raise BadInput(
                f"The public key given for {own} is not the one of its certificate; raise its generation, so that the"
                " new key gets a certificate of its own."
            )
        ends = self._end(party, issuer)
        why = self._why(party, held, issuer, ends)
        if not why:
            return
        if held is None and own not in self.found.keys and not party.public_key_digest:
            self._add(Step("make_key", own, f"a new RSA key of {party.name}", party))
            self.fresh.add(own)
        expired = held is None or held.not_after <= self.now
        self._add(Step("issue", own, why, party, (issuer,), ends, urgent=expired or why == _RIGHTS))
        if held is not None and why == _RIGHTS:
            # Otherwise the old certificate would still allow what was taken away.
            self._revoke(party, [held.serial], "rights changed", "superseded")
        self.ends[own] = ends

    def _why(self, party: Party, held: Held | None, issuer: str, ends: datetime) -> str:
        if held is None:
            return "a new certificate"
        if held.rights != party.rights:
            return _RIGHTS
        issuer_held = self.found.certificates.get(issuer)
        if issuer in self.fresh or (issuer_held is not None and issuer_held.key != held.issuer_key):
            return f"signed by {issuer}"
        if held.not_after - self.now > timedelta(days=party.renew_days):
            return ""
        if ends - held.not_after < _LEAST_GAIN:
            self.result.warnings.append(
                f"The certificate {party.stem} ends at {held.not_after:%Y-%m-%d} together with its authority {issuer};"
                " raise the generation of the authority."
            )
            return ""
        return "renewed before it ends"

    def _end(self, party: Party, issuer: str) -> datetime:
        wanted = self.now + timedelta(days=party.days)
        ends = wanted if issuer == party.stem else min(wanted, self.ends.get(issuer, wanted))
        if ends <= self.now:
            raise BadInput(
                f"The authority {issuer} ended at {ends:%Y-%m-%d}, so it cannot sign for {party.stem}; raise the"
                " generation of the authority."
            )
        return ends

    def _previous(self, party: Party) -> None:
        """What becomes of the keys before this generation."""
        if party.previous == "valid":
            return
        if party.kind != "root":
            older = [one.serial for one in self._book(party.name) if one.stem != party.stem]
            self._revoke(party, older, "an earlier key", party.reason)
            return
        for old in self._older_roots(party):
            self._add(Step("withdraw", old, "no longer trusted", party))
            self.withdrawn.add(old)

    def _crosses(self, party: Party) -> None:
        for old in self._older_roots(party):
            if old in self.withdrawn or self.ends[old] <= self.now:
                continue
            name, held = cross_stem(party.stem, old), self.found.crosses.get(cross_stem(party.stem, old))
            ends = min(self.ends[old], self.ends[party.stem])
            if held is None or (ends - held.not_after >= _LEAST_GAIN and self._is_due(held.not_after, party)):
                why = f"for hosts that know {old} only"
                self._add(Step("cross", name, why, party, (old,), ends, urgent=held is None))

    def _older_roots(self, party: Party) -> list[str]:
        stems = [stem(party.name, number) for number in range(1, party.generation)]
        return [one for one in stems if one in self.found.certificates]

    def _chain(self, party: Party) -> None:
        names = chain_stems(party, self.parties)
        root = self.parties[party.root(self.parties)]
        crosses = [cross_stem(root.stem, old) for old in self._older_roots(root) if old not in self.withdrawn]
        held = [self.found.certificates.get(one) for one in names] + [self.found.crosses.get(one) for one in crosses]
        current = tuple(one.fingerprint for one in held if one is not None and one.not_after > self.now)
        touched = any(one.verb in ("issue", "cross") and one.stem in (*names, *crosses) for one in self.result.steps)
        issued = any(one.verb == "issue" and one.stem == party.stem for one in self.result.steps)
        if not issued and (touched or current != self.found.chains.get(party.stem, ())):
            self._add(Step("chain", party.stem, "with its authorities as they are now", party))

    def _lists(self, party: Party) -> None:
        """A list for each key of an authority that somebody may still rely on."""
        for number in range(1, party.generation + 1):
            own = stem(party.name, number)
            held = self.found.certificates.get(own)
            gone = own in self.withdrawn or own not in self.ends or self.ends[own] <= self.now
            if gone or (held is not None and held.serial in self.revoked):
                continue
            current = self.found.lists.get(own)
            wanted = {one.serial for one in self.found.book if one.issuer == own and one.serial in self.revoked}
            wanted |= {
                one for step in self.result.steps if step.verb == "revoke" and own in step.needs for one in step.serials
            }
            key = held.key if held is not None and own not in self.fresh else ""
            if current is None or (key and current.issuer_key != key):
                why, urgent = "the first list", True
            elif wanted - current.serials:
                why, urgent = "with new revocations", True
            elif current.next_update - self.now <= timedelta(days=party.crl_renew_days):
                why, urgent = "renewed before it ends", current.next_update <= self.now
            else:
                continue
            ends = self.now + timedelta(days=party.crl_days)
            self._add(Step("list", own, why, party, (own,), ends, tuple(sorted(wanted)), urgent))

    def _revoke(self, party: Party, serials: Iterable[int], why: str, reason: str = "") -> None:
        by_issuer: dict[str, list[int]] = {}
        wanted = set(serials)
        for one in self._book(party.name):
            if one.serial in wanted - self.revoked and one.not_after > self.now and one.issuer != one.stem:
                by_issuer.setdefault(one.issuer, []).append(one.serial)
        for issuer, numbers in sorted(by_issuer.items()):
            words = f"{why} ({reason or party.reason})"
            self._add(Step("revoke", party.name, words, party, (issuer,), serials=tuple(sorted(numbers))))
            self.revoked |= set(numbers)

    def _book(self, name: str) -> list[Issued]:
        return [one for one in self.found.book if one.name == name]

    def _is_due(self, moment: datetime, party: Party) -> bool:
        return moment - self.now <= timedelta(days=party.renew_days)

    def _add(self, step: Step) -> None:
        self.result.steps.append(step)


_RIGHTS = "other rights"


def chain_stems(party: Party, parties: dict[str, Party]) -> list[str]:
    """The intermediates between a signer and its root, nearest first."""
    found, above = [], parties[party.issuer]
    while above.issuer:
        found.append(above.stem)
        above = parties[above.issuer]
    return found
