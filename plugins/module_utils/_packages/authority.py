# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out what `authority_plan` plans: reads the folders, signs, and writes each file whole or not at all.

A run that is interrupted anywhere is completed by the next one: a key is written before its certificate, and a line of
the book before what it speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .._common import atomic, timestamps
from .._common.errors import BadInput
from .._common.locks import exclusive
from . import authority_certificates as x
from . import authority_files as files
from .authority_files import Folders, Seen
from .authority_parties import Party
from .authority_plan import CLOCK_SLACK, Issued, Step, chain_stems, cross_stem, plan


@dataclass(frozen=True)
class Passphrases:
    """Files of passphrases: of the authorities' keys and of the signers'."""

    authorities: Path
    signers: Path


@dataclass
class Outcome:
    """What was done, or would be: plain data."""

    changed: bool
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    authorities: list[dict[str, Any]] = field(default_factory=list)
    signers: list[dict[str, Any]] = field(default_factory=list)


def converge(
    parties: Sequence[Party], folders: Folders, passphrases: Passphrases, organization: str, now: datetime, check: bool
) -> Outcome:
    """Make what is declared. Raises BadInput, one sentence, before anything is written.

    `check` plans and writes nothing, and needs neither keys nor passphrases.
    """
    inside = folders.secret.resolve()
    if inside.is_relative_to(folders.trust.resolve()):
        raise BadInput(
            f"The keys in {folders.secret} would be in the public folder {folders.trust}; keep them elsewhere."
        )
    if check:
        seen = files.look(folders, list(parties))
        return _outcome(parties, folders, seen, seen, *_possible(parties, folders, seen, now))
    _make_folders(folders)
    with _alone(folders):
        seen = files.look(folders, list(parties))
        steps, warnings = _possible(parties, folders, seen, now)
        _Run(parties, folders, seen, passphrases, organization, now).run(steps)
        return _outcome(parties, folders, seen, files.look(folders, list(parties)), steps, warnings)


def _possible(parties: Sequence[Party], folders: Folders, seen: Seen, now: datetime) -> tuple[list[Step], list[str]]:
    """The steps whose keys are here. Those that can wait become warnings; the first that cannot is an error."""
    planned = plan(parties, seen.found, now)
    here = set(seen.found.keys) | {step.stem for step in planned.steps if step.verb == "make_key"}
    steps, warnings = [], list(planned.warnings)
    for step in planned.steps:
        lacking = [one for one in step.needs if one not in here] if step.verb != "revoke" else []
        if not lacking:
            steps.append(step)
            continue
        sentence = (
            f"The key {folders.secret}/authority/{lacking[0]}.key is not here, and {_described(step)} needs it; bring it"
            " from where it is kept."
        )
        if step.urgent:
            raise BadInput(sentence)
        warnings.append(sentence)
    return steps, warnings


