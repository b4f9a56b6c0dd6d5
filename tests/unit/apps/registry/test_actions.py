# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry as a relay of actions: what it takes, whom it hands on to, and how it waits."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bocage_core._common import dsse
from bocage_registry import actions as actions_module


def test_an_action_reaches_its_hosts_and_no_others(registry: Any) -> None:
    first, second, other = registry.enrolled("gw1"), registry.enrolled("gw2"), registry.enrolled("gw3")
    raw = registry.estate.action_bytes(first, second)
    taken = registry.act(raw)
    assert (taken.status_code, taken.json()["hosts"], taken.json()["unknown"]) == (200, 2, [])
    for host in (first, second):
        assert registry.poll(host).json()["actions"] == [json.loads(raw)]
    assert registry.poll(other).json()["actions"] == []


def test_after_a_cursor_only_what_is_newer_comes(registry: Any) -> None:
    host = registry.enrolled()
    registry.act(registry.estate.action_bytes(host))
    cursor = registry.poll(host).json()["cursor"]
    assert registry.poll(host, f"?after={cursor}").json()["actions"] == []
    second = registry.estate.action_bytes(host, verb="report")
    registry.act(second)
    answer = registry.poll(host, f"?after={cursor}").json()
    assert (answer["actions"], answer["retry_seconds"]) == ([json.loads(second)], 0)
    # a database that was lost counts anew, and its cursors say so
    lost = "0" * 16 + cursor[16:]
    assert len(registry.poll(host, f"?after={lost}").json()["actions"]) == 2


def test_many_actions_come_in_portions(registry: Any) -> None:
    host = registry.enrolled()
    for _ in range(5):
        registry.act(registry.estate.action_bytes(host))
    page = registry.poll(host).json()
    assert len(page["actions"]) == actions_module.MOST_AT_ONCE
    assert len(registry.poll(host, f"?after={page['cursor']}").json()["actions"]) == 1


def test_an_action_is_gone_when_it_has_ended(registry: Any) -> None:
    host = registry.enrolled()
    raw = registry.estate.action_bytes(host)
    registry.act(raw)
    registry.offset = timedelta(seconds=61)
    assert registry.poll(host).json()["actions"] == []
    late = registry.act(raw)
    assert (late.status_code, late.json()["code"]) == (403, "expired")
    registry.offset = timedelta(seconds=150)
    assert registry.app.state.actions.forget_expired() == 1


def test_the_same_action_again_is_a_duplicate(registry: Any) -> None:
    host = registry.enrolled()
    raw = registry.estate.action_bytes(host)
    assert registry.act(raw).json()["duplicate"] is False
    cursor = registry.poll(host).json()["cursor"]
    assert registry.act(raw).json()["duplicate"] is True
    assert registry.poll(host, f"?after={cursor}").json()["actions"] == []


def test_hosts_that_nobody_enrolled_are_named(registry: Any) -> None:
    host, stranger = registry.enrolled(), registry.estate.host("stranger")
    assert registry.act(registry.estate.action_bytes(host, stranger)).json()["unknown"] == [stranger.enrolment.host_id]
    refused = registry.act(registry.estate.action_bytes(stranger))
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_host")


def test_attack_action_signed_by_nobody_we_know_is_not_relayed(registry: Any) -> None:
    host = registry.enrolled()
    action = registry.estate.action(host)
    for key in (dsse.generate_private_key(), host.report_private, registry.estate.private):
        refused = registry.act(registry.estate.sign_action(action, key))
        assert (refused.status_code, refused.json()["code"]) == (403, "bad_signature")
    assert registry.poll(host).json()["actions"] == []


def test_attack_oversized_action(registry: Any) -> None:
    answer = registry.act(b'{"payload": "' + b"A" * 60_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "oversized")


def test_an_action_of_tomorrow_is_refused(registry: Any) -> None:
    host = registry.enrolled()
    registry.offset = timedelta(seconds=-3600)
    answer = registry.act(registry.estate.action_bytes(host))
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_clock")


def test_only_so_many_actions_wait(registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions_module, "MAX_PENDING", 1)
    host = registry.enrolled()
    registry.act(registry.estate.action_bytes(host))
    answer = registry.act(registry.estate.action_bytes(host))
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many")


