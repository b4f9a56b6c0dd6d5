# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that hosts measured, in the inventory."""

from __future__ import annotations

from typing import Any

import pytest

GW1_ADDRESSES = ("fd7b:4c1e:90a2:1::1/128", "198.19.1.1/32")


def test_a_path_that_carries_less_than_planned_is_drift_of_its_own(folder: Any) -> None:
    host = folder.enrolled()
    path = {"peer": "hub1", "planned": 1440, "allowed": 1440, "measured": 1340, "underlay": 1400}
    mesh = folder.mesh(host, *GW1_ADDRESSES, paths=[path, {**path, "peer": "gw2", "planned": 1340}])
    folder.offer("gw1", host.report_bytes(sections={"mesh": mesh}))
    loaded = folder.load(reports="reports")
    assert loaded.group("drift_mtu") == ["gw1"] and loaded.group("drift_mesh") == []
    assert loaded.reported()["drift"]["mtu"] == [
        "The path to hub1 carries 1340 bytes in one piece instead of the planned 1440: its underlay carries 1400; give "
        "the narrower end this underlay_mtu, and no mesh_mtu."
    ]


@pytest.mark.parametrize(
    "paths", ["no list", ["no path"], [{"peer": "hub1"}], [{"peer": "a b", "planned": 1, "allowed": 1, "measured": 1}]]
)
def test_paths_that_no_agent_writes_are_not_believed(folder: Any, paths: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"mesh": folder.mesh(host, *GW1_ADDRESSES, paths=paths)}))
    loaded = folder.load(reports="reports")
    assert (loaded.state(), loaded.group("drift_mtu")) == ("state_untrusted", [])
