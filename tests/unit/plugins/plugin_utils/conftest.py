# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Estates with reports, of the sizes that are drawn differently."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.estate import Estate
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.peers import plan_peers
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_view import EstateView, view_of

NOW = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
HANDSHAKE_AGE = 40


@dataclass
class ReportedEstate:
    """An estate whose hosts all reported what was planned for them; tests spoil it."""

    sites: dict[str, dict[str, Any]]
    hosts: dict[str, dict[str, Any]]
    titles: dict[str, str] = field(default_factory=dict)
    reported: dict[str, dict[str, Any]] = field(default_factory=dict)
    now: datetime = NOW

    @property
    def estate(self) -> Estate:
        variables = {
            "estate_name": "demo",
            "estate_domain": "demo.internal",
            "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
            "estate_sites": self.sites,
        }
        return Estate.from_vars(variables, self.hosts)

    def report(
        self,
        name: str,
        state: str = "fresh",
        age: int = 12,
        handshake_age: int = HANDSHAKE_AGE,
        estate: Estate | None = None,
    ) -> None:
        """The host reported `age` seconds ago, and every handshake was `handshake_age` before that."""
        issued_at = self.now - timedelta(seconds=age)
        handshake = int(issued_at.timestamp()) - handshake_age
        self.reported[name] = {
            "state": state,
            "reason": None if state == "fresh" else f"The last report of {name} is old.",
            "issued_at": timestamps.write(issued_at),
            "sections": {
                "mesh": {
                    "peers": [
                        {"public_key": peer["public_key"], "latest_handshake": handshake}
                        for peer in plan_peers(estate or self.estate, name)
                    ]
                }
            },
            "drift": {"mesh": []},
        }

    def rotate(self, settled: bool) -> None:
        """Keys of epoch 1 are in use; unless it has settled, those of epoch 0 are there, too, and idle since long."""
        for name in self.hosts:
            enrolment = self.reported[name].setdefault("enrolment", {"mesh_key": f"key of {name}"})
            enrolment["epochs"] = {"1": f"key of {name} in epoch 1"}
            section = self.reported[name]["sections"]["mesh"]
            new = [{**peer, "public_key": f"{peer['public_key']} in epoch 1"} for peer in section["peers"]]
            old = [{**peer, "latest_handshake": peer["latest_handshake"] - 5000} for peer in section["peers"]]
            section["peers"] = new if settled else [*old, *new]

    def serve(self) -> None:
        """The hosts of the site report two gateways, one of them drained, and by which of them others come in."""
        address = {name: host.address6 for name, host in self.estate.hosts.items()}
        for name in self.hosts:
            self.reported[name]["sections"]["mesh"] |= {"epoch": 1, "live_epochs": [1]}
        for name, drained in (("gw1", False), ("gw2", True)):
            self.reported[name]["sections"] |= {
                "gateway": {
                    "forwarding": True,
                    "health": {"healthy": not drained, "drained": drained, "lan": True, "wan": True, "since": 1},
                    "conntrack_count": 7900,
                    "conntrack_max": 65536,
                },
                "routing": {"session_count": 3, "sessions_up": 3 - drained, "sessions": [], "exits": [], "drift": []},
                "segments": {
                    "segments": [{"name": "floor", "active": not drained, "fitness": "fit"}],
                    "drift": [],
                },
            }
        for name in ("tele1", "hub1"):
            exits = [{"prefix": prefix, "gateway": address["gw1"]} for prefix in ("198.18.1.0/24", "2001:db8:2::/64")]
            self.reported[name]["sections"]["routing"] = {
                "session_count": 0, "sessions_up": 0, "sessions": [], "exits": exits, "drift": [],
            }  # fmt: skip

    def peer(self, name: str, other: str) -> dict[str, Any]:
        """What `name` reported of `other`."""
        key = self.hosts[other]["public_key"]
        peers = self.reported[name]["sections"]["mesh"]["peers"]
        return next(peer for peer in peers if peer["public_key"] == key)

    @property
    def view(self) -> EstateView:
        return view_of(self.estate, copy.deepcopy(self.reported), self.titles)

    @property
    def live(self) -> dict[tuple[str, str], bool]:
        return {(tunnel.one, tunnel.other): tunnel.live for tunnel in self.view.tunnels}


def _estate(sites: dict[str, dict[str, Any]], hosts: dict[str, dict[str, Any]], **more: Any) -> ReportedEstate:
    for name, values in hosts.items():
        values["public_key"] = f"key of {name}"
    built = ReportedEstate(sites, hosts, **more)
    estate = built.estate
    for name in hosts:
        built.report(name, estate=estate)
    return built


@pytest.fixture
def demo() -> ReportedEstate:
    """A hub, a site of four and a teleworker."""
    lan = {"mesh_lan_endpoint": "198.18.1.1"}
    public = {"mesh_endpoint": "198.18.0.1"}
    return _estate(
        {
            "core": {"index": 0},
            "lyon": {"index": 1, "tenant": "acme", "lan_prefixes": ["198.18.1.0/24", "2001:db8:2::/64"]},
            "remote": {"index": 2, "tenant": "acme"},
        },
        {
            "hub1": {"host_site": "core", "host_index": 1, "roles": ["hubs"], **public},
            "gw1": {"host_site": "lyon", "host_index": 1, "roles": ["gateways"], **public, **lan},
            "gw2": {"host_site": "lyon", "host_index": 2, "roles": ["gateways"], **public, **lan},
            "wrs1": {"host_site": "lyon", "host_index": 10, "roles": ["caches"], **lan},
            "desk1": {"host_site": "lyon", "host_index": 20, "roles": ["hypervisors"], **lan},
            "tele1": {"host_site": "remote", "host_index": 1, "roles": ["hypervisors"]},
        },
        titles={"acme": "Acme"},
    )


@pytest.fixture
def estate_of_size() -> Callable[..., ReportedEstate]:
    """Makes an estate of so many sites, hosts on each, tenants and hubs."""

    def build(sites: int, hosts_each: int, tenants: int = 1, hubs: int = 1) -> ReportedEstate:
        all_sites: dict[str, dict[str, Any]] = {"core": {"index": 0}}
        all_hosts: dict[str, dict[str, Any]] = {
            f"hub{number}": {
                "host_site": "core",
                "host_index": number,
                "roles": ["hubs"],
                "mesh_endpoint": f"198.18.0.{number}",
            }
            for number in range(1, hubs + 1)
        }
        for site in range(1, sites + 1):
            all_sites[f"site{site}"] = {
                "index": site,
                "tenant": f"tenant{site % tenants}",
                "hub": f"hub{site % hubs + 1}",
            }
            for number in range(1, hosts_each + 1):
                gateway = number == 1
                all_hosts[f"site{site}-host{number}"] = {
                    "host_site": f"site{site}",
                    "host_index": number,
                    "roles": ["gateways" if gateway else "hypervisors"],
                    "mesh_lan_endpoint": f"198.18.1.{number}",
                    "mesh_endpoint": f"198.18.0.{site}" if gateway else None,
                }
        return _estate(all_sites, all_hosts)

    return build
