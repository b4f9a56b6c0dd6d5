# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans mesh, names, access and segments on the controller, once for all hosts of the play."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common.collector import without_collector
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.exits import Exits
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.access import plan_access
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.routing import plan_routing
from ansible_collections.bocage.fleet.plugins.module_utils._gateway.takeover import plan_takeover
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.classes import ClassPlanner
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.epochs import classes_with_epochs, with_epochs
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.listening import plan_listening
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.mtu import SizePlanner
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.names import plan_names
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.peers import MeshPlanner
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.proofs import plan_outsider_probes, plan_probes
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.relays import plan_relayed
from ansible_collections.bocage.fleet.plugins.module_utils._mesh.segments import SegmentPlanner
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_vars import estate_of, placeholder_key
from ansible_collections.bocage.fleet.plugins.plugin_utils.mesh_epochs import epochs_of

USUAL_PARTS = ("mesh", "classes", "access", "names", "routing", "takeover", "segments")
# Only a proof asks for the others, of which the last takes a probe for each pair of hosts.
PARTS = (*USUAL_PARTS, "listening", "probes")


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _unused, arguments = self.validate_argument_spec(
            {
                "hosts": {"type": "list", "elements": "str", "required": True},
                "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(USUAL_PARTS)},
                "keepalive_seconds": {"type": "int", "default": 25},
                "pages": {"type": "list", "elements": "dict", "default": []},
                "outsiders": {"type": "list", "elements": "str", "default": []},
                "assume_enrolled": {"type": "bool", "default": False},
                "relayed_pairs": {"type": "int", "default": 0},
            }
        )
        result["changed"] = False
        try:
            epochs = epochs_of(task_vars, placeholder_key if arguments["assume_enrolled"] else None)
            estate = estate_of(task_vars, epochs.any_key)
            exits = Exits(estate)
            planner = MeshPlanner(estate, arguments["keepalive_seconds"])
            sizes = SizePlanner(estate)

            @cache
            def mesh_of(name: str) -> dict[str, Any]:
                return sizes.host(name, planner.host(name))

            classes = ClassPlanner(estate, mesh_of)
            makers: dict[str, Callable[[str], Any]] = {
                "mesh": lambda name: with_epochs(epochs, estate.hosts[name], classes.mesh(name)),
                "classes": lambda name: classes_with_epochs(epochs, name, classes.host(name)),
                "access": lambda name: classes.with_ports(name, plan_access(estate, name, exits)),
                "names": lambda name: plan_names(estate, name),
                "routing": lambda name: plan_routing(estate, name, exits),
                "segments": SegmentPlanner(estate, lambda name: int(mesh_of(name)["mtu"])).host,
                "takeover": lambda name: plan_takeover(estate, name, exits),
                "listening": lambda name: plan_listening(
                    estate.hosts[name], *(makers[part](name) for part in ("mesh", "routing", "segments"))
                ),
                "probes": lambda name: [probe.to_dict() for probe in plan_probes(estate, name, arguments["pages"])],
            }
            with without_collector():
                plans = {
                    name: {part: makers[part](name) for part in arguments["parts"]}
                    for name in arguments["hosts"]
                    if name in estate.hosts
                }
            for name in arguments["outsiders"]:
                plans[name] = {"probes": [probe.to_dict() for probe in plan_outsider_probes(estate, name)]}
            if arguments["relayed_pairs"] > 0:
                result["relayed"] = plan_relayed(estate, mesh_of, arguments["relayed_pairs"])
        except BocageError as error:
            result.update(failed=True, msg=str(error))
            return result
        result["hosts"] = plans
        result["epoch"] = epochs.settled
        result["rotation_phase"] = "none" if epochs.rotation is None else epochs.rotation.phase
        result["not_enrolled"] = sorted(name for name, host in estate.hosts.items() if host.public_key is None)
        return result
