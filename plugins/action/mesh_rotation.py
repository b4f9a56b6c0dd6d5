# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of a rotation of mesh keys: one step of it, and what hosts have to do for the next."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import pairs
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import rotation as rotations
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.epochs import Epochs
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.rotation import Rotation
from ansible_collections.bocage.fleet.plugins.module_utils._state import mesh_epoch
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.mesh_epochs import (
    host_keys,
    only_one,
    read_rotation,
    trust_folder,
    write_rotation,
)
from ansible_collections.bocage.fleet.plugins.plugin_utils.rotation_run import claim, other_run

WORDS = ("start", "continue", "pause", "resume", "abort", "status")
STEPS = ("begin", "stated", "pairs", "deliver", "agree", "proofs", "moved", "applied", "retire", "settle")
PHASES = ("rotating", "paused", "aborting", "retiring", "undoing", "settled")
# What a run may find on its way; anything else was put there by another one.
GOING = ("rotating", "aborting", "retiring", "undoing", "settled")


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        _unused, self._given = self.validate_argument_spec(
            {
                "step": {"type": "str", "choices": list(STEPS), "required": True},
                "word": {"type": "str", "choices": list(WORDS), "default": "status"},
                "ends_at": {"type": "str"},
                "hours": {"type": "float", "default": 24.0},
                "hosts": {"type": "list", "elements": "str", "default": []},
                "answers": {"type": "dict", "default": {}},
                "plans": {"type": "dict", "default": {}},
                "planned": {"type": "str", "choices": list(PHASES)},
            }
        )
        result["changed"] = False
        steps: dict[str, Callable[[Path, Rotation | None], dict[str, Any]]] = {
            "begin": self._begin,
            "stated": self._stated,
            "pairs": self._pairs,
            "deliver": self._deliver,
            "agree": self._agree,
            "proofs": self._proofs,
            "moved": self._moved,
            "applied": self._applied,
            "retire": self._retire,
            "settle": self._settle,
        }
        try:
            folder = trust_folder(self._vars)
            with only_one(folder):
                before = read_rotation(folder)
                result.update(steps[self._given["step"]](folder, before))
                after = read_rotation(folder)
            result["changed"] |= after != before
            result["diff"] = {"before": _shown(before), "after": _shown(self._next or after)}
            result["message"] = rotations.describe(self._next or after, timestamps.now()) + self._note
        except BocageError as error:
            result.update(failed=True, msg=str(error))
        return result

    _next: Rotation | None = None
    _note = ""

    def _write(self, folder: Path, rotation: Rotation) -> None:
        self._next = rotation
        if not self._task.check_mode:
            write_rotation(folder, rotation)

    def _begin(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        """Take the operator's word; `mode` says what the run is to do."""
        word, now = self._given["word"], timestamps.now()
        if word == "status":
            return {"mode": "stop"}
        place = folder.resolve().as_posix().strip("/").replace("/", "-")
        claimed = Path(C.ANSIBLE_HOME) / "bocage" / f"rotation-{place}.run"
        if word == "abort" and (other := other_run(claimed)) is not None:
            # two runs at hosts at a time would undo each other's work; the other one ends as soon as it finds the word
            self._write(folder, rotations.abort(before))
            self._note = (
                f" Process {other} on this machine is at work on it and ends at its next step; "
                "then -e rotation=continue takes the hosts back."
            )
            return {"mode": "stop"}
        if word != "pause" and not self._task.check_mode:
            claim(claimed)
        if word == "pause":
            self._write(folder, rotations.pause(before))
            return {"mode": "stop"}
        if word == "start":
            after = rotations.start(before, self._states(before), self._end(now), now)
        else:
            taken = {"continue": rotations.go_on, "resume": rotations.resume, "abort": rotations.abort}[word](before)
            if word == "resume":
                taken = rotations.go_on(taken)
            if taken.phase == "rotating":
                taken = rotations.joined(taken, self._states(taken, taken.old))
                if self._given["ends_at"]:
                    taken = replace(taken, ends_at=self._end(now))
            after = taken
        self._write(folder, after)
        modes = {"aborting": "back", "undoing": "back", "retiring": "end", "settled": "join"}
        return {"mode": modes.get(after.phase, "rotate"), "epoch": after.new}

    def _end(self, now: datetime) -> datetime:
        if self._given["ends_at"]:
            return timestamps.parse(self._given["ends_at"], "rotation_ends_at")
        return now + timedelta(seconds=round(self._given["hours"] * 3600))

    def _states(self, before: Rotation | None, epoch: int | None = None) -> dict[str, rotations.HostState]:
        """All enrolled hosts as they begin: by the key of their enrolment, or by one that they made before."""
        keys = host_keys(self._vars)
        known = Epochs(before, keys)
        old = known.settled if epoch is None else epoch
        states: dict[str, rotations.HostState] = {}
        for name, host in keys.items():
            if host.enrolled is not None:
                key = known.key(name, old)
                enrolled_in = (old,) if key is not None and not key.stated else ()
                states[name] = rotations.HostState(generation=host.generation, enrolled_in=enrolled_in)
        return states

    def _at_work(self, before: Rotation | None, *phases: str) -> Rotation:
        """The rotation that this run is at; another run may have paused it or given it up."""
        if before is None or before.phase not in (phases or GOING):
            phase = "gone" if before is None else before.phase
            raise BadInput(f"The rotation is {phase} by the word of somebody else; this run ends here.")
        return before

    def _stated(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        """Keep the statements of hosts, once each is verified as the inventory will verify it again."""
        current = self._at_work(before, "rotating", "settled")
        changed = False
        for name, envelope in self._given["answers"].items():
            enrolment = self._vars["hostvars"][name]["reported"]["enrolment"]
            report_key = base64.b64decode(enrolment["report_key"])
            signer = mesh_epoch.Signer(name, enrolment["host_id"], enrolment["generation"], report_key)
            statement = mesh_epoch.verify(envelope, signer, f"the statement of {name}")
            path = mesh_epoch.statement_file(folder, name)
            others = set(current.live) - {statement.epoch}
            statements = [*mesh_epoch.of_epochs(mesh_epoch.read_envelopes(path), others), envelope]
            if statements != mesh_epoch.read_envelopes(path):
                changed = True
                if not self._task.check_mode:
                    mesh_epoch.write_envelopes(path, statements)
        return {"changed": changed}

    def _epochs(self, before: Rotation | None) -> Epochs:
        return Epochs(before, host_keys(self._vars))

    def _pairs(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        current = self._at_work(before, "rotating", "settled")
        makers = pairs.to_make(self._given["plans"], self._epochs(current), current.new, self._given["hosts"])
        return {"hosts": makers, "epoch": current.new}

    def _deliver(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        self._at_work(before, "rotating", "settled")
        return {"hosts": pairs.to_deliver(self._given["answers"])}

    def _agree(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        self._at_work(before, "rotating", "settled")
        pairs.check_agreement(self._given["answers"])
        return {}

    def _proofs(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        current = self._at_work(before, "rotating")
        return {"hosts": pairs.to_prove(self._given["plans"], self._epochs(current), current.new, self._given["hosts"])}

    def _moved(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        current = self._at_work(before, "rotating")
        seen = {
            name: {peer: proof["handshake"] and proof["answer"] for peer, proof in proofs.items()}
            for name, proofs in self._given["answers"].items()
        }
        plans = self._given["plans"]
        peers = {name: pairs.peers_of(plans[name]["mesh"]) for name in seen}
        self._write(folder, rotations.moved(current, seen, peers))
        return {}

    def _applied(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        """Hosts on which the plan of this run was applied."""
        current = self._at_work(before)
        self._write(folder, rotations.applied(current, self._given["hosts"], self._planned()))
        return {}

    def _planned(self) -> str:
        planned = self._given["planned"]
        if planned is None:
            raise BadInput(f"The step {self._given['step']} needs planned: the phase in which the plan was made.")
        return str(planned)

    def _retire(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        current, now = rotations.as_planned(self._at_work(before), self._planned()), timestamps.now()
        if rotations.may_retire(current, now):
            self._write(folder, rotations.retire(current))
        elif rotations.may_undo(current, now):
            self._write(folder, rotations.undo(current))
        after = self._next or current
        return {"go": after.phase in ("retiring", "undoing")}

    def _settle(self, folder: Path, before: Rotation | None) -> dict[str, Any]:
        """The end: only the statements of the epoch that is left are kept."""
        current = rotations.settle(self._at_work(before, "retiring", "undoing"))
        self._write(folder, current)
        for path in sorted((folder / mesh_epoch.EPOCHS).glob("*.json")):
            envelopes = mesh_epoch.read_envelopes(path)
            kept = mesh_epoch.of_epochs(envelopes, {current.new})
            if kept != envelopes and not self._task.check_mode:
                mesh_epoch.write_envelopes(path, kept)
        return {}


def _shown(rotation: Rotation | None) -> str:
    return "" if rotation is None else rotations.describe(rotation, timestamps.now()) + "\n"
