# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which replica a host asks first: by where it is now, by priority, and among equals by a share of the load. Pure.

None of them is trusted, so a wrong choice costs time and nothing else. The order is made anew for each update: a host
falls back to the next one, and comes back to the first one as soon as that answers again.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._common import fields
from .._common.errors import BadInput
from .._common.estate_syntax import Address, Network

MAX_REPLICAS = 32
MAX_NETWORKS = 64
MAX_WEIGHT = 1000
_REQUIRED = frozenset({"url"})
_OPTIONAL = frozenset({"networks", "priority", "weight", "site"})


@dataclass(frozen=True)
class Replica:
    """`networks`: only for hosts with an address in one of them; none: for all. A lower `priority` is asked first."""

    url: str
    networks: tuple[Network, ...] = ()
    priority: int = 0
    weight: int = 1
    """Its share of the hosts, beside the others of the same priority."""
    site: str = ""
    """Where it is, which decides nothing: reports tell how much comes from copies of the host's own site."""


def read_replicas(value: object, what: str, url: Any) -> tuple[Replica, ...]:
    """Replicas from plain data; `url` is the form that addresses have. Raises Refused or BadInput."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_REPLICAS:
        raise fields.malformed(what, f"needs a list of 1 to {MAX_REPLICAS} replicas")
    return tuple(_read(fields.record(one, f"a replica in {what}"), f"a replica in {what}", url) for one in value)


def _read(record: Mapping[str, Any], what: str, url: Any) -> Replica:
    given = {"networks": [], "priority": 0, "weight": 1, "site": "", **record}
    fields.only(dict(record), _REQUIRED, _OPTIONAL, what)
    networks = fields.texts(given, "networks", what, most=MAX_NETWORKS)
    try:
        known = tuple(ipaddress.ip_network(one) for one in networks)
    except ValueError as error:
        raise BadInput(
            f"The networks of {what} have one that is none: {error}; write for example 192.0.2.0/24."
        ) from error
    return Replica(
        url=fields.text(given, "url", what, url),
        networks=known,
        priority=fields.integer(given, "priority", what, 0, 1000),
        weight=fields.integer(given, "weight", what, 1, MAX_WEIGHT),
        site=fields.text(given, "site", what),
    )


def of_site(replicas: Iterable[Replica], site: str) -> list[str]:
    """Addresses of those that are at a site; none for a host of no site."""
    return [one.url for one in replicas if site and one.site == site]


def in_order(replicas: Sequence[Replica], host_id: str, addresses: Iterable[Address]) -> list[str]:
    """Their addresses, the one to ask first at the head; where none is for this network, all of them."""
    here = list(addresses)
    fitting = [one for one in replicas if not one.networks or any(_inside(address, one.networks) for address in here)]
    return [one.url for one in sorted(fitting or replicas, key=lambda one: (one.priority, _distance(one, host_id)))]


def _inside(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _distance(replica: Replica, host_id: str) -> float:
    """Weighted rendezvous hashing: a replica that joins or leaves moves only the hosts that it takes or had."""
    digest = hashlib.sha256(f"{replica.url}\n{host_id}".encode()).digest()
    return -math.log((int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)) / replica.weight
