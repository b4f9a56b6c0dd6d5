# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's steps in their order, on a trust folder of their own; and runs that meet each other."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible_collections.bocage.fleet.plugins.action.mesh_rotation import PHASES, ActionModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import dsse
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import rotation
from ansible_collections.bocage.fleet.plugins.module_utils._state import mesh_epoch

NAMES = ["gw1", "hub1"]
PRIVATE = {name: dsse.generate_private_key() for name in NAMES}
IDS = {name: f"4be0643f-1d98-573b-97cd-ca98a65347d{number}" for number, name in enumerate(NAMES)}


def key(text: str) -> str:
    return base64.b64encode(text.encode().ljust(32, b"\0")).decode()


def statement(name: str, signer: str | None = None) -> dict[str, Any]:
    made = mesh_epoch.Statement(IDS[name], name, 1, 1, key(f"{name}1"), datetime(2026, 11, 22, tzinfo=UTC))
    return mesh_epoch.sign(made, PRIVATE[signer or name])


@pytest.fixture
def step(make_action: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(C, "ANSIBLE_HOME", str(tmp_path / "home"))
    (tmp_path / "trust").mkdir()

    def take(name: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
        hostvars: dict[str, Any] = {}
        for host in NAMES:
            enrolment = {
                "host_id": IDS[host], "generation": 1, "mesh_key": key(f"{host}0"),
                "report_key": base64.b64encode(dsse.public_key_of(PRIVATE[host])).decode(),
            }  # fmt: skip
            if (tmp_path / f"trust/epochs/{host}.json").exists():
                enrolment["epochs"] = {"1": key(f"{host}1")}
            hostvars[host] = {"trust_directory": str(tmp_path / "trust"), "reported": {"enrolment": enrolment}}
        variables = {"groups": {"managed": NAMES}, "hostvars": hostvars}
        result: dict[str, Any] = make_action(ActionModule, check=check, step=name, **arguments).run(task_vars=variables)
        return result

    return take


def plans() -> dict[str, Any]:
    return {
        name: {"mesh": {"addresses": [f"fd00::{number}/128"], "peers": [{"name": other}]}}
        for number, (name, other) in enumerate([("gw1", "hub1"), ("hub1", "gw1")])
    }


def phase(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "trust/rotation.json").read_text())["phase"])


def test_from_start_to_end(step: Any, tmp_path: Path) -> None:
    assert step("begin")["mode"] == "stop"
    assert step("begin", check=True, word="start")["changed"] is False
    assert not (tmp_path / "trust/rotation.json").exists()
    begun = step("begin", word="start")
    assert (begun["changed"], begun["mode"], begun["epoch"]) == (True, "rotate", 1)
    assert step("stated", answers={name: statement(name) for name in NAMES})["changed"]
    assert not step("stated", answers={name: statement(name) for name in NAMES})["changed"]
    made = step("pairs", hosts=NAMES, plans=plans())["hosts"]
    assert sorted(len(peers) for peers in made.values()) == [0, 1]
    assert step("deliver", answers={"gw1": {"hub1": "box"}})["hosts"] == {"hub1": {"gw1": "box"}}
    assert step("retire", planned="rotating")["go"] is False
    seen = {"handshake": True, "answer": True}
    step("moved", answers={"gw1": {"hub1": seen}, "hub1": {"gw1": seen}}, plans=plans())
    step("applied", hosts=NAMES, planned="rotating")
    assert step("retire", planned="rotating")["go"] is True
    ended = step("settle")
    assert ended["message"] == "The mesh keys are those of epoch 1; no rotation is under way."
    assert phase(tmp_path) == "settled"


def test_given_up_the_statements_go(step: Any, tmp_path: Path) -> None:
    step("begin", word="start")
    step("stated", answers={name: statement(name) for name in NAMES})
    assert step("begin", word="abort")["mode"] == "back"
    step("applied", hosts=NAMES, planned="aborting")
    assert step("retire", planned="aborting")["go"] is True
    step("settle")
    assert list((tmp_path / "trust/epochs").iterdir()) == []
    assert step("begin")["message"] == "The mesh keys are those of epoch 0; no rotation is under way."


