# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from bocage_core._common.sysctl import setting_path


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
    ],
)
def test_the_first_separator_decides(key: str, path: str) -> None:
    """The examples of sysctl.d(5), with another interface."""
    assert setting_path(key) == path
