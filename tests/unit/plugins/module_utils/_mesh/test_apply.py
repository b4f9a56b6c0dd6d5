# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface brought to what is desired on a host that obeys: from nothing, by difference, after interruptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._mesh import apply
from bocage_core._mesh.apply import ensure_absent, ensure_present
from fake_host import NAME, PRIVATE, PUBLIC, UNIT, FakeHost

HUB, GATEWAY, DESK = ("A" * 43 + "=", "B" * 43 + "=", "C" * 43 + "=")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setattr(apply, "_drop_in", lambda name: tmp_path / "userspace.conf")
    return FakeHost(tmp_path)


def peer(key: str, name: str, *allowed: str, endpoint: str | None = None, keepalive: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "public_key": key,
        "endpoint": endpoint,
        "allowed_ips": list(allowed),
        "keepalive_seconds": keepalive,
    }


def wanted(host: FakeHost, **changes: Any) -> dict[str, Any]:
    return {
        **host.parameters,
        "addresses": ["fd7b:4c1e:90a2:2::1/128", "198.19.2.1/32"],
        "routes": [
            {"prefix": "fd7b:4c1e:90a2::/48", "source": "fd7b:4c1e:90a2:2::1"},
            {"prefix": "198.19.1.0/24", "source": "198.19.2.1"},
            {"prefix": "198.19.9.9/32", "source": None},
        ],
        "peers": [
            peer(HUB, "hub1", "fd7b:4c1e:90a2::/48", "198.19.1.0/24", endpoint="192.0.2.10:51820", keepalive=25),
            peer(GATEWAY, "gw1", "fd7b:4c1e:90a2:1::1/128", endpoint="192.0.2.21:51820"),
        ],
        **changes,
    }


def converge(host: FakeHost, **changes: Any) -> dict[str, Any]:
    """Check, do, check again, do again; gives the result of doing."""
    parameters = wanted(host, **changes)
    files = {path: path.read_bytes() for path in host.folder.iterdir()}
    host.commands.clear()
    predicted = ensure_present(parameters, host, check_mode=True)
    assert [one for one in host.changes if "bocage-probe" not in one] == []
    assert {path: path.read_bytes() for path in host.folder.iterdir()} == files
    host.commands.clear()
    done = ensure_present(parameters, host, check_mode=False)
    assert predicted["changed"] == done["changed"]
    if predicted["backend"] != "auto":
        assert predicted == done
    for check_mode in (True, False):
        again = ensure_present(parameters, host, check_mode)
        assert (again["changed"], again["actions"], again["diff"]) == (False, [], [])
    return done


def test_from_nothing(host: FakeHost) -> None:
    done = converge(host)
    assert done["backend"] == "kernel"
    assert done["actions"] == [f"start {UNIT} (kernel)", f"enable {UNIT}"]
    assert host.units == {"active": {UNIT}, "enabled": {UNIT}}
    assert host.device is not None and set(host.device.peers) == {HUB, GATEWAY}
    assert host.others == set()


def test_userspace_where_the_kernel_has_none(host: FakeHost) -> None:
    host.kernel = False
    assert converge(host)["backend"] == "userspace"
    drop_in = (host.folder / "userspace.conf").read_text().splitlines()
    assert drop_in[1:8] == [
        "[Unit]",
        f"Wants=bocage-wireguard-go@{NAME}.service",
        f"After=bocage-wireguard-go@{NAME}.service",
        f"PartOf=bocage-wireguard-go@{NAME}.service",
        "",
        "[Service]",
        "ExecStartPre=",
    ]
    assert drop_in[8].count(NAME) == 3 and len(drop_in) == 9
    assert "systemctl daemon-reload" in host.changes
    # what runs is kept, also where it was stopped, and whatever the kernel learns later
    host.kernel = True
    host.device = None
    host.units["active"].clear()
    assert ensure_present(wanted(host), host, check_mode=False)["backend"] == "userspace"


def test_a_probe_that_was_left_behind_does_not_hide_the_kernels_wireguard(host: FakeHost) -> None:
    host.others.add("bocage-probe")
    assert converge(host)["backend"] == "kernel"
    assert host.others == set()


def test_check_mode_before_the_first_converge_probes_nothing(host: FakeHost) -> None:
    (host.folder / "private.key").unlink()
    predicted = ensure_present(wanted(host), host, check_mode=True)
    assert (predicted["changed"], predicted["backend"]) == (True, "auto")
    assert host.changes == []


