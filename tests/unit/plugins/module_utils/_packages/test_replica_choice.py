# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host asks first: its network, the priority, a share of the load; and it stays there while nothing changes."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._packages.replica_choice import Replica, in_order, of_site, read_replicas

URL = re.compile(r"https?://\S+")
HERE = [ipaddress.ip_address("192.0.2.9"), ipaddress.ip_address("2001:db8::9")]
HOSTS = [f"host-{number}" for number in range(2000)]


def test_priority_comes_first_and_the_network_decides_who_counts() -> None:
    lyon = Replica("http://lyon/", (ipaddress.ip_network("192.0.2.0/24"),), 0)
    bergen = Replica("http://bergen/", (ipaddress.ip_network("198.51.100.0/24"),), 0)
    hub = Replica("http://hub/", (), 10)
    assert in_order([hub, bergen, lyon], "x", HERE) == ["http://lyon/", "http://hub/"]
    assert in_order([hub, bergen, lyon], "x", []) == ["http://hub/"]
    assert in_order([bergen], "x", HERE) == ["http://bergen/"], "better one of another network than none"


def test_equals_share_the_load_by_weight_and_each_host_stays_with_its_own() -> None:
    replicas = [Replica("http://a/", weight=3), Replica("http://b/")]
    first = {host: in_order(replicas, host, HERE)[0] for host in HOSTS}
    assert first == {host: in_order(list(reversed(replicas)), host, HERE)[0] for host in HOSTS}
    assert 0.70 < Counter(first.values())["http://a/"] / len(HOSTS) < 0.80


def test_one_that_joins_or_leaves_moves_nobody_else() -> None:
    replicas = [Replica(f"http://{name}/") for name in "abc"]
    before = {host: in_order(replicas[:2], host, [])[0] for host in HOSTS}
    after = {host: in_order(replicas, host, [])[0] for host in HOSTS}
    moved = [host for host in HOSTS if before[host] != after[host]]
    assert moved and {after[host] for host in moved} == {"http://c/"}


def test_where_a_replica_is_says_which_are_of_a_site_and_orders_nothing() -> None:
    replicas = [Replica("http://a/", site="lyon"), Replica("http://b/", site="bergen"), Replica("http://c/")]
    assert of_site(replicas, "lyon") == ["http://a/"]
    assert of_site(replicas, "oslo") == of_site(replicas, "") == []
    assert in_order(replicas, "x", []) == in_order([Replica(one.url) for one in replicas], "x", [])


def test_plain_data() -> None:
    (found,) = read_replicas([{"url": "http://a/", "networks": ["192.0.2.0/24"], "weight": 2}], "x", URL)
    assert (found.networks, found.priority, found.weight) == ((ipaddress.ip_network("192.0.2.0/24"),), 0, 2)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "needs a list of 1 to 32 replicas"),
        ([{}], "lacks url"),
        ([{"url": "ftp://x"}], "url"),
        (
            [{"url": "http://a/", "networks": ["192.0.2.1/24"]}],
            "have one that is none: .*write for example 192.0.2.0/24",
        ),
        ([{"url": "http://a/", "weight": 0}], "from 1 to 1000 in weight"),
        ([{"url": "http://a/", "colour": "x"}], "unknown fields: colour"),
        ([{"url": "http://a/", "site": None}], "site"),
    ],
)
def test_what_cannot_be(value: Any, sentence: str) -> None:
    with pytest.raises(BocageError, match=sentence):
        read_replicas(value, "the settings", URL)
