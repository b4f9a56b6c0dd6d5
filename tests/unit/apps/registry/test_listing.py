# SPDX-License-Identifier: GPL-3.0-or-later
"""What readers see: pages, cursors, ETags and the walls between tenants."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest


def names(answer: Any) -> list[str]:
    return [json.loads(base64.b64decode(one["enrolment"]["payload"]))["name"] for one in answer.json()["hosts"]]


def test_pages_and_cursors_give_everything_once(registry: Any) -> None:
    for number in range(5):
        registry.enrolled(f"host{number}")
    seen: list[str] = []
    cursor, more = "", True
    while more:
        answer = registry.read(f"/v1/hosts?limit=2&since={cursor}")
        seen += names(answer)
        cursor, more = answer.json()["cursor"], answer.json()["more"]
    assert seen == [f"host{number}" for number in range(5)]
    assert names(registry.read(f"/v1/hosts?since={cursor}")) == []


def test_only_what_changed_comes_after_a_cursor(registry: Any) -> None:
    first, second = registry.enrolled("gw1"), registry.enrolled("gw2")
    cursor = registry.read("/v1/hosts").json()["cursor"]
    registry.report(second.report_bytes())
    assert names(registry.read(f"/v1/hosts?since={cursor}")) == ["gw2"]
    registry.report(first.report_bytes())
    assert names(registry.read(f"/v1/hosts?since={cursor}")) == ["gw2", "gw1"]


def test_a_cursor_of_a_lost_database_begins_again_and_says_so(registry: Any, tmp_path: Path) -> None:
    host = registry.enrolled()
    for _ in range(3):
        registry.report(host.report_bytes())
    cursor = registry.read("/v1/hosts").json()["cursor"]
    registry.stop()
    for path in tmp_path.glob("registry.db*"):
        path.unlink()
    registry.start()
    registry.enrol(host)
    answer = registry.read(f"/v1/hosts?since={cursor}")
    assert (answer.json()["reset"], names(answer)) == (True, ["gw1"])
    assert answer.json()["cursor"].split(".")[0] != cursor.split(".")[0]
    registry.stop()


def test_etag_changes_with_what_the_reader_may_see(registry: Any) -> None:
    ours, theirs = registry.enrolled("gw1", "acme"), registry.enrolled("gw2", "zenith")
    etag = registry.read("/v1/hosts", "acme-reader").headers["etag"]
    unchanged = registry.read("/v1/hosts", "acme-reader", **{"If-None-Match": f'"x", W/{etag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    registry.report(theirs.report_bytes())
    assert registry.read("/v1/hosts", "acme-reader", **{"If-None-Match": etag}).status_code == 304
    assert registry.read("/v1/hosts", **{"If-None-Match": etag}).status_code == 200
    registry.report(ours.report_bytes())
    assert registry.read("/v1/hosts", "acme-reader", **{"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic estate", "estate", "Bearer \xe9"])
@pytest.mark.parametrize("path", ["/v1/hosts", "/v1/hosts/x", "/v1/hosts/x/history", "/metrics"])
def test_attack_reading_without_a_known_token(registry: Any, header: str | None, path: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = registry.ask("GET", path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_attack_a_tenants_token_looking_over_the_wall(registry: Any) -> None:
    ours, theirs = registry.enrolled("gw1", "acme"), registry.enrolled("gw2", "zenith")
    shared = registry.enrolled("hub1", None)
    assert names(registry.read("/v1/hosts", "acme-reader")) == ["gw1"]
    assert names(registry.read("/v1/hosts?tenant=acme", "acme-reader")) == ["gw1"]
    refused = registry.read("/v1/hosts?tenant=zenith", "acme-reader")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    for host in (theirs, shared):
        for path in (f"/v1/hosts/{host.enrolment.host_id}", f"/v1/hosts/{host.enrolment.host_id}/history"):
            assert registry.read(path, "acme-reader").status_code == 404
            assert registry.read(path).status_code == 200
    assert registry.read(f"/v1/hosts/{ours.enrolment.host_id}", "acme-reader").status_code == 200
    assert registry.read("/metrics", "acme-reader").status_code == 403


def test_the_estates_reader_may_narrow_to_a_tenant(registry: Any) -> None:
    registry.enrolled("gw1", "acme")
    registry.enrolled("gw2", "zenith")
    assert names(registry.read("/v1/hosts?tenant=zenith")) == ["gw2"]


def test_history_pages_backwards_and_brings_the_enrolments(registry: Any) -> None:
    host = registry.enrolled()
    sent = [host.report_bytes() for _ in range(3)]
    for raw in sent:
        registry.report(raw)
    following = host.successor()
    registry.enrol(following)
    path = f"/v1/hosts/{host.enrolment.host_id}/history?limit=2"
    page = registry.read(path).json()
    assert [one["report"] for one in page["reports"]] == [json.loads(sent[2]), json.loads(sent[1])]
    assert page["enrolments"] == [json.loads(host.enrolment_bytes), json.loads(following.enrolment_bytes)]
    rest = registry.read(f"{path}&before={page['before']}").json()
    assert [one["report"] for one in rest["reports"]] == [json.loads(sent[0])]
    assert rest["before"] is None


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/hosts?since=yesterday", 400, "malformed"),
        ("/v1/hosts?limit=0", 422, "invalid_parameter"),
        ("/v1/hosts?limit=5001", 422, "invalid_parameter"),
        ("/v1/hosts?tenant=..", 422, "invalid_parameter"),
        ("/v1/hosts/GW1", 404, "not_found"),
        ("/v1/hosts/6f1e2d3c-0000-4000-8000-000000000000", 404, "not_found"),
        (
            "/v1/hosts/6f1e2d3c-0000-4000-8000-000000000000/history?before=99999999999999999999",
            422,
            "invalid_parameter",
        ),
        ("/v2", 404, "not_found"),
    ],
)
def test_questions_that_cannot_be_answered(registry: Any, path: str, status: int, code: str) -> None:
    answer = registry.read(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"error", "code"}


def test_a_wrong_method_is_answered_in_the_same_form(registry: Any) -> None:
    answer = registry.ask("DELETE", "/v1/reports")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
