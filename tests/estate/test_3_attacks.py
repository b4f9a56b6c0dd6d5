# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on a running estate, each of which must fail visibly."""

from __future__ import annotations

import base64
import json
import time

import driver

REGISTRY = "curl -s -o /dev/stdout -w '\\n%{http_code}' --cacert /etc/bocage/registry-ca.pem --resolve registry.demo.internal:443:[fd7b:4c1e:90a2::1] https://registry.demo.internal"


def post(host: str, path: str, body: str) -> tuple[int, dict]:
    """Post from a host of the overlay; gives the status and the answer."""
    answer, _separator, status = driver.on(
        host, f"{REGISTRY}{path} -H 'Content-Type: application/json' --data-binary @- <<'B'\n{body}\nB\n"
    ).rpartition("\n")
    return int(status), json.loads(answer)


def newest(host: str) -> dict:
    host_id = json.loads(driver.on(host, f"{driver.AGENT} status"))["host_id"]
    return driver.ask_registry(f"/v1/hosts/{host_id}")


def test_attack_report_with_a_bad_signature() -> None:
    envelope = newest("tele1")["report"]
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["counter"] += 100
    envelope["payload"] = base64.b64encode(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).decode()
    status, answer = post("desk1", "/v1/reports", json.dumps(envelope))
    assert (status, answer["code"]) == (403, "bad_signature")


def test_attack_replayed_report() -> None:
    envelope = newest("tele1")["report"]
    driver.on("tele1", "systemctl start bocage-agent-report")
    status, answer = post("desk1", "/v1/reports", json.dumps(envelope))
    assert status == 409
    assert answer["code"] in ("replayed", "old_counter")


def test_attack_oversized_report() -> None:
    envelope = newest("tele1")["report"]
    envelope["payload"] += "A" * 40_000
    status, answer = post("desk1", "/v1/reports", json.dumps(envelope))
    assert (status, answer["code"]) == (413, "oversized")


def test_attack_reading_without_a_token() -> None:
    status = driver.on("desk1", f"{REGISTRY}/v1/hosts").rpartition("\n")[2]
    assert status == "401"


def test_attack_enrolment_of_a_known_name_with_a_new_key() -> None:
    """Somebody takes desk1's name with keys of his own; the key holder's play refuses without the explicit word."""
    document = driver.INVENTORY / "trust" / "enrolments" / "desk1.json"
    before = document.read_bytes()
    driver.on("desk1", "cp -a /etc/bocage/report.key /root/report.key.kept; rm /etc/bocage/report.key")
    try:
        copy = driver.inventory_copy("new-key")
        (copy / "reported.estate.yml").unlink()
        run = driver.playbook(
            "playbooks/enrol.yml",
            "--limit desk1",
            inventory=copy,
            extra={"enrol_key_holder": "lab", "trust_directory": str(copy / "trust")},
        )
        assert not run.ok
        assert any("desk1" in message and "replace" in message for _h, _t, message in run.failures), run.failures
        assert (copy / "trust" / "enrolments" / "desk1.json").read_bytes() == before
    finally:
        driver.on("desk1", "mv /root/report.key.kept /etc/bocage/report.key")


def test_attack_database_edited_by_hand() -> None:
    """root on the hub rewrites what the registry stored; the inventory believes the signature, not the registry."""
    host_id = newest("wrs1")["host_id"]
    driver.on("wrs1", "systemctl stop bocage-agent-report.timer")
    driver.on(
        "hub1",
        f"""systemctl stop bocage-registry
/usr/bin/python3 - <<'P'
import sqlite3, json, base64
base = sqlite3.connect("/var/lib/bocage-registry/registry.db")
changed = 0
tables = [row[0] for row in base.execute("select name from sqlite_master where type='table'")]
for table in tables:
    columns = [row[1] for row in base.execute(f"pragma table_info({{table}})")]
    for column in columns:
        for rowid, value in base.execute(f"select rowid, {{column}} from {{table}}").fetchall():
            text = value.decode() if isinstance(value, bytes) else value
            if not isinstance(text, str) or '"payload"' not in text:
                continue
            envelope = json.loads(text)
            payload = json.loads(base64.b64decode(envelope["payload"]))
            if payload.get("host_id") != "{host_id}" or "sections" not in payload:
                continue
            payload["sections"]["mesh"]["drift"] = []
            payload["sections"]["system"]["hostname"] = "forged"
            envelope["payload"] = base64.b64encode(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).decode()
            forged = json.dumps(envelope)
            base.execute(f"update {{table}} set {{column}} = ? where rowid = ?", (forged.encode() if isinstance(value, bytes) else forged, rowid))
            changed += 1
base.commit()
assert changed, "nothing was forged"
P
chown -R bocage-registry: /var/lib/bocage-registry
systemctl start bocage-registry
for try in $(seq 50); do curl -sf --unix-socket /run/bocage-registry/registry.sock http://registry/healthz >/dev/null && exit 0; sleep 0.2; done; exit 1
""",
    )
    try:
        listed, _said = driver.inventory_list(BOCAGE_TEST="edited")
        # a cached inventory keeps what it verified; a new controller sees only the forged bytes
        fresh = driver.inventory_copy("new-controller")
        text = (fresh / "reported.estate.yml").read_text()
        (fresh / "reported.estate.yml").write_text(
            text + f"\ncache_directory: {driver.ROOT / 'build' / 'new-cache'}-{time.time_ns()}\n"
        )
        listed, _said = driver.inventory_list(fresh)
        assert "wrs1" in listed["state_untrusted"]["hosts"]
        reported = listed["_meta"]["hostvars"]["wrs1"]["reported"]
        assert "forged" not in json.dumps(reported)
    finally:
        driver.on("wrs1", "systemctl start bocage-agent-report.timer; systemctl start bocage-agent-report")
    driver.eventually(
        lambda: "wrs1" in driver.inventory_list()[0]["state_fresh"]["hosts"], 40, "wrs1 is believed again"
    )


