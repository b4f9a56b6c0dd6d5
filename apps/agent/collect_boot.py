# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the boot took that runs now, by systemd's own clock, for the section `system`."""

from __future__ import annotations

from typing import Any

from bocage_core._common.commands import Run
from bocage_core._common.systemd import shown

_FINISH, _USERSPACE, _INITRD = "FinishTimestamp", "UserspaceTimestamp", "InitRDTimestamp"
_LOADER, _FIRMWARE, _SECURITY = "LoaderTimestamp", "FirmwareTimestamp", "SecurityStartTimestamp"
_NAMES = tuple(f"{name}Monotonic" for name in (_FINISH, _USERSPACE, _INITRD, _LOADER, _FIRMWARE, _SECURITY))
_RESTARTS = "SoftRebootsCount"


def collect_boot(run: Run) -> dict[str, Any]:
    """Milliseconds by stage, as `boot`; nothing while the boot is not finished, or where no systemd tells."""
    status, output, _error = run(["systemctl", "show", f"--property={','.join((*_NAMES, _RESTARTS))}"])
    found = shown(output)[:1] if status == 0 else []
    if not found:
        return {}
    at = {name.removesuffix("Monotonic"): _number(found[0].get(name)) for name in _NAMES}
    began, ended = at[_USERSPACE], at[_FINISH]
    if not 0 < began < ended:
        return {}
    boot = {"userspace_milliseconds": _milliseconds(ended - began)}
    # systemd notes when it loaded security modules nowhere but outside of containers, whose clock is that of their
    # machine; and after a restart of user space alone, what came before says nothing of it
    if at[_SECURITY] and not _number(found[0].get(_RESTARTS)):
        stages = {
            "initrd": began - at[_INITRD] if at[_INITRD] else 0,
            "kernel": at[_INITRD] or began,
            "loader": at[_LOADER],
            # counted back from the start of the kernel, with the loader in it
            "firmware": at[_FIRMWARE] - at[_LOADER],
        }
        boot |= {f"{stage}_milliseconds": _milliseconds(taken) for stage, taken in stages.items() if taken > 0}
    return {"boot": boot}


def _milliseconds(microseconds: int) -> int:
    return (microseconds + 500) // 1000


def _number(value: str | None) -> int:
    return int(value) if value is not None and value.isascii() and value.isdigit() else 0
