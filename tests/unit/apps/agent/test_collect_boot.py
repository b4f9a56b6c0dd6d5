# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a boot took, from what systemd prints of itself."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_agent.collect_boot import collect_boot
from bocage_core._state.sections import check_sections

# of a machine with UEFI, a loader and an initrd; microseconds
MACHINE = {
    "FirmwareTimestampMonotonic": 9_000_000,
    "LoaderTimestampMonotonic": 2_000_000,
    "InitRDTimestampMonotonic": 1_500_000,
    "UserspaceTimestampMonotonic": 4_000_000,
    "FinishTimestampMonotonic": 16_345_678,
    "SecurityStartTimestampMonotonic": 4_000_100,
}
# the clock of a container is that of its machine, which runs for days
CONTAINER = {
    "FirmwareTimestampMonotonic": 0,
    "LoaderTimestampMonotonic": 0,
    "InitRDTimestampMonotonic": 0,
    "UserspaceTimestampMonotonic": 172_800_000_000,
    "FinishTimestampMonotonic": 172_801_234_567,
    "SecurityStartTimestampMonotonic": 0,
}


def boot(values: dict[str, Any], status: int = 0) -> dict[str, Any]:
    """What is told where systemd answers so; it is asked once."""
    asked = []

    def run(command: list[str]) -> tuple[int, str, str]:
        asked.append(command)
        return status, "".join(f"{name}={value}\n" for name, value in values.items()), ""

    found = collect_boot(run)
    assert len(asked) == 1 and asked[0][:2] == ["systemctl", "show"]
    return found


def test_all_stages_of_a_machine() -> None:
    found = boot(MACHINE)
    assert found == {
        "boot": {
            "firmware_milliseconds": 7000,
            "loader_milliseconds": 2000,
            "kernel_milliseconds": 1500,
            "initrd_milliseconds": 2500,
            "userspace_milliseconds": 12346,
        }
    }


def test_what_a_machine_does_not_have_is_left_out() -> None:
    plain = {**MACHINE, "FirmwareTimestampMonotonic": 0, "LoaderTimestampMonotonic": 0, "InitRDTimestampMonotonic": 0}
    assert boot(plain) == {"boot": {"kernel_milliseconds": 4000, "userspace_milliseconds": 12346}}


def test_a_container_has_its_user_space_alone() -> None:
    assert boot(CONTAINER) == {"boot": {"userspace_milliseconds": 1235}}


def test_after_a_restart_of_user_space_alone_what_came_before_does_not_count() -> None:
    assert boot({**MACHINE, "SoftRebootsCount": 0})["boot"].keys() > {"kernel_milliseconds"}
    assert boot({**MACHINE, "SoftRebootsCount": 1}) == {"boot": {"userspace_milliseconds": 12346}}


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({**MACHINE, "FinishTimestampMonotonic": 0}, 0),
        ({**MACHINE, "FinishTimestampMonotonic": 3_000_000}, 0),
        ({**MACHINE, "UserspaceTimestampMonotonic": ""}, 0),
        ({"UserspaceTimestampMonotonic": "n/a", "FinishTimestampMonotonic": "-1"}, 0),
        ({}, 0),
        (MACHINE, 1),
    ],
)
def test_nothing_is_told_of_a_boot_that_is_not_finished_or_not_known(values: dict[str, Any], status: int) -> None:
    assert boot(values, status) == {}


def test_readers_take_it(signed_estate: Any) -> None:
    section = {**signed_estate.sections["system"], **boot(MACHINE)}
    check_sections({"system": section}, "the report")
