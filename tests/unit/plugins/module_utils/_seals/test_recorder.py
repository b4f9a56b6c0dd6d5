# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seal looks at is read from the tasks that ran, absences included."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from bocage_core._seals import recorder
from bocage_core._seals.items import merge, parse_items
from bocage_core._seals.recorder import Unmapped, record

ROOT = Path(__file__).resolve().parents[5]


def ran(action: str, arguments: dict[str, Any], **result: Any) -> list[dict[str, Any]]:
    items = record(action, {"invocation": {"module_args": arguments}, "changed": False, **result})
    # whatever is recorded must be something that a manifest takes
    assert parse_items(merge(items), "the test") == merge(items)
    return items


FILE = {"kind": "file", "name": "/etc/x", "state": "file"}


@pytest.mark.parametrize(
    ("action", "arguments", "result", "items"),
    [
        (
            "ansible.builtin.apt",
            {"name": ["nftables", "curl=7.88.1", "git/bookworm"], "state": "present", "deb": None, "upgrade": None},
            {},
            [("package", "curl", "present"), ("package", "git", "present"), ("package", "nftables", "present")],
        ),
        ("ansible.builtin.apt", {"name": "telnetd", "state": "absent"}, {}, [("package", "telnetd", "absent")]),
        ("ansible.builtin.file", {"path": "/etc/x", "state": "directory"}, {}, [("file", "/etc/x", "directory")]),
        ("ansible.builtin.file", {"path": "/etc/x", "state": "absent"}, {}, [("file", "/etc/x", "absent")]),
        ("ansible.builtin.file", {"path": "/etc/x", "state": "link", "src": "y"}, {}, [("file", "/etc/x", "link")]),
        ("ansible.builtin.copy", {"dest": "/etc/"}, {"dest": "/etc/x"}, [("file", "/etc/x", "file")]),
        # copy and template that change nothing end in the module file
        ("ansible.builtin.template", {"path": "/etc/x", "state": "file"}, {"path": "/etc/x"}, [("file", "/etc/x", "file")]),
        ("ansible.builtin.user", {"name": "anna", "state": "present"}, {}, [("account", "anna", "present")]),
        ("ansible.builtin.user", {"name": "anna", "state": "absent"}, {}, [("account", "anna", "absent")]),
        (
            "bocage.fleet.config_files",
            {},
            {"files": [{"path": "/etc/x", "state": "file", "mode": "0644"}, {"path": "/etc/y", "state": "absent"}]},
            [("file", "/etc/x", "file"), ("file", "/etc/y", "absent")],
        ),
        ("community.crypto.openssl_privatekey", {"path": "/etc/x"}, {"filename": "/etc/x"}, [("file", "/etc/x", "file")]),
        ("community.crypto.x509_certificate_info", {"path": "/etc/x"}, {}, [("file", "/etc/x", "file")]),
    ],
)  # fmt: skip
def test_things_with_a_state(
    action: str, arguments: dict[str, Any], result: dict[str, Any], items: list[tuple[str, str, str]]
) -> None:
    found = ran(action, arguments, **result)
    assert [(item["kind"], item["name"], item["state"]) for item in found] == items


@pytest.mark.parametrize(
    ("action", "arguments", "enabled", "active"),
    [
        ("ansible.builtin.systemd_service", {"state": "started", "enabled": True}, True, True),
        ("ansible.builtin.systemd_service", {"state": "restarted", "enabled": None}, None, True),
        ("ansible.builtin.systemd_service", {"state": "stopped", "enabled": False}, False, False),
        ("ansible.builtin.systemd_service", {"state": None, "enabled": True}, True, None),
        ("bocage.fleet.unit", {"state": "started", "enabled": True}, True, True),
        ("bocage.fleet.unit", {"state": "stopped", "enabled": False}, False, False),
    ],
)
def test_units(action: str, arguments: dict[str, Any], enabled: bool | None, active: bool | None) -> None:
    (item,) = ran(action, {"name": "x.service", **arguments})
    assert item == {"kind": "unit", "name": "x.service", "enabled": enabled, "active": active}


def names(items: list[dict[str, Any]]) -> set[str]:
    return {f"{item['kind']} {item['name']}" for item in items}


