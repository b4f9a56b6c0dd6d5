# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the estate as it was reported: a table here, a picture in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import atomic, timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_picture import draw
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_services import GatewayView
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_table import services, table
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_vars import estate_of
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_view import EstateView, view_of


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "picture": {"type": "path"},
                "title": {"type": "str"},
                "detail": {"type": "str", "choices": ["hosts", "services"], "default": "hosts"},
            }
        )
        try:
            view = _view(task_vars or {})
            title = arguments["title"] or f"Estate {view.name}"
            lines = table(view, title, timestamps.now()) if arguments["detail"] == "hosts" else services(view)
            for line, colour in lines:
                self._display.display(line, color=colour)
            result.update(changed=False, **_values(view))
            if arguments["picture"] is not None:
                path = Path(self._loader.path_dwim(arguments["picture"])).resolve()
                result.update(picture=str(path), changed=_write(path, draw(view, title), self._task.check_mode))
                self._display.display(f"  picture: {path}\n")
        except BocageError as error:
            result.update(failed=True, msg=str(error))
        return result


def _view(task_vars: Mapping[str, Any]) -> EstateView:
    estate = estate_of(task_vars)
    hostvars = task_vars["hostvars"]
    reported = {name: hostvars[name].get("reported") or {} for name in estate.hosts}
    tenants = hostvars[next(iter(estate.hosts))].get("estate_tenants") or {}
    titles = {str(name): (values or {}).get("title") for name, values in tenants.items()}
    return view_of(estate, reported, {name: str(title) for name, title in titles.items() if title})


def _values(view: EstateView) -> dict[str, list[dict[str, Any]]]:
    return {
        "hosts": [
            {
                "name": host.name,
                "roles": list(host.roles),
                "site": host.site,
                "address": host.address,
                "state": host.state,
                "reason": host.reason,
                "drift": list(host.drift),
                "reported_at": None if host.reported_at is None else timestamps.write(host.reported_at),
                "newest_handshake": host.newest_handshake,
                "epoch": host.epochs.used,
                "live_epochs": list(host.epochs.live),
                "exits": [{"site": site, "gateway": gateway} for site, gateway in host.exits],
                "gateway": None if host.gateway is None else _gateway(host.gateway),
            }
            for host in view.hosts
        ],
        "tunnels": [{"one": tunnel.one, "other": tunnel.other, "live": tunnel.live} for tunnel in view.tunnels],
    }


def _gateway(gateway: GatewayView) -> dict[str, Any]:
    return {**asdict(gateway), "segments": [{"name": name, "active": active} for name, active in gateway.segments]}


def _write(path: Path, picture: bytes, check_mode: bool) -> bool:
    """Write the picture where it differs from what is there; in check mode only say whether it does."""
    try:
        if path.exists() and path.read_bytes() == picture:
            return False
        if not check_mode:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_file(path, picture)
    except OSError as error:
        raise BadInput(
            f"The picture {path} cannot be written: {error.strerror} ({error.filename}); choose another place for it."
        ) from error
    return True
