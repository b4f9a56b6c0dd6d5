# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import host_identity
from bocage_core._common import dsse


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {"key_file": str(tmp_path / "etc/report.key"), "id_file": str(tmp_path / "var/host_id")}


def test_four_calls(call_module: Any, options: dict[str, str]) -> None:
    key, identity = Path(options["key_file"]), Path(options["id_file"])
    predicted = call_module(host_identity, check=True, **options)
    assert (predicted["changed"], predicted["host_id"], predicted["report_key"]) == (True, None, None)
    assert not key.exists() and not identity.exists()
    done = call_module(host_identity, diff=True, **options)
    assert done["changed"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert base64.b64decode(done["report_key"]) == dsse.public_key_of(key.read_bytes())
    assert str(uuid.UUID(identity.read_text().strip())) == done["host_id"]
    for check in (True, False):
        again = call_module(host_identity, check=check, **options)
        assert again == {**again, "changed": False, "host_id": done["host_id"], "report_key": done["report_key"]}


def test_nothing_private_is_returned(call_module: Any, options: dict[str, str]) -> None:
    done = call_module(host_identity, diff=True, **options)
    private = Path(options["key_file"]).read_text().splitlines()[1]
    assert private not in str(done)


def test_a_key_that_others_can_read_is_closed(call_module: Any, options: dict[str, str]) -> None:
    made = call_module(host_identity, **options)
    key = Path(options["key_file"])
    key.chmod(0o644)
    assert call_module(host_identity, check=True, **options)["changed"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o644
    closed = call_module(host_identity, **options)
    assert (closed["changed"], closed["report_key"]) == (True, made["report_key"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not call_module(host_identity, **options)["changed"]


def test_what_cannot_be_used_is_named_and_left(call_module: Any, options: dict[str, str]) -> None:
    call_module(host_identity, **options)
    identity, key = Path(options["id_file"]), Path(options["key_file"])
    identity.write_text("gw1\n")
    message = call_module(host_identity, **options)["msg"]
    assert message == f"The file {identity} does not hold a host id; restore it, or remove it and enrol the host again."
    assert identity.read_text() == "gw1\n"
    key.write_text("no key\n")
    message = call_module(host_identity, **options)["msg"]
    assert message.startswith(f"The file {key} does not hold an Ed25519 key; restore it, or move it away and enrol")
    assert key.read_text() == "no key\n"
