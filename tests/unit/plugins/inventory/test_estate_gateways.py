# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways that are too small or nearly full, found by what they report and what the inventory asks of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

SYSTEM = {
    "hostname": "gw1", "os": "Debian", "kernel": "6.1", "uptime_seconds": 9, "agent_version": "0.1.0",
    "cpu_count": 4, "memory_total_bytes": 16_000_000_000,
}  # fmt: skip
GATEWAY = {"lan_interface": "eth1", "forwarding": True, "ruleset_digest": None, "drift": []}


@pytest.fixture
def site(folder: Any) -> Any:
    """Two gateways on a site that asks for connections; what they have stands in the file of their group."""

    def make(connections: int = 300, gateway: dict[str, Any] | None = None, **changes: Any) -> Any:
        sites = {"lyon": {"index": 1, "tenant": "acme", "connections": connections}}
        (folder.path / "group_vars/all").mkdir(parents=True, exist_ok=True)
        (folder.path / "group_vars/all/sites.yml").write_text(yaml.safe_dump({"estate_sites": sites}))
        (folder.path / "group_vars/gateways.yml").write_text(
            yaml.safe_dump({"gateway_resources": {"nic_count": 2, "nic_gbit": "{{ 10 / 10 }}"}})
        )
        (folder.path / "gateways.yml").write_text(yaml.safe_dump({"gateways": {"hosts": {"gw1": {}, "gw2": {}}}}))
        host = folder.enrolled()
        sections = {"system": {**SYSTEM, **changes}, "gateway": {**GATEWAY, **(gateway or {})}}
        folder.offer("gw1", host.report_bytes(sections=sections))
        return folder.load(reports="reports")

    return make


def groups(loaded: Any) -> tuple[list[str], list[str]]:
    return loaded.group("gateway_undersized"), loaded.group("gateway_headroom_low")


def test_the_groups_exist_also_when_they_are_empty(folder: Any) -> None:
    assert groups(folder.load()) == ([], [])


def test_a_gateway_with_room(site: Any) -> None:
    loaded = site()
    assert groups(loaded) == ([], [])
    assert loaded.reported()["sizing"] == {"connections": 300, "capacity": 450, "binding": "vCPU", "findings": []}
    assert "sizing" not in loaded.reported("gw2"), "it has no report"


def test_a_gateway_that_lacks_something_for_the_share_of_one_that_is_away(site: Any) -> None:
    loaded = site(connections=451)
    assert groups(loaded) == (["gw1"], [])
    assert loaded.reported()["sizing"]["findings"] == ["For 451 connections gw1 needs 5 vCPU and has 4."]


def test_what_stands_in_the_file_of_the_group_counts(site: Any) -> None:
    loaded = site(connections=700, cpu_count=16)
    assert groups(loaded) == (["gw1"], [])
    assert loaded.reported()["sizing"]["findings"] == [
        "For 700 connections gw1 needs 10 Gbit/s on each interface and has 1."
    ]


def test_a_gateway_with_little_room(site: Any) -> None:
    loaded = site(connections=361)
    assert groups(loaded) == ([], ["gw1"])
    assert loaded.reported()["sizing"]["findings"] == [
        "Less than 20 % of gw1 is to spare: 361 of 450 connections, where vCPU binds."
    ]


def test_clients_beyond_what_was_asked_count(site: Any) -> None:
    loaded = site(gateway={"clients": 460})
    assert groups(loaded) == (["gw1"], [])
    assert loaded.reported()["sizing"]["findings"] == ["For 460 clients gw1 needs 5 vCPU and has 4."]


def test_a_full_table_of_flows(site: Any) -> None:
    loaded = site(gateway={"conntrack_count": 59_000, "conntrack_max": 65_536})
    assert groups(loaded) == ([], ["gw1"])
    assert loaded.reported()["sizing"]["findings"] == [
        "Less than 20 % of the table of flows of gw1 is to spare: 59000 of 65536."
    ]


def test_a_gateway_below_the_plain_minimum(site: Any) -> None:
    loaded = site(connections=0, memory_total_bytes=4_000_000_000)
    assert groups(loaded) == (["gw1"], [])
    assert loaded.reported()["sizing"]["findings"] == ["For 0 connections gw1 needs 8 GB of memory and has 4."]


def test_a_site_that_asks_for_nonsense_is_not_compared(site: Any) -> None:
    loaded = site(connections=-1)
    assert groups(loaded) == ([], [])
    assert loaded.state() == "state_fresh"
