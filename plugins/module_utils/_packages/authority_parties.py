# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is declared to be an authority or a signer of packages, checked before anything is done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._common.errors import BadInput

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
MAX_PARTIES = 1000
REASONS = ("unspecified", "key_compromise", "affiliation_changed", "superseded", "cessation_of_operation")


@dataclass(frozen=True)
class Party:
    """An authority or a signer as it is declared; days are whole days."""

    name: str
    kind: str
    """root, intermediate, developer (may sign what executes) or deployer (may not)."""
    issuer: str
    """Name of the authority above; empty for a root."""
    days: int
    renew_days: int
    """How long before its end a certificate is made anew."""
    generation: int = 1
    previous: str = "valid"
    """valid or revoked: what becomes of the keys before this generation."""
    state: str = "present"
    reason: str = "unspecified"
    path_length: int = 0
    """Of authorities: how many authorities may follow (RFC 5280, 4.2.1.9)."""
    crl_days: int = 30
    crl_renew_days: int = 10
    public_key: bytes = b""
    """PEM of a key that is kept elsewhere, as on a token; then no key is made here."""
    public_key_digest: str = ""

    @property
    def stem(self) -> str:
        return stem(self.name, self.generation)

    @property
    def is_signer(self) -> bool:
        return self.kind in ("developer", "deployer")

    @property
    def rights(self) -> str:
        return self.kind if self.is_signer else f"authority {self.path_length}"

    def root(self, parties: Mapping[str, Party]) -> str:
        """Name of the root that this one stands under."""
        return parties[self.issuer].root(parties) if self.issuer else self.name


def stem(name: str, generation: int) -> str:
    """How the files of one key are called; a name has no dot, so that no two keys share a stem."""
    return name if generation == 1 else f"{name}.{generation}"


def parties(
    authorities: Iterable[Mapping[str, Any]], signers: Iterable[Mapping[str, Any]], renew_days: int
) -> list[Party]:
    """What is declared, authorities above those that they sign for. Raises BadInput, one sentence.

    The shapes are those of the options of the module `package_authority`.
    """
    found: dict[str, Party] = {}
    for one in authorities:
        _add(found, _authority(one, found))
    for one in signers:
        _add(found, _signer(one, found))
    if not any(one.kind == "root" for one in found.values()):
        raise BadInput("No root is declared; the first authority is one without an issuer.")
    return [_with_margin(one, found, renew_days) for one in found.values()]


def _authority(one: Mapping[str, Any], found: Mapping[str, Party]) -> Party:
    name, issuer = one["name"], one.get("issuer") or ""
    above = _issuer(name, issuer, found) if issuer else None
    # One step below a root is kept for the certificate that an older root gives to a newer one.
    longest = 8 if above is None else above.path_length - (1 if above.issuer else 2)
    given = one.get("path_length")
    length = (2 if above is None else 0) if given is None else given
    if not 0 <= length <= longest:
        raise BadInput(
            f"The authority {name} with a path length of {length} is beyond what {issuer or 'a root'} allows, which is"
            f" {longest if longest >= 0 else 'none at all'}; let a signer's authority stand nearer to the root."
        )
    party = Party(
        name, "intermediate" if issuer else "root", issuer, one["days"], 0, one["generation"], one["previous"],
        one.get("state") or "present", one["reason"], length, one["crl_days"], min(one["crl_days"] // 3, 60),
    )  # fmt: skip
    if party.kind == "root" and party.state == "revoked":
        raise BadInput(
            f"The root {name} cannot be revoked, as nobody stands above it; raise its generation with previous=revoked."
        )
    return party


def _signer(one: Mapping[str, Any], found: Mapping[str, Party]) -> Party:
    name = one["name"]
    _issuer(name, one["issuer"], found)
    return Party(
        name, one["purpose"], one["issuer"], one["days"], 0, one["generation"], one["previous"], one["state"],
        one["reason"], public_key=one.get("public_key") or b"", public_key_digest=one.get("public_key_digest") or "",
    )  # fmt: skip


def _issuer(name: str, issuer: str, found: Mapping[str, Party]) -> Party:
    above = found.get(issuer)
    if above is None or above.is_signer:
        raise BadInput(f"{issuer} is to sign for {name} and is no authority that is declared before it; declare it.")
    if above.state == "revoked":
        raise BadInput(f"{issuer} is to sign for {name} and is revoked; name another authority.")
    return above


def _add(found: dict[str, Party], party: Party) -> None:
    if not NAME.fullmatch(party.name):
        raise BadInput(
            f"{ascii(party.name)[:60]} cannot name an authority or a signer: use small letters, digits and -."
        )
    if party.name in found:
        raise BadInput(f"{party.name} is declared twice; each authority and signer has a name of its own.")
    if len(found) >= MAX_PARTIES:
        raise BadInput(f"More than {MAX_PARTIES} authorities and signers are declared; use a second root.")
    for what, value in (("days", party.days), ("generation", party.generation), ("crl_days", party.crl_days)):
        if not 1 <= value <= 36500:
            raise BadInput(f"{what} of {party.name} is {value}; give 1 to 36500.")
    if party.reason not in REASONS or party.previous not in ("valid", "revoked"):
        raise BadInput(f"The reason or fate of earlier keys of {party.name} is unknown; see the module's options.")
    found[party.name] = party


def _with_margin(party: Party, found: Mapping[str, Party], renew_days: int) -> Party:
    """An authority is renewed while it still covers the whole life of what it signs."""
    below = [one.days for one in found.values() if one.issuer == party.name and one.state == "present"]
    margin = renew_days + max(below, default=0)
    if margin >= party.days:
        raise BadInput(
            f"{party.name} lives {party.days} days, which is not more than the {margin} that it needs for what it signs"
            " and for its renewal; give it more days."
        )
    return replace(party, renew_days=margin)
