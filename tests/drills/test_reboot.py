# SPDX-License-Identifier: GPL-3.0-or-later
"""Any host of the estate reboots, and the estate is well again without a play."""

from __future__ import annotations

import driver
import pytest

# gateways reboot in other drills, too
SHORT = ("hub1", "tele1")


@pytest.mark.parametrize(
    "host", [pytest.param(one, marks=() if one in SHORT else pytest.mark.long) for one in driver.MANAGED]
)
def test_a_host_that_reboots_is_what_it_was(host: str) -> None:
    driver.reboot(host)


def test_nothing_is_to_be_done_after_all_of_them() -> None:
    driver.nothing_is_left_to_do()
