# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts said of gateways: how each does, by which one a host enters the LAN of a site, and epochs of keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.estate import Estate, Host

NOT_HEARD = "not heard"
# An exit is one of few words; a hub may have one for every site.
_MOST_EXITS = 2


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway as it reported itself; ``segments`` have a name and whether this gateway is the active one."""

    health: str
    sessions_up: int = 0
    session_count: int = 0
    flows_percent: int | None = None
    segments: tuple[tuple[str, bool], ...] = ()

    @property
    def is_sound(self) -> bool:
        return self.health in ("healthy", "forwards") and self.sessions_up == self.session_count

    @property
    def session_words(self) -> str:
        """Paths to hosts and other gateways, watched by BFD, of which these live."""
        return f"{self.sessions_up}/{self.session_count}" if self.session_count else ""

    @property
    def flow_words(self) -> str:
        return "" if self.flows_percent is None else f"{self.flows_percent} %"

    def short_words(self, most: int) -> str:
        """Health, sessions and flows in as many words as have room in a line of ``most`` characters."""
        sessions, flows = self.session_words, self.flow_words
        lines = [
            [self.health, sessions and f"BFD {sessions}", flows and f"flows {flows}"],
            [self.health, sessions and f"BFD {sessions}", flows],
            [self.health, sessions, flows],
        ]
        texts = [", ".join(filter(None, line)) for line in lines]
        return next((text for text in texts if len(text) <= most), texts[-1])

    @property
    def segment_words(self) -> str:
        return ", ".join(f"{name} {'active' if active else 'standby'}" for name, active in self.segments)


@dataclass(frozen=True, slots=True)
class EpochsView:
    """The epoch of the mesh key that a host uses, and all of which it has an interface."""

    used: int | None = None
    live: tuple[int, ...] = ()

    def __str__(self) -> str:
        others = ", ".join(str(epoch) for epoch in self.live if epoch != self.used)
        used = "none" if self.used is None else str(self.used)
        return f"{used} (and {others})" if others else used if self.live else ""


NO_EPOCHS = EpochsView()


def gateway_of(host: Host, sections: Mapping[str, Any]) -> GatewayView | None:
    """How a gateway does, or None for other hosts; ``sections`` are empty where its word is not taken."""
    if not host.is_gateway:
        return None
    section = sections.get("gateway")
    if not section:
        return GatewayView(NOT_HEARD)
    routing = sections.get("routing") or {}
    return GatewayView(
        health=_health(section),
        sessions_up=int(routing.get("sessions_up") or 0),
        session_count=int(routing.get("session_count") or 0),
        flows_percent=_percent(section.get("conntrack_count"), section.get("conntrack_max")),
        segments=tuple(
            (str(one["name"]), one["active"] is True) for one in (sections.get("segments") or {}).get("segments") or ()
        ),
    )


def _health(section: Mapping[str, Any]) -> str:
    health = section.get("health")
    if not health:
        # no other gateway could take over, so nobody asks how it does
        return "forwards" if section.get("forwarding") else "does not forward"
    return "drained" if health["drained"] else "healthy" if health["healthy"] else "unhealthy"


def _percent(count: int | None, most: int | None) -> int | None:
    return None if count is None or not most else round(100 * count / most)


def epochs_of(sections: Mapping[str, Any]) -> EpochsView:
    mesh = sections.get("mesh") or {}
    return EpochsView(mesh.get("epoch"), tuple(mesh.get("live_epochs") or ()))


class ExitNames:
    """Turns reported exits, which are prefixes and addresses, into names of sites and hosts."""

    def __init__(self, estate: Estate) -> None:
        self._hosts = {host.address6: host for host in estate.hosts.values()}
        self._sites = {
            (site.tenant, prefix): site.name for site in estate.sites.values() for prefix in site.reached_prefixes
        }

    def of(self, host: Host, sections: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Sites whose LAN the host enters, each with the gateway; several where its prefixes go by several."""
        found: set[tuple[str, str]] = set()
        for one in (sections.get("routing") or {}).get("exits") or ():
            gateway = self._hosts.get(str(one["gateway"]))
            if gateway is None:
                continue
            # two tenants may have the same prefix, but no gateway
            site = self._sites.get((gateway.site.tenant or host.site.tenant, str(one["prefix"])))
            if site is not None:
                found.add((site, gateway.name))
        return tuple(sorted(found))


def exit_words(exits: tuple[tuple[str, str], ...]) -> str:
    words = [f"{site} by {gateway}" for site, gateway in exits[:_MOST_EXITS]]
    if len(exits) > _MOST_EXITS:
        words.append(f"{len(exits) - _MOST_EXITS} more")
    return ", ".join(words)