def test_attack_a_host_states_a_key_for_another(step: Any, tmp_path: Path) -> None:
    step("begin", word="start")
    forged = step("stated", answers={"gw1": statement("gw1", signer="hub1")})
    assert forged["failed"]
    assert forged["msg"].startswith("The statement of gw1 is not signed by the expected key")
    swapped = step("stated", answers={"gw1": statement("hub1")})
    assert swapped["failed"]
    assert not (tmp_path / "trust/epochs").exists()


def test_paused_by_another_run_this_one_ends(step: Any) -> None:
    step("begin", word="start")
    step("begin", word="pause")
    result = step("proofs", hosts=NAMES, plans=plans())
    assert result["msg"] == "The rotation is paused by the word of somebody else; this run ends here."


def claimed_by_another(tmp_path: Path) -> Path:
    """As if the first process of this machine were at work on the rotation."""
    (claim,) = (tmp_path / "home/bocage").glob("rotation-*.run")
    started = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    claim.write_text(json.dumps({"process": 1, "started": started}))
    return claim


def test_given_up_while_a_run_is_at_work_that_run_ends_and_hosts_go_back_afterwards(step: Any, tmp_path: Path) -> None:
    step("begin", word="start")
    seen = {"handshake": True, "answer": True}
    step("stated", answers={name: statement(name) for name in NAMES})
    step("moved", answers={"gw1": {"hub1": seen}, "hub1": {"gw1": seen}}, plans=plans())
    claim = claimed_by_another(tmp_path)
    given_up = step("begin", word="abort")
    assert given_up["mode"] == "stop", "two runs at a time would undo each other's work on hosts"
    assert given_up["message"].endswith(
        " Process 1 on this machine is at work on it and ends at its next step; then -e rotation=continue takes the hosts"
        " back."
    )
    # the other run has applied the plan by which hosts move
    for late in ("applied", "retire"):
        ended = step(late, hosts=NAMES, planned="rotating")
        assert ended["msg"] == (
            "The rotation was rotating when this run planned, and is aborting by the word of somebody else; this run ends"
            " here, and -e rotation=continue goes on."
        )
    hosts = json.loads((tmp_path / "trust/rotation.json").read_text())["hosts"]
    assert [host["moved"] for host in hosts.values()] == [True, True]
    claim.unlink()
    assert step("begin", word="continue")["mode"] == "back"
    assert step("retire", planned="aborting")["go"] is False, "nobody has gone back yet"
    step("applied", hosts=NAMES, planned="aborting")
    assert step("retire", planned="aborting")["go"] is True


def test_a_run_that_was_interrupted_while_old_keys_went_is_completed(step: Any) -> None:
    step("begin", word="start")
    step("stated", answers={name: statement(name) for name in NAMES})
    seen = {"handshake": True, "answer": True}
    step("moved", answers={"gw1": {"hub1": seen}, "hub1": {"gw1": seen}}, plans=plans())
    step("applied", hosts=NAMES, planned="rotating")
    step("retire", planned="rotating")
    assert step("begin", word="continue")["mode"] == "end", "no new keys are to be made"
    step("applied", hosts=NAMES, planned="retiring")
    assert step("retire", planned="retiring")["go"] is True


@pytest.mark.parametrize("late", ["applied", "retire"])
def test_what_was_applied_has_a_plan(step: Any, late: str) -> None:
    step("begin", word="start")
    assert step(late)["msg"] == f"The step {late} needs planned: the phase in which the plan was made."


def test_two_runs_at_a_time(step: Any, tmp_path: Path) -> None:
    step("begin", word="start")
    claim = claimed_by_another(tmp_path)
    refused = step("begin", word="continue")
    assert refused["msg"] == "Process 1 on this machine is at work on the rotation; wait for its end, or end it."
    claim.write_text(json.dumps({"process": 1, "started": "an earlier one"}))
    assert step("begin", word="continue")["mode"] == "rotate"


def test_all_phases_can_be_planned_in() -> None:
    assert PHASES == rotation.PHASES


def test_without_a_trust_folder(step: Any, tmp_path: Path) -> None:
    (tmp_path / "trust").rmdir()
    assert step("begin", word="start")["msg"] == (
        f"The trust folder {tmp_path}/trust is missing; run playbooks/trust.yml and playbooks/enrol.yml first."
    )
