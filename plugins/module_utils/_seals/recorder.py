# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task made true, read from the arguments that its module got and from what it answered.

Each module that roles use is known here, or the role that uses it leaves no seal: a list of what is sealed
that is kept by hand beside the tasks would sooner or later say less than they do.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from .._common.errors import BocageError
from .._common.systemd import STAMPS

Item = dict[str, Any]
Arguments = Mapping[str, Any]


class Unmapped(BocageError):
    """A task ran whose effect on the host nobody knows how to look at again."""


def record(action: str, result: Mapping[str, Any], *, only_reads: bool = False) -> list[Item]:
    """The items that one result stands for; a loop gives each of its results here.

    `action` is the fully qualified name, `result` holds ``invocation.module_args`` as callbacks see it, and
    `only_reads` says that the task declares ``changed_when: false``. Raises Unmapped.
    """
    if action in _NOTHING:
        return []
    if action in _COMMANDS:
        if only_reads:
            return []
        raise Unmapped(f"What {action} does to a host cannot be looked at again; use a module that a seal knows.")
    recorder = _RECORDERS.get(action)
    if recorder is None:
        raise Unmapped(f"The module {action} is not known to seals; name what it makes true in _seals/recorder.py.")
    arguments = (result.get("invocation") or {}).get("module_args")
    if not isinstance(arguments, Mapping):
        raise Unmapped(f"A task with {action} hides its arguments; use no_log for options of modules, not for tasks.")
    try:
        return recorder(arguments, result)
    except (KeyError, TypeError) as error:
        raise Unmapped(f"A result of {action} has not the form that seals know: {error!r}.") from error


def _file(path: str, state: str = "file", attributes: Mapping[str, Any] | None = None) -> Item:
    item: Item = {"kind": "file", "name": path, "state": state}
    given = attributes or {}
    item.update({name: str(given[name]) for name in ("mode", "owner", "group") if given.get(name) is not None})
    return item


def _unit(name: str, enabled: bool | None, active: bool | None) -> Item:
    return {"kind": "unit", "name": name, "enabled": enabled, "active": active}


def _probe(name: str) -> Item:
    return {"kind": "probe", "name": name}


