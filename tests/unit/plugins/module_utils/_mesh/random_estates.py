# SPDX-License-Identifier: GPL-3.0-or-later
"""Estates of any shape that validate_estate would accept, as variables."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bocage_core._common.estate import Estate
from hypothesis import assume
from hypothesis import strategies as st


def key_of(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


@dataclass
class Written:
    """An estate as an inventory has it."""

    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def estate(self) -> Estate:
        variables = {
            "estate_name": "random",
            "estate_domain": "random.internal",
            "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
            "estate_sites": self.sites,
        }
        return Estate.from_vars(variables, self.hosts)

    def with_host(self, name: str, values: dict[str, Any]) -> Written:
        return Written(self.sites, {**self.hosts, name: values})

    def add(self, name: str, site: str, roles: list[str], **values: Any) -> None:
        index = 1 + max((one["host_index"] for one in self.hosts.values() if one["host_site"] == site), default=0)
        self.hosts[name] = {"host_site": site, "host_index": index, "roles": roles, **values}


def public_address(number: int) -> str:
    return f"198.51.100.{number}"


@st.composite
def sites(draw: st.DrawFn, written: Written) -> None:
    written.sites["core"] = {"index": 0, "overlay_ipv4_prefix": draw(st.sampled_from([None, "198.19.0.0/24"]))}
    tenants = draw(st.integers(1, 3))
    # where a LAN of a tenant is IPv4, each of its sites has IPv4 in the overlay
    with_ipv4 = [draw(st.booleans()) for _unused in range(tenants)]
    for number in range(1, draw(st.integers(1, 5)) + 1):
        tenant = draw(st.integers(0, tenants - 1))
        lans = [f"2001:db8:{number}::/64"] if draw(st.booleans()) else []
        if with_ipv4[tenant] and draw(st.booleans()):
            lans.append(f"198.18.{number}.0/24")
        written.sites[f"site{number}"] = {
            "index": number,
            "tenant": f"tenant{tenant}",
            "lan_prefixes": lans,
            "overlay_ipv4_prefix": f"198.19.{number}.0/24" if with_ipv4[tenant] else None,
        }


@st.composite
def member(draw: st.DrawFn, written: Written, number: int, gateway: bool | None = None) -> tuple[str, dict[str, Any]]:
    """A site and the values of a host on it that is no hub, without an index."""
    fitting = [name for name, site in written.sites.items() if site.get("lan_prefixes") or not gateway]
    assume(set(fitting) - {"core"})
    site = draw(st.sampled_from([name for name in fitting if name != "core"]))
    lan = written.sites[site]["lan_prefixes"]
    values: dict[str, Any] = {"roles": ["hypervisor"]}
    if lan and (draw(st.booleans()) if gateway is None else gateway):
        values["roles"] = ["gateway"]
    if draw(st.booleans()):
        values["mesh_endpoint"] = public_address(number)
    if lan and draw(st.booleans()):
        values["mesh_lan_endpoint"] = lan[0].replace("::/64", f"::{number}").replace(".0/24", f".{number}")
    return site, values


@st.composite
def estates(draw: st.DrawFn, all_enrolled: bool = False) -> Written:
    """Several hubs, shared or of a tenant, gateways, hosts behind NAT, hosts that are not enrolled."""
    written = Written()
    draw(sites(written))
    homes: list[tuple[str, str | None]] = []
    for number in range(draw(st.integers(1, 3))):
        site = "core" if number == 0 else draw(st.sampled_from(sorted(written.sites)))
        roles = ["hub"]
        if written.sites[site].get("lan_prefixes") and draw(st.booleans()):
            roles.append("gateway")
        written.add(f"hub{number}", site, roles, mesh_endpoint=public_address(200 + number))
        homes.append((f"hub{number}", written.sites[site].get("tenant")))
    for name, values in written.sites.items():
        fitting = [hub for hub, tenant in homes if tenant in (None, values.get("tenant"))]
        if name != "core":
            values["hub"] = draw(st.sampled_from([None, *fitting]))
    for number in range(draw(st.integers(0, 10))):
        site, values = draw(member(written, number + 1))
        written.add(f"host{number}", site, **values)
    for name, values in written.hosts.items():
        if all_enrolled or "hub" in values["roles"] or draw(st.integers(0, 9)) > 0:
            values["public_key"] = key_of(name)
    # a plan must not depend on the order in which the inventory names hosts
    names = draw(st.permutations(list(written.hosts)))
    written.hosts = {name: written.hosts[name] for name in names}
    return written


def _large_sites(random: Random, written: Written, tenants: int, sites: int) -> None:
    written.sites["core"] = {"index": 0, "overlay_ipv4_prefix": "198.19.255.0/24"}
    # where a LAN of a tenant is IPv4, each of its sites has IPv4 in the overlay
    with_ipv4 = [random.random() < 0.6 for _unused in range(tenants)]
    for number in range(1, sites + 1):
        tenant = random.randrange(tenants)
        lans = [f"2001:db8:{number:x}::/64"] if random.random() < 0.6 else []
        if with_ipv4[tenant] and random.random() < 0.6:
            lans.append(f"10.{number}.0.0/16")
        written.sites[f"site{number}"] = {
            "index": number,
            "tenant": f"tenant{tenant}",
            "lan_prefixes": lans,
            "overlay_ipv4_prefix": f"100.{number}.0.0/16" if with_ipv4[tenant] else None,
        }


def _large_member(random: Random, written: Written, number: int) -> None:
    site = f"site{random.randrange(1, len(written.sites))}"
    lans = written.sites[site]["lan_prefixes"]
    high, low = divmod(number, 250)
    values: dict[str, Any] = {"roles": ["hypervisor"]}
    if lans and random.random() < 0.05:
        values["roles"] = ["gateway"]
    if random.random() < (0.7 if values["roles"] == ["gateway"] else 0.15):
        values["mesh_endpoint"] = f"203.0.{high}.{low + 1}"
    if lans and random.random() < 0.6:
        values["mesh_lan_endpoint"] = f"{lans[0].removesuffix('/64')}{number:x}" if ":" in lans[0] else (
            f"{lans[0].removesuffix('.0.0/16')}.{high}.{low + 1}"
        )  # fmt: skip
    written.add(f"host{number}", site, **values)


@st.composite
def large_estates(draw: st.DrawFn, most: int = 2000) -> Written:
    """As `estates`, with as many hosts as a provider has: its size is drawn, the rest follows from a seed."""
    tenants, sites, hubs = draw(st.integers(1, 6)), draw(st.integers(1, 60)), draw(st.integers(1, 6))
    # small ones, and any
    hosts = draw(st.one_of(st.integers(0, 60), st.integers(0, most - hubs)))
    return large_estate(tenants, sites, hubs, hosts, draw(st.integers(0, 2**32)))


def large_estate(tenants: int, sites: int, hubs: int, hosts: int, seed: int) -> Written:
    random = Random(seed)
    written = Written()
    _large_sites(random, written, tenants, sites)
    homes: list[tuple[str, str | None]] = []
    for number in range(hubs):
        site = "core" if number == 0 or random.random() < 0.5 else random.choice(sorted(written.sites))
        roles = ["hub", "gateway"] if written.sites[site].get("lan_prefixes") and random.random() < 0.3 else ["hub"]
        written.add(f"hub{number}", site, roles, mesh_endpoint=public_address(200 + number))
        homes.append((f"hub{number}", written.sites[site].get("tenant")))
    for name, values in written.sites.items():
        if name != "core":
            values["hub"] = random.choice([None, *(hub for hub, of in homes if of in (None, values["tenant"]))])
    for number in range(hosts):
        _large_member(random, written, number)
    for name, values in written.hosts.items():
        if "hub" in values["roles"] or random.random() < 0.95:
            values["public_key"] = key_of(name)
    names = list(written.hosts)
    random.shuffle(names)
    written.hosts = {name: written.hosts[name] for name in names}
    return written