def test_attack_a_host_asks_for_the_actions_of_another(registry: Any) -> None:
    ours, theirs = registry.enrolled("gw1"), registry.enrolled("gw2")
    registry.act(registry.estate.action_bytes(theirs))
    for proof in (
        registry.proof(ours),
        registry.proof(ours, host_id=theirs.enrolment.host_id),
        "Bearer estate",
        "",
        "Bocage-Host ????",
        "Bocage-Host " + "A" * 5000,
    ):
        answer = registry.poll(theirs, proof=proof)
        assert answer.status_code in (400, 403), proof
        assert "actions" not in answer.json()


def test_attack_a_revoked_or_replaced_host_asks_for_its_actions(registry: Any) -> None:
    host = registry.enrolled()
    following = host.successor()
    assert registry.enrol(following).status_code == 200
    assert registry.poll(host).json()["code"] == "bad_signature"
    wrong = registry.poll(following, proof=registry.proof(following, generation=1))
    assert (wrong.status_code, wrong.json()["code"]) == (409, "old_generation")
    assert registry.poll(following).status_code == 200


def test_a_host_that_is_not_enrolled_is_told_so(registry: Any) -> None:
    answer = registry.poll(registry.estate.host())
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_host")


@pytest.mark.parametrize("parameters", ["?wait=26", "?wait=-1", "?wait=long", "?after=yesterday"])
def test_parameters_that_are_not_accepted(registry: Any, parameters: str) -> None:
    assert registry.poll(registry.enrolled(), parameters).status_code in (400, 422)


def together(registry: Any, scenario: Any) -> Any:
    """Requests of one loop, as uvicorn has them."""

    async def run() -> Any:
        transport = httpx.ASGITransport(registry.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://registry", timeout=30) as client:
            return await scenario(client)

    return asyncio.run(run())


def waiting(registry: Any, client: httpx.AsyncClient, host: Any, seconds: int = 20) -> asyncio.Task[httpx.Response]:
    path = f"/v1/hosts/{host.enrolment.host_id}/actions?wait={seconds}"
    return asyncio.create_task(client.get(path, headers={"Authorization": registry.proof(host)}))


async def until_waiting(registry: Any, number: int) -> None:
    for _ in range(200):
        if len(registry.app.state.waiting) == number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there are not {number} hosts that wait")


def test_who_waits_gets_an_action_when_it_comes_and_holds_nobody_up(registry: Any) -> None:
    host, other = registry.enrolled("gw1"), registry.enrolled("gw2")
    raw = registry.estate.action_bytes(host)

    async def scenario(client: httpx.AsyncClient) -> None:
        begun = time.monotonic()
        answers = [waiting(registry, client, host), waiting(registry, client, other, 1)]
        await until_waiting(registry, 2)
        assert (await client.get("/healthz")).status_code == 200
        assert (
            "bocage_registry_hosts_waiting 2"
            in (await client.get("/metrics", headers={"Authorization": "Bearer estate"})).text
        )
        assert (await client.post("/v1/actions", content=raw)).status_code == 200
        assert (await answers[0]).json()["actions"] == [json.loads(raw)]
        assert time.monotonic() - begun < 1
        assert (await answers[1]).json()["actions"] == []
        assert 1 <= time.monotonic() - begun < 3
        assert len(registry.app.state.waiting) == 0

    together(registry, scenario)


def test_where_no_place_is_left_a_host_is_told_when_to_ask_again(registry: Any) -> None:
    hosts = [registry.enrolled(f"gw{number}") for number in range(3)]

    async def scenario(client: httpx.AsyncClient) -> None:
        answers = [waiting(registry, client, host, 2) for host in hosts[:2]]
        await until_waiting(registry, 2)
        told = (await waiting(registry, client, hosts[2])).json()
        assert (told["actions"], told["retry_seconds"]) == ([], 15)
        # the same host again takes its own place, not a second one
        again = waiting(registry, client, hosts[0], 1)
        assert (await answers[0]).json()["actions"] == []
        assert (await again).json()["retry_seconds"] == 0
        await answers[1]

    together(registry, scenario)
