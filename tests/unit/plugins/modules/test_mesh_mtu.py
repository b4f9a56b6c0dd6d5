# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.path_sizes import PathSize
from ansible_collections.bocage.fleet.plugins.modules import mesh_mtu
from ansible_collections.bocage.fleet.plugins.plugin_utils.proof_text import failures, summary, table

HUB = {"peer": "hub1", "address": "fd7b:4c1e:90a2::1", "mtu": 1340}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the next measurement finds, beside what it was asked."""
    found: dict[str, Any] = {"measured": 1340, "allowed": 1340, "underlay": 1400, "beyond": False}

    def measure(_run: Any, paths: list[dict[str, Any]], timeout: float, deadline: float) -> list[PathSize]:
        found["asked"] = (paths, timeout, deadline)
        sizes = {name: found[name] for name in ("measured", "allowed", "underlay", "beyond")}
        return [
            PathSize(peer=path["peer"], address=path["address"], interface="bocage0", planned=path["mtu"], **sizes)
            for path in paths
        ]

    monkeypatch.setattr(mesh_mtu, "measure", measure)
    return found


def test_a_path_as_planned_is_proved_twice(call_module: Any, measured: dict[str, Any]) -> None:
    done = call_module(mesh_mtu, host="tele1", paths=[HUB])
    assert done["changed"] is False and done["findings"] == []
    assert done["paths"] == [
        {
            "peer": "hub1",
            "address": HUB["address"],
            "interface": "bocage0",
            "planned": 1340,
            "allowed": 1340,
            "measured": 1340,
            "underlay": 1400,
            "beyond": False,
            "finding": None,
        }
    ]
    assert [(one["about"], one["reach"], one["passed"]) for one in done["results"]] == [
        ("tele1 -> hub1, 1340 bytes", True, True),
        ("tele1 -> hub1, 1341 bytes", False, True),
    ]
    assert measured["asked"] == ([HUB], 1.0, 20.0)
    assert "each path carries the planned size in one piece, and not a byte more" in table(summary(done["results"]))


def test_a_wrong_override_fails_with_its_sentence(call_module: Any, measured: dict[str, Any]) -> None:
    measured["allowed"] = 1420
    done = call_module(mesh_mtu, host="tele1", paths=[HUB], mtu=1420)
    sentence = (
        "The path to hub1 carries 1340 bytes in one piece instead of the planned 1420: its underlay carries 1400; give "
        "the narrower end this underlay_mtu, and no mesh_mtu."
    )
    assert done["findings"] == [sentence]
    assert failures(done["results"]) == [f"tele1 -> hub1, 1420 bytes (size fd7b:4c1e:90a2::1): {sentence}"]


def test_a_byte_too_many_fails(call_module: Any, measured: dict[str, Any]) -> None:
    measured["beyond"] = True
    assert failures(call_module(mesh_mtu, host="tele1", paths=[HUB])["results"]) == [
        "tele1 -> hub1, 1341 bytes (size fd7b:4c1e:90a2::1): a packet of 1341 bytes passes: the interface is not as planned"
    ]


def test_a_silent_peer_fails_and_is_no_finding(call_module: Any, measured: dict[str, Any]) -> None:
    measured.update(measured=None, underlay=None)
    done = call_module(mesh_mtu, host="tele1", paths=[HUB])
    assert done["findings"] == []
    assert failures(done["results"]) == ["tele1 -> hub1, 1340 bytes (size fd7b:4c1e:90a2::1): the peer does not answer"]


def test_what_cannot_be_measured_is_said_in_a_sentence(call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_arguments: Any) -> list[PathSize]:
        raise BocageError("'wg show interfaces' failed on this host: no such program")

    monkeypatch.setattr(mesh_mtu, "measure", measure)
    assert call_module(mesh_mtu, host="tele1", paths=[HUB])["msg"] == (
        "The paths of tele1 could not be measured: 'wg show interfaces' failed on this host: no such program"
    )