def _packages(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    if arguments.get("deb") or arguments.get("upgrade") not in (None, "no"):
        raise Unmapped("The module ansible.builtin.apt with deb or upgrade is not known to seals.")
    names = arguments.get("name") or arguments.get("package") or []
    state = "absent" if arguments["state"] == "absent" else "present"
    listed = [names] if isinstance(names, str) else names
    # an entry may hold a version or a release
    return [
        {"kind": "package", "name": name.partition("=")[0].partition("/")[0], "state": state} for name in sorted(listed)
    ]


def _path_of_file(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    if arguments.get("recurse"):
        raise Unmapped("The module ansible.builtin.file with recurse is not known to seals.")
    path = result.get("path") or result.get("dest") or arguments.get("path") or arguments["dest"]
    state = {"absent": "absent", "directory": "directory", "link": "link"}.get(str(arguments.get("state")), "file")
    return [_file(path, state, arguments)]


def _copied(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    path = result.get("dest") or result.get("path") or arguments["dest"]
    return [_file(path, "file", arguments)]


def _account(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    return [{"kind": "account", "name": arguments["name"], "state": arguments.get("state") or "present"}]


def _service(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    if arguments.get("masked") is not None:
        raise Unmapped("The module ansible.builtin.systemd_service with masked is not known to seals.")
    active = {None: None, "stopped": False}.get(arguments.get("state"), True)
    return [_unit(arguments["name"], arguments.get("enabled"), active)]


def _own_unit(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    running = arguments["state"] != "stopped"
    items = [_unit(arguments["name"], arguments.get("enabled"), running)]
    # one that is stopped has no note of what it was started with
    if arguments.get("restart_on") and running:
        items += [_file(STAMPS, "directory"), _file(f"{STAMPS}/{arguments['name']}.json")]
    return items


def _config_files(_arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    return [_file(one["path"], one["state"], one) for one in result["files"]]


def _link_resolver(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    return [_probe(f"resolver:{arguments['interface']}")]


def _kernel_settings(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    return [_file(result["path"]), *(_probe(f"sysctl:{name}") for name in sorted(arguments["settings"]))]


def _mesh_key(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    path = arguments["path"]
    return [_file(path.rpartition("/")[0], "directory"), _file(path)]


def _mesh_interfaces(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    directory = arguments["configuration_directory"]
    return [
        item
        for name, backend in {**dict.fromkeys(result["removed"]), **result["interfaces"]}.items()
        for item in _mesh_interface(name, directory, backend)
    ]


def _mesh_interface(name: str, directory: str, backend: str | None) -> list[Item]:
    """Items of one interface; without a backend it is one that should not exist."""
    present = backend is not None
    state = "file" if present else "absent"
    drop_in = f"/etc/systemd/system/bocage-mesh@{name}.service.d/userspace.conf"
    userspace = backend == "userspace"
    items = [
        _file(f"{directory}/{name}.conf", state),
        _file(f"{directory}/{name}.ip", state),
        _file(f"{directory}/{name}.keys", state),
        _file(drop_in, "file" if userspace else "absent"),
        _unit(f"bocage-mesh@{name}.service", present, present),
        _probe(f"wireguard:{name}"),
        _probe(f"link:{name}"),
    ]
    if userspace:
        items += [
            _file(drop_in.rpartition("/")[0], "directory"),
            _unit(f"bocage-wireguard-go@{name}.service", None, True),
        ]
    return items


def _nft_ruleset(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    directory = arguments["directory"]
    return [
        _file(directory, "directory"),
        _file(f"{directory}/active.nft"),
        _file(f"{directory}/state.json"),
        # an addition of the site that was not loaded yet is no settled state either
        {"kind": "tree", "name": f"{directory}/site.d"},
        # a change that waits for its confirmation is no settled state
        *(_file(f"{directory}/{name}", "absent") for name in ("pending.nft", "previous.nft", "revert.sh")),
        _probe("nftables:inet bocage"),
    ]


def _traffic_classes(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    directory = arguments["directory"]
    names = ("outer.nft", "marks.nft", "watch.json", "state.json")
    if arguments["state"] == "absent":
        return [_file(f"{directory}/{name}", "absent") for name in (*names, "shaping.tc")]
    shaped = result["shaping"] not in ("off", "none")
    return [
        _file(directory, "directory"),
        *(_file(f"{directory}/{name}") for name in names),
        _file(f"{directory}/shaping.tc", "file" if shaped else "absent"),
        _probe("nftables:inet bocage_classes"),
    ]


def _segment_links(arguments: Arguments, _result: Mapping[str, Any]) -> list[Item]:
    directory, segments = arguments["directory"], arguments["segments"]
    names = ("links.ip", "rules.nft", "rules.sha256")
    if not segments:
        return [_file(f"{directory}/{name}", "absent") for name in names]
    gateway = any(one["kind"] == "gateway" for one in segments)
    return [
        *(_file(f"{directory}/{name}") for name in names),
        *([_file(f"{directory}/close.ip")] if gateway else []),
        _unit("bocage-segments.service", True, True),
        _probe("nftables:bridge bocage_segments"),
        _probe("nftables:inet bocage_segments"),
        # a gateway's port is opened and closed by its elector
        *(_probe(f"link:{one['bridge']}") for one in segments if one["kind"] == "hypervisor"),
    ]


def _app_install(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    root = f"{arguments['directory']}/{arguments['name']}"
    lists = f"{arguments['lists']}/{arguments['name']}"
    return [
        _file(arguments["directory"], "directory"),
        _file(root, "directory"),
        _file(f"{root}/current", "link"),
        {"kind": "tree", "name": result["path"]},
        _file(arguments["lists"], "directory"),
        _file(lists, "directory"),
        _file(f"{lists}/{posixpath.basename(result['path'])}.json"),
    ]


def _made_file(arguments: Arguments, result: Mapping[str, Any]) -> list[Item]:
    return [_file(result.get("filename") or arguments["path"])]


_COMMANDS = frozenset(f"ansible.builtin.{name}" for name in ("command", "shell", "raw", "script"))

# What happens on the controller, or only looks.
_NOTHING = frozenset(
    {
        *(
            f"ansible.builtin.{name}"
            for name in (
                "add_host", "assert", "debug", "fail", "gather_facts", "group_by", "import_role", "import_tasks",
                "include_role", "include_tasks", "include_vars", "meta", "pause", "ping", "service_facts", "set_fact",
                "setup", "slurp", "stat", "validate_argument_spec", "wait_for", "wait_for_connection",
            )
        ),
        *(
            f"bocage.fleet.{name}"
            for name in (
                "app_archive", "drill", "drill_probe", "gateway_fault", "estate_plan", "estate_reachability", "estate_show", "gateway_sizing", "gateway_status",
                "listeners", "mesh_mtu", "probe", "proof_table", "seal_check", "seal_plan", "seal_write", "validate_estate",
            )
        ),
        *(
            f"community.crypto.{name}"
            for name in ("openssl_csr_pipe", "x509_certificate_pipe")
        ),
    }
)  # fmt: skip

_RECORDERS: dict[str, Callable[[Arguments, Mapping[str, Any]], list[Item]]] = {
    "ansible.builtin.apt": _packages,
    "ansible.builtin.file": _path_of_file,
    "ansible.builtin.copy": _copied,
    "ansible.builtin.template": _copied,
    "ansible.builtin.user": _account,
    "ansible.builtin.systemd_service": _service,
    "ansible.builtin.systemd": _service,
    "bocage.fleet.config_files": _config_files,
    "bocage.fleet.unit": _own_unit,
    "bocage.fleet.link_resolver": _link_resolver,
    "bocage.fleet.kernel_settings": _kernel_settings,
    "bocage.fleet.mesh_key": _mesh_key,
    "bocage.fleet.mesh_interfaces": _mesh_interfaces,
    "bocage.fleet.nft_ruleset": _nft_ruleset,
    "bocage.fleet.traffic_classes": _traffic_classes,
    "bocage.fleet.segment_links": _segment_links,
    "bocage.fleet.app_install": _app_install,
    "community.crypto.openssl_privatekey": _made_file,
    # a certificate that is looked at and found good is made by no task of that run, and is still needed
    "community.crypto.x509_certificate_info": _made_file,
    "community.crypto.x509_certificate": _made_file,
}
