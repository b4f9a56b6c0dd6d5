# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for estates of up to 2,000 hosts: their addresses, whose prefixes are whose, who reaches whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from random import Random
from typing import Any

from bocage_core._common.estate import Estate, Host
from bocage_core._mesh.peers import MeshPlanner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from overlay_walk import Overlay, interfaces_of, prefix_of, prove_lan, prove_links, prove_pair
from random_estates import Written, key_of, large_estate, large_estates

# each example plans a whole estate; how many walks it takes is bounded below
LARGE = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WALKS = 6000
# as large as they come, in each run
LARGEST = large_estate(tenants=4, sites=40, hubs=4, hosts=1996, seed=1)


def addresses_of(estate: Estate) -> dict[str, tuple[str, ...]]:
    return {name: host.allowed_ips for name, host in estate.hosts.items()}


@LARGE
@given(large_estates(), st.integers(0, 2**32))
@example(LARGEST, 1)
def test_addresses_are_unique_and_stay_when_others_come_and_go(written: Written, seed: int) -> None:
    random = Random(seed)
    before = addresses_of(written.estate())
    listed = [address for own in before.values() for address in own]
    assert len(listed) == len(set(listed))
    stayed = {name: values for name, values in written.hosts.items() if random.random() < 0.7}
    changed = Written(written.sites, dict(stayed))
    # numbers that nobody has are given to newcomers; where somebody left in the middle, nobody moves up
    for number in range(random.randrange(100)):
        site = f"site{random.randrange(1, len(written.sites))}"
        changed.add(f"new{number}", site, ["hypervisor"], public_key=key_of(f"new{number}"))
    names = list(changed.hosts)
    random.shuffle(names)
    after = addresses_of(Written(changed.sites, {name: changed.hosts[name] for name in names}).estate())
    assert {name: after[name] for name in stayed} == {name: before[name] for name in stayed}
    listed = [address for own in after.values() for address in own]
    assert len(listed) == len(set(listed))


