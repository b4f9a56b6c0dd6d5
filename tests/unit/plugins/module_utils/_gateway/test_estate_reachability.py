# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches what in an estate, and that the rules of its hosts let in just that."""

from __future__ import annotations

import ipaddress
import time
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.estate import Estate
from bocage_core._gateway.access import plan_access
from bocage_core._gateway.estate_reachability import Machine, Reachability
from bocage_core._gateway.rights import ALL, HOST, rights_of
from bocage_core._gateway.ruleset import policy_from, render
from two_tenants import estate

ADDRESSES = {"erp-lyon": ("lyon", 101), "erp-oslo": ("oslo", 102)}


def test_the_matrix_in_words() -> None:
    assert Reachability(estate(2)).lines() == [
        "acme: the hosts of lyon and lyon-homes (4) reach each other and hub hub: ping and what each opens to the overlay",
        "acme: all reach 198.19.101.0/24 (198.18.60.0/24 on the LAN of lyon) by gw1-lyon and gw2-lyon",
        "acme: all reach 2001:db8:101::/64 (2001:db8:60::/64 on the LAN of lyon) by gw1-lyon and gw2-lyon",
        "beta: the hosts of oslo and oslo-homes (4) reach each other and hub hub: ping and what each opens to the overlay",
        "beta: all reach 198.19.102.0/24 (198.18.60.0/24 on the LAN of oslo) by gw1-oslo and gw2-oslo",
        "beta: all reach 2001:db8:102::/64 (2001:db8:60::/64 on the LAN of oslo) by gw1-oslo and gw2-oslo",
        "between tenants, and from a LAN into the overlay: nothing",
    ]


def small(**gateway: Any) -> Estate:
    hosts: dict[str, dict[str, Any]] = {
        "gw1": {"host_site": "lyon", "host_index": 1, "roles": ["gateways"], "public_key": "a", **gateway},
        "tele1": {"host_site": "homes", "host_index": 1, "public_key": "b"},
    }
    sites = {
        "lyon": {
            "index": 1,
            "tenant": "acme",
            "lan_prefixes": ["198.18.1.0/24"],
            "overlay_ipv4_prefix": "198.19.1.0/24",
        },
        "homes": {"index": 2, "tenant": "acme"},
    }
    variables = {"estate_name": "demo", "estate_domain": "demo.internal", "estate_ula_prefix": "fd7b:4c1e:90a2::/48"}
    return Estate.from_vars({**variables, "estate_sites": sites}, hosts)


def test_a_lan_without_an_enrolled_gateway_is_reached_by_nobody() -> None:
    assert Reachability(small(public_key=None)).lines()[1] == (
        "acme: nobody reaches 198.18.1.0/24 (the LAN of lyon), which has no enrolled gateway"
    )


def test_ipv4_is_reached_from_where_hosts_have_it() -> None:
    assert Reachability(small()).lines()[:2] == [
        "acme: the hosts of lyon and homes (2) reach each other: ping and what each opens to the overlay",
        "acme: lyon reaches 198.18.1.0/24 (the LAN of lyon) by gw1",
    ]


@pytest.mark.parametrize("public", [True, False])
def test_the_rules_let_in_what_the_plan_says_and_nothing_else(public: bool) -> None:
    found = estate(1, public)
    reachability = Reachability(found)
    rights = {}
    for name, host in found.hosts.items():
        parameters = {
            "mesh_interface": "bocage*",
            "management_prefixes": ["198.51.100.192/28"],
            "lan_interface": "lan0" if host.is_gateway else None,
            **plan_access(found, name),
        }
        rights[name] = rights_of(render(policy_from(parameters)))

    def permits(service: str, holder: str, sources: tuple[str, ...], target: str) -> bool:
        """Whether the rules of a host let a packet with one of the sources' addresses go to the target."""
        return any(
            (target == HOST or any(_within(target, one) for one in destinations if "/" in one))
            and (HOST in destinations) == (target == HOST)
            for source, destinations in rights[holder].by_service.get(service, {}).items()
            if any(_within(own.split("/")[0], source) for own in sources)
        )

    tried = 0
    machines = [reachability.machine(name) for name in found.hosts]
    machines += [reachability.machine(name, site) for name, (site, _mark) in ADDRESSES.items()]
    for source in machines:
        for target in machines:
            if source.host is None or source.name == target.name:
                continue
            for address in _addresses(target):
                family = tuple(own for own in source.host.allowed_ips if (":" in own) == (":" in address))
                reach = reachability.between(source, target, address)
                tried += 1
                if target.host is not None:
                    assert (reach == "services") == permits("ping", target.name, family, HOST), (
                        source,
                        target,
                        address,
                    )
                else:
                    gateways = [gateway.name for gateway in found.gateways_by_site[target.site.name]]
                    # what a gateway itself may enter by another one does not matter on its own LAN
                    if not (source.host.is_gateway and source.site.name == target.site.name):
                        assert (reach == "everything") == any(
                            permits(ALL, gateway, family, address) for gateway in gateways
                        ), (source, target, address)
    assert tried > 100


