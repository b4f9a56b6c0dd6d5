# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is to report at once does so by its unit, and goes on whatever comes of that."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from bocage_agent import packages_platform


@pytest.mark.parametrize("fault", [None, OSError("no such program"), subprocess.TimeoutExpired("systemctl", 20)])
def test_a_report_that_cannot_be_made_holds_nothing_up(
    fault: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        assert options["timeout"] <= 30 and options["check"] is False
        asked.append(command)
        if fault is not None:
            raise fault

    monkeypatch.setattr(packages_platform, "systemd_runs", lambda: True)
    monkeypatch.setattr(packages_platform.subprocess, "run", run)
    packages_platform.report_now()
    assert asked == [["systemctl", "start", "--quiet", "bocage-agent-report.service"]]


def test_without_systemd_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_platform, "systemd_runs", lambda: False)
    monkeypatch.setattr(packages_platform.subprocess, "run", lambda *_words, **_options: pytest.fail("it was asked"))
    packages_platform.report_now()
