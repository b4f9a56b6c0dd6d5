# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which segments a host is an end of, and who the other ends are.

A hypervisor sends to all gateways of a segment and to the other hypervisors; a gateway to hypervisors alone. So no frame
goes from one gateway over the overlay to another, and since a VXLAN interface never sends on what it received, there is
no circle that a frame could go round in, whatever the election does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._common.estate import Estate, Host, Site
from .._common.estate_segments import Segment
from .._common.exits import on_lan
from .mtu import largest_segment, segment_mtu

# Hosts whose answers tell a gateway that its way into the overlay works.
MOST_OVERLAY_TARGETS = 4


def bridge_name(number: int) -> str:
    """The bridge of a hypervisor, into which guests are plugged. Not bocage*, which are interfaces of the overlay."""
    return f"seg{number}"


def port_name(number: int) -> str:
    """The VXLAN interface of a segment."""
    return f"vx{number}"


def lan_port_name(number: int) -> str:
    """What the LAN interface of a gateway is called once a bridge has taken its name."""
    return f"lan{number}"


def ranked(gateways: Sequence[Host], segment: str) -> list[Host]:
    """The gateways of a segment, the preferred one first: another one for each segment (highest random weight)."""
    return sorted(
        gateways,
        key=lambda gateway: hashlib.sha256(f"segment {segment}|{gateway.name}".encode()).digest(),
        reverse=True,
    )


class SegmentPlanner:
    """Plans the segments of one host after the other. ``mesh_mtu`` gives the MTU of a host's overlay interface."""

    def __init__(self, estate: Estate, mesh_mtu: Callable[[str], int]) -> None:
        self._estate = estate
        self._mesh_mtu = mesh_mtu
        self._mtus: dict[int, int] = {}

    def hypervisors(self, site: Site, segment: Segment) -> list[Host]:
        """The enrolled hypervisors that take part, by name."""
        tenant_sites = self._estate.sites_by_tenant.get(site.tenant or "", ())
        candidates = [host for one in tenant_sites for host in self._estate.hosts_by_site[one.name]]
        return sorted(
            (
                host
                for host in candidates
                if host.public_key is not None
                and not host.is_gateway
                and "hypervisor" in host.roles
                and (not on_lan(host, site) if segment.hosts is None else host.name in segment.hosts)
            ),
            key=lambda host: host.name,
        )

    def gateways(self, site: Site, segment: Segment) -> list[Host]:
        """The enrolled gateways of the site, the preferred one first."""
        found = [host for host in self._estate.gateways_by_site[site.name] if host.public_key is not None]
        return ranked(found, f"{site.name}/{segment.name}")

    def _mtu(self, segment: Segment, ends: Sequence[Host]) -> int:
        if segment.number not in self._mtus:
            self._mtus[segment.number] = segment_mtu([self._mesh_mtu(host.name) for host in ends])
        return self._mtus[segment.number]

    def host(self, name: str) -> list[dict[str, Any]]:
        """The segments of a host, by number."""
        host = self._estate.hosts[name]
        found = []
        for site in self._estate.sites_by_tenant.get(host.site.tenant or "", ()):
            for segment in site.segments.values():
                hypervisors, gateways = self.hypervisors(site, segment), self.gateways(site, segment)
                mine = {
                    **self._common(segment, site, hypervisors, gateways), "local": host.address6, **_marked(host)
                }  # fmt: skip
                if host in gateways:
                    found.append({**mine, **self._of_gateway(host, segment, hypervisors, gateways)})
                elif host in hypervisors:
                    others = [one for one in [*gateways, *hypervisors] if one != host]
                    found.append(
                        {
                            **mine,
                            "kind": "hypervisor",
                            "bridge": bridge_name(segment.number),
                            "ends": _addresses(others),
                        }
                    )
        return sorted(found, key=lambda one: int(one["id"]))

    def _common(
        self, segment: Segment, site: Site, hypervisors: Sequence[Host], gateways: Sequence[Host]
    ) -> dict[str, Any]:
        return {
            "name": segment.name,
            "site": site.name,
            "id": segment.number,
            "port": port_name(segment.number),
            "mtu": self._mtu(segment, [*hypervisors, *gateways]),
            "storm_frames_per_second": segment.storm_frames,
        }

    def _of_gateway(
        self, host: Host, segment: Segment, hypervisors: Sequence[Host], gateways: Sequence[Host]
    ) -> dict[str, Any]:
        hubs = [self._estate.home_hub(host.site)] if self._estate.hubs else []
        targets = [one for one in [*hubs, *hypervisors] if one != host and one.public_key is not None]
        return {
            "kind": "gateway",
            "lan_interface": segment.lan_interface,
            "lan_port": lan_port_name(segment.number),
            # the kernel answers for what is too large for the overlay only where the port takes what the LAN sends
            "port_mtu": host.site.lan_mtu,
            "ends": _addresses(hypervisors),
            # a connection agrees on what fits when it begins: nobody has to be told that a packet is too large
            "largest_tcp": {
                "ip": largest_segment(self._mtus[segment.number], 4),
                "ip6": largest_segment(self._mtus[segment.number], 6),
            },
            "rank": gateways.index(host),
            "peers": {one.name: one.address6 for one in gateways if one != host},
            "lan_targets": list(segment.lan_targets),
            "overlay_targets": [one.address6 for one in targets[:MOST_OVERLAY_TARGETS]],
        }


def _marked(host: Host) -> dict[str, Any]:
    """Ports by which a class of traffic knows its packets, where these have a DSCP that frames could bear outside."""
    found = [
        {"dscp": one.dscp[0], "ports": [str(ports) for ports in one.ports]}
        for one in host.traffic_classes
        if one.dscp and one.ports
    ]
    return {"marked_ports": found} if found else {}


def _addresses(hosts: Sequence[Host]) -> list[str]:
    return sorted(host.address6 for host in hosts)


def probe_of(segment: Mapping[str, Any]) -> dict[str, str]:
    """How a drill becomes a plain machine on the segment of a hypervisor: a namespace with a port of the bridge.

    The machine asks the LAN's DHCP server for its address; it needs the segment's MTU on ``inside``.
    """
    number = int(segment["id"])
    return {
        "namespace": f"guest{number}",
        "bridge": str(segment["bridge"]),
        "outside": f"gst{number}",
        "inside": "eth0",
        "mtu": str(segment["mtu"]),
    }