def test_modules_of_the_collection_name_all_that_they_make() -> None:
    folder = {"configuration_directory": "/etc/bocage/mesh"}
    userspace = ran("bocage.fleet.mesh_interfaces", folder, interfaces={"bocage0": "userspace"}, removed=[])
    kernel = ran("bocage.fleet.mesh_interfaces", folder, interfaces={"bocage0": "kernel"}, removed=["bocage1"])
    gone = [item for item in kernel if "bocage1" in item["name"]]
    assert all(item.get("state") == "absent" for item in gone if item["kind"] == "file")
    kernel = [item for item in kernel if item not in gone]
    assert names(userspace) - names(kernel) == {
        "unit bocage-wireguard-go@bocage0.service",
        "file /etc/systemd/system/bocage-mesh@bocage0.service.d",
    }
    assert {"probe wireguard:bocage0", "probe link:bocage0", "file /etc/bocage/mesh/bocage0.conf"} <= names(kernel)
    drop_in = "/etc/systemd/system/bocage-mesh@bocage0.service.d/userspace.conf"
    assert [item["state"] for item in kernel if item["name"] == drop_in] == ["absent"]
    firewall = ran("bocage.fleet.nft_ruleset", {"directory": "/etc/bocage/nftables"})
    assert {item["name"] for item in firewall if item.get("state") == "absent"} == {
        f"/etc/bocage/nftables/{name}" for name in ("pending.nft", "previous.nft", "revert.sh")
    }
    assert "probe nftables:inet bocage" in names(firewall)
    traffic = {"directory": "/etc/bocage/traffic", "state": "present"}
    classes = ran("bocage.fleet.traffic_classes", traffic, shaping="htb")
    assert {"probe nftables:inet bocage_classes", "file /etc/bocage/traffic/watch.json"} <= names(classes)
    assert all(item["state"] == "file" for item in classes if item["name"].endswith(".tc"))
    for unshaped in ("off", "none"):
        found = ran("bocage.fleet.traffic_classes", traffic, shaping=unshaped)
        assert [item["state"] for item in found if item["name"].endswith(".tc")] == ["absent"]
    gone = ran("bocage.fleet.traffic_classes", {**traffic, "state": "absent"}, shaping="off")
    assert all(item["kind"] == "file" and item["state"] == "absent" for item in gone)
    given = {"directory": "/opt/bocage", "name": "agent", "lists": "/var/lib/bocage/programs"}
    program = ran("bocage.fleet.app_install", given, path="/opt/bocage/agent/1")
    assert {"tree /opt/bocage/agent/1", "file /opt/bocage/agent/current"} <= names(program)
    assert {"file /var/lib/bocage/programs/agent", "file /var/lib/bocage/programs/agent/1.json"} <= names(program)
    settings = ran(
        "bocage.fleet.kernel_settings", {"settings": {"net.ipv4.ip_forward": 1}}, path="/etc/sysctl.d/60-x.conf"
    )
    assert names(settings) == {"file /etc/sysctl.d/60-x.conf", "probe sysctl:net.ipv4.ip_forward"}
    assert names(ran("bocage.fleet.link_resolver", {"interface": "bocage0"})) == {"probe resolver:bocage0"}
    assert names(ran("bocage.fleet.mesh_key", {"path": "/etc/bocage/mesh/private.key"})) == {
        "file /etc/bocage/mesh",
        "file /etc/bocage/mesh/private.key",
    }
    stamped = ran("bocage.fleet.unit", {"name": "x.service", "state": "started", "restart_on": ["/etc/x"]})
    assert "file /var/lib/bocage/units/x.service.json" in names(stamped)
    stopped = ran("bocage.fleet.unit", {"name": "x.service", "state": "stopped", "restart_on": ["/etc/x"]})
    assert "file /var/lib/bocage/units/x.service.json" not in names(stopped)


@pytest.mark.parametrize(
    ("action", "result", "message"),
    [
        ("community.general.nmcli", {"invocation": {"module_args": {}}}, "is not known to seals"),
        ("ansible.builtin.command", {"invocation": {"module_args": {}}}, "cannot be looked at again"),
        ("ansible.builtin.apt", {"censored": "the output has been hidden"}, "hides its arguments"),
        ("ansible.builtin.apt", {"invocation": {"module_args": {"deb": "/x.deb", "state": "present"}}}, "with deb"),
        ("ansible.builtin.file", {"invocation": {"module_args": {"path": "/x", "recurse": True}}}, "with recurse"),
        ("ansible.builtin.user", {"invocation": {"module_args": {}}}, "has not the form"),
        (
            "ansible.builtin.systemd_service",
            {"invocation": {"module_args": {"name": "x.service", "masked": True}}},
            "with masked",
        ),
    ],
)
def test_what_nobody_knows_to_look_at_is_refused(action: str, result: dict[str, Any], message: str) -> None:
    with pytest.raises(Unmapped, match=message):
        record(action, result)


def test_a_command_that_only_reads_makes_nothing() -> None:
    assert record("ansible.builtin.command", {}, only_reads=True) == []
    assert record("ansible.builtin.assert", {}) == []


# Run beside keys, or before there are seals; no play seals them.
UNSEALED = {"trust", "validate_estate", "package_authority", "package_root"}
UNSEALED_FILES = {"roles/package_repository/tasks/keys.yml"}


def test_each_module_that_roles_use_is_known() -> None:
    """A role with another one would never be sealed."""
    known = recorder._NOTHING | recorder._COMMANDS | recorder._RECORDERS.keys()
    used: set[str] = set()
    for path in (ROOT / "roles").glob("*/tasks/*.yml"):
        if path.parts[-3] not in UNSEALED and path.relative_to(ROOT).as_posix() not in UNSEALED_FILES:
            used |= set(
                re.findall(
                    r"^\s+(?:- )?((?:ansible\.builtin|bocage\.fleet|community\.\w+)\.\w+):", path.read_text(), re.M
                )
            )
    assert len(used) > 10
    assert used <= known
