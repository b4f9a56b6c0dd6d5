# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of an estate that runs: limits, hosts that come and go, reboots, a registry that is away."""

from __future__ import annotations

import json
import re

import driver
import yaml

# Everything that is rendered; the way back of the last firewall change is what was live before it, and no rendering.
RENDERED = (
    "find /etc/bocage /etc/systemd/system/bocage* /etc/sysctl.d/60-bocage* -type f ! -name '*.key' ! -name previous.nft -print0 "
    "| sort -z | xargs -0 sha256sum"
)


def rendered() -> dict[str, str]:
    return {host: driver.on(host, RENDERED) for host in driver.MANAGED}


def transfers(host: str) -> dict[str, tuple[int, int]]:
    """Received and sent bytes by peer; they begin at zero again when a session's device or peer is made anew."""
    lines = driver.on(host, "wg show bocage0 transfer").split("\n")
    return {key: (int(received), int(sent)) for key, received, sent in (line.split() for line in lines if line)}


def handshakes(host: str) -> dict[str, int]:
    lines = driver.on(host, "wg show bocage0 latest-handshakes").split("\n")
    return {key: int(when) for key, when in (line.split() for line in lines if line)}


def device(host: str) -> str:
    return driver.on(
        host, "cat /sys/class/net/bocage0/ifindex; systemctl show -p ActiveEnterTimestampMonotonic bocage-mesh@bocage0"
    )


def test_limit_renders_the_same_for_everyone() -> None:
    before = rendered()
    run = driver.playbook("playbooks/site.yml", "--limit gw1", "--diff")
    assert run.ok, run.failures
    assert run.changed_tasks == []
    assert rendered() == before


def test_limit_renders_a_lost_file_byte_for_byte() -> None:
    before = rendered()
    driver.on("gw1", "rm /etc/bocage/mesh/bocage0.conf /etc/bocage/mesh/bocage0.ip /etc/bocage/nftables/active.nft")
    run = driver.playbook("playbooks/site.yml", "--limit gw1")
    assert run.ok, run.failures
    assert set(run.changed()) == {"gw1"}
    after = rendered()
    for host in driver.MANAGED:
        assert after[host] == before[host], host


def test_drift_of_the_firewall_is_repaired() -> None:
    driver.on("gw2", "nft add rule inet bocage input tcp dport 8080 accept")
    run = driver.playbook("playbooks/gateways.yml", "--limit gw2", "--check")
    assert run.changed() == {"gw2": 1}
    run = driver.playbook("playbooks/gateways.yml", "--limit gw2")
    assert run.ok, run.failures
    assert "8080" not in driver.on("gw2", "nft list table inet bocage")


def test_drift_of_the_mesh_is_reported_and_repaired() -> None:
    driver.on(
        "wrs1", "wg set bocage0 peer $(wg show bocage0 peers | head -1) remove; systemctl start bocage-agent-report"
    )
    driver.eventually(
        lambda: "wrs1" in driver.inventory_list()[0].get("drift_mesh", {}).get("hosts", []), 30, "wrs1 in drift_mesh"
    )
    run = driver.playbook("playbooks/mesh.yml", "--limit wrs1")
    assert set(run.changed()) == {"wrs1"}
    driver.on("wrs1", "systemctl start bocage-agent-report")
    driver.eventually(
        lambda: "wrs1" not in driver.inventory_list()[0].get("drift_mesh", {}).get("hosts", []),
        30,
        "wrs1 out of drift_mesh",
    )


def without(host: str):
    """The lab's inventory without a host."""
    copy = driver.inventory_copy(f"without-{host}")
    hosts = yaml.safe_load((copy / "hosts.yml").read_text())
    groups = hosts["all"]["children"]["managed"]["children"]
    for group in groups.values():
        group["hosts"].pop(host, None)
    (copy / "hosts.yml").write_text(yaml.safe_dump(hosts))
    return copy


def test_a_host_leaves_and_comes_back_and_no_other_session_is_reset() -> None:
    key = driver.on("desk1", "wg show bocage0 public-key").strip()
    others = [host for host in driver.MANAGED if host != "desk1"]
    for host in others:
        driver.on(host, "ping -c1 -W2 fd7b:4c1e:90a2::1 >/dev/null || true")
    devices = {host: device(host) for host in others}
    before = {host: transfers(host) for host in others}
    shaken = {host: handshakes(host) for host in others}

    run = driver.playbook("playbooks/mesh.yml", inventory=without("desk1"))
    assert run.ok, run.failures
    for host in others:
        assert key not in transfers(host), f"{host} still has desk1 as a peer"

    run = driver.playbook("playbooks/mesh.yml")
    assert run.ok, run.failures
    for host in others:
        assert device(host) == devices[host], f"the interface of {host} was made anew"
        now, latest = transfers(host), handshakes(host)
        for peer, (received, sent) in before[host].items():
            if peer != key:
                assert now[peer][0] >= received, f"{host} lost its session with {peer}"
                assert now[peer][1] >= sent, f"{host} lost its session with {peer}"
                assert latest[peer] >= shaken[host][peer] > 0 or shaken[host][peer] == 0
    assert any(key in transfers(host) for host in others)


def history(host_id: str) -> list[dict]:
    return driver.ask_registry(f"/v1/hosts/{host_id}/history?limit=500")["reports"]


def counters(host_id: str) -> list[int]:
    import base64

    return sorted(json.loads(base64.b64decode(entry["report"]["payload"]))["counter"] for entry in history(host_id))


def test_a_registry_that_is_away_loses_and_doubles_nothing() -> None:
    status = json.loads(driver.on("tele1", f"{driver.AGENT} status"))
    host_id = status["host_id"]
    driver.on("hub1", "systemctl stop bocage-registry")
    for _unused in range(3):
        driver.on("tele1", "systemctl start bocage-agent-report")
    spooled = json.loads(driver.on("tele1", f"{driver.AGENT} status"))
    assert spooled["spooled"] >= 3
    listed, said = driver.inventory_list(ANSIBLE_INVENTORY_CACHE="False")
    assert set(listed["managed"]["children"]) or listed["managed"], "the inventory is empty"
    assert re.search(r"registry", said), "the inventory did not say that the registry is away"
    stale = set(listed.get("state_stale", {}).get("hosts", []))
    assert stale == set(driver.MANAGED)

    driver.on("hub1", "systemctl start bocage-registry")
    driver.registry_answers()
    driver.on("tele1", "systemctl start bocage-agent-report")
    after = json.loads(driver.on("tele1", f"{driver.AGENT} status"))
    assert after["spooled"] == 0
    delivered = counters(host_id)
    assert len(delivered) == len(set(delivered)), "a report was doubled"
    assert delivered[-1] == after["last_counter"]
    assert delivered == list(range(delivered[0], delivered[-1] + 1)), "a report was lost"
    driver.eventually(lambda: "tele1" in driver.inventory_list()[0]["state_fresh"]["hosts"], 30, "tele1 is fresh again")
