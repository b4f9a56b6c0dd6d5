# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed actions on a running estate: they reach every host within seconds, count once, and need no open port."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_core._common import canonical, timestamps
from bocage_core._state import action as actions
from bocage_core._state.action import Action

DATABASE = "/var/lib/bocage-registry/registry.db"
SCANNER = Path(__file__).parent / "scan_ports.py"
LATE = "2099-01-01T00:00:00Z"
# Every address of a managed host that is no management, by who looks at it from outside of the overlay.
OUTSIDE = {
    "nat1": [
        *("198.18.0.10", "198.18.0.21", "198.18.0.22", "198.18.2.10"),
        *("2001:db8:1::10", "2001:db8:1::21", "2001:db8:1::22"),
    ],
    "erp1": [
        *("198.18.1.21", "198.18.1.22", "198.18.1.30", "198.18.1.40"),
        *("2001:db8:2::21", "2001:db8:2::22", "2001:db8:2::30", "2001:db8:2::40"),
    ],
}


@pytest.fixture(scope="module", autouse=True)
def listening() -> None:
    """The estate has its key for actions, and every host waits."""
    for name in ("playbooks/trust.yml", "playbooks/site.yml"):
        run = driver.playbook(name)
        assert run.ok, run.failures
    driver.registry_answers()
    for host in driver.MANAGED:
        assert driver.on(host, "systemctl is-active bocage-agent-listen").strip() == "active"
    driver.eventually(lambda: waiting() == len(driver.MANAGED), 90, "every host waits at the registry")


def waiting() -> int:
    """How many hosts wait for an action, by the registry's own word."""
    token = (driver.ROOT / ".lab" / "trust" / "reader.token").read_text().strip()
    told = driver.on(
        "hub1",
        f"{driver.REGISTRY_SOCKET} -H @/dev/stdin http://registry/metrics <<'H'\nAuthorization: Bearer {token}\nH\n",
    )
    (line,) = [one for one in told.splitlines() if one.startswith("bocage_registry_hosts_waiting ")]
    return int(line.split()[1])