def test_a_change_of_peers_touches_no_other_peer(host: FakeHost) -> None:
    converge(host)
    others = [wanted(host)["peers"][0], peer(DESK, "desk1", "fd7b:4c1e:90a2:1::3/128", endpoint="192.0.2.40:51820")]
    done = converge(host, peers=others)
    assert done["actions"] == ["remove 1 peers", "set 1 peers"]
    assert [one for one in host.changes if HUB in one] == []
    assert not [one for one in host.changes if "systemctl" in one]


def test_a_prefix_that_moves_to_another_peer(host: FakeHost) -> None:
    converge(host)
    peers = wanted(host)["peers"]
    peers[0]["allowed_ips"].remove("198.19.1.0/24")
    peers[1]["allowed_ips"].append("198.19.1.0/24")
    converge(host, peers=peers)
    assert host.device is not None
    assert "198.19.1.0/24" in host.device.peers[GATEWAY]["allowed"]
    assert "198.19.1.0/24" not in host.device.peers[HUB]["allowed"]


def test_a_peer_that_roams_is_left_where_it_is_until_its_configuration_moves(host: FakeHost) -> None:
    converge(host)
    assert host.device is not None
    host.device.peers[GATEWAY]["endpoint"] = "203.0.113.9:4000"
    assert not ensure_present(wanted(host), host, check_mode=False)["changed"]
    peers = wanted(host)["peers"]
    peers[1]["endpoint"] = "192.0.2.99:51820"
    converge(host, peers=peers)
    assert host.device.peers[GATEWAY]["endpoint"] == "192.0.2.99:51820"


def test_a_change_of_endpoint_that_was_interrupted_is_finished_by_the_next_run(host: FakeHost) -> None:
    converge(host)
    peers = wanted(host)["peers"]
    peers[1]["endpoint"] = "192.0.2.99:51820"
    host.fail_at = "wg set"
    with pytest.raises(BocageError, match=r"'wg set bocage0 peer .* failed on this host: it failed"):
        ensure_present(wanted(host, peers=peers), host, check_mode=False)
    host.fail_at = None
    converge(host, peers=peers)
    assert host.device is not None
    assert host.device.peers[GATEWAY]["endpoint"] == "192.0.2.99:51820"


def test_what_somebody_altered_on_the_host_is_repaired(host: FakeHost) -> None:
    converge(host)
    device = host.device
    assert device is not None
    device.mtu, device.port, device.public_key = 1280, 4000, "another key"
    device.addresses = {"198.19.7.7/32": None}
    device.routes = {"203.0.113.0/24": None, "198.19.1.0/24": "198.19.7.7", "0.0.0.0/0": None}
    device.peers[HUB].update(keepalive=0, allowed=set())
    done = converge(host)
    assert done["actions"] == [
        "set the private key",
        "listen on 51820",
        "set 1 peers",
        "add address 198.19.2.1/32",
        "add address fd7b:4c1e:90a2:2::1/128",
        "set mtu 1420",
        "remove route 0.0.0.0/0",
        "remove route 203.0.113.0/24",
        "remove address 198.19.7.7/32",
        "route 198.19.1.0/24",
        "route 198.19.9.9/32",
        "route fd7b:4c1e:90a2::/48",
    ]


def test_a_link_that_is_down_is_brought_up_before_its_routes(host: FakeHost) -> None:
    converge(host)
    assert host.device is not None
    host.device.up = False
    host.device.routes.clear()
    done = converge(host)
    assert done["actions"][0] == "bring the link up"
    assert len(host.device.routes) == 3


def test_a_unit_that_was_stopped_or_disabled_runs_again(host: FakeHost) -> None:
    converge(host)
    host.device = None
    host.units["active"].clear()
    assert converge(host)["actions"] == [f"start {UNIT} (kernel)"]
    host.units["enabled"].clear()
    assert converge(host)["actions"] == [f"enable {UNIT}"]


def test_changed_files_of_units_are_read_anew_without_a_restart(host: FakeHost) -> None:
    """As a run leaves them that was interrupted after it wrote the units."""
    converge(host)
    host.commands.clear()
    host.stale = True
    assert ensure_present(wanted(host), host, True)["actions"] == ["read the changed files of units"]
    assert host.changes == []
    assert ensure_present(wanted(host), host, False)["changed"]
    assert host.changes == ["systemctl daemon-reload"]
    assert not ensure_present(wanted(host), host, False)["changed"]


def test_files_that_were_altered_are_written_again(host: FakeHost) -> None:
    converge(host)
    (host.folder / f"{NAME}.conf").write_text("[Interface]\n")
    done = converge(host)
    assert done["actions"] == []
    assert [one["after_header"] for one in done["diff"]] == [str(host.folder / f"{NAME}.conf")]


