# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts get one key, and whoever carries it between them never has it."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.modules import mesh_psk
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def make_host(folder: Path) -> str:
    """Its public mesh key of epoch 1."""
    folder.mkdir()
    private = X25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    (folder / "epoch-1.key").write_bytes(base64.b64encode(raw) + b"\n")
    return base64.b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def test_attack_the_controller_reads_what_it_carries(call_module: Any, tmp_path: Path) -> None:
    hub, home = tmp_path / "hub", tmp_path / "home"
    make_host(hub)
    public = make_host(home)
    making = {"epoch": 1, "name": "hub", "directory": str(hub), "make": {"home": public}}
    predicted = call_module(mesh_psk, check=True, **making)
    assert (predicted["changed"], predicted["boxes"], (hub / "psk-1").exists()) == (True, {}, False)
    made = call_module(mesh_psk, diff=True, **making)
    taking = {"epoch": 1, "name": "home", "directory": str(home), "boxes": {"hub": made["boxes"]["home"]}}
    taken = call_module(mesh_psk, diff=True, **taking)
    secret = (hub / "psk-1/home").read_text()
    assert (home / "psk-1/hub").read_text() == secret
    assert stat.S_IMODE((home / "psk-1/hub").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "psk-1").stat().st_mode) == 0o700
    assert secret.strip() not in json.dumps([made, taken, taking])
    assert made["fingerprints"]["home"] == taken["fingerprints"]["hub"]
    assert not call_module(mesh_psk, **making)["changed"]
    assert not call_module(mesh_psk, **taking)["changed"]


def test_a_box_without_the_key_of_the_epoch(call_module: Any, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    result = call_module(mesh_psk, epoch=1, name="home", directory=str(tmp_path / "home"), boxes={"hub": "x"})
    assert result["msg"] == "The key of epoch 1 is missing on this host; run playbooks/rotate_keys.yml again."


def test_a_name_that_leads_elsewhere(call_module: Any, tmp_path: Path) -> None:
    result = call_module(mesh_psk, epoch=1, name="home", directory=str(tmp_path), make={"../x": "k"})
    assert result["msg"] == "'../x' is no name of a host."