def test_attack_firewall_that_locks_the_operator_out_takes_itself_back() -> None:
    before = driver.on("gw2", "nft --stateless list table inet bocage")
    run = driver.playbook(
        "playbooks/gateways.yml", "--limit gw2",
        extra={"firewall_management_prefixes": ["198.18.3.99/32"], "firewall_confirm_seconds": 8, "ansible_ssh_timeout": 5},
    )  # fmt: skip
    assert not run.ok
    assert any("let no new connection in" in message for _h, _t, message in run.failures), run.failures
    driver.eventually(
        lambda: driver.on("gw2", "nft --stateless list table inet bocage") == before, 20, "gw2 took the rules back"
    )
    run = driver.playbook("playbooks/gateways.yml", "--limit gw2")
    assert run.ok, run.failures
    assert not run.changed()


def test_attack_a_host_of_the_lan_uses_the_gateway_as_its_router() -> None:
    """erp1 sends packets for the overlay to gw1: nothing from the LAN begins a connection into the overlay."""
    driver.on(
        "erp1",
        # before the route that the lab gave it
        "ip -6 route add fd7b:4c1e:90a2::/48 via 2001:db8:2::21 metric 1; ip route add 198.19.0.0/16 via 198.18.1.21",
    )
    try:
        for address in ("fd7b:4c1e:90a2:2::1", "fd7b:4c1e:90a2::1", "198.19.2.1"):
            assert "0 received" in driver.on("erp1", f"ping -n -c2 -W1 {address}", check=False)
    finally:
        driver.on("erp1", "ip -6 route del fd7b:4c1e:90a2::/48 metric 1; ip route del 198.19.0.0/16")


def test_attack_forged_overlay_source_on_the_underlay() -> None:
    """A packet on the LAN that claims an overlay address is not taken for one."""
    driver.on(
        "erp1",
        "ip -6 address add fd7b:4c1e:90a2:2::1/128 dev lyon0 nodad; ip -6 route add fd7b:4c1e:90a2:1::a via 2001:db8:2::30",
    )
    try:
        assert "0 received" in driver.on(
            "erp1", "ping -n -c2 -W1 -I fd7b:4c1e:90a2:2::1 fd7b:4c1e:90a2:1::a", check=False
        )
    finally:
        driver.on("erp1", "ip -6 route del fd7b:4c1e:90a2:1::a; ip -6 address del fd7b:4c1e:90a2:2::1/128 dev lyon0")


def test_attack_scan_from_outside_the_overlay_finds_no_open_port() -> None:
    """Every TCP port of the hub and the gateways, from the internet; of the Lyon hosts, from the LAN."""
    scan = """/usr/bin/python3 - <<'P'
import asyncio
async def probe(address, port, gate):
    async with gate:
        try:
            _reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 0.5)
        except (OSError, asyncio.TimeoutError):
            return
        writer.close()
        print(address, port)
async def main():
    gate = asyncio.Semaphore(400)
    ports = [*range(1, 1025), 3142, 5355, 8080, 8443, 8480, 51820]
    await asyncio.gather(*(probe(address, port, gate) for address in ADDRESSES for port in ports))
asyncio.run(main())
P
"""
    assert driver.on("nat1", scan.replace("ADDRESSES", "['198.18.0.10', '198.18.0.21']"), timeout=120) == ""
    found = driver.on("erp1", scan.replace("ADDRESSES", "['198.18.1.21', '198.18.1.30', '198.18.1.20']"), timeout=120)
    # the scan works: it finds what the business server itself offers, and nothing of the managed hosts
    assert "198.18.1.20 80" in found
    assert {line.split()[0] for line in found.splitlines()} == {"198.18.1.20"}
