# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways leave and come back, one at a time, and nobody notices; what would be noticed is refused."""

from __future__ import annotations

from collections.abc import Iterator

import driver
import pytest
import yaml
from evidence import keep
from gateway_probes import held

GATEWAYS = ("gw1", "gw2")
TARGETS = {"ipv4": "198.18.1.20", "ipv6": "2001:db8:2::20"}
DRAIN_FILE = "/etc/bocage/gateway/drain"


def operate(name: str, gateway: str, *arguments: str, **extra: object) -> driver.Run:
    return driver.playbook(f"playbooks/{name}.yml", *arguments, extra={"gateway": gateway, **extra})


def drained(gateway: str) -> bool:
    return driver.on(gateway, f"test -e {DRAIN_FILE} && echo yes || echo no").strip() == "yes"


def forwarded(gateway: str, seconds: float = 2) -> int:
    """Packets that pass through a gateway in so many seconds."""
    read = "awk '/^Ip:/ && $7 ~ /^[0-9]+$/ {sum += $7} /^Ip6OutForwDatagrams/ {sum += $2} END {print sum}' /proc/net/snmp /proc/net/snmp6"
    before, after = driver.on(gateway, f"{read}; sleep {seconds}; {read}").split()
    return int(after) - int(before)


@pytest.fixture(autouse=True)
def both_serve() -> Iterator[None]:
    """Each test begins and ends with both gateways in service."""
    for gateway in GATEWAYS:
        driver.eventually(
            lambda gateway=gateway: driver.gateway_health(gateway).get("healthy", False), 30, f"{gateway} is healthy"
        )
    yield
    for gateway in GATEWAYS:
        if drained(gateway):
            operate("undrain", gateway)


def test_drain_and_undrain_lose_nothing() -> None:
    with held("tele1", TARGETS) as found:
        carried = {gateway: forwarded(gateway) for gateway in GATEWAYS}
        assert sum(carried.values()) > 300, f"the probes pass through no gateway: {carried}"
        for gateway in GATEWAYS:
            run = operate("drain", gateway, drain_reason="A test")
            assert run.ok, run.failures
            assert run.changed() == {gateway: 1}
            assert driver.on(gateway, f"cat {DRAIN_FILE}").strip() == "A test"
            assert driver.gateway_health(gateway)["drained"]
            assert forwarded(gateway) == 0, f"something passes through {gateway} although it is drained"
            again = operate("drain", gateway)
            assert again.ok and again.changed() == {}, again.failures

            run = operate("undrain", gateway)
            assert run.ok, run.failures
            assert run.changed() == {gateway: 1}
            assert not drained(gateway)
            assert operate("undrain", gateway).changed() == {}
    keep("drain", vars(found))
    assert found.lost == {"ipv4": 0, "ipv6": 0}
    assert found.broken == [], "a held download was cut"


def test_check_mode_changes_nothing() -> None:
    run = operate("drain", "gw1", "--check", "--diff")
    assert run.ok, run.failures
    assert run.changed() == {"gw1": 1}
    assert not drained("gw1")


def test_the_last_gateway_is_never_drained() -> None:
    assert operate("drain", "gw1").ok
    for arguments in ((), ("--check",)):
        run = operate("drain", "gw2", *arguments)
        assert [message for _host, _task, message in run.failures] == [
            "Gateway gw2 cannot be drained: it is the last of site lyon that serves, as gw1 is drained; bring that one "
            "back first."
        ]
        assert not drained("gw2")
    run = driver.playbook("playbooks/upgrade_gateways.yml", extra={"upgrade_packages": ["ca-certificates"]})
    assert any("Gateway gw2 cannot be drained" in message for _host, _task, message in run.failures), run.failures
    assert ("gw1", "Upgrade these packages") not in run.tasks, "something was touched before the refusal"


@pytest.mark.long
def test_a_drain_survives_a_reboot() -> None:
    assert operate("drain", "gw1").ok
    driver.restart("gw1")
    driver.eventually(lambda: driver.gateway_health("gw1").get("drained", False), 30, "gw1 says that it is drained")
    with held("tele1", TARGETS) as found:
        assert forwarded("gw1") == 0
        assert forwarded("gw2") > 300
        run = operate("undrain", "gw1")
        assert run.ok, run.failures
    assert found.lost == {"ipv4": 0, "ipv6": 0}


