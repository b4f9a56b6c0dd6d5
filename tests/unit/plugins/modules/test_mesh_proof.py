# SPDX-License-Identifier: GPL-3.0-or-later
"""The options reach the library, which is tested by itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import mesh_proof

PEER = {"name": "hub", "public_key": "H", "address": "fd00::1"}


class NoEcho:
    def close(self) -> None: ...


def test_proofs_are_returned(call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def prove(interfaces: Any, seconds: float, _run: Any, _echo: Any) -> dict[str, Any]:
        asked.append((interfaces, seconds))
        return {"hub": {"handshake": True, "answer": False}}

    monkeypatch.setattr(mesh_proof, "Icmpv6Echo", NoEcho)
    monkeypatch.setattr(mesh_proof, "prove", prove)
    result = call_module(mesh_proof, interfaces=[{"name": "bocage1", "peers": [PEER]}], timeout_seconds=3)
    assert (result["changed"], result["proofs"]) == (False, {"hub": {"handshake": True, "answer": False}})
    assert asked == [([{"name": "bocage1", "peers": [PEER]}], 3.0)]


def test_without_the_right_to_send(call_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(mesh_proof, "Icmpv6Echo", refuse)
    assert "Operation not permitted" in call_module(mesh_proof, interfaces=[])["msg"]
