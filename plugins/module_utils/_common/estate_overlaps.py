# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that no address of an estate means two things: prefixes are disjoint, or a translation separates them."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .estate_syntax import Network, contains, network_of
from .findings import Finding, listed

if TYPE_CHECKING:
    from .estate_wide import Site

_DISJOINT = "all prefixes of an estate must be disjoint."
_SEPARATE = "renumber one of the two LANs, or give one of the sites a lan_translation."


@dataclass(frozen=True)
class _Claim:
    """A prefix and who uses it."""

    network: Network
    what: str
    owner: str
    path: tuple[str, ...]

    @property
    def first(self) -> int:
        return int(self.network.network_address)

    @property
    def last(self) -> int:
        return int(self.network.broadcast_address)

    def __str__(self) -> str:
        return f"the {self.what} {self.network} of {self.owner}"


def read_translation(
    subject: str, values: Mapping[Any, Any], lans: tuple[Network, ...], path: tuple[str, ...]
) -> tuple[dict[Network, Network], list[Finding]]:
    """The pairs of a site's lan_translation that can be used, and what is wrong with the others."""
    pairs: dict[Network, Network] = {}
    findings: list[Finding] = []
    for key, value in values.items():
        place = (*path, "lan_translation", str(key))
        inside, outside = network_of(key), network_of(value)
        problem = inside if isinstance(inside, str) else outside
        if isinstance(inside, str) or isinstance(outside, str):
            findings.append(Finding(f"{subject}: lan_translation: {problem}", place))
        elif inside not in lans:
            known = listed(map(str, lans)) or "there are none"
            text = f"{subject}: lan_translation has {inside}, which is none of its lan_prefixes ({known})."
            findings.append(Finding(text, place))
        elif (inside.version, inside.prefixlen) != (outside.version, outside.prefixlen):
            text = f"{subject}: lan_translation of {inside} is {outside}; one to one needs the same family and length."
            findings.append(Finding(text, place))
        else:
            pairs[inside] = outside
    return pairs, findings


def check_overlaps(ula: ipaddress.IPv6Network | None, sites: Iterable[Site]) -> Iterable[Finding]:
    """Every prefix of the overlay against every other, then what translations hide against what their tenant sees."""
    everywhere: list[_Claim] = []
    if ula is not None:
        everywhere.append(_Claim(ula, "estate_ula_prefix", "the estate", ("estate_ula_prefix",)))
    seen: dict[str | None, list[_Claim]] = {}
    hidden: dict[str | None, list[_Claim]] = {}
    for site in sites:
        shown, behind = _claims_of(site)
        seen.setdefault(site.tenant, []).extend(shown)
        hidden.setdefault(site.tenant, []).extend(behind)
        yield from _nested(behind)
    yield from _nested([*everywhere, *(claim for claims in seen.values() for claim in claims)])
    for tenant, claims in hidden.items():
        if claims:
            shared = seen.get(None, []) if tenant is not None else []
            yield from _hidden_under([*everywhere, *shared, *seen[tenant]], claims)


def _claims_of(site: Site) -> tuple[list[_Claim], list[_Claim]]:
    """What the overlay sees of a site, and what its translation hides."""
    owner = f"site {site.name}" + (f" (tenant {site.tenant})" if site.tenant else "")
    path = ("estate_sites", site.name)
    shown, behind = [], []
    for lan in site.lans:
        outside = site.translation.get(lan)
        if outside is None:
            shown.append(_Claim(lan, "LAN prefix", owner, (*path, "lan_prefixes")))
        else:
            shown.append(_Claim(outside, "translated LAN prefix", owner, (*path, "lan_translation")))
            behind.append(_Claim(lan, "LAN prefix", owner, (*path, "lan_prefixes")))
    if site.overlay_ipv4 is not None:
        shown.append(_Claim(site.overlay_ipv4, "overlay_ipv4_prefix", owner, (*path, "overlay_ipv4_prefix")))
    return shown, behind


def _by_address(claims: Iterable[_Claim]) -> list[_Claim]:
    return sorted(claims, key=lambda claim: (claim.network.version, claim.first, claim.network.prefixlen))


def _nested(claims: Iterable[_Claim]) -> Iterable[Finding]:
    # Two prefixes are disjoint or one holds the other, so in this order a prefix
    # overlaps an earlier one exactly when it lies inside the last that is still open.
    enclosing: list[_Claim] = []
    for claim in _by_address(claims):
        while enclosing and not contains(enclosing[-1].network, claim.network.network_address):
            enclosing.pop()
        if enclosing:
            other = enclosing[-1]
            of_two_sites = claim.what == other.what == "LAN prefix" and claim.owner != other.owner
            text = f"The {str(claim)[4:]} overlaps {other}; {_SEPARATE if of_two_sites else _DISJOINT}"
            yield Finding(text, claim.path)
        enclosing.append(claim)


def _hidden_under(shown: list[_Claim], hidden: Iterable[_Claim]) -> Iterable[Finding]:
    """What is translated must not be an address of the overlay for the same tenant: its gateways know both."""
    ordered = _by_address(shown)
    starts = [(claim.network.version, claim.first) for claim in ordered]
    for claim in hidden:
        at = bisect_right(starts, (claim.network.version, claim.last)) - 1
        other = ordered[at] if at >= 0 else None
        if other is not None and other.network.version == claim.network.version and other.last >= claim.first:
            remedy = "translate that one, too." if other.what == "LAN prefix" else "renumber one of them."
            text = f"The {str(claim)[4:]} is translated, yet overlaps {other}, which its gateways reach; {remedy}"
            yield Finding(text, claim.path)
