# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.refused import Refused
from bocage_core._seals.items import merge, parse_items

GOOD: list[dict[str, Any]] = [
    {"kind": "account", "name": "bocage-registry", "state": "present"},
    {"kind": "file", "name": "/etc/bocage/agent.json", "state": "file", "mode": "0644", "owner": "root"},
    {"kind": "file", "name": "/etc/gone", "state": "absent"},
    {"kind": "package", "name": "libstdc++6", "state": "present"},
    {"kind": "probe", "name": "link:eth1.100"},
    {"kind": "probe", "name": "nftables:inet bocage"},
    {"kind": "probe", "name": "resolver:bocage0"},
    {"kind": "probe", "name": "sysctl:net.ipv4.conf.eth0/1.forwarding"},
    {"kind": "probe", "name": "wireguard:bocage0"},
    {"kind": "tree", "name": "/opt/bocage/agent/current"},
    {"kind": "unit", "name": "bocage-mesh@bocage0.service", "enabled": True, "active": None},
]


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert parse_items(GOOD, "the seal of mesh") == GOOD
    assert merge(reversed(GOOD)) == GOOD


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "file", "name": "etc/x", "state": "file"},
        {"kind": "file", "name": "/etc/../x", "state": "file"},
        {"kind": "file", "name": "/etc/x/", "state": "file"},
        {"kind": "file", "name": "//etc", "state": "file"},
        {"kind": "file", "name": "/etc/x\n", "state": "file"},
        {"kind": "file", "name": "/etc/x", "state": "present"},
        {"kind": "file", "name": "/etc/x", "state": "file", "mode": 420},
        {"kind": "file", "name": "/etc/x", "state": "file", "colour": "red"},
        {"kind": "tree", "name": "/opt", "state": "file"},
        {"kind": "package", "name": "--all", "state": "present"},
        {"kind": "package", "name": "nftables", "state": "latest"},
        {"kind": "account", "name": "a b", "state": "present"},
        {"kind": "unit", "name": "nginx", "enabled": True, "active": True},
        {"kind": "unit", "name": "--force.service", "enabled": True, "active": True},
        {"kind": "unit", "name": "nginx.service", "enabled": 1, "active": True},
        {"kind": "unit", "name": "nginx.service", "enabled": True},
        {"kind": "probe", "name": "wireguard"},
        {"kind": "probe", "name": "wireguard:-x"},
        {"kind": "probe", "name": "nftables:inet bocage; flush ruleset"},
        {"kind": "probe", "name": "sysctl:net.//.passwd"},
        {"kind": "probe", "name": "sysctl:net...passwd"},
        {"kind": "probe", "name": "shell:reboot"},
        {"kind": "command", "name": "reboot"},
        {"kind": ["file"], "name": "/x"},
        "file",
    ],
)
def test_an_item_of_another_form_is_refused(item: object) -> None:
    with pytest.raises(Refused, match="seal of mesh") as refusal:
        parse_items([item], "the seal of mesh")
    assert refusal.value.code == "malformed"


@pytest.mark.parametrize("value", [None, {}, GOOD[:1] * 2, GOOD[::-1], [GOOD[3]] * 5000])
def test_a_manifest_lists_each_item_once_and_in_order(value: object) -> None:
    with pytest.raises(Refused, match="The seal of mesh"):
        parse_items(value, "the seal of mesh")


def test_the_last_word_on_a_file_counts() -> None:
    written = {"kind": "file", "name": "/etc/x", "state": "file", "mode": "0600"}
    removed = {"kind": "file", "name": "/etc/x", "state": "absent"}
    assert merge([written, removed]) == [removed]
    assert merge([removed, written]) == [written]
    assert merge([written, {"kind": "file", "name": "/etc/x", "state": "file"}]) == [written]


def test_what_a_later_task_leaves_unsaid_of_a_unit_stays() -> None:
    enabled = {"kind": "unit", "name": "x.service", "enabled": True, "active": None}
    restarted = {"kind": "unit", "name": "x.service", "enabled": None, "active": True}
    stopped = {"kind": "unit", "name": "x.service", "enabled": False, "active": False}
    assert merge([enabled, restarted]) == [{"kind": "unit", "name": "x.service", "enabled": True, "active": True}]
    assert merge([enabled, restarted, stopped]) == [stopped]
    assert enabled["active"] is None, "what was given is not changed"


def test_names_as_tasks_write_them_are_brought_into_their_form() -> None:
    items = merge(
        [
            {"kind": "file", "name": "/etc/bocage/", "state": "directory"},
            {"kind": "unit", "name": "nginx", "enabled": None, "active": True},
            {"kind": "unit", "name": "dev.x", "enabled": None, "active": True},
        ]
    )
    assert [one["name"] for one in items] == ["/etc/bocage", "dev.x.service", "nginx.service"]
    assert parse_items(items, "the seal of x") == items
