# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tunnels are shown, and which of them live."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_view import LIVE_SECONDS, printable


def test_hosts_stand_by_site_role_and_index(demo: Any) -> None:
    assert [host.name for host in demo.view.hosts] == ["hub1", "gw1", "gw2", "wrs1", "desk1", "tele1"]
    assert [site.name for site in demo.view.sites] == ["core", "lyon", "remote"]
    assert {site.tenant_title for site in demo.view.sites} == {None, "Acme"}


def test_every_planned_tunnel_is_reported_once(demo: Any) -> None:
    assert demo.live == dict.fromkeys(
        [
            ("desk1", "gw1"),
            ("desk1", "gw2"),
            ("desk1", "hub1"),
            ("desk1", "wrs1"),
            ("gw1", "gw2"),
            ("gw1", "hub1"),
            ("gw1", "tele1"),
            ("gw1", "wrs1"),
            ("gw2", "hub1"),
            ("gw2", "tele1"),
            ("gw2", "wrs1"),
            ("hub1", "tele1"),
            ("hub1", "wrs1"),
        ],
        True,
    )


@pytest.mark.parametrize(("age", "live"), [(0, True), (LIVE_SECONDS, True), (LIVE_SECONDS + 1, False)])
def test_a_tunnel_lives_for_three_minutes_after_its_handshake(demo: Any, age: int, live: bool) -> None:
    # The age counts to the report, so that the passing of time alone changes nothing.
    for name in ("gw1", "hub1"):
        demo.report(name, age=60, handshake_age=age)
    assert demo.live["gw1", "hub1"] is live


def test_without_a_handshake_a_tunnel_is_silent(demo: Any) -> None:
    demo.peer("gw1", "hub1")["latest_handshake"] = 0
    demo.peer("hub1", "gw1")["latest_handshake"] = 0
    assert demo.live["gw1", "hub1"] is False
    assert demo.live["gw1", "gw2"] is True


def test_a_handshake_far_in_the_future_is_none(demo: Any) -> None:
    for name, other in (("gw1", "hub1"), ("hub1", "gw1")):
        demo.peer(name, other)["latest_handshake"] += 1000
    assert demo.live["gw1", "hub1"] is False


@pytest.mark.parametrize("newer", ["gw1", "hub1"])
def test_of_two_ends_the_newer_report_is_right(demo: Any, newer: str) -> None:
    older = "hub1" if newer == "gw1" else "gw1"
    demo.report(newer, age=5, handshake_age=600)
    demo.report(older, age=30, handshake_age=10)
    assert demo.live["gw1", "hub1"] is False
    demo.report(newer, age=5, handshake_age=10)
    demo.report(older, age=30, handshake_age=600)
    assert demo.live["gw1", "hub1"] is True


@pytest.mark.parametrize("state", ["lost", "untrusted", "missing", "a state of a later version"])
def test_hosts_that_are_not_heard_make_no_tunnel_live(demo: Any, state: str) -> None:
    del demo.reported["hub1"]
    demo.report("gw1", state=state, age=1)
    assert demo.live["gw1", "hub1"] is False
    # What the other end of its tunnels says still counts.
    assert demo.live["gw1", "gw2"] is True


def test_peers_that_nobody_is_enrolled_with_are_not_shown(demo: Any) -> None:
    before = demo.view.tunnels
    demo.reported["gw1"]["sections"]["mesh"]["peers"].append(
        {"public_key": "key of nobody", "latest_handshake": int(demo.now.timestamp())}
    )
    assert demo.view.tunnels == before


def test_a_key_of_two_hosts_is_nobodys(demo: Any) -> None:
    demo.hosts["gw2"]["public_key"] = demo.hosts["gw1"]["public_key"]
    del demo.reported["gw1"], demo.reported["gw2"]
    assert list(demo.live) == [("desk1", "hub1"), ("desk1", "wrs1"), ("hub1", "tele1"), ("hub1", "wrs1")]


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "in the middle"])
def test_keys_of_a_later_epoch_are_their_hosts(demo: Any, settled: bool) -> None:
    before = demo.live
    demo.rotate(settled)
    assert demo.live == before
    assert all(host.newest_handshake > 0 for host in demo.view.hosts)


def test_a_tunnel_is_silent_when_it_is_in_both_epochs(demo: Any) -> None:
    demo.rotate(settled=False)
    for name, other in (("gw1", "hub1"), ("hub1", "gw1")):
        for peer in demo.reported[name]["sections"]["mesh"]["peers"]:
            if peer["public_key"].startswith(f"key of {other}"):
                peer["latest_handshake"] = 0
    assert [pair for pair, live in demo.live.items() if not live] == [("gw1", "hub1")]


def test_a_key_of_two_hosts_in_an_epoch_is_nobodys(demo: Any) -> None:
    demo.rotate(settled=True)
    demo.reported["gw2"]["enrolment"]["epochs"] = {"1": "key of gw1 in epoch 1"}
    assert ("hub1", "tele1") in demo.live
    # the hub reports a peer that could be either of the two
    del demo.reported["gw1"]["sections"], demo.reported["gw2"]["sections"]
    assert ("gw1", "hub1") not in demo.live


def test_a_host_is_not_its_own_peer(demo: Any) -> None:
    demo.peer("gw1", "hub1")["public_key"] = "key of gw1"
    assert ("gw1", "gw1") not in demo.live


def test_an_estate_without_reports(demo: Any) -> None:
    demo.reported.clear()
    assert demo.view.tunnels == ()
    assert {(host.state, host.reported_at, host.newest_handshake) for host in demo.view.hosts} == {("missing", None, 0)}


def test_a_host_of_several_roles_and_of_none(demo: Any) -> None:
    demo.hosts["wrs1"]["roles"] = ["hypervisors", "caches"]
    demo.hosts["desk1"]["roles"] = []
    roles = {host.name: (host.role, host.role_words) for host in demo.view.hosts}
    assert roles["wrs1"] == ("cache", "cache, hypervisor")
    assert roles["desk1"] == ("host", "host")


def test_what_is_printed_controls_no_terminal() -> None:
    assert printable("gw1\x1b[31m\n\u202ered") == "gw1\ufffd[31m\ufffd\ufffdred"
    assert printable("Zürich 東京") == "Zürich 東京"
