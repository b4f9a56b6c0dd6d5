# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an inventory says something."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bocage.fleet.plugins.plugin_utils.variable_sources import VariableSources

HOSTS = """\
all:
  vars:
    mesh_mtu: 1400
  children:
    hubs:
      hosts:
        hub1:
          host_site: core
          host_index: 1
        hub2: {host_site: core, host_index: 2}
    gateways:
      hosts:
        gw1:
        gw2:
          host_site: lyon
"""
ALL = """\
# comment: host_index
estate_name: demo
estate_sites:
  core:
    index: 0
  lyon:
    index: 1
    names: {erp1: [198.18.1.20]}
"""


@pytest.fixture
def sources(tmp_path: Path) -> VariableSources:
    files = {
        "inventory/hosts.yml": HOSTS,
        "inventory/group_vars/all/estate.yml": ALL,
        "inventory/group_vars/hubs.yml": "mesh_port: 51820\n",
        "inventory/group_vars/gateways": "mesh_port: 51821\n",
        "inventory/host_vars/gw1.yml": "host_site: lyon\n",
        "inventory/host_vars/gw2/more.yml": "---\nmesh_port: 1\n",
        "play/group_vars/all.yml": "agent_report_interval_seconds: 60\n",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "inventory/binary").write_bytes(bytes(range(256)))
    groups = {"all": ["hub1", "hub2", "gw1", "gw2"], "hubs": ["hub1", "hub2"], "gateways": ["gw1", "gw2"]}
    return VariableSources(
        [str(tmp_path / "inventory")], str(tmp_path / "play"), groups, tmp_path, {"from_command_line": 1}
    )


@pytest.mark.parametrize(
    ("path", "host", "place"),
    [
        (("estate_name",), None, "inventory/group_vars/all/estate.yml:2"),
        (("estate_sites", "lyon"), None, "inventory/group_vars/all/estate.yml:6"),
        (("estate_sites", "lyon", "index"), None, "inventory/group_vars/all/estate.yml:7"),
        (("estate_sites", "lyon", "names", "erp1"), None, "inventory/group_vars/all/estate.yml:8"),
        (("estate_sites", "oslo", "index"), None, "inventory/group_vars/all/estate.yml:3"),
        (("host_index",), "hub1", "inventory/hosts.yml:9"),
        (("host_index",), "hub2", "inventory/hosts.yml:10"),
        (("host_site",), "gw1", "inventory/host_vars/gw1.yml:1"),
        (("host_site",), "gw2", "inventory/hosts.yml:15"),
        (("mesh_port",), "gw2", "inventory/host_vars/gw2/more.yml:2"),
        (("mesh_port",), "gw1", "inventory/group_vars/gateways:1"),
        (("mesh_port",), "hub1", "inventory/group_vars/hubs.yml:1"),
        (("mesh_mtu",), "gw1", "inventory/hosts.yml:3"),
        (("agent_report_interval_seconds",), "gw1", "play/group_vars/all.yml:1"),
        ((), "gw2", "inventory/hosts.yml:14"),
        (("from_command_line",), "gw1", "extra variables"),
        (("nowhere",), "gw1", None),
        (("nowhere",), None, None),
        ((), "nobody", None),
    ],
)
def test_places(sources: VariableSources, path: tuple[str, ...], host: str | None, place: str | None) -> None:
    assert sources.locate(path, host) == place


def test_an_ini_inventory(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("[hubs]\nhub1 host_site=core host_index=1\nhub2\n[hubs:vars]\nmesh_port=51820\n")
    sources = VariableSources([str(file)], None, {"hubs": ["hub1", "hub2"]}, tmp_path)
    assert sources.locate(("host_index",), "hub1") == "hosts:2"
    assert sources.locate(("mesh_port",), "hub1") == "hosts:5"
    assert sources.locate((), "hub2") == "hosts:3"


def test_a_list_of_hosts_and_a_lost_file_are_no_files(tmp_path: Path) -> None:
    sources = VariableSources(["hub1,hub2", str(tmp_path / "lost.yml")], None, {}, tmp_path)
    assert sources.locate(("mesh_port",), "hub1") is None
