# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who peers with whom, and which addresses belong to which peer.

An interface routes by AllowedIPs, so one prefix belongs to one peer (WireGuard,
Donenfeld 2017, section 2): the longest match decides, the home hub holds the rest.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._common.errors import BadInput
from .._common.estate import Estate, Host, Site


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer of an interface; ``endpoint`` is None where only the other end can begin."""

    name: str
    public_key: str
    endpoint: str | None
    allowed_ips: tuple[str, ...]
    keepalive_seconds: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "public_key": self.public_key,
            "endpoint": self.endpoint,
            "allowed_ips": list(self.allowed_ips),
            "keepalive_seconds": self.keepalive_seconds,
        }


def with_port(address: str, port: int) -> str:
    """``address:port`` as wg(8) reads it, with brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def exit_gateway(estate: Estate, site: Site, host: Host) -> Host | None:
    """The gateway by which a host enters a site's LAN.

    Highest random weight (Thaler and Ravishankar 1996): a gateway that joins or
    leaves moves only its own share of the hosts.
    """
    gateways = estate.gateways_by_site[site.name]
    if not gateways:
        return None
    return max(gateways, key=lambda gateway: hashlib.sha256(f"{host.name}|{gateway.name}".encode()).digest())


def on_lan(host: Host, site: Site) -> bool:
    """Whether the host is on the site's LAN itself and needs no gateway into it."""
    return host.site.name == site.name and host.lan_endpoint is not None


def _lan_prefixes(estate: Estate, host: Host, gateway: Host) -> tuple[str, ...]:
    """LAN prefixes that ``host`` reaches through ``gateway``."""
    site = gateway.site
    if host.site.tenant != site.tenant or on_lan(host, site) or exit_gateway(estate, site, host) is not gateway:
        return ()
    return tuple(prefix for prefix in site.lan_prefixes if ":" in prefix or host.address4 is not None)


def _underlay(host: Host, other: Host) -> tuple[str | None, bool]:
    """Where ``host`` finds ``other`` (address and port, or None) and whether that is on their LAN."""
    if host.site.name == other.site.name and host.lan_endpoint and other.lan_endpoint:
        return with_port(other.lan_endpoint, other.port), True
    if other.endpoint:
        return with_port(other.endpoint, other.port), False
    return None, False


def _candidates(estate: Estate, host: Host) -> Iterator[tuple[Host, tuple[str, ...]]]:
    """Each other host that may be a direct peer, with the addresses it gets."""
    if host.is_hub:
        for hub in estate.hubs:
            if hub.name != host.name:
                served: list[str] = []
                for site in estate.sites_by_hub[hub.name]:
                    # the shared site's prefix holds hubs, each of which has a peer of its own
                    if site.tenant is not None:
                        served += [site.prefix6, *([site.prefix4] if site.prefix4 else [])]
                yield hub, (*hub.allowed_ips, *served)
        for site in estate.sites_by_hub[host.name]:
            for other in estate.hosts_by_site[site.name]:
                if not other.is_hub:
                    yield other, other.allowed_ips
        return
    hub = estate.home_hub(host.site)
    tenant_sites = estate.sites_by_tenant.get(host.site.tenant or "", ())
    relayed = tuple(site.prefix4 for site in tenant_sites if site.prefix4 and host.address4)
    yield hub, (estate.ula_prefix, *(hub.allowed_ips[1:]), *relayed)
    for site in tenant_sites or (host.site,):
        same_site = site.name == host.site.name
        members = (
            estate.hosts_by_site[site.name] if same_site or host.is_gateway else estate.gateways_by_site[site.name]
        )
        for other in members:
            if other.name == host.name or other.is_hub:
                continue
            lan = _lan_prefixes(estate, host, other) if other.is_gateway else ()
            yield other, (*other.allowed_ips, *lan)


def plan_peers(estate: Estate, host_name: str, keepalive_seconds: int = 25) -> list[Peer]:
    """The complete peer list of one host, in a stable order.

    Hosts that are not enrolled (no public key) are left out; a pair of which
    neither knows where the other is goes through the hub. ``keepalive_seconds``
    is used only towards peers that a host behind NAT must keep open.
    Raises BadInput where the host is unknown or has two peers with one key.
    """
    host = estate.hosts.get(host_name)
    if host is None:
        raise BadInput(f"Host {host_name} is not among the managed hosts of the inventory; add it to a role's group.")
    peers: list[Peer] = []
    owner_of_key: dict[str, str] = {} if host.public_key is None else {host.public_key: host.name}
    for other, allowed_ips in _candidates(estate, host):
        if other.public_key is None:
            continue
        endpoint, same_lan = _underlay(host, other)
        reverse, _unused = _underlay(host=other, other=host)
        if endpoint is None and reverse is None:
            continue
        taken = owner_of_key.setdefault(other.public_key, other.name)
        if taken != other.name:
            raise BadInput(
                f"Hosts {taken} and {other.name} have the same mesh key; one of them is a copy: make it a new key and enrol it again."
            )
        behind_nat = host.endpoint is None and not same_lan and endpoint is not None
        peers.append(
            Peer(
                name=other.name,
                public_key=other.public_key,
                endpoint=endpoint,
                allowed_ips=tuple(dict.fromkeys(allowed_ips)),
                keepalive_seconds=keepalive_seconds if behind_nat else 0,
            )
        )
    return sorted(peers, key=lambda peer: peer.name)


def plan_routes(estate: Estate, host_name: str, peers: list[Peer]) -> list[dict[str, str | None]]:
    """Routes into the interface: ``{"prefix", "source"}``; the source is None where the host has no address of that family.

    A prefix that a shorter one already covers is not repeated.
    """
    host = estate.hosts[host_name]
    prefixes = {estate.ula_prefix}
    for peer in peers:
        prefixes.update(peer.allowed_ips)
    if host.is_hub:
        # one route a site instead of one a host
        prefixes.update(site.prefix4 for site in estate.sites_by_hub[host.name] if site.prefix4)
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    kept: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    last: dict[int, int] = {4: -1, 6: -1}
    # sorted by first address and length, what is covered follows what covers it
    for network in sorted(networks, key=lambda one: (one.version, int(one.network_address), one.prefixlen)):
        if int(network.broadcast_address) > last[network.version]:
            kept.append(network)
            last[network.version] = int(network.broadcast_address)
    # a hub without an IPv4 address of its own still relays IPv4
    return [
        {"prefix": str(network), "source": host.address6 if network.version == 6 else host.address4} for network in kept
    ]


def plan_host(estate: Estate, host_name: str, keepalive_seconds: int = 25) -> Mapping[str, Any]:
    """Everything ``mesh_interface`` needs to know about one host: addresses, peers, routes."""
    host = estate.hosts.get(host_name)
    if host is None:
        raise BadInput(f"Host {host_name} is not among the managed hosts of the inventory; add it to a role's group.")
    peers = plan_peers(estate, host_name, keepalive_seconds)
    return {
        "addresses": list(host.allowed_ips),
        "peers": [peer.to_dict() for peer in peers],
        "routes": plan_routes(estate, host_name, peers),
    }
