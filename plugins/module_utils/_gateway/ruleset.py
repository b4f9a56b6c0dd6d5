# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables ruleset of one host, from its access plan (syntax of nft(8)).

One table of our own, replaced as a whole; the rules of others are never touched.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._common.errors import BadInput
from .._common.takeover_needs import no_floating_address
from .additions import CHAINS, Addition, lines_of

TABLE = "bocage"
# The protocol's number (RFC 5798, section 5.1.1.4).
VRRP = 112
# RFC 4890, section 4.4: what a host must not drop for IPv6 to work.
ICMPV6_ESSENTIAL = (
    "destination-unreachable, packet-too-big, time-exceeded, parameter-problem, "
    "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, "
    "mld-listener-report, mld-listener-done, mld2-listener-report"
)
# Protocols that name addresses inside their packets, with the kernel's helpers that follow them through a translation.
HELPERS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "sip": (("sip", "udp", 5060), ("sip", "tcp", 5060)),
    "h323": (("RAS", "udp", 1719), ("Q.931", "tcp", 1720)),
}


@dataclass(frozen=True, slots=True)
class Service:
    """A port that a role opens: ``source`` is overlay, management, lan or anywhere."""

    name: str
    protocol: str
    port: int
    source: str


@dataclass(frozen=True, slots=True)
class Relay:
    """What a hub forwards for a tenant: among the prefixes, and from them to the destinations."""

    name: str
    prefixes: Sequence[str]
    destinations: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """All that decides about a host's packets. Prefixes are text, either family.

    ``mesh_interface`` is a name or, with an asterisk at its end, what all names begin with.
    """

    mesh_interface: str
    mesh_ports: Sequence[int]
    management_prefixes: Sequence[str]
    overlay_sources: Sequence[str]
    services: Sequence[Service] = ()
    relays: Sequence[Relay] = ()
    exit_sources: Sequence[str] = ()
    exit_destinations: Sequence[str] = ()
    lan_interface: str | None = None
    # by family: masquerade, none, or the address that the LAN sees
    translation: Mapping[str, str] = field(default_factory=dict)
    # of the other gateways of the site: on the LAN, and the interfaces by which they come over the overlay
    sibling_addresses: Sequence[str] = ()
    sibling_interfaces: Sequence[str] = ()
    # what a session in the kernel's table would only hold up
    untracked_ports: Sequence[int] = ()
    # one to one: a prefix of the LAN and the one by which the overlay knows it
    lan_translation: Sequence[tuple[str, str]] = ()
    helpers: Sequence[str] = ()


def _networks(parameters: Mapping[str, Any], option: str, owner: str = "") -> tuple[str, ...]:
    """The prefixes of an option in their canonical form; raises BadInput on one that is none."""
    found = []
    for prefix in parameters.get(option) or ():
        try:
            found.append(str(ipaddress.ip_network(prefix)))
        except ValueError as error:
            raise BadInput(
                f"The firewall cannot use a prefix of {owner}{option}: {error}; correct it in the inventory."
            ) from error
    return tuple(found)


def policy_from(parameters: Mapping[str, Any]) -> Policy:
    """A policy from the module's parameters; raises BadInput in one sentence."""
    services = []
    for service in parameters.get("services") or ():
        if not 0 < int(service["port"]) < 65536:
            raise BadInput(f"Service {service['name']} has port {service['port']}; give it a port between 1 and 65535.")
        services.append(Service(service["name"], service["protocol"], int(service["port"]), service["source"]))
    exits = parameters.get("exits") or {}
    if exits and not parameters.get("lan_interface"):
        raise BadInput("This gateway has no gateway_lan_interface; name the interface that is on the site's LAN.")
    return Policy(
        mesh_interface=parameters["mesh_interface"],
        mesh_ports=tuple(sorted(set(map(int, parameters["mesh_ports"])))),
        management_prefixes=_networks(parameters, "management_prefixes"),
        overlay_sources=_networks(parameters, "overlay_sources"),
        services=tuple(services),
        relays=tuple(
            Relay(relay["name"], _networks(relay, "prefixes", "relays."), _networks(relay, "destinations", "relays."))
            for relay in parameters.get("relays") or ()
        ),
        exit_sources=_networks(exits, "sources", "exits."),
        exit_destinations=_networks(exits, "destinations", "exits."),
        lan_interface=parameters.get("lan_interface"),
        translation=_translations(parameters) if exits else {},
        sibling_addresses=_networks(parameters, "sibling_addresses"),
        sibling_interfaces=tuple(sorted(parameters.get("sibling_interfaces") or ())),
        untracked_ports=tuple(sorted(set(map(int, parameters.get("untracked_ports") or ())))),
        lan_translation=tuple(
            _pair(inside, outside) for inside, outside in sorted((exits.get("lan_translation") or {}).items())
        ),
        helpers=tuple(sorted(set(parameters.get("helpers") or ()))),
    )