def test_a_rolling_upgrade_loses_nothing_and_has_one_gateway_away_at_a_time() -> None:
    with held("tele1", TARGETS) as found:
        run = driver.playbook("playbooks/upgrade_gateways.yml", extra={"upgrade_packages": ["ca-certificates"]})
        assert run.ok, run.failures
    keep("upgrade", vars(found))
    steps = [
        (host, task)
        for host, task in run.tasks
        if task in ("Drain the gateway", "Let it serve again", "Show what was proved")
    ]
    assert steps == [
        (gateway, task)
        for gateway in GATEWAYS
        for task in ("Drain the gateway", "Show what was proved", "Let it serve again")
    ]
    assert not any(drained(gateway) for gateway in GATEWAYS)
    assert found.lost == {"ipv4": 0, "ipv6": 0}
    assert found.broken == []


@pytest.mark.long
def test_an_upgrade_stops_at_a_gateway_that_does_not_come_back() -> None:
    assert operate("drain", "gw1").ok
    driver.on("gw1", "ip link set lyon0 down")
    try:
        driver.eventually(lambda: not driver.gateway_health("gw1")["healthy"], 30, "gw1 sees that its LAN is away")
        run = driver.playbook(
            "playbooks/upgrade_gateways.yml",
            "--limit gw1",
            extra={"upgrade_packages": ["ca-certificates"], "drain_deadline_seconds": 5, "bocage_seals": "use"},
        )
        assert not run.ok
        assert drained("gw1")
        assert ("gw1", "Let it serve again") not in run.tasks
    finally:
        driver.restart("gw1")


def changed_inventory(name: str, **lyon: object):
    """A copy of the inventory in which the site lyon says more."""
    copy = driver.inventory_copy(name)
    path = copy / "group_vars/all/estate.yml"
    estate = yaml.safe_load(path.read_text())
    estate["estate_sites"]["lyon"].update(lyon)
    path.write_text(yaml.safe_dump(estate))
    return copy


def test_a_sizing_that_cannot_hold_is_refused_before_anything_changes() -> None:
    copy = changed_inventory("too-large", connections=1201)
    run = driver.playbook("playbooks/site.yml", inventory=copy)
    (message,) = {message for _host, _task, message in run.failures}
    assert (
        "Site lyon cannot do without gw2: gw1 would carry all 1201 connections, and a gateway carries at most 1200; "
        "give the site another gateway." in message
    )
    assert run.asked() == set(), "hosts were asked although the inventory is refused"


def test_high_availability_with_one_gateway_is_refused() -> None:
    copy = changed_inventory("one-gateway", high_availability=True)
    path = copy / "hosts.yml"
    hosts = yaml.safe_load(path.read_text())
    hosts["all"]["children"]["managed"]["children"]["gateways"]["hosts"].pop("gw2")
    path.write_text(yaml.safe_dump(hosts))
    run = driver.playbook("playbooks/site.yml", inventory=copy)
    (message,) = {message for _host, _task, message in run.failures}
    assert (
        "Site lyon asks for high availability but has one gateway, gw1; it needs two or more hosts of group gateways."
        in message
    )
    assert run.asked() == set()


def test_gateways_are_compared_with_their_sizing() -> None:
    for gateway in GATEWAYS:
        driver.on(gateway, "systemctl start bocage-agent-report")
    listed, _said = driver.inventory_list()
    cores = listed["_meta"]["hostvars"]["gw1"]["reported"]["sections"]["system"]["cpu_count"]
    # for n connections a gateway needs 1 + n/150 of them
    enough = 150 * (cores - 1)
    small, _said = driver.inventory_list(changed_inventory("undersized", connections=enough + 1))
    assert set(small["gateway_undersized"]["hosts"]) == set(GATEWAYS)
    full, _said = driver.inventory_list(changed_inventory("full", connections=enough))
    assert set(full["gateway_headroom_low"]["hosts"]) == set(GATEWAYS)
    assert full.get("gateway_undersized", {}).get("hosts", []) == []
    run = driver.playbook("playbooks/gateway_sizing.yml", inventory=changed_inventory("full", connections=enough))
    assert run.ok, run.failures
    assert "It holds with any one gateway away" in run.stdout
