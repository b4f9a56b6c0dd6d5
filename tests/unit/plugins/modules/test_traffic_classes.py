# SPDX-License-Identifier: GPL-3.0-or-later
"""The module traffic_classes as Ansible calls it; its rules are tested in _traffic of the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import traffic_classes

CLASSES = [{"name": "voice", "percent": 30, "dscp": ["ef"]}, {"name": "bulk", "percent": 70}]


def test_nothing_to_remove(call_module: Any, tmp_path: Path) -> None:
    assert not call_module(traffic_classes, state="absent", directory=str(tmp_path))["changed"]


def test_bad_classes_are_refused_in_a_sentence(call_module: Any, tmp_path: Path) -> None:
    wrong = [CLASSES[0], {"name": "bulk", "percent": 60}]
    message = call_module(traffic_classes, classes=wrong, directory=str(tmp_path))["msg"]
    assert (
        message
        == "This host: voice_classes gives out 90 percent of the uplink; the percents of all classes must sum to 100."
    )


def test_a_kernel_that_cannot_shape_is_told(call_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"changed": False, "actions": [], "shaping": "none", "diff": []}
    told: list[str] = []
    monkeypatch.setattr(traffic_classes, "ensure_present", lambda *_arguments: found)
    monkeypatch.setattr(traffic_classes.AnsibleModule, "warn", lambda _module, text: told.append(text))
    assert not call_module(traffic_classes, classes=CLASSES, directory=str(tmp_path))["changed"]
    assert told == [
        "The kernel of this host has neither HTB nor cake: classes are marked, but its uplink is not shaped."
    ]
