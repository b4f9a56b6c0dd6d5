# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput
from ansible_collections.bocage.fleet.plugins.plugin_utils.estate_vars import estate_of, placeholder_key
from ansible_collections.bocage.fleet.plugins.plugin_utils.mesh_epochs import epochs_of

ESTATE = {
    "estate_name": "demo",
    "estate_domain": "demo.internal",
    "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
    "estate_sites": {"core": {"index": 0}, "lyon": {"index": 1, "tenant": "acme"}},
}


def task_vars(**changes: Any) -> dict[str, Any]:
    """Variables as a task sees them, of a play that is limited to gw1."""
    hosts: dict[str, dict[str, Any]] = {
        "hub1": {"host_site": "core", "host_index": 1, "mesh_endpoint": "192.0.2.1", "mesh_port": 443},
        "gw1": {
            "host_site": "lyon",
            "host_index": 1,
            "mesh_lan_endpoint": "198.18.1.1",
            "reported": {"state": "fresh", "enrolment": {"mesh_key": "key of gw1"}},
            # facts and other variables are not read
            "ansible_facts": {"host_site": "oslo"},
        },
        "desk1": {"host_site": "lyon", "host_index": 2, "reported": {"state": "missing", "enrolment": None}},
    }
    groups = {
        "managed": list(hosts),
        "hubs": ["hub1"],
        "gateways": ["gw1", "stranger"],
        "caches": ["gw1"],
        "all": [*hosts, "stranger"],
    }
    hostvars = {name: {**ESTATE, **values} for name, values in hosts.items()}
    return {"groups": groups, "hostvars": hostvars, "ansible_play_hosts_all": ["gw1"], **changes}


def test_the_estate_is_all_managed_hosts_whoever_is_in_the_play() -> None:
    estate = estate_of(task_vars())
    assert set(estate.hosts) == {"hub1", "gw1", "desk1"}
    assert (estate.name, estate.domain) == ("demo", "demo.internal")
    hub, gateway = estate.hosts["hub1"], estate.hosts["gw1"]
    assert (hub.roles, hub.endpoint, hub.port) == ({"hub"}, "192.0.2.1", 443)
    assert (gateway.roles, gateway.lan_endpoint, gateway.site.name) == ({"gateway", "cache"}, "198.18.1.1", "lyon")


def test_keys_come_from_verified_enrolments_alone() -> None:
    hosts = estate_of(task_vars()).hosts
    assert {name: host.public_key for name, host in hosts.items()} == {
        "hub1": None,
        "gw1": "key of gw1",
        "desk1": None,
    }


def test_a_plan_before_enrolment_has_keys_that_nobody_holds() -> None:
    hosts = estate_of(task_vars(), epochs_of(task_vars(), placeholder_key).any_key).hosts
    assert hosts["gw1"].public_key == "key of gw1"
    assert hosts["desk1"].public_key == placeholder_key("desk1") != hosts["hub1"].public_key
    assert len(base64.b64decode(placeholder_key("desk1"))) == 32


@pytest.mark.parametrize("groups", [{}, {"managed": []}])
def test_an_inventory_without_managed_hosts_is_refused(groups: dict[str, list[str]]) -> None:
    with pytest.raises(BadInput) as refused:
        estate_of(task_vars(groups=groups))
    assert str(refused.value) == ("The inventory has no host in group managed; add the hosts of the estate to it.")


def test_what_the_estate_lacks_is_named() -> None:
    variables = task_vars()
    for values in variables["hostvars"].values():
        del values["estate_domain"]
    with pytest.raises(BadInput, match=r"The estate has no estate_domain; set it in group_vars/all\."):
        estate_of(variables)