def overlaps(peers: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Each prefix of a peer that lies in one of another peer: outer prefix and its peer, inner prefix and its peer."""
    owners: dict[tuple[int, int, int], tuple[str, str]] = {}
    for peer in peers:
        for prefix in peer["allowed_ips"]:
            other = owners.setdefault(prefix_of(prefix), (prefix, peer["name"]))
            assert other == (prefix, peer["name"]), f"{prefix} is given twice: to {other[1]} and {peer['name']}"
    lengths = {family: sorted({bits for version, _n, bits in owners if version == family}) for family in (4, 6)}
    for (version, network, bits), (inner, owner) in owners.items():
        for wider in lengths[version]:
            found = owners.get((version, network >> wider << wider, wider)) if wider > bits else None
            if found is not None and found[1] != owner:
                yield (*found, inner, owner)


@LARGE
@given(large_estates())
@example(LARGEST)
def test_prefixes_of_two_peers_nest_only_where_a_hub_has_the_rest(written: Written) -> None:
    """A prefix of one peer lies in that of another only so: a hub has a whole prefix of the overlay, and the other
    peer its own addresses (full length) inside of it. Prefixes of LANs never nest."""
    estate = written.estate()
    planner = MeshPlanner(estate)
    whole = {estate.ula_prefix}
    whole.update(prefix for site in estate.sites.values() for prefix in (site.prefix6, site.prefix4) if prefix)
    for name in estate.hosts:
        # each interface by itself: several links have the same LAN
        found = (one for interface in interfaces_of(planner.host(name)) for one in overlaps(interface["peers"]))
        for outer, keeper, inner, owner in found:
            assert estate.hosts[keeper].is_hub, (name, outer, keeper, inner, owner)
            assert outer in whole, (name, outer, keeper, inner, owner)
            assert inner in estate.hosts[owner].allowed_ips, (name, outer, keeper, inner, owner)


def placement(host: Host) -> tuple[object, ...]:
    return host.site.name, host.is_hub, host.is_gateway, host.endpoint is None, host.lan_endpoint is None


def chosen_pairs(hosts: list[Host], random: Random) -> Iterator[tuple[Host, Host]]:
    """All pairs of a small estate; of a large one each host with some others, and hosts of each two placements."""
    if len(hosts) * (len(hosts) - 1) <= WALKS:
        yield from ((one, other) for one in hosts for other in hosts if one is not other)
        return
    by_placement: dict[tuple[object, ...], list[Host]] = {}
    for host in hosts:
        by_placement.setdefault(placement(host), []).append(host)
    placements = list(by_placement.values())
    drawn = [
        (random.choice(random.choice(placements)), random.choice(random.choice(placements))) for _n in range(WALKS // 2)
    ]
    drawn += [(host, random.choice(hosts)) for host in hosts] + [(random.choice(hosts), host) for host in hosts]
    # neighbours are few among all pairs
    drawn += [(host, random.choice(by_placement[placement(host)])) for host in hosts]
    yield from ((one, other) for one, other in drawn if one is not other)


@LARGE
@given(large_estates(), st.integers(0, 2**32))
@example(LARGEST, 1)
def test_every_allowed_pair_is_reached_in_both_families_and_no_other(written: Written, seed: int) -> None:
    overlay = Overlay(written.estate())
    estate = overlay.estate
    hosts = [host for host in estate.hosts.values() if host.public_key is not None]
    for one, other in chosen_pairs(hosts, Random(seed)):
        prove_pair(overlay, one, other)


@LARGE
@given(large_estates(), st.integers(0, 2**32))
@example(LARGEST, 1)
def test_lans_are_entered_by_their_tenant_alone_and_answer_by_the_same_way(written: Written, seed: int) -> None:
    random = Random(seed)
    overlay = Overlay(written.estate())
    estate = overlay.estate
    lans = [(site, prefix) for site in estate.sites.values() for prefix in site.lan_prefixes]
    hosts = [host for host in estate.hosts.values() if host.public_key is not None and not host.is_hub]
    if not lans:
        return
    for host in hosts:
        for site, prefix in random.sample(lans, min(len(lans), 1 + WALKS // (2 * len(hosts)))):
            prove_lan(overlay, host, site, prefix)


@LARGE
@given(large_estates(), st.integers(0, 2**32))
@example(LARGEST, 1)
def test_each_link_reaches_its_lan_and_the_answer_comes_back(written: Written, seed: int) -> None:
    overlay = Overlay(written.estate())
    hosts = [host for host in overlay.estate.hosts.values() if host.public_key is not None]
    for host in Random(seed).sample(hosts, min(len(hosts), 200)):
        prove_links(overlay, host)


@LARGE
@given(large_estates())
@example(LARGEST)
def test_a_list_of_peers_is_as_long_as_the_site_and_not_as_the_estate(written: Written) -> None:
    """Hubs and gateways peer with all they serve; any other host with its site, its hub and gateways alone."""
    estate = written.estate()
    planner = MeshPlanner(estate)
    for host in estate.hosts.values():
        if host.is_hub or host.is_gateway:
            continue
        sites = estate.sites_by_tenant[host.site.tenant or ""]
        gateways = sum(len(estate.gateways_by_site[site.name]) for site in sites)
        assert len(planner.peers(host.name)) <= 1 + len(estate.hosts_by_site[host.site.name]) + gateways


def test_the_walk_itself_refuses_what_it_should() -> None:
    """A walk that finds a way for everything would prove nothing."""
    written = Written()
    written.sites = {
        "core": {"index": 0},
        "one": {"index": 1, "tenant": "acme", "lan_prefixes": ["2001:db8:1::/64"]},
        "two": {"index": 2, "tenant": "beta"},
    }
    written.add("hub", "core", ["hub"], mesh_endpoint="203.0.113.1", public_key=key_of("hub"))
    written.add("gate", "one", ["gateway"], mesh_endpoint="203.0.113.2", public_key=key_of("gate"))
    written.add("desk", "one", ["hypervisor"], public_key=key_of("desk"))
    written.add("other", "two", ["hypervisor"], public_key=key_of("other"))
    overlay = Overlay(written.estate())
    desk, other = overlay.estate.hosts["desk"].address6, overlay.estate.hosts["other"].address6
    assert overlay.walk(desk, "desk", "2001:db8:1::9").end == "gate"
    assert overlay.walk(desk, "desk", other).refused == "the hub refuses"
    assert overlay.walk(other, "other", "2001:db8:1::9").refused == "no route"
    assert (
        overlay.walk(str(ipaddress.ip_address(desk) + 1), "desk", other).refused == "the source belongs to another peer"
    )
    assert overlay.walk(desk, "desk", "2001:db8:ffff::1").refused == "no route"
