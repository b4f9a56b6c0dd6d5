# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer 2 segments as an estate declares them, below ``segments`` of a site; and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import BadInput
from .estate_schema import GATEWAY_GROUP, LIMITS_OF_SEGMENTS, MANAGED_GROUP, SEGMENT_OPTIONS
from .estate_syntax import address_of, contains, is_name, network_of
from .findings import Finding, did_you_mean
from .option_check import has_type, problems_of_mapping, shown

HYPERVISOR_GROUP = "hypervisors"
DEFAULT_STORM_FRAMES = 500


@dataclass(frozen=True, slots=True)
class Segment:
    """A LAN that is stretched over the overlay. ``hosts`` None means all hypervisors of the tenant off that LAN."""

    name: str
    number: int
    hosts: tuple[str, ...] | None = None
    lan_interface: str | None = None
    """Its interface on the gateways, where that is not the LAN interface of the gateway."""
    lan_targets: tuple[str, ...] = ()
    """Addresses on the LAN that always answer; a gateway that gets no answer there gives the segment to another one."""
    storm_frames: int = DEFAULT_STORM_FRAMES
    """How many broadcast and multicast frames a second pass, in each direction."""


def read_segments(site: str, values: object) -> dict[str, Segment]:
    """The segments of a site; raises BadInput where they cannot be used."""
    if not isinstance(values, Mapping):
        raise BadInput(f"The segments of site {site} are no mapping of names; correct estate_sites.")
    segments = {}
    for name, given in values.items():
        if not isinstance(given, Mapping) or not has_type(given.get("id"), "int"):
            raise BadInput(f"Segment {name} of site {site} has no id; give it a number in estate_sites.")
        hosts = given.get("hosts")
        segments[str(name)] = Segment(
            name=str(name),
            number=int(given["id"]),
            hosts=None if hosts is None else tuple(map(str, hosts)),
            lan_interface=given.get("lan_interface") or None,
            lan_targets=tuple(map(str, given.get("lan_targets") or ())),
            storm_frames=int(given.get("storm_frames_per_second") or DEFAULT_STORM_FRAMES),
        )
    return segments


def check_segments(
    sites: object, hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    """Everything wrong with the segments of an estate, from ``estate_sites`` as it is written."""
    numbers: dict[int, str] = {}
    for site, attributes in (sites if isinstance(sites, Mapping) else {}).items():
        written = attributes.get("segments") if isinstance(attributes, Mapping) else None
        if not isinstance(written, Mapping) or not written:
            continue
        path = ("estate_sites", str(site), "segments")
        yield from _check_place(str(site), attributes, hosts, groups, path)
        interfaces: dict[str | None, str] = {}
        for name, given in written.items():
            subject, place = f"Segment {name} of site {site}", (*path, str(name))
            if not is_name(name):
                yield Finding(f"{subject} has an unusable name: take small letters, digits and hyphens.", place)
            if not isinstance(given, Mapping):
                yield Finding(f"{subject} must be a mapping with an id, not {shown(given)}.", place)
                continue
            problems = list(problems_of_mapping(given, SEGMENT_OPTIONS, ()))
            yield from (Finding(f"{subject}: {'.'.join(keys)} {text}", place + keys) for keys, text in problems)
            if problems:
                continue
            yield from _check_number(subject, int(given["id"]), numbers, (*place, "id"))
            yield from _check_hosts(
                subject, str(attributes.get("tenant")), given.get("hosts"), sites, hosts, groups, place
            )
            yield from _check_targets(subject, str(site), given.get("lan_targets"), attributes, (*place, "lan_targets"))
            other = interfaces.setdefault(given.get("lan_interface"), str(name))
            if other != name:
                text = (
                    f"Segments {other} and {name} of site {site} have the same LAN interface, which would make them one; "
                    "give one of them a lan_interface of its own."
                )
                yield Finding(text, place)


def _check_place(
    site: str,
    attributes: Mapping[str, Any],
    hosts: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    path: tuple[str, ...],
) -> Iterator[Finding]:
    if not attributes.get("lan_prefixes"):
        yield Finding(f"Site {site} has segments and no lan_prefixes: there is no LAN that they could extend.", path)
    elif not any(hosts.get(name, {}).get("host_site") == site for name in groups.get(GATEWAY_GROUP, ())):
        text = f"Site {site} has segments and no gateway that could join them to its LAN: put a host of it into group gateways."
        yield Finding(text, path)


def _check_number(subject: str, number: int, numbers: dict[int, str], path: tuple[str, ...]) -> Iterator[Finding]:
    low, high = LIMITS_OF_SEGMENTS
    if not low <= number <= high:
        yield Finding(f"{subject} has id {number}; the id of a segment lies between {low} and {high}.", path)
        return
    other = numbers.setdefault(number, subject)
    if other != subject:
        text = (
            f"{subject} has id {number}, which {other[:1].lower()}{other[1:]} has already; give it a number of its own."
        )
        yield Finding(text, path)


def _check_targets(
    subject: str, site: str, targets: Sequence[object] | None, attributes: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[Finding]:
    lans = [lan for lan in map(network_of, attributes.get("lan_prefixes") or ()) if not isinstance(lan, str)]
    for target in targets or ():
        address = address_of(target)
        if isinstance(address, str):
            yield Finding(f"{subject}: lan_targets: {address}", path)
        elif not any(contains(lan, address) for lan in lans):
            yield Finding(f"{subject} has the target {address}, which is outside lan_prefixes of site {site}.", path)


def _check_hosts(
    subject: str,
    tenant: str,
    names: Sequence[object] | None,
    sites: Any,
    hosts: Mapping[str, Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    path: tuple[str, ...],
) -> Iterator[Finding]:
    hypervisors = groups.get(HYPERVISOR_GROUP, ())
    for name in map(str, names or ()):
        if name not in hosts:
            known = f"no host of group {MANAGED_GROUP}{did_you_mean(name, hosts)}"
        elif name not in hypervisors:
            known = "not in group hypervisors: nothing could be plugged in there."
        elif ((sites.get(hosts[name].get("host_site")) or {}).get("tenant")) != tenant:
            known = f"of another tenant than {tenant}; a segment never leaves its tenant."
        else:
            continue
        yield Finding(f"{subject} has host {name}, which is {known}", (*path, "hosts"))
