# SPDX-License-Identifier: GPL-3.0-or-later
"""A key for an epoch with the host's word on it, and the end of keys that are over."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import dsse
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import keys
from ansible_collections.bocage.fleet.plugins.module_utils._state import mesh_epoch as statements
from ansible_collections.bocage.fleet.plugins.modules import mesh_epoch

SECRET = base64.b64encode(b"s" * 32).decode()
PUBLIC = base64.b64encode(bytes(32)).decode()
ID = "4be0643f-1d98-573b-97cd-ca98a65347dd"


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    def run(_module: Any, command: list[str], data: str | None = None, **_more: Any) -> tuple[int, str, str]:
        assert SECRET not in " ".join(command)
        return (0, f"{SECRET}\n", "") if command == ["wg", "genkey"] else (0, f"{PUBLIC}\n", "")

    monkeypatch.setattr(AnsibleModule, "run_command", run)
    monkeypatch.setattr(keys, "OWNER", os.getuid())
    (tmp_path / "report.key").write_bytes(dsse.generate_private_key())
    return {
        "epoch": 1, "name": "gw1", "host_id": ID, "directory": str(tmp_path / "mesh"),
        "report_key_file": str(tmp_path / "report.key"),
    }  # fmt: skip


def test_four_calls(call_module: Any, options: dict[str, Any], tmp_path: Path) -> None:
    predicted = call_module(mesh_epoch, check=True, **options)
    assert (predicted["changed"], predicted["statement"]) == (True, None)
    done = call_module(mesh_epoch, **options)
    path = tmp_path / "mesh/epoch-1.key"
    assert done["changed"]
    assert SECRET not in str(done)
    assert (path.read_text().strip(), stat.S_IMODE(path.stat().st_mode)) == (SECRET, 0o600)
    signer = statements.Signer("gw1", ID, 1, dsse.public_key_of((tmp_path / "report.key").read_bytes()))
    assert statements.verify(done["statement"], signer).mesh_key == PUBLIC
    for check in (True, False):
        again = call_module(mesh_epoch, check=check, **options)
        assert (again["changed"], again["statement"]) == (False, done["statement"])


def test_a_later_generation_is_stated_anew(call_module: Any, options: dict[str, Any]) -> None:
    before = call_module(mesh_epoch, **options)["statement"]
    after = call_module(mesh_epoch, **options, generation=2)
    assert after["changed"]
    assert after["statement"] != before


def test_a_host_without_a_report_key_is_told_what_to_do(
    call_module: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "report.key").unlink()
    result = call_module(mesh_epoch, **options)
    assert result["msg"] == (f"The file {tmp_path}/report.key is missing on this host; run playbooks/enrol.yml for it.")


def test_keys_of_epochs_that_are_over_are_destroyed(call_module: Any, options: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "mesh"
    for epoch in (1, 2):
        call_module(mesh_epoch, **{**options, "epoch": epoch})
        (folder / f"psk-{epoch}").mkdir()
        (folder / f"psk-{epoch}/hub1").write_text(SECRET)
    (folder / "private.key").write_text(SECRET)
    (folder / "bocage1.conf").write_text("kept")
    retired = {"state": "retired", "keep": [2], "directory": str(folder)}
    predicted = call_module(mesh_epoch, check=True, **retired)
    done = call_module(mesh_epoch, **retired)
    assert predicted["destroyed"] == done["destroyed"]
    assert sorted(path.name for path in folder.iterdir()) == ["bocage1.conf", "epoch-2.json", "epoch-2.key", "psk-2"]
    assert not call_module(mesh_epoch, **retired)["changed"]
