# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kernel_settings as Ansible calls it; its rules are tested in test_kernel.py of the library."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._host import kernel
from ansible_collections.bocage.fleet.plugins.modules import kernel_settings


def test_four_calls(call_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = tmp_path / "live/net/ipv4/ip_forward"
    live.parent.mkdir(parents=True)
    live.write_text("0\n")
    ensure = partial(kernel.ensure_settings, folder=tmp_path, live=tmp_path / "live")
    monkeypatch.setattr(kernel_settings, "ensure_settings", ensure)
    monkeypatch.setattr(kernel, "OWNER", str(os.getuid()))
    options = {"name": "60-demo", "settings": {"net.ipv4.ip_forward": 1}}
    predicted = call_module(kernel_settings, check=True, **options)
    assert predicted["changed"] and live.read_text() == "0\n"
    done = call_module(kernel_settings, diff=True, **options)
    assert (done["diff"], done["path"]) == (predicted["diff"], str(tmp_path / "60-demo.conf"))
    assert live.read_text() == "1\n"
    for check in (True, False):
        assert not call_module(kernel_settings, check=check, **options)["changed"]
    message = call_module(kernel_settings, name="60-demo", settings={"net.ipv4.none": 1})["msg"]
    assert message.startswith("The kernel of this host has no setting net.ipv4.none: ")