def _translations(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What the LAN sees by family, ip and ip6; raises BadInput where there is no address to show."""
    found = {}
    try:
        floating = [str(ipaddress.ip_address(one)) for one in parameters.get("floating_addresses") or ()]
    except ValueError as error:
        raise BadInput(
            f"The firewall cannot use an address of floating_addresses: {error}; correct gateway_floating_addresses."
        ) from error
    for family, option in (("ip", "translation"), ("ip6", "translation_ipv6")):
        wanted = parameters.get(option) or "masquerade"
        if wanted == "floating":
            wanted = next((one for one in floating if (":" in one) == (family == "ip6")), "")
            if not wanted:
                version = 6 if family == "ip6" else 4
                raise BadInput(no_floating_address("This gateway", f"gateway_{option}", version))
        found[family] = wanted
    return found


def _pair(inside: str, outside: str) -> tuple[str, str]:
    try:
        one, other = ipaddress.ip_network(inside), ipaddress.ip_network(outside)
    except ValueError as error:
        raise BadInput(
            f"The firewall cannot use a prefix of exits.lan_translation: {error}; correct it in the inventory."
        ) from error
    if (one.version, one.prefixlen) != (other.version, other.prefixlen):
        raise BadInput(f"The firewall cannot translate {one} to {other}: one to one needs the same family and length.")
    return str(one), str(other)


def _families(prefixes: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Prefixes split into ``("ip", [...])`` and ``("ip6", [...])``, sorted, empty families left out."""
    split: dict[str, set[str]] = {"ip": set(), "ip6": set()}
    for prefix in prefixes:
        split["ip6" if ":" in prefix else "ip"].add(prefix)
    return [(family, sorted(found)) for family, found in split.items() if found]


def _set(prefixes: Iterable[str]) -> str:
    return "{ " + ", ".join(prefixes) + " }"


def _match(field_name: str, prefixes: Iterable[str]) -> list[str]:
    return [f"{family} {field_name} {_set(found)}" for family, found in _families(prefixes)]


def _service_rules(policy: Policy, source: str) -> list[str]:
    return [
        f'{service.protocol} dport {service.port} accept comment "{service.name}"'
        for service in sorted(policy.services, key=lambda one: (one.name, one.protocol, one.port))
        if service.source == source
    ]


def _input(policy: Policy) -> list[str]:
    rules = [
        "type filter hook input priority filter; policy drop;",
        'iif "lo" accept',
        "ct state established,related accept",
        "ct state invalid drop",
        "jump site_input",
        f"icmpv6 type {{ {ICMPV6_ESSENTIAL} }} accept",
        "udp sport 67 udp dport 68 accept",
        "udp sport 547 udp dport 546 accept",
        f'udp dport {_set(map(str, policy.mesh_ports))} accept comment "mesh"',
    ]
    # a packet from outside that claims an overlay address never gets here: the interface is matched, too
    rules += [
        f'iifname "{policy.mesh_interface}" {match} jump overlay' for match in _match("saddr", policy.overlay_sources)
    ]
    rules.append(f'iifname "{policy.mesh_interface}" drop')
    # nor does one that comes from outside to an overlay address
    rules += [f"{match} drop" for match in _match("daddr", policy.overlay_sources)]
    rules += _management_rules(policy, _outside(policy.management_prefixes, policy.overlay_sources))
    if policy.lan_interface:
        rules += [
            f'iifname "{policy.lan_interface}" {match} meta l4proto {VRRP} accept comment "floating addresses"'
            for match in _match("saddr", policy.sibling_addresses)
        ]
        rules += [f'iifname "{policy.lan_interface}" {rule}' for rule in _service_rules(policy, "lan")]
        rules.append(f'iifname "{policy.lan_interface}" icmp type echo-request accept')
        rules.append(f'iifname "{policy.lan_interface}" icmpv6 type echo-request accept')
    rules += _service_rules(policy, "anywhere")
    return rules


def _management_rules(policy: Policy, prefixes: Sequence[str]) -> list[str]:
    accepted = ['tcp dport 22 accept comment "operators"', *_service_rules(policy, "management")]
    return [f"{match} {rule}" for match in _match("saddr", prefixes) for rule in accepted]


def _outside(prefixes: Sequence[str], others: Sequence[str]) -> list[str]:
    """The prefixes that do not lie within the others."""
    return [prefix for prefix in prefixes if not any(_within(prefix, other) for other in others)]


def _meeting(prefixes: Sequence[str], others: Sequence[str]) -> list[str]:
    """The prefixes that have an address in common with the others."""
    return [prefix for prefix in prefixes if any(_within(prefix, one) or _within(one, prefix) for one in others)]


def _within(inner: str, outer: str) -> bool:
    one, other = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def _overlay(policy: Policy) -> list[str]:
    return [
        "icmp type echo-request accept",
        "icmpv6 type echo-request accept",
        *_service_rules(policy, "overlay"),
        *_service_rules(policy, "anywhere"),
        # an operator who comes through a hub
        *_management_rules(policy, _meeting(policy.management_prefixes, policy.overlay_sources)),
        "drop",
    ]


def _forward(policy: Policy) -> list[str]:
    mesh = policy.mesh_interface
    rules = [
        "type filter hook forward priority filter; policy drop;",
        # the LAN's packets are larger than the tunnel carries
        f'oifname "{mesh}" tcp flags syn tcp option maxseg size set rt mtu',
        f'iifname "{mesh}" tcp flags syn tcp option maxseg size set rt mtu',
        # answers of the LAN to hosts that another gateway has no way to any more, or will soon have none: it let them
        # in, and what is known here of their connections may have gone stale
        *(f'{match} oifname "{mesh}" accept comment "for another gateway"' for _family, match in _answers(policy)),
        "ct state invalid drop",
        "ct state established,related accept",
        "jump site_forward",
    ]
    for relay in policy.relays:
        reached = dict(_families([*relay.prefixes, *relay.destinations]))
        rules += [
            f'iifname "{mesh}" oifname "{mesh}" {family} saddr {_set(prefixes)} {family} daddr {_set(reached[family])} '
            f'accept comment "tenant {relay.name}"'
            for family, prefixes in _families(relay.prefixes)
        ]
    if policy.lan_interface:
        for name in policy.helpers:
            rules += [
                f'iifname "{mesh}" oifname "{policy.lan_interface}" {protocol} dport {port} '
                f'ct helper set "{name}-{protocol}"'
                for _kind, protocol, port in HELPERS[name]
            ]
        rules += [
            f'iifname "{mesh}" oifname "{policy.lan_interface}" {match} accept comment "into the LAN"'
            for match in _exit_matches(policy)
        ]
    return rules


def _answers(policy: Policy) -> list[tuple[str, str]]:
    """What comes from another gateway for hosts, by family."""
    if not policy.sibling_interfaces:
        return []
    names = _set(f'"{name}"' for name in policy.sibling_interfaces)
    hosts = dict(_families(policy.exit_sources))
    return [
        (family, f"iifname {names} {family} saddr {_set(sources)} {family} daddr {_set(hosts[family])}")
        for family, sources in _families(policy.exit_destinations)
        if family in hosts
    ]


def _untracked(policy: Policy) -> list[str]:
    """Paths that are watched many times a second, and who holds an address, need no connection (BFD, VRRP)."""
    ports = [f"udp dport {_set(map(str, policy.untracked_ports))} notrack"] if policy.untracked_ports else []
    return [*ports, f"meta l4proto {VRRP} notrack"]


def _exit_matches(policy: Policy) -> list[str]:
    """What goes from the overlay into the LAN, one match a family that both have."""
    destinations = dict(_families(policy.exit_destinations))
    return [
        f"{family} saddr {_set(sources)} {family} daddr {_set(destinations[family])}"
        for family, sources in _families(policy.exit_sources)
        if family in destinations
    ]


def _translation(policy: Policy) -> list[str]:
    return [
        "type nat hook postrouting priority srcnat; policy accept;",
        *(
            f'oifname "{policy.lan_interface}" {match} {_shown_as(policy, match.split()[0])}'
            for match in _exit_matches(policy)
            if policy.translation.get(match.split()[0]) != "none"
        ),
    ]


def _shown_as(policy: Policy, family: str) -> str:
    shown = policy.translation[family]
    return shown if shown == "masquerade" else f"snat {family} to {shown}"


def _prefix_maps(policy: Policy) -> list[str]:
    """From the prefixes by which the overlay knows the LAN to its own, for those who may enter it."""
    rules = ["type nat hook prerouting priority dstnat; policy accept;"]
    for family, sources in _families(policy.exit_sources):
        pairs = [f"{out} : {inside}" for inside, out in policy.lan_translation if (":" in out) == (family == "ip6")]
        if pairs:
            rules.append(
                f'iifname "{policy.mesh_interface}" {family} saddr {_set(sources)} '
                f"dnat {family} prefix to {family} daddr map {_set(pairs)}"
            )
    return rules


def _helper_lines(policy: Policy) -> list[str]:
    return [
        f'\tct helper {name}-{protocol} {{ type "{kind}" protocol {protocol}; }}'
        for name in policy.helpers
        for kind, protocol, _port in HELPERS[name]
    ]


def render(policy: Policy, additions: Sequence[Addition] = ()) -> str:
    """The file for ``nft -f``: replaces our table, with the site's additions in it, in one transaction."""
    chains = {"input": _input(policy), "overlay": _overlay(policy), "forward": _forward(policy)}
    if policy.untracked_ports or policy.sibling_addresses:
        # translated back by the other gateway already, such an answer is no part of a connection that is known here
        back = [f"{match} notrack" for family, match in _answers(policy) if policy.translation.get(family) != "none"]
        for name, hook, more in (("untracked_in", "prerouting", back), ("untracked_out", "output", [])):
            chains[name] = [f"type filter hook {hook} priority raw; policy accept;", *_untracked(policy), *more]
    if policy.lan_interface and any(shown != "none" for shown in policy.translation.values()):
        chains["postrouting"] = _translation(policy)
    if policy.lan_translation:
        chains["prerouting"] = _prefix_maps(policy)
    chains.update({name: [] for name in CHAINS})
    lines = ["# Managed by Bocage.", f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    lines += _helper_lines(policy)
    for name, rules in chains.items():
        lines += [f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}"]
    lines += [*lines_of(additions), "}"]
    return "\n".join(lines) + "\n"
