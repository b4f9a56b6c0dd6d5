# SPDX-License-Identifier: GPL-3.0-or-later
"""A template that points at a value gives what templating gives, or is left to it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.bocage.fleet.plugins.plugin_utils.plain_paths import MISSING, plain_value

VARIABLES: dict[str, Any] = {
    "inventory_hostname": "gw1",
    "elsewhere": trust_as_template("{{ inventory_hostname }}"),
    "plan": {
        "hosts": {"gw1": {"mesh": {"mtu": 1420, "peers": [{"name": "hub1", "ips": ["fd7b::/48"], "nat": None}], "on": True}}},
        "words": {"template": trust_as_template("{{ elsewhere }}"), "text": "{ {"},
        "items": 3,
        "inventory_hostname": "a key",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "{{ plan.hosts[inventory_hostname].mesh }}",
        "{{plan.hosts.gw1.mesh.peers}}",
        "{{ plan.words.text }}",
        "{{ plan.inventory_hostname }}",
        "{{ plan.hosts }}",
    ],
)
def test_what_is_found_is_what_templating_gives(text: str) -> None:
    template = trust_as_template(text)
    found = plain_value(template, VARIABLES)
    assert found is not MISSING
    assert found == Templar(loader=DataLoader(), variables=VARIABLES).template(template)


@pytest.mark.parametrize(
    "text",
    [
        "{{ inventory_hostname }}",
        "{{ plan.words }}",
        "{{ plan.words.template }}",
        "{{ plan.hosts[elsewhere].mesh }}",
        "{{ plan.hosts[nowhere].mesh }}",
        "{{ plan.hosts[inventory_hostname].mesh | default({}) }}",
        "{{ plan.hosts['gw1'].mesh }}",
        "{{ plan.hosts.gw2 }}",
        "{{ plan.items }}",
        "{{ nobody.hosts }}",
        "{{ plan.hosts }} and more",
    ],
)
def test_everything_else_is_left_to_templating(text: str) -> None:
    assert plain_value(trust_as_template(text), VARIABLES) is MISSING


@pytest.mark.parametrize("value", ["{{ plan.hosts }}", 4, None, ["{{ plan.hosts }}"], {}])
def test_what_is_no_template_is_left_as_well(value: object) -> None:
    assert plain_value(value, VARIABLES) is MISSING
