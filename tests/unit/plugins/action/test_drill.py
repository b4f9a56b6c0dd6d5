# SPDX-License-Identifier: GPL-3.0-or-later
"""The action drill: a plan from the inventory alone; a verdict with evidence, which fails where a takeover was slow."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.drill import ActionModule
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.drill import CAUSES
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.rotation import Rotation

FAULTS = [
    {"cause": "wan", "gateway": "gw1", "started_at": 1000.5, "ended_at": 1003.5},
    {"cause": "lan", "gateway": "gw1", "started_at": 1010.5, "ended_at": 1013.5},
]
PROBE: dict[str, Any] = {
    "gaps": {"198.18.1.20": [[1000.6, 0.3, 29], [1010.6, 0.25, 24], [1014.0, 0.03, 2]]},
    "sent": {"198.18.1.20": 2000},
    "lost": {"198.18.1.20": 55},
    "downloads": [
        {"name": "http://198.18.1.20/", "survived": True, "bytes": 9, "longest_pause_seconds": 0.4, "problem": ""}
    ],
}


def variables() -> dict[str, Any]:
    hosts: dict[str, dict[str, Any]] = {
        "hub1": {"host_site": "core", "host_index": 1, "mesh_endpoint": "192.0.2.1"},
        "gw1": {"host_site": "lyon", "host_index": 1, "mesh_endpoint": "192.0.2.21"},
        "gw2": {"host_site": "lyon", "host_index": 2, "mesh_endpoint": "192.0.2.22"},
        "tele1": {"host_site": "remote", "host_index": 1},
    }
    estate = {
        "estate_name": "demo",
        "estate_domain": "demo.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": {
            "core": {"index": 0},
            "lyon": {
                "index": 1, "tenant": "acme", "lan_prefixes": ["2001:db8:2::/64"], "health_targets": ["2001:db8:2::20"],
            },
            "remote": {"index": 2, "tenant": "acme"},
        },
    }  # fmt: skip
    hostvars = {
        name: {**estate, **values, "reported": {"enrolment": {"mesh_key": f"key of {name}"}}}
        for name, values in hosts.items()
    }
    groups = {"managed": list(hosts), "hubs": ["hub1"], "gateways": ["gw1", "gw2"]}
    return {"hostvars": hostvars, "groups": groups}


@pytest.fixture
def drill(make_action: Any) -> Any:
    """``drill(**arguments)`` gives the result and what was shown."""

    def run(check: bool = False, task_vars: dict[str, Any] | None = None, **arguments: Any) -> Any:
        action = make_action(ActionModule, check=check, **{"site": "lyon", **arguments})
        result = action.run(task_vars=variables() if task_vars is None else task_vars)
        return result, [call.args[0] for call in action._display.display.call_args_list]

    return run


def test_the_causes_of_all_three_are_the_same(drill: Any) -> None:
    from ansible_collections.bocage.fleet.plugins.modules import drill as documented
    from ansible_collections.bocage.fleet.plugins.modules import gateway_fault

    result, _shown = drill(state="planned", takeovers=len(CAUSES))
    assert result["faults"] == list(CAUSES)
    for module, option in ((documented, "default: [{}]"), (gateway_fault, "choices: [{}]")):
        assert option.format(", ".join(CAUSES)) in module.DOCUMENTATION


def test_a_plan(drill: Any) -> None:
    result, shown = drill(state="planned", causes=["wan", "lan"], takeovers=3)
    assert (result["changed"], result["prober"], result["site"]) == (False, "tele1", "lyon")
    assert {result["gateway"], *result["others"]} == {"gw1", "gw2"}
    assert (result["targets"], result["faults"]) == (["2001:db8:2::20"], ["wan", "lan", "wan"])
    assert shown == [
        f"Drill of site lyon: tele1 probes 2001:db8:2::20; gateway {result['gateway']} is taken away 3 times (wan, lan), "
        f"for which {result['others'][0]} stands in"
    ]


def test_without_a_site_it_is_the_one_with_several_gateways(drill: Any) -> None:
    assert drill(state="planned", site="")[0]["site"] == "lyon"


def test_the_interface_is_the_one_in_use(drill: Any, tmp_path: Path) -> None:
    """Which key rotation changes: interfaces of an odd epoch have other names."""
    assert drill(state="planned")[0]["mesh_interface"] == "bocage0"
    changed = variables()
    for values in changed["hostvars"].values():
        values["mesh_interface_name"] = "mesh7"
    assert drill(state="planned", task_vars=changed)[0]["mesh_interface"] == "mesh7"

    rotated = variables()
    (tmp_path / "trust").mkdir()
    for name, values in rotated["hostvars"].items():
        values["inventory_dir"] = str(tmp_path)
        values["reported"]["enrolment"]["epochs"] = {"1": f"newer key of {name}"}
    early = datetime(2026, 1, 1, tzinfo=UTC)
    rotation = Rotation(0, 1, "settled", early, early + timedelta(days=1))
    (tmp_path / "trust/rotation.json").write_text(json.dumps(rotation.to_document()))
    assert drill(state="planned", task_vars=rotated)[0]["mesh_interface"] == "bocage1"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"site": "lion"}, "There is no site 'lion' to drill; name one of core, lyon, remote."),
        ({"prober": "hub1"}, "Host hub1 does not enter the LAN of site lyon by several gateways; probe from tele1."),
    ],
)
def test_a_plan_that_cannot_be_is_one_sentence(drill: Any, arguments: dict[str, Any], sentence: str) -> None:
    result, _shown = drill(state="planned", **arguments)
    assert (result["failed"], result["msg"]) == (True, sentence)


def test_a_verdict_with_its_evidence(drill: Any, tmp_path: Path) -> None:
    folder = tmp_path / "drills/lyon"
    result, (shown,) = drill(state="judged", faults=FAULTS, probe=PROBE, directory=str(folder))
    verdict = result["verdict"]
    assert (result.get("failed"), result["changed"], verdict["passed"]) == (None, False, True)
    assert [one["seconds"] for one in verdict["takeovers"]] == [0.3, 0.25]
    assert verdict["failback_lost_probes"] == 2
    file = folder / "failover-lyon-1000.json"
    assert verdict["evidence"] == str(file) and str(file) in shown
    assert json.loads(file.read_text()) == json.loads(json.dumps(verdict))
    # whoever doubts the verdict finds in it what it was made of
    assert json.loads(file.read_text())["gaps"] == PROBE["gaps"]
    assert (folder / "failover-lyon-1000.svg").read_bytes().startswith(b"<")
    assert "verdict: passed" in shown


def test_check_mode_keeps_nothing(drill: Any, tmp_path: Path) -> None:
    result, shown = drill(check=True, state="judged", faults=FAULTS, probe=PROBE, directory=str(tmp_path / "drills"))
    assert result["verdict"]["passed"] and "evidence" not in result["verdict"]
    assert len(shown) == 1 and list(tmp_path.iterdir()) == []
    result, _shown = drill(state="judged", faults=FAULTS, probe=PROBE)
    assert "evidence" not in result["verdict"]


def test_a_slow_takeover_fails_and_is_kept(drill: Any, tmp_path: Path) -> None:
    result, (shown,) = drill(state="judged", faults=FAULTS, probe=PROBE, directory=str(tmp_path), most_seconds=0.3)
    assert result["failed"] is True
    assert result["msg"] == ("The drill of site lyon failed: The takeover after wan took 0.3 s, and 0.3 are allowed.")
    assert "verdict: failed" in shown
    assert (tmp_path / "failover-lyon-1000.json").exists()


def test_a_fault_that_could_not_be_made_is_no_takeover(drill: Any, tmp_path: Path) -> None:
    broken = {
        "item": "lan", "msg": "The fault lan could not be made or put back: no such interface", "gateway": "gw1",
    }  # fmt: skip
    result, (shown,) = drill(state="judged", faults=[FAULTS[0], broken], probe=PROBE, directory=str(tmp_path))
    sentence = "The fault lan of gateway gw1 could not be made or put back: no such interface."
    assert (result["failed"], result["msg"]) == (True, f"The drill of site lyon failed: {sentence}")
    assert sentence in shown
    assert json.loads((tmp_path / "failover-lyon-1000.json").read_text())["problems"] == [sentence]


def test_probes_without_a_result_are_told_and_kept(drill: Any, tmp_path: Path) -> None:
    result, _shown = drill(state="judged", faults=[], probe={"msg": "Become root."}, directory=str(tmp_path))
    assert (result["failed"], result["msg"]) == (
        True,
        "The drill of site lyon failed: The probes ended without a result: Become root.",
    )
    (kept,) = tmp_path.glob("failover-lyon-*.json")
    assert json.loads(kept.read_text())["problems"][1:] == [
        "Nothing was taken over.",
        "Nobody was probed, so nothing was measured.",
    ]


def test_a_folder_that_cannot_be_made(drill: Any, tmp_path: Path) -> None:
    (tmp_path / "drills").write_text("a file")
    result, _shown = drill(state="judged", faults=FAULTS, probe=PROBE, directory=str(tmp_path / "drills/lyon"))
    assert result["failed"] and "drills" in result["msg"]