def test_another_backend_is_a_restart(host: FakeHost) -> None:
    converge(host)
    done = converge(host, backend="userspace")
    assert done["actions"] == [f"start {UNIT} (userspace)"]
    assert f"systemctl stop {UNIT} bocage-wireguard-go@{NAME}.service" in host.changes
    assert host.device is not None and host.device.kind == "tun"
    assert converge(host, backend="kernel")["backend"] == "kernel"
    assert not (host.folder / "userspace.conf").exists()


def test_nothing_secret_is_in_a_result_a_command_or_a_file(host: FakeHost) -> None:
    done = json.dumps(converge(host))
    assert PUBLIC not in done
    assert PRIVATE not in done
    assert not [command for command in host.commands if PRIVATE in " ".join(command)]
    holders = [path.name for path in host.folder.iterdir() if PRIVATE in path.read_text()]
    assert holders == ["private.key"]


def test_the_diff_is_the_files_and_what_happens(host: FakeHost) -> None:
    converge(host)
    diff = converge(host, mtu=1380)["diff"]
    assert [(one["before_header"], one["before"] != one["after"]) for one in diff] == [
        (str(host.folder / f"{NAME}.ip"), True),
        ("live interface", True),
    ]
    assert "mtu 1420" in diff[0]["before"] and "mtu 1380" in diff[0]["after"]
    assert diff[1]["after"] == "set mtu 1380\n"


def test_without_a_key_nothing_is_started(host: FakeHost) -> None:
    (host.folder / "private.key").unlink()
    with pytest.raises(BocageError) as refused:
        ensure_present(wanted(host), host, check_mode=False)
    path = host.folder / "private.key"
    assert str(refused.value) == f"The private key {path} does not exist on this host; run bocage.fleet.mesh_key first."
    assert [one for one in host.changes if "bocage-probe" not in one] == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"addresses": ["198.19.2.1/33"]}, "Interface bocage0: '198.19.2.1/33' does not appear to be"),
        ({"routes": [{"prefix": "198.19.2.1/24"}]}, "Interface bocage0: 198.19.2.1/24 has host bits set; give"),
        ({"peers": [peer(HUB, "hub1", "nonsense")]}, "Interface bocage0: 'nonsense' does not appear to be"),
        ({"name": "../etc"}, "The interface name '../etc' cannot be used; give 1 to 15 letters, digits,"),
        ({"name": "a" * 16}, "The interface name 'aaaaaaaaaaaaaaaa' cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(host: FakeHost, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        ensure_present(wanted(host, **changes), host, check_mode=False)
    assert str(refused.value).startswith(sentence)
    assert host.commands == []


def test_prefixes_are_written_as_the_kernel_shows_them(host: FakeHost) -> None:
    converge(host, peers=[peer(HUB, "hub1", "FD7B:4C1E:90A2:0::/48")])
    assert "AllowedIPs = fd7b:4c1e:90a2::/48\n" in (host.folder / f"{NAME}.conf").read_text()


def absent(host: FakeHost) -> dict[str, Any]:
    """Check, do, check again, do again."""
    predicted = ensure_absent(host.parameters, host, check_mode=True)
    host.commands.clear()
    done = ensure_absent(host.parameters, host, check_mode=False)
    assert predicted == done
    for check_mode in (True, False):
        assert not ensure_absent(host.parameters, host, check_mode)["changed"]
    return done


@pytest.mark.parametrize("backend", ["kernel", "userspace"])
def test_an_interface_goes_and_its_key_stays(host: FakeHost, backend: str) -> None:
    converge(host, backend=backend)
    done = absent(host)
    assert (done["changed"], done["backend"]) == (True, backend)
    assert done["actions"] == [f"stop {UNIT}", f"disable {UNIT}"]
    assert [path.name for path in host.folder.iterdir()] == ["private.key"]
    assert (host.device, host.units) == (None, {"active": set(), "enabled": set()})
    stopping = next(one for one in host.changes if " stop " in one)
    assert ("wireguard-go" in stopping) == (backend == "userspace")


def test_a_unit_that_is_enabled_but_not_running_is_disabled(host: FakeHost) -> None:
    host.units["enabled"].add(UNIT)
    assert absent(host)["actions"] == [f"disable {UNIT}"]


def test_a_link_that_the_unit_did_not_make_goes_too(host: FakeHost) -> None:
    converge(host)
    host.units["active"].clear()
    absent(host)
    assert host.device is None


def test_absent_where_nothing_is(host: FakeHost) -> None:
    assert not ensure_absent(host.parameters, host, check_mode=False)["changed"]
    assert host.changes == []
