# SPDX-License-Identifier: GPL-3.0-or-later
"""What FRR is given, read as FRR reads it, for a gateway with siblings that is also a host of another site, and a plain host."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from bocage_core._gateway.routing import plan_routing
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT / "tests/unit/plugins/module_utils"), str(ROOT / "tests/unit")]

from several_gateways import estate  # noqa: E402
from spoken import refusal  # noqa: E402

ROLE = ROOT / "roles/routing"
# a gateway, one of the other site, plain hosts, and one without IPv4
KINDS = ("gw1", "north1", "tele1", "desk1", "tele1 without IPv4", "gw1 of five")


def plan_of(kind: str) -> dict[str, Any]:
    demo = estate(gateways=5 if kind.endswith("five") else 2)
    name = kind.split()[0]
    if kind.endswith("IPv4"):
        demo = dataclasses.replace(
            demo, hosts={**demo.hosts, name: dataclasses.replace(demo.hosts[name], address4=None)}
        )
    found = plan_routing(demo, name)
    assert found is not None
    return found


def rendered(kind: str, template: str = "etc/frr/frr.conf.j2") -> str:
    """With the options of the module config_files, and no variable that the role does not have."""
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template).render(
        routing_plan=plan_of(kind),
        routing_forwards=kind.startswith(("gw", "north")),
        routing_bfd_interval_milliseconds=100,
        routing_bfd_multiplier=3,
        routing_session_limit=2500,
    )


def blocks(text: str, begin: str) -> dict[str, list[str]]:
    """The lines of each block that begins so, up to its exit."""
    found: dict[str, list[str]] = {}
    inside: list[str] | None = None
    for line in text.splitlines():
        if line.startswith(begin):
            assert inside is None, f"{line} begins inside of another block"
            inside = found.setdefault(line.removeprefix(begin).strip(), [])
        elif line == "exit":
            inside = None
        elif inside is not None:
            assert line.startswith(" "), f"{line} ends a block without a word"
            inside.append(line.strip())
    assert inside is None, "the last block has no end"
    return found


def permits(text: str, name: str, route: str) -> bool:
    """Whether a prefix list has an entry for the route; without an entry it has none, as FRR sees it."""
    wanted = ipaddress.ip_network(route)
    for family, prefix, least in re.findall(
        rf"^(ip|ipv6) prefix-list {name} permit (\S+)(?: ge (\d+))?$", text, re.MULTILINE
    ):
        entry = ipaddress.ip_network(prefix)
        assert family == ("ip" if entry.version == 4 else "ipv6")
        if entry.version != wanted.version:
            continue
        if not least and wanted == entry:
            return True
        if least and wanted.subnet_of(entry) and wanted.prefixlen >= int(least):  # type: ignore[arg-type]
            return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_used_is_defined(kind: str) -> None:
    text = rendered(kind)
    maps = blocks(text, "route-map ")
    names = {entry.split()[0] for entry in maps}
    lists = set(re.findall(r"^ip(?:v6)? prefix-list (\S+) ", text, re.MULTILINE))
    used = set(re.findall(r"route-map (\S+) (?:in|out)$", text, re.MULTILINE))
    used |= set(re.findall(r"^ call (\S+)$", text, re.MULTILINE))
    used |= set(re.findall(r"^ip(?:v6)? protocol bgp route-map (\S+)$", text, re.MULTILINE))
    assert used == names
    assert {line.split()[-1] for lines in maps.values() for line in lines if "prefix-list" in line} <= lists
    neighbors = set(re.findall(r"^ neighbor (\S+) remote-as ", text, re.MULTILINE))
    assert set(re.findall(r"^ +neighbor (\S+) ", text, re.MULTILINE)) <= neighbors | {"hosts"}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_added_to_a_metric_that_is_nothing(kind: str) -> None:
    """FRR refuses ``set metric +0``, and with it the file."""
    metrics = re.findall(r"set metric \+?(\d+)$", rendered(kind), re.MULTILINE)
    assert metrics and all(int(metric) > 0 for metric in metrics)


@pytest.mark.parametrize("kind", KINDS)
def test_every_neighbor_has_its_timers_and_is_watched(kind: str) -> None:
    text = rendered(kind)
    neighbors = re.findall(r"^ neighbor (\S+) remote-as ", text, re.MULTILINE)
    assert len(neighbors) == len(set(neighbors)) >= 2
    own = plan_of(kind)["address"]
    for one in neighbors:
        for words in ("timers 3 9", "timers connect 1", "advertisement-interval 0", "bfd", "bfd profile bocage",
                      f"update-source {own}"):  # fmt: skip
            assert f"\n neighbor {one} {words}\n" in text, words
        assert text.count(f"\n  neighbor {one} activate\n") == 2, "both families"
    assert "\n  detect-multiplier 3\n  transmit-interval 100\n  receive-interval 100\n" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_session_has_a_filter_both_ways(kind: str) -> None:
    text = rendered(kind)
    for one in re.findall(r"^ neighbor (\S+) remote-as ", text, re.MULTILINE):
        for way in ("in", "out"):
            assert len(re.findall(rf"^  neighbor {one} route-map \S+ {way}$", text, re.MULTILINE)) == 2


def test_a_plain_host_announces_itself_alone() -> None:
    text = rendered("tele1")
    networks = re.findall(r"^  network (\S+)$", text, re.MULTILINE)
    assert networks == ["198.19.3.1/32", "fd7b:4c1e:90a2:3::1/128"]
    assert "listen" not in text and "peer-group" not in text
    assert not {"lan", "hosts", "to-sibling"} & {entry.split()[0] for entry in blocks(text, "route-map ")}
    assert re.findall(r"^  network (\S+)$", rendered("tele1 without IPv4"), re.MULTILINE) == ["fd7b:4c1e:90a2:3::1/128"]
    assert "set src" in text and " set src 198" not in rendered("tele1 without IPv4")


def test_a_plain_hosts_order_is_in_what_it_says_and_in_what_it_takes() -> None:
    text = rendered("tele1")
    maps = blocks(text, "route-map ")
    for neighbor in plan_of("tele1")["neighbors"]:
        order = 10 * (neighbor["place"] + 1)
        for number in (10, 11):
            assert f"set metric +{order}" in maps[f"from-{neighbor['name']} permit {number}"]
            assert f"set metric {100 + order}" in maps[f"to-{neighbor['name']} permit {number}"]
    # of a gateway it takes its site's LAN alone
    assert permits(text, "lan-gw1", "198.18.1.0/24") and permits(text, "lan-north1", "2001:db8:3::/64")
    for route in ("0.0.0.0/0", "::/0", "198.18.1.0/25", "2001:db8:2::/64"):
        assert not permits(text, "lan-north1", route), route


def test_a_gateway_begins_as_one_that_is_not_well() -> None:
    """Until its health daemon says otherwise, so that a boot draws no traffic."""
    maps = blocks(rendered("gw1"), "route-map ")
    for number in (10, 11):
        assert "set metric 10000" in maps[f"lan permit {number}"]
        assert "set metric +10000" in maps[f"to-sibling permit {number}"]


def test_a_gateway_serves_its_siblings_its_hosts_and_the_other_site() -> None:
    text = rendered("gw1")
    assert re.findall(r"^  network (\S+)$", text, re.MULTILINE) == [
        "198.19.1.1/32", "198.18.1.0/24", "fd7b:4c1e:90a2:1::1/128", "2001:db8:2::/64",
    ]  # fmt: skip
    assert "\n neighbor fd7b:4c1e:90a2:1::2 remote-as internal\n" in text
    assert "\n neighbor fd7b:4c1e:90a2:1::2 ebgp-multihop" not in text
    assert re.findall(r"bgp listen range (\S+) peer-group hosts", text) == [
        f"fd7b:4c1e:90a2:{index}::/64" for index in (1, 2, 3)
    ]
    maps = blocks(text, "route-map ")
    # to a gateway of the other site it is a host and a gateway
    assert maps["to-north1 permit 20"] == ["call lan"]
    assert maps["from-north1 permit 20"] == ["call hosts"]
    # its own address goes to no sibling: their path to it is the one between them
    assert maps["to-sibling deny 5"] == ["match ip address prefix-list own"]
    assert maps["to-sibling deny 6"] == ["match ipv6 address prefix-list own"]
    assert "to-north1 permit 20" not in blocks(rendered("tele1"), "route-map ")


@pytest.mark.parametrize(
    "route",
    [
        "0.0.0.0/0",
        "::/0",
        "198.18.1.0/24",  # the LAN itself
        "2001:db8:2::20/128",  # a machine on it
        "198.19.3.0/24",  # its whole site
        "fd7b:4c1e:90a2:3::/64",
        "fd7b:4c1e:90a2::1/128",  # a hub
        "fd7b:4c1e:90a2:4::1/128",  # another tenant's host
        "198.51.100.1/32",
    ],
)
def test_attack_a_host_announces_what_is_not_its_own(route: str) -> None:
    text = rendered("gw1")
    assert blocks(text, "route-map ")["hosts permit 10"] == ["match ip address prefix-list hosts"]
    assert blocks(text, "route-map ")["hosts permit 11"] == ["match ipv6 address prefix-list hosts"]
    assert text.count("\n  neighbor hosts route-map hosts in\n") == 2
    assert not permits(text, "hosts", route)
    assert permits(text, "hosts", "fd7b:4c1e:90a2:3::1/128") and permits(text, "hosts", "198.19.3.1/32")


def test_answers_of_a_gateway_itself_take_the_direct_path() -> None:
    template = "etc/systemd/system/bocage-routing-rules.service.j2"
    starts = [line for line in rendered("gw1", template).splitlines() if line.startswith("ExecStart=")]
    assert starts == [
        "ExecStart=/sbin/ip -4 rule add pref 5183 iif lo lookup 5183",
        "ExecStart=/sbin/ip -6 rule add pref 5183 iif lo lookup 5183",
    ]
    # a unit of this kind needs something to start
    assert "\nExecStart=/bin/true\n" in rendered("tele1", template)


def test_bgp_listens_on_the_overlay_alone() -> None:
    text = rendered("tele1", "etc/frr/daemons.j2")
    assert 'bgpd_options="   -A 127.0.0.1 -l fd7b:4c1e:90a2:3::1"' in text
    assert all("-A 127.0.0.1" in line for line in text.splitlines() if "_options=" in line)


def refused(version: str, status: int = 0) -> str | None:
    """What the role says to a version of FRR, or None where it takes it."""
    return refusal(
        "roles/routing/tasks/main.yml",
        "Refuse a version that holds dead routes",
        inventory_hostname="gw1",
        __routing_version={"rc": status, "stdout": version},
    )


@pytest.mark.parametrize(
    "version",
    ["8.4.4-1.1~deb12u2", "9.1.3-0~deb12u1", "10.3-1", "10.3", "10.5.2", "10.5.2-0~deb12u1", "10.6.0-1", "11.0-1"],
)
def test_versions_of_frr_that_let_go_are_taken(version: str) -> None:
    assert refused(version) is None


@pytest.mark.parametrize(
    "version", ["10.4", "10.4.0-1", "10.4.3-0~deb12u1", "10.5", "10.5.0-1", "10.5.1-0~deb13u1", "10.5.1"]
)
def test_versions_of_frr_that_hold_dead_routes_are_refused(version: str) -> None:
    assert refused(version) == (
        f"Host gw1 has FRR {version}, which keeps a dead route for 30 seconds after its path failed (FRRouting/frr issue "
        "22097); install a version before 10.4 or after 10.5.1."
    )


def test_a_host_that_has_none_yet_is_not_refused() -> None:
    """In check mode it is not installed."""
    assert refused("", status=1) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_route_that_goes_out_names_its_next_hop(kind: str) -> None:
    """FRR's own next hop is lost for good when one of several interfaces with the host's address goes."""
    text = rendered(kind)
    for name, lines in blocks(text, "route-map ").items():
        if name.startswith(("lan ", "to-")) and " permit " in name and not any("call" in line for line in lines):
            (hop,) = (line.split()[-1] for line in lines if line.startswith("set ipv6 next-hop global "))
            assert (
                hop == plan_of(kind)["next_hop" if name.startswith("to-") and "to-sibling" not in name else "address"]
            )
    assert "next-hop-self" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_passes_nothing_on_says_so(kind: str) -> None:
    """Its reload takes "no ip forwarding" out of what runs where the file does not have it, which turns it on."""
    lines = rendered(kind).splitlines()
    assert ("no ip forwarding" in lines) == ("no ipv6 forwarding" in lines) == (not kind.startswith(("gw", "north")))


@pytest.mark.parametrize(
    ("access", "forwards"),
    [
        ({"relays": [], "exits": None}, False),
        ({"relays": [], "exits": {"sources": ["fd00::/64"]}}, True),
        ({"relays": [{"name": "lyon"}], "exits": None}, True),
    ],
)
def test_who_forwards_by_the_variables_of_the_plays(access: dict[str, Any], forwards: bool) -> None:
    said = yaml.safe_load((ROOT / "playbooks/vars/roles.yml").read_text())["routing_forwards"]
    assert NativeEnvironment(undefined=StrictUndefined).from_string(said).render(firewall_access=access) is forwards
