# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of an estate: hosts as the inventory wants them, states and tunnels as they were reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate import Estate, Host
from ansible_collections.bocage.fleet.plugins.module_utils._state.inventory_states import STATES

from .estate_services import NO_EPOCHS, EpochsView, ExitNames, GatewayView, epochs_of, gateway_of

# Roles in the order of rank: a host of several is drawn as the first.
ROLES = ("hub", "gateway", "cache", "hypervisor")
# A session is not used after this without a new handshake (REJECT_AFTER_TIME, 3 * 60 s; WireGuard, section 6.1).
LIVE_SECONDS = 180
# Reports of hosts in these states say something of now; the word of the others is not taken.
_HEARD = ("fresh", "stale")


@dataclass(frozen=True, slots=True)
class SiteView:
    name: str
    tenant: str | None
    tenant_title: str | None
    lan_prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostView:
    """A host; `newest_handshake` is in Unix seconds, 0 for never; `drift` has sentences of the host itself."""

    name: str
    roles: tuple[str, ...]
    site: str
    address: str
    state: str
    reason: str | None
    reported_at: datetime | None
    newest_handshake: int
    drift: tuple[str, ...] = ()
    gateway: GatewayView | None = None
    epochs: EpochsView = NO_EPOCHS
    exits: tuple[tuple[str, str], ...] = ()
    """Sites whose LAN it enters, each with the gateway."""

    @property
    def role(self) -> str:
        """The role of the highest rank."""
        return self.roles[0]

    @property
    def role_words(self) -> str:
        return ", ".join(self.roles)

    @property
    def state_words(self) -> str:
        return f"{self.state}, drift" if self.drift else self.state


@dataclass(frozen=True, slots=True)
class TunnelView:
    """Two hosts of which at least one reported the other as its peer, `one` before `other` by name."""

    one: str
    other: str
    live: bool


@dataclass(frozen=True, slots=True)
class EstateView:
    name: str
    domain: str
    ula_prefix: str
    sites: tuple[SiteView, ...]
    hosts: tuple[HostView, ...]
    tunnels: tuple[TunnelView, ...]


def printable(text: object) -> str:
    """Text without what controls a terminal, turns the direction of writing or cannot stand in XML."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))


def view_of(
    estate: Estate, reported: Mapping[str, Mapping[str, Any]], tenant_titles: Mapping[str, str] | None = None
) -> EstateView:
    """The estate as it is shown; `reported` has by host what the inventory plugin verified."""
    sites = sorted(estate.sites.values(), key=lambda site: (site.tenant is not None, site.tenant or "", site.index))
    order = {site.name: position for position, site in enumerate(sites)}
    exits = ExitNames(estate)
    hosts = sorted(
        (_host_view(host, exits, reported.get(host.name) or {}) for host in estate.hosts.values()),
        key=lambda host: (order[host.site], _rank(host.role), estate.hosts[host.name].index, host.name),
    )
    titles = tenant_titles or {}
    return EstateView(
        name=estate.name,
        domain=estate.domain,
        ula_prefix=estate.ula_prefix,
        sites=tuple(
            SiteView(
                name=site.name,
                tenant=site.tenant,
                tenant_title=None if site.tenant is None else str(titles.get(site.tenant) or site.tenant),
                lan_prefixes=site.lan_prefixes,
            )
            for site in sites
        ),
        hosts=tuple(hosts),
        tunnels=_tunnels(estate, {host.name: host for host in hosts}, reported),
    )


def _rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _host_view(host: Host, exits: ExitNames, reported: Mapping[str, Any]) -> HostView:
    state = str(reported.get("state") or "missing")
    heard = (reported.get("sections") or {}) if state in _HEARD else {}
    reason = reported.get("reason")
    handshakes = [int(peer.get("latest_handshake") or 0) for peer in _peers(reported)]
    return HostView(
        name=host.name,
        roles=tuple(sorted(host.roles, key=lambda role: (_rank(role), role))) or ("host",),
        site=host.site.name,
        address=host.address6,
        # A state of a later version is shown as one that nobody relies on.
        state=state if state in STATES else "untrusted",
        reason=None if reason is None else str(reason),
        reported_at=_moment(reported.get("issued_at")),
        newest_handshake=max(handshakes, default=0),
        drift=tuple(str(sentence) for found in (reported.get("drift") or {}).values() for sentence in found),
        gateway=gateway_of(host, heard),
        epochs=epochs_of(heard),
        exits=exits.of(host, heard),
    )


def _moment(value: object) -> datetime | None:
    try:
        return timestamps.parse(value, "issued_at")
    except BocageError:
        return None  # shown as never reported


def _peers(reported: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sections = reported.get("sections") or {}
    yield from (sections.get("mesh") or {}).get("peers") or ()


def _owners(estate: Estate, reported: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Whose a mesh key is, by enrolment or by a statement for an epoch; a key that two hosts have is nobody's."""
    owners: dict[str, str] = {}
    shared: set[str] = set()
    for host in estate.hosts.values():
        for key in _keys(host, reported.get(host.name) or {}):
            if owners.setdefault(key, host.name) != host.name:
                shared.add(key)
    return {key: name for key, name in owners.items() if key not in shared}


def _keys(host: Host, reported: Mapping[str, Any]) -> Iterator[str]:
    if host.public_key is not None:
        yield host.public_key
        yield from map(str, ((reported.get("enrolment") or {}).get("epochs") or {}).values())


def _tunnels(
    estate: Estate, hosts: Mapping[str, HostView], reported: Mapping[str, Mapping[str, Any]]
) -> tuple[TunnelView, ...]:
    """Pairs of known hosts. Of two ends that disagree the newer report is right: a host that died cannot say so."""
    owners = _owners(estate, reported)
    newest: dict[tuple[str, str], tuple[float, bool]] = {}
    for name, host in hosts.items():
        heard = host.state in _HEARD and host.reported_at is not None
        issued = host.reported_at.timestamp() if heard and host.reported_at is not None else 0.0
        for peer in _peers(reported.get(name) or {}):
            other = owners.get(str(peer.get("public_key")))
            if other is None or other == name:
                continue
            handshake = int(peer.get("latest_handshake") or 0)
            said = (issued, heard and handshake > 0 and abs(issued - handshake) <= LIVE_SECONDS)
            pair = (name, other) if name < other else (other, name)
            newest[pair] = max(newest.get(pair, said), said)
    return tuple(TunnelView(one, other, live) for (one, other), (_issued, live) in sorted(newest.items()))