class _Run:
    def __init__(
        self, parties: Sequence[Party], folders: Folders, seen: Seen, passphrases: Passphrases, organization: str,
        now: datetime,
    ) -> None:  # fmt: skip
        self.parties = {party.name: party for party in parties}
        self.folders, self.seen, self.passphrases = folders, seen, passphrases
        self.organization, self.now = organization, now
        self.keys: dict[str, Any] = {}
        self.phrases: dict[Path, bytes] = {}

    def run(self, steps: Sequence[Step]) -> None:
        made = {step.stem for step in steps if step.verb == "make_key"}
        # All that may be missing is asked for before the first file is written.
        for step in steps:
            if step.verb == "make_key":
                self._passphrase(step.party)
            for one in step.needs if step.verb != "revoke" else ():
                if one not in made:
                    self._key(self._authority(one), one)
            if step.verb == "issue" and step.stem not in made:
                self._public_key(step.party, step.stem)
        for step in steps:
            getattr(self, f"_do_{step.verb}")(step)

    def _do_make_key(self, step: Step) -> None:
        key = x.new_key()
        sealed = x.seal_key(key, self._passphrase(step.party))
        atomic.write_file(self.folders.key(step.party, step.stem), sealed, 0o600)
        self.keys[step.stem] = key

    def _do_issue(self, step: Step) -> None:
        party, own, (issuer,) = step.party, step.stem, step.needs
        held = self.seen.certificates.get(own)
        name = party.name if party.is_signer else own
        subject = x.subject_of(name, self.organization) if held is None else held.subject
        key = self._public_key(party, own)
        above: Any = None if issuer == own else self.seen.certificates[issuer]
        begins, ends = self.now - CLOCK_SLACK, step.ends or self.now
        signing = self._key(self._authority(issuer), issuer)
        if party.is_signer:
            made = x.signer_certificate(subject, key, above, signing, party.kind == "developer", begins, ends)
        else:
            made = x.authority_certificate(subject, key, above, signing, party.path_length, begins, ends)
        self._enter(made, party.name, own, issuer)
        self.seen.certificates[own] = made
        atomic.write_file(self.folders.certificate(party, own), x.pem(self._with_chain(party, made)), 0o644)

    def _do_cross(self, step: Step) -> None:
        party, (old,) = step.party, step.needs
        new, above = self.seen.certificates[party.stem], self.seen.certificates[old]
        made = x.authority_certificate(
            new.subject, new.public_key(), above, self._key(party, old), party.path_length - 1,
            self.now - CLOCK_SLACK, step.ends or self.now,
        )  # fmt: skip
        self._enter(made, party.name, step.stem, old)
        self.seen.crosses[step.stem] = made
        atomic.write_file(self.folders.cross(step.stem), x.pem([made]), 0o644)

    def _do_chain(self, step: Step) -> None:
        own = self.seen.certificates[step.stem]
        atomic.write_file(
            self.folders.certificate(step.party, step.stem), x.pem(self._with_chain(step.party, own)), 0o644
        )

    def _do_revoke(self, step: Step) -> None:
        book = self.seen.book
        reason = "superseded" if "superseded" in step.why else step.party.reason
        book.certificates = [
            replace(one, revoked_at=self.now, reason=reason)
            if one.serial in step.serials and one.revoked_at is None
            else one
            for one in book.certificates
        ]
        files.write_book(self.folders.book, book)

    def _do_withdraw(self, step: Step) -> None:
        """The certificates and lists of an old root go; hosts get the folder without them."""
        crosses = [self.folders.cross(cross_stem(step.party.stem, step.stem))]
        for path in (self.folders.certificate(step.party, step.stem), self.folders.list(step.stem), *crosses):
            path.unlink(missing_ok=True)
            if path.parent.exists():
                atomic.sync_directory(path.parent)
        self.seen.crosses.pop(cross_stem(step.party.stem, step.stem), None)

    def _do_list(self, step: Step) -> None:
        own, book = step.stem, self.seen.book
        authority, current = self.seen.certificates[own], self.seen.lists.get(own)
        entries: dict[int, tuple[datetime, str]] = {}
        number = book.lists.get(own, 0)
        if current is not None and x.signed_by(current, authority):
            # What was said once stays said, whatever became of the book.
            entries, number = x.entries_of(current), max(number, x.number_of(current))
        for one in book.certificates:
            if one.issuer == own and one.revoked_at is not None:
                entries[one.serial] = (one.revoked_at, one.reason)
        book.lists[own] = number + 1
        files.write_book(self.folders.book, book)
        key = self._key(self._authority(own), own)
        begins, ends = self.now - CLOCK_SLACK, step.ends or self.now
        made = x.revocation_list(authority, key, entries, number + 1, begins, ends)
        atomic.write_file(self.folders.list(own), x.pem([made]), 0o644)

    def _do_bundle(self, _step: Step) -> None:
        atomic.write_file(self.folders.bundle, files.bundled(self.folders), 0o644)

    def _with_chain(self, party: Party, own: Any) -> list[Any]:
        """A signer's certificate with its authorities, as packages carry it: leaf first, the root left out."""
        if not party.is_signer:
            return [own]
        root = self.parties[party.root(self.parties)]
        crosses = [self.seen.crosses[name] for name in sorted(self.seen.crosses) if name.startswith(f"{root.stem}.by.")]
        above = [self.seen.certificates[one] for one in chain_stems(party, self.parties)]
        return [own, *above, *(one for one in crosses if one.not_valid_after_utc > self.now)]

    def _enter(self, made: Any, name: str, own: str, issuer: str) -> None:
        line = Issued(made.serial_number, name, own, issuer, made.not_valid_after_utc, x.fingerprint(made))
        self.seen.book.certificates.append(line)
        files.write_book(self.folders.book, self.seen.book)

    def _public_key(self, party: Party, own: str) -> Any:
        if party.public_key:
            return x.public_key(party.public_key, f"The public key of {party.name}")
        if own in self.keys:
            return self.keys[own].public_key()
        if (held := self.seen.certificates.get(own)) is not None:
            return held.public_key()
        return self._key(party, own).public_key()

    def _key(self, party: Party, own: str) -> Any:
        if own not in self.keys:
            path = self.folders.key(party, own)
            try:
                raw = atomic.read_bounded(path, files.MAX_FILE_BYTES)
            except OSError as error:
                raise BadInput(f"The key file {path} cannot be read: {error.strerror}.") from error
            key = x.open_key(raw, self._passphrase(party), str(path), str(self._passphrase_file(party)))
            held = self.seen.certificates.get(own)
            if held is not None and x.public_digest(held.public_key()) != x.public_digest(key.public_key()):
                raise BadInput(f"The key file {path} is not the key of the certificate {own}; bring the right one.")
            self.keys[own] = key
        return self.keys[own]

    def _authority(self, own: str) -> Party:
        return self.parties[own.partition(".")[0]]

    def _passphrase_file(self, party: Party) -> Path:
        return self.passphrases.signers if party.is_signer else self.passphrases.authorities

    def _passphrase(self, party: Party) -> bytes:
        path = self._passphrase_file(party)
        if path.resolve().is_relative_to(self.folders.trust.resolve()):
            raise BadInput(
                f"The passphrase file {path} is in the public folder {self.folders.trust}; keep it elsewhere."
            )
        if path not in self.phrases:
            self.phrases[path] = files.read_passphrase(path)
        return self.phrases[path]


