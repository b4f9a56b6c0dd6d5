# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may begin what, read from the rules themselves, so that what is told of a ruleset is what it does.

Reads what ``ruleset.render`` writes. A rule that lets something in and is not understood is told as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ANYONE = "anyone"
LAN = "the LAN"
HOST = "the host"
ALL = "everything"
PING = "ping"
RULE = "rule"
# where the file of an addition begins and ends in the ruleset
ADDITION = "# from site.d/"
ADDITION_ENDS = "# end of site.d/"

_CHAIN = re.compile(r"chain (\S+) \{")
_PARTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("iif", r'iifname "([^"]*)" '),
        ("oif", r'oifname "([^"]*)" '),
        ("saddr", r"ip6? saddr (\{[^}]*\}) "),
        ("daddr", r"ip6? daddr (\{[^}]*\}) "),
        ("port", r"(?:tcp|udp) dport (\{[^}]*\}|\d+) "),
        ("icmp", r"(icmp|icmpv6) type echo-request "),
    )
)
_ENDS = re.compile(r'(accept|jump overlay)(?: comment "([^"]*)")?$')
# what every host needs to be one, and an answer to what was allowed to begin
_CONSTANT = ('iif "lo" ', "ct state ", "icmpv6 type {", "udp sport ")


@dataclass
class Rights:
    """By service, each source with the destinations that it may reach; sources that are treated alike share a set."""

    by_service: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)
    # by the prefix as the overlay knows it, the one that a LAN itself has
    inside: dict[str, str] = field(default_factory=dict)
    additions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def grant(self, service: str, sources: frozenset[str], destinations: frozenset[str]) -> None:
        held = self.by_service.setdefault(service, {})
        # one union for all that have the same so far, or n sources would make n sets of n
        unions: dict[frozenset[str] | None, frozenset[str]] = {None: destinations}
        for source in sources:
            before = held.get(source)
            if before not in unions:
                unions[before] = (before or frozenset()) | destinations
            held[source] = unions[before]


@dataclass(frozen=True, slots=True)
class _Rule:
    found: Mapping[str, str]
    verdict: str
    comment: str
    protocol: str

    def prefixes(self, name: str) -> frozenset[str]:
        return frozenset(one.strip() for one in self.found[name].strip("{} ").split(","))


def rights_of(ruleset: str) -> Rights:
    """The rights that a rendered ruleset gives; comments and counters make no difference."""
    rights = Rights()
    in_overlay: set[str] = set()
    overlay: list[tuple[str, _Rule | None]] = []
    others: list[tuple[str, str, _Rule | None]] = []
    for chain, text in _rules(ruleset, rights):
        if chain == "prerouting" and " prefix to " in text:
            pairs = re.findall(r"(\S+) : (\S+?),? ", text.partition(" map {")[2])
            rights.inside.update(pairs)
            continue
        if text.startswith(_CONSTANT) or " type filter " in f" {text}" or not re.search(r"\b(accept|jump)\b", text):
            continue
        if text.startswith("jump site_"):
            continue
        rule = _parse(text)
        if rule is not None and rule.verdict == "jump overlay":
            in_overlay |= rule.prefixes("saddr")
        elif chain == "overlay":
            overlay.append((text, rule))
        else:
            others.append((chain, text, rule))
    for chain, text, rule in others:
        _take(rights, chain, text, rule)
    everyone = frozenset(in_overlay)
    for text, rule in overlay:
        if rule is None:
            rights.grant(f"{RULE} {text}", everyone, frozenset({HOST}))
            continue
        sources = rule.prefixes("saddr") if "saddr" in rule.found else everyone
        if "icmp" in rule.found:
            with_six = rule.found["icmp"] == "icmpv6"
            sources = frozenset(one for one in sources if (":" in one) == with_six)
        rights.grant(_service(rule), sources, frozenset({HOST}))
    return rights


def _rules(ruleset: str, rights: Rights) -> Iterator[tuple[str, str]]:
    """Our rules, each with its chain; those of additions are kept as they stand."""
    chain = ""
    addition: str | None = None
    kept: list[str] = []
    for line in map(str.strip, ruleset.splitlines()):
        if line.startswith(ADDITION_ENDS):
            rights.additions[addition or ""] = tuple(kept)
            addition, kept = None, []
        elif line.startswith(ADDITION):
            addition = line.removeprefix(ADDITION)
        elif addition is not None:
            # the rules, not what holds them
            if line and line != "}" and not line.startswith("#") and not line.endswith("{"):
                kept.append(line)
        elif match := _CHAIN.match(line):
            chain = match.group(1)
        elif chain and line and not line.startswith(("#", "}", "type ")):
            yield chain, line


def _parse(text: str) -> _Rule | None:
    found: dict[str, str] = {}
    protocol = ""
    rest = text
    progress = True
    while progress:
        progress = False
        for name, pattern in _PARTS:
            if name not in found and (match := pattern.match(rest)):
                found[name] = match.group(1)
                protocol = rest.split(" ", 1)[0] if name == "port" else protocol
                rest = rest[match.end() :]
                progress = True
    ends = _ENDS.fullmatch(rest)
    return None if ends is None else _Rule(found, ends.group(1), ends.group(2) or "", protocol)


def _service(rule: _Rule) -> str:
    if "icmp" in rule.found:
        return PING
    if "port" not in rule.found:
        return ALL
    port = rule.found["port"].strip("{} ")
    return f"{rule.protocol} {port}" + (f" ({rule.comment})" if rule.comment else "")


def _take(rights: Rights, chain: str, text: str, rule: _Rule | None) -> None:
    if rule is None:
        rights.grant(f"{RULE} {text}", frozenset({ANYONE}), frozenset({HOST}))
        return
    anyone = frozenset({LAN if "iif" in rule.found else ANYONE})
    sources = rule.prefixes("saddr") if "saddr" in rule.found else anyone
    destinations = frozenset({HOST if chain == "input" else ANYONE})
    if "daddr" in rule.found:
        outside = {inside: known for known, inside in rights.inside.items()}
        destinations = frozenset(outside.get(one, one) for one in rule.prefixes("daddr"))
    rights.grant(_service(rule), sources, destinations)
