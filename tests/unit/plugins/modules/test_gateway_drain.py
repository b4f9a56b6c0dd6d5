# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules gateway_drain and gateway_status as Ansible calls them, on files of the test."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._gateway import drain as library
from ansible_collections.bocage.fleet.plugins.modules import gateway_drain, gateway_status


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file, health = tmp_path / "gateway/drain", tmp_path / "health.json"
    monkeypatch.setattr(gateway_drain, "set_drained", partial(library.set_drained, path=file))
    monkeypatch.setattr(gateway_status, "read_status", partial(library.read_status, file, health))
    return tmp_path


def test_four_calls_each_way(call_module: Any, files: Path) -> None:
    file = files / "gateway/drain"
    options = {"state": "drained", "reason": "New memory"}
    predicted = call_module(gateway_drain, check=True, **options)
    assert predicted["changed"] and not file.exists()
    done = call_module(gateway_drain, diff=True, **options)
    assert done["diff"] == predicted["diff"] and done["diff"]["after"] == "New memory\n"
    assert file.read_text() == "New memory\n"
    for check in (True, False):
        again = call_module(gateway_drain, check=check, state="drained", reason="Something else")
        assert not again["changed"]
    assert file.read_text() == "New memory\n", "who drained it first has the word"

    predicted = call_module(gateway_drain, check=True, state="serving")
    assert predicted["changed"] and file.exists()
    assert call_module(gateway_drain, state="serving")["diff"] == predicted["diff"]
    assert not file.exists()
    for check in (True, False):
        assert not call_module(gateway_drain, check=check, state="serving")["changed"]


def test_a_folder_that_cannot_be_made(call_module: Any, files: Path) -> None:
    (files / "gateway").write_text("a file")
    assert "gateway" in call_module(gateway_drain, state="drained")["msg"]


def test_status(call_module: Any, files: Path) -> None:
    nothing = call_module(gateway_status)
    assert (nothing["drained"], nothing["serves"], nothing["health"]) == (False, False, None)
    assert nothing["excuse"] == "does not say how it is"
    health = {"healthy": True, "drained": False, "wan": True, "targets": {"198.18.1.20": True}, "since": 1}
    (files / "health.json").write_text(json.dumps(health))
    well = call_module(gateway_status)
    assert (well["serves"], well["excuse"], well["health"], well["changed"]) == (True, "", health, False)
    call_module(gateway_drain, state="drained", reason="New memory")
    drained = call_module(gateway_status)
    assert (drained["drained"], drained["reason"], drained["excuse"]) == (True, "New memory", "is drained")


def test_a_sick_gateway_says_what_is_silent(call_module: Any, files: Path) -> None:
    targets = {"198.18.1.20": False, "198.18.1.30": True}
    (files / "health.json").write_text(json.dumps({"healthy": False, "targets": targets}))
    assert call_module(gateway_status)["excuse"] == "gets no answer from 198.18.1.20 on its LAN"
    (files / "health.json").write_text(json.dumps({"healthy": False}))
    assert call_module(gateway_status)["excuse"] == "is not healthy"


@pytest.mark.parametrize(("text", "words"), [("{", "is no JSON"), ("[]", "holds no object")])
def test_health_that_cannot_be_read(call_module: Any, files: Path, text: str, words: str) -> None:
    (files / "health.json").write_text(text)
    message = call_module(gateway_status)["msg"]
    assert words in message and message.endswith("; restart bocage-gateway-health.")


def test_this_machine_can_be_watched(call_module: Any, files: Path) -> None:
    seen = call_module(gateway_status, watch_seconds=0.01)
    assert seen["flows"] <= max(seen["packets"], 1)
