# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's word on its mesh key: believed of itself alone, in its present generation, with its report key."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bocage_core._common import dsse
from bocage_core._common.refused import Refused
from bocage_core._state import mesh_epoch
from bocage_core._state.mesh_epoch import Signer, Statement

PRIVATE = dsse.generate_private_key()
ID = "4be0643f-1d98-573b-97cd-ca98a65347dd"
KEY = base64.b64encode(bytes(32)).decode()
SIGNER = Signer("gw1", ID, 1, dsse.public_key_of(PRIVATE))
STATEMENT = Statement(ID, "gw1", 1, 3, KEY, datetime(2026, 11, 22, tzinfo=UTC))


def refusal(statement: Statement, private: bytes = PRIVATE) -> str:
    with pytest.raises(Refused) as refused:
        mesh_epoch.verify(mesh_epoch.sign(statement, private), SIGNER)
    return str(refused.value)


def test_signed_and_verified() -> None:
    assert mesh_epoch.verify(mesh_epoch.sign(STATEMENT, PRIVATE), SIGNER) == STATEMENT


def test_the_plain_envelope_is_that_of_the_library() -> None:
    payload = STATEMENT.to_payload()
    assert dsse.sign_plainly(payload, "some/type", PRIVATE) == dsse.sign(payload, "some/type", PRIVATE)


def test_attack_statement_signed_by_another_host() -> None:
    assert "is not signed by the expected key" in refusal(STATEMENT, dsse.generate_private_key())


def test_attack_statement_for_another_host() -> None:
    assert refusal(replace(STATEMENT, name="gw2")) == "The statement names the host gw2 instead of gw1."
    other = ID.replace("4", "5")
    assert refusal(replace(STATEMENT, host_id=other)) == f"The statement names the host id {other} instead of {ID}."


def test_attack_statement_of_an_earlier_generation() -> None:
    later = replace(SIGNER, generation=2)
    with pytest.raises(Refused) as refused:
        mesh_epoch.verify(mesh_epoch.sign(STATEMENT, PRIVATE), later)
    assert str(refused.value) == "The statement is of generation 1, but gw1 is enrolled in generation 2."


def test_a_file_holds_two_epochs_and_each_statement_counts_by_itself(tmp_path: Path) -> None:
    path = mesh_epoch.statement_file(tmp_path, "gw1")
    assert mesh_epoch.keys_by_epoch(path, SIGNER) == ({}, [])
    good = mesh_epoch.sign(STATEMENT, PRIVATE)
    mesh_epoch.write_envelopes(path, [mesh_epoch.sign(replace(STATEMENT, epoch=2), dsse.generate_private_key()), good])
    keys, problems = mesh_epoch.keys_by_epoch(path, SIGNER)
    assert keys == {3: KEY}
    assert len(problems) == 1
    assert problems[0].startswith(f"A statement in {path} is not signed by the expected key")
    assert mesh_epoch.of_epochs(mesh_epoch.read_envelopes(path), {3}) == [good]
    mesh_epoch.write_envelopes(path, [])
    assert not path.exists()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gw1.json"
    path.write_text('{"statements": [1, 2, 3]}')
    assert mesh_epoch.keys_by_epoch(path, SIGNER) == ({}, [f"The file {path} needs a list of at most 2 statements."])
