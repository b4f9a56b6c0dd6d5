# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hosts of a site have packages from, by the variables of the plays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from bocage_core._packages.replica_choice import of_site, read_replicas
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[3]
SITES = {"hub1": "bergen", "cache1": "lyon"}


def replicas(*servers: str, **more: Any) -> Any:
    """What a host is told that has these servers."""
    said = yaml.safe_load((ROOT / "playbooks/vars/roles.yml").read_text())["packages_replicas"]
    environment = NativeEnvironment(undefined=StrictUndefined)
    environment.filters["split"] = str.split
    hosts = {name: {"mesh": {"addresses": [f"fd7b::{number}/128"]}} for number, name in enumerate(SITES, 1)}
    return environment.from_string(said).render(
        site_package_servers=list(servers),
        package_publisher="hub1",
        package_port=8480,
        hostvars={name: {"host_site": site} for name, site in SITES.items()},
        __estate_plan=type("Plan", (), {"hosts": hosts}),
        **more,
    )


def test_copies_come_first_and_each_says_where_it_is() -> None:
    found = replicas("cache1", "hub1")
    assert found == [
        {"url": "http://[fd7b::2]:8480/", "priority": 0, "site": "lyon"},
        {"url": "http://[fd7b::1]:8480/", "priority": 10, "site": "bergen"},
    ]
    read = read_replicas(found, "the settings", re.compile("http://.*"))
    assert of_site(read, "lyon") == ["http://[fd7b::2]:8480/"]


def test_others_come_after_them() -> None:
    more = [{"url": "https://packages.example.org/", "site": "lyon"}]
    assert replicas("hub1", package_more_replicas=more)[1:] == more