def _within(address: str, prefix: str) -> bool:
    try:
        network = ipaddress.ip_network(prefix)
    except ValueError:
        return False
    return ipaddress.ip_address(address) in network


def _addresses(machine: Machine) -> list[str]:
    if machine.host is not None:
        return [own.split("/")[0] for own in machine.host.allowed_ips]
    mark = ADDRESSES[machine.name][1]
    return [f"198.19.{mark}.30", f"2001:db8:{mark}::30"]


def test_machines_on_a_lan() -> None:
    reachability = Reachability(estate())
    erp, gateway = reachability.machine("erp", "lyon"), reachability.machine("gw1-lyon")
    desk, tele = reachability.machine("desk-lyon"), reachability.machine("tele-lyon")
    assert reachability.between(erp, gateway, "198.18.60.1") == "ping"
    assert reachability.between(erp, gateway, "198.19.101.1") == "nothing"
    assert reachability.between(erp, tele, "198.19.3.1") == "nothing"
    host = reachability._estate.hosts["gw1-lyon"]
    for address in (host.address4, host.address6):
        # it counts on the overlay's interface only
        assert address is not None and reachability.between(erp, gateway, address) == "nothing"
    assert reachability.between(desk, erp, "198.18.60.30") == "neighbours"
    assert reachability.between(desk, erp, "198.19.101.30") == "everything"
    assert reachability.between(gateway, erp, "198.19.101.30") == "nothing"
    # the LAN's own addresses are no way in
    assert reachability.between(tele, erp, "198.18.60.30") == "nothing"
    assert reachability.between(tele, gateway, "198.19.101.1") == "services"
    assert reachability.between(reachability.machine("hub"), erp, "198.19.101.30") == "nothing"


def test_a_machine_that_nobody_knows_is_refused() -> None:
    reachability = Reachability(estate())
    with pytest.raises(BadInput, match=r"^Machine erp is no managed host; say on the LAN of which site it is.$"):
        reachability.machine("erp")
    with pytest.raises(
        BadInput, match=r"^Machine erp is said to be on the LAN of site mars, which estate_sites has not.$"
    ):
        reachability.machine("erp", "mars")


def test_a_large_estate_is_told_at_once() -> None:
    sites: dict[str, Any] = {"core": {"index": 0}}
    hosts: dict[str, dict[str, Any]] = {
        "hub": {
            "host_site": "core",
            "host_index": 1,
            "roles": ["hubs"],
            "mesh_endpoint": "192.0.2.1",
            "public_key": "h",
        }
    }
    for number in range(1, 1001):
        sites[f"s{number}"] = {
            "index": number,
            "tenant": f"t{number % 10}",
            "lan_prefixes": [f"2001:db8:{number:x}::/64"],
        }
        for index in range(1, 26):
            hosts[f"h{number}-{index}"] = {
                "host_site": f"s{number}",
                "host_index": index,
                "roles": ["gateways"] if index == 1 else [],
                "mesh_endpoint": None,
                "public_key": f"{number}-{index}",
            }
    variables = {"estate_name": "demo", "estate_domain": "demo.internal", "estate_ula_prefix": "fd7b:4c1e:90a2::/48"}
    found = Estate.from_vars({**variables, "estate_sites": sites}, hosts)
    began = time.monotonic()
    lines = Reachability(found).lines()
    # 25,000 hosts have 625 million pairs
    assert time.monotonic() - began < 5
    assert len(lines) == 10 + 1000 + 1
