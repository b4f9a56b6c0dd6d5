# SPDX-License-Identifier: GPL-3.0-or-later
"""The module gateway_drain as Ansible calls it, on a file of the test."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._gateway import drain as library
from ansible_collections.bocage.fleet.plugins.modules import gateway_drain


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "gateway/drain"
    monkeypatch.setattr(gateway_drain, "set_drained", partial(library.set_drained, path=file))
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
