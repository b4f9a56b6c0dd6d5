# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bocage.fleet.plugins.filter.in_prefixes import FilterModule

in_prefixes = FilterModule().filters()["in_prefixes"]
LAN = ["198.18.1.0/24", "2001:db8:2::/64"]


@pytest.mark.parametrize(
    ("addresses", "prefixes", "found"),
    [
        (["198.18.1.0"], LAN, True),
        (["198.18.1.255"], LAN, True),
        (["198.18.2.0"], LAN, False),
        (["198.18.2.1", "2001:db8:2::15"], LAN, True),
        (["2001:db8:3::15"], LAN, False),
        (["::ffff:198.18.1.1"], LAN, False),
        ([], LAN, False),
        (["198.18.1.1"], [], False),
    ],
)
def test_addresses_and_prefixes_of_both_families(addresses: list[str], prefixes: list[str], found: bool) -> None:
    assert in_prefixes(addresses, prefixes) is found


@pytest.mark.parametrize(("addresses", "prefixes"), [(["gw1"], LAN), (["198.18.1.1"], ["198.18.1.1/24"])])
def test_what_is_no_address_or_prefix_is_named(addresses: list[str], prefixes: list[str]) -> None:
    with pytest.raises(AnsibleFilterError, match=r"in_prefixes: .*(gw1|198\.18\.1\.1/24)"):
        in_prefixes(addresses, prefixes)