def _outcome(
    parties: Sequence[Party], folders: Folders, before: Seen, seen: Seen, steps: Sequence[Step], warnings: list[str]
) -> Outcome:
    result = Outcome(bool(steps), warnings=warnings)
    for step in steps:
        if (held := before.found.certificates.get(step.stem)) is not None and step.verb == "issue":
            result.before.append(f"{step.stem}: a certificate until {held.not_after:%Y-%m-%d}")
        result.after.append(_described(step))
    for party in parties:
        held = seen.found.certificates.get(party.stem)
        line: dict[str, Any] = {
            "name": party.name,
            "kind": party.kind,
            "path": str(folders.certificate(party, party.stem)),
            "key_path": None if party.public_key else str(folders.key(party, party.stem)),
            "fingerprint": None if held is None else held.fingerprint,
            "not_after": None if held is None else timestamps.write(held.not_after),
            "state": party.state,
        }
        if not party.is_signer:
            listed = seen.found.lists.get(party.stem)
            line["crl_path"] = str(folders.list(party.stem))
            line["crl_next_update"] = None if listed is None else timestamps.write(listed.next_update)
        (result.signers if party.is_signer else result.authorities).append(line)
    return result


def _described(step: Step) -> str:
    until = "" if step.ends is None else f" until {step.ends:%Y-%m-%d}"
    count = f" of {len(step.serials)} certificates" if step.verb == "revoke" else ""
    return f"{step.stem}: {_WORDS[step.verb]}{count}{until}, {step.why}"


_WORDS: Mapping[str, str] = {
    "make_key": "a private key, mode 0600",
    "issue": "a certificate",
    "cross": "a certificate between roots",
    "chain": "the chain",
    "revoke": "revocation",
    "withdraw": "withdrawal of an old root",
    "list": "the revocation list",
    "bundle": "the roots",
}


def _make_folders(folders: Folders) -> None:
    for name in ("authority", "signers"):
        (folders.secret / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("authorities", "intermediates", "signers", "crl"):
        (folders.trust / name).mkdir(mode=0o755, parents=True, exist_ok=True)


def _alone(folders: Folders) -> AbstractContextManager[None]:
    """Two runs at a time would give one number to two lists."""
    busy = f"Another run is at work with the keys in {folders.secret}; let it end."
    return exclusive(folders.secret / "authority/.lock", busy, kind=BadInput)