def opened(envelope: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return found


def host_ids() -> dict[str, str]:
    folder = driver.INVENTORY / "trust" / "enrolments"
    return {host: opened(json.loads((folder / f"{host}.json").read_text()))["host_id"] for host in driver.MANAGED}


def make(*hosts: str, verb: str = "report", seconds: int = actions.MAX_VALID_SECONDS) -> tuple[Action, str]:
    """An action of the estate's operator that ends after so many seconds, and its envelope."""
    ids = host_ids()
    key = (driver.ROOT / ".lab" / "trust" / "actions" / "estate.key").read_bytes()
    chosen = [ids[host] for host in hosts or driver.MANAGED]
    action = actions.make(chosen, verb, {}, "operator", now=timestamps.now(), valid_seconds=seconds, random=os.urandom)
    return action, json.dumps(actions.sign(action, key))


def hand_over(envelope: str) -> tuple[int, dict[str, Any]]:
    """Post it on the hub, as whoever has the registry can at any time."""
    answer, _line, status = driver.on(
        "hub1",
        "curl -s -w '\\n%{http_code}' --unix-socket /run/bocage-registry/registry.sock http://registry/v1/actions"
        f" --data-binary @- <<'B'\n{envelope}\nB\n",
    ).rpartition("\n")
    return int(status), json.loads(answer)


def section(host: str) -> dict[str, Any]:
    """What the host itself would report of actions."""
    found: dict[str, Any] = json.loads(driver.on(host, f"{driver.AGENT} report --print"))["sections"]["actions"]
    return found


def reported(host_id: str) -> dict[str, Any]:
    """The answers of a host that the registry has."""
    sections = opened(driver.ask_registry(f"/v1/hosts/{host_id}")["report"])["sections"]
    found: dict[str, Any] = sections.get("actions", {}).get("answers", {})
    return found


def test_an_action_reaches_every_managed_host_within_seconds() -> None:
    """Each is told at once, and answers by a report at once, whatever its timer says.

    Who only asked again at the end of its long poll would have it up to 25 seconds later.
    """
    ids = host_ids()
    action, envelope = make()
    begun = time.monotonic()
    status, answer = hand_over(envelope)
    assert (status, answer["hosts"], answer["unknown"]) == (200, len(driver.MANAGED), [])
    driver.eventually(
        lambda: all(action.nonce in reported(one) for one in ids.values()), 60, "every host has answered in its report"
    )
    print(f"{len(ids)} hosts answered within {time.monotonic() - begun:.1f} s")
    for host, host_id in ids.items():
        told = reported(host_id)[action.nonce]
        assert told["state"] == "done", (host, told)
        received = datetime.fromisoformat(told["received_at"])
        assert (received - action.issued_at).total_seconds() <= 15, (host, told)


def test_the_playbook_asks_and_follows() -> None:
    run = driver.playbook("playbooks/act.yml", extra={"act_verb": "report", "act_batch_size": 4})
    assert run.ok, run.failures
    assert f"report: {len(driver.MANAGED)} hosts: {len(driver.MANAGED)} done." in run.stdout
    assert all(f"{host}: done: This report." in run.stdout for host in driver.MANAGED)


def test_the_playbook_says_who_refuses_and_who_was_not_asked() -> None:
    driver.on("wrs1", "systemctl stop bocage-agent-listen")
    # a report after the action has ended says that it was not asked; its own timer may be minutes away
    driver.on(
        "wrs1",
        "systemd-run -q --unit=demo-report --timer-property=AccuracySec=1s --on-active=61 --on-unit-active=4 systemctl start bocage-agent-report",
    )
    try:
        run = driver.playbook(
            "playbooks/act.yml", "--limit wrs1,desk1", extra={"act_verb": "report", "act_patience_seconds": 20}
        )
        assert not run.ok
        assert "desk1: done: This report." in run.stdout
        assert "wrs1: withheld: it reported at " in run.stdout
    finally:
        driver.on("wrs1", "systemctl stop demo-report.timer; systemctl start bocage-agent-listen")
    run = driver.playbook("playbooks/act.yml", "--limit desk1", extra={"act_verb": "report", "act_role": "observer"})
    assert not run.ok
    assert "desk1: refused: The key estate may not act as observer on this host." in run.stdout


def test_attack_action_replayed_through_the_registry() -> None:
    """Whoever has the registry hands a host an action again, now and when it has ended: it does nothing."""
    host, host_id = "desk1", host_ids()["desk1"]
    action, envelope = make(host, seconds=30)
    assert hand_over(envelope)[1]["duplicate"] is False
    driver.eventually(lambda: section(host)["answers"].get(action.nonce, {}).get("state") == "done", 10, "it is done")
    before = section(host)
    refusals = sum(before["refused"].values())

    status, answer = hand_over(envelope)
    assert (status, answer["duplicate"]) == (200, True)
    forge(action, host_id)
    # the host looks again at the end of its long poll
    driver.eventually(lambda: sum(section(host)["refused"].values()) == refusals + 1, 60, "it was handed over again")
    assert section(host)["refused"]["replayed"] == before["refused"].get("replayed", 0) + 1
    assert section(host)["answers"][action.nonce] == before["answers"][action.nonce]

    time.sleep(max(0.0, (action.not_after - timestamps.now()).total_seconds()) + 5)
    status, answer = hand_over(envelope)
    assert (status, answer["code"]) == (403, "expired")
    forge(action, host_id)
    driver.eventually(lambda: sum(section(host)["refused"].values()) == refusals + 2, 60, "and when it had ended")
    assert section(host)["answers"][action.nonce] == before["answers"][action.nonce]


def test_attack_an_altered_action() -> None:
    """root on the hub makes of a signed action what he likes: another verb, another end, a host that was not asked."""
    host, other = "desk1", "tele1"
    ids = host_ids()
    action, envelope = make(host)
    assert hand_over(envelope)[0] == 200
    driver.eventually(lambda: section(host)["answers"].get(action.nonce, {}).get("state") == "done", 10, "it is done")
    before = {one: section(one) for one in (host, other)}
    signed = json.loads(envelope)
    nonces = []
    for asked, change in (
        (host, {"verb": "upgrade"}),
        (host, {"not_after": LATE}),
        (other, {"host_ids": [ids[other]]}),
    ):
        altered = {**opened(signed), "nonce": os.urandom(16).hex(), **change}
        nonces.append((asked, altered["nonce"]))
        relay(altered["nonce"], ids[asked], {**signed, "payload": base64.b64encode(canonical.dumps(altered)).decode()})
    for asked, count in ((host, 2), (other, 1)):
        # each looks again at the end of its long poll
        driver.eventually(
            lambda asked=asked, count=count: unsigned(asked) == unsigned(asked, before[asked]) + count,
            60,
            f"{asked} refuses what nobody has signed",
        )
        assert section(asked)["answers"] == before[asked]["answers"]
    for asked, nonce in nonces:
        assert driver.on(asked, f"systemctl list-units --all --no-legend 'bocage-action-{nonce}*'") == ""
        assert driver.on(asked, f"journalctl -q --no-pager -u bocage-action-{nonce}", check=False) == ""


def unsigned(host: str, found: dict[str, Any] | None = None) -> int:
    """How many actions a host refused for their signatures, now or by an earlier section."""
    count: int = (section(host) if found is None else found)["refused"].get("bad_signature", 0)
    return count


def relay(nonce: str, host_id: str, envelope: dict[str, Any]) -> None:
    """root on the hub lets the registry hand out whatever he likes."""
    driver.on(
        "hub1",
        f"""/usr/bin/python3 - <<'P'
import sqlite3, time
base = sqlite3.connect("{DATABASE}", timeout=20)
with base:
    made = base.execute(
        "insert into actions (nonce, not_after, envelope) values (?, ?, ?)",
        ("{nonce}", int(time.time()) + 60, {json.dumps(envelope).encode()!r}),
    )
    base.execute("insert into action_hosts (host_id, action_id) values (?, ?)", ("{host_id}", made.lastrowid))
P
""",
    )


def forge(action: Action, host_id: str) -> None:
    """root on the hub makes an action look new to the registry: a number that was not given out, and a later end."""
    driver.on(
        "hub1",
        f"""/usr/bin/python3 - <<'P'
import sqlite3
base = sqlite3.connect("{DATABASE}", timeout=20)
with base:
    old, number = base.execute("select id, (select max(id) + 1 from actions) from actions where nonce = ?", ("{action.nonce}",)).fetchone()
    base.execute("update actions set id = ?, not_after = not_after + 600 where id = ?", (number, old))
    base.execute("update action_hosts set action_id = ? where action_id = ? and host_id = ?", (number, old, "{host_id}"))
    # later ones get later numbers, also once this one is forgotten
    base.execute("update sqlite_sequence set seq = max(seq, ?) where name = 'actions'", (number,))
P
""",
    )


def test_nothing_listens_for_actions() -> None:
    """The listener has no socket but its connection to the registry."""
    for host in driver.MANAGED:
        own = "$(systemctl show -P MainPID bocage-agent-listen)"
        assert driver.on(host, f'ss -Hlntup | grep -c "pid={own},"', check=False).strip() == "0", host


@pytest.fixture(scope="module")
def scans() -> Iterator[dict[str, Future[str]]]:
    """What each outsider finds; they look at the same time, as most of it is waiting for answers."""

    def scan(outsider: str) -> str:
        script, addresses = SCANNER.read_text(), json.dumps(OUTSIDE[outsider])
        return driver.on(outsider, f"/usr/bin/python3 - '{addresses}' <<'S'\n{script}\nS\n", timeout=600)

    with ThreadPoolExecutor() as pool:
        yield {outsider: pool.submit(scan, outsider) for outsider in OUTSIDE}


@pytest.mark.parametrize("outsider", sorted(OUTSIDE))
def test_attack_scan_of_every_managed_host_finds_only_the_mesh_port(
    scans: dict[str, Future[str]], outsider: str
) -> None:
    """All 65,535 ports of TCP and UDP, from a machine that is no host of the estate.

    WireGuard answers nobody whom it does not know, so that its port looks like all others; the tunnels show that it is
    open. That the scan finds what is open is shown on the outsider itself.
    """
    answer = scans[outsider].result()
    found = json.loads(answer)
    assert found.pop("control") == ["tcp", "udp"], "the scan works"
    assert found == {address: [] for address in OUTSIDE[outsider]}
    for host in ("gw1", "tele1", "wrs1"):
        assert driver.reaches(host, "hub1.demo.internal")
