# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import os
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import enrolment as module
from bocage_core._common import dsse, timestamps
from bocage_core._state import enrolment as enrolments
from bocage_core._state import floors as floors_file
from bocage_core._state import trust
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.floors import Floor, Floors


def new_key() -> str:
    return base64.b64encode(dsse.public_key_of(dsse.generate_private_key())).decode()


@dataclass
class Folder:
    """A trust folder with its key holder, and the options that enrol gw1."""

    path: Path
    call_module: Any
    options: dict[str, Any]
    private: bytes

    def call(self, **changes: Any) -> dict[str, Any]:
        options = {name: value for name, value in {**self.options, **changes}.items() if value is not None}
        result: dict[str, Any] = self.call_module(module, **options)
        return result

    def raw(self, name: str = "gw1") -> bytes:
        return (self.path / f"enrolments/{name}.json").read_bytes()

    def document(self, name: str = "gw1") -> Enrolment:
        return enrolments.verify_bytes(self.raw(name), dsse.public_key_of(self.private))

    def floors(self) -> Floors:
        raw = (self.path / "floors.json").read_bytes()
        return floors_file.verify_bytes(raw, dsse.public_key_of(self.private))

    def put(self, document: Enrolment) -> None:
        (self.path / "enrolments").mkdir(exist_ok=True)
        envelope = enrolments.sign(document, self.private)
        (self.path / f"enrolments/{document.name}.json").write_text(json.dumps(envelope))


@pytest.fixture
def folder(tmp_path: Path, call_module: Any) -> Folder:
    private = dsse.generate_private_key()
    path = tmp_path / "inventory/trust"
    path.mkdir(parents=True)
    (path / "enrolment.pub").write_bytes(dsse.public_key_to_pem(dsse.public_key_of(private)))
    key = tmp_path / "enrolment.key"
    key.write_bytes(private)
    key.chmod(0o600)
    options = {
        "name": "gw1",
        "tenant": "acme",
        "site": "lyon",
        "host_id": str(uuid.uuid4()),
        "report_key": new_key(),
        "mesh_key": base64.b64encode(os.urandom(32)).decode(),
        "trust_directory": str(path),
        "enrolment_key_file": str(key),
        "signer": "anna",
    }
    return Folder(path, call_module, options, private)


def test_four_calls(folder: Folder) -> None:
    predicted = folder.call(check=True, diff=True)
    assert predicted["changed"] and predicted["envelope"] is None
    assert not (folder.path / "enrolments").exists()
    done = folder.call(diff=True)
    assert done["changed"] and done["signer"] == "anna" and '"name": "gw1"' in done["diff"]["after"]
    document = folder.document()
    assert (document.host_id, document.generation, document.kind) == (folder.options["host_id"], 1, "enrolment")
    assert document.not_after - document.issued_at == timedelta(days=3650)
    assert json.loads(folder.raw()) == done["envelope"]
    before = folder.raw()
    for check in (True, False):
        again = folder.call(check=check)
        assert (again["changed"], again["envelope"], again["generation"]) == (False, done["envelope"], 1)
    assert folder.raw() == before


def test_nothing_private_is_returned(folder: Folder) -> None:
    secret = folder.private.decode().splitlines()[1]
    assert secret not in json.dumps(folder.call(diff=True))


@pytest.mark.parametrize("which", ["report_key", "mesh_key"])
def test_a_known_name_with_another_key_needs_a_word(folder: Folder, which: str) -> None:
    folder.call()
    first = folder.document()
    other = {which: new_key()}
    refused = folder.call(**other)
    assert refused["msg"] == (
        f"The name gw1 is enrolled already with another {which.replace('_', ' ')}; if the host was really made anew,"
        " enrol it with replace: true, which signs generation 2."
    )
    assert folder.document() == first
    done = folder.call(**other, replace=True, host_id=str(uuid.uuid4()), site="remote")
    second = folder.document()
    assert done["changed"] and done["host_id"] == first.host_id == second.host_id
    assert (second.generation, second.replaces, second.site) == (2, first.digest, "remote")
    enrolments.accept(first, second)
    again = folder.call(**other, replace=True, site="remote")
    assert (again["changed"], again["generation"]) == (False, 2)


def test_another_host_id_alone_is_another_host(folder: Folder) -> None:
    folder.call()
    assert "is enrolled already for the host" in folder.call(host_id=str(uuid.uuid4()))["msg"]
    assert not folder.call(host_id=None)["changed"]


def test_a_host_id_is_made_where_none_is_given(folder: Folder) -> None:
    made = folder.call(host_id=None)["host_id"]
    assert str(uuid.UUID(made)) == made == folder.document().host_id


def test_a_host_that_moves_keeps_its_generation(folder: Folder) -> None:
    folder.call()
    first = folder.document()
    assert folder.call(site="remote")["changed"]
    second = folder.document()
    assert (second.generation, second.site, second.replaces) == (1, "remote", None)
    enrolments.accept(first, second)


def test_an_enrolment_is_renewed_before_it_ends(folder: Folder) -> None:
    folder.call()
    document = folder.document()
    ends = timestamps.now() + timedelta(days=80)
    folder.put(Enrolment(**{**document.__dict__, "not_after": ends, "issued_at": timestamps.now()}))
    assert not folder.call(renew_within_days=30)["changed"]
    assert folder.call()["changed"]
    assert folder.document().not_after > ends
    assert not folder.call(validity_days=30, renew_within_days=90)["changed"], "short validity is not renewed each run"


def test_revocation_and_return(folder: Folder) -> None:
    assert folder.call(state="revoked")["msg"] == "There is no enrolment of gw1 to revoke; check the name."
    folder.call()
    first = folder.document()
    bare = {key: folder.options[key] for key in ("name", "trust_directory", "enrolment_key_file")}
    assert folder.call_module(module, state="revoked", check=True, **bare)["changed"]
    assert folder.document() == first
    assert folder.call_module(module, state="revoked", **bare)["changed"]
    revoked = folder.document()
    assert revoked.revoked
    enrolments.accept(first, revoked)
    assert not folder.call(state="revoked")["changed"]
    assert "and was revoked" in folder.call()["msg"]
    assert folder.call(replace=True)["generation"] == 2
    enrolments.accept(revoked, folder.document())


def test_a_revocation_and_a_new_generation_are_on_the_signed_list(folder: Folder) -> None:
    """floors.json, which the inventory reads; one that says nothing new keeps its bytes."""
    folder.call()
    host_id, file = folder.options["host_id"], folder.path / "floors.json"
    assert not file.exists(), "a first enrolment has nothing below it"
    assert folder.call(state="revoked", check=True)["changed"] and not file.exists()
    done = folder.call(state="revoked", diff=True)
    assert done["diff"]["after"].endswith("floors.json: generation 1 or later, revoked\n")
    listed = folder.floors()
    assert (listed.revoked, listed.floors) == ({host_id}, {host_id: Floor(1, 0)})
    before = file.read_bytes()
    assert not folder.call(state="revoked")["changed"] and file.read_bytes() == before
    folder.call(replace=True)
    taken_back = folder.floors()
    assert (taken_back.revoked, taken_back.floors) == (frozenset(), {host_id: Floor(2, 0)})
    assert taken_back.issued_at > listed.issued_at
    assert trust.read_trust(folder.path).problems == {}
    assert not folder.call()["changed"]


def test_an_interruption_between_the_two_files_is_finished_by_the_next_run(folder: Folder) -> None:
    folder.call()
    folder.call(state="revoked")
    (folder.path / "floors.json").unlink()
    assert folder.call(state="revoked", check=True)["changed"]
    assert folder.call(state="revoked")["changed"]
    assert folder.floors().revoked == {folder.options["host_id"]}


def test_attack_a_document_of_before_is_put_back_or_signed_again(folder: Folder) -> None:
    folder.call()
    file, first = folder.path / "enrolments/gw1.json", folder.raw()
    folder.call(state="revoked")
    revoked = folder.raw()
    file.write_bytes(first)
    assert trust.read_trust(folder.path).is_revoked(folder.document())
    for replace in (False, True):
        message = folder.call(replace=replace)["msg"]
        assert message.startswith("The host gw1 was revoked or enrolled in a later generation than 1, as ")
    assert folder.call(state="revoked")["changed"] and folder.document().revoked
    file.unlink()
    assert "restore the" in folder.call()["msg"] and not file.exists()
    file.write_bytes(revoked)
    assert folder.call(replace=True)["generation"] == 2
    file.write_bytes(revoked)
    assert "later generation than 1" in folder.call(replace=True)["msg"]


def test_a_list_that_does_not_verify_is_not_overwritten(folder: Folder) -> None:
    folder.call()
    forged = json.dumps(floors_file.sign(Floors(timestamps.now()), dsse.generate_private_key()))
    (folder.path / "floors.json").write_text(forged)
    assert "Restore the file before a host is enrolled or revoked." in folder.call(state="revoked")["msg"]
    assert (folder.path / "floors.json").read_text() == forged and not folder.document().revoked


def test_a_cloned_image_is_recognised(folder: Folder) -> None:
    folder.call()
    clone = folder.call(name="gw2")
    assert clone["msg"].startswith("The host gw2 brings the report key of gw1, as a cloned image does;")
    fresh = {"report_key": new_key(), "mesh_key": new_key()}
    assert "brings the host id of gw1" in folder.call(name="gw2", **fresh)["msg"]
    assert folder.call(name="gw2", **fresh, host_id=None)["changed"]


def test_only_the_pinned_key_signs(folder: Folder) -> None:
    key = Path(folder.options["enrolment_key_file"])
    key.write_bytes(dsse.generate_private_key())
    assert "is not the one that" in folder.call()["msg"]
    key.unlink()
    assert "is missing; ask its key holder" in folder.call()["msg"]
    key.write_bytes(folder.private)
    key.chmod(0o640)
    assert "set its mode to 0600" in folder.call()["msg"]
    key.chmod(0o600)
    (folder.path / "enrolment.pub").unlink()
    assert "is missing" in folder.call()["msg"]


def test_a_document_that_does_not_verify_is_not_overwritten(folder: Folder) -> None:
    folder.call()
    forged = json.loads(folder.raw())
    forged["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    (folder.path / "enrolments/gw1.json").write_text(json.dumps(forged))
    assert "Restore the file or remove it" in folder.call(replace=True)["msg"]
    assert json.loads(folder.raw()) == forged


def test_check_mode_before_anything_exists(folder: Folder) -> None:
    assert folder.call(check=True, report_key=None, mesh_key=None)["changed"]
    Path(folder.options["enrolment_key_file"]).unlink()
    (folder.path / "enrolment.pub").unlink()
    assert folder.call(check=True, report_key=None)["changed"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"report_key": "abc"}, "The report_key of gw1 is not a public key of 32 bytes"),
        ({"mesh_key": "(none)"}, "The mesh_key of gw1 is not a public key of 32 bytes"),
        ({"report_key": None}, "The host gw1 gave no keys"),
        ({"host_id": "GW1"}, "The host_id of gw1 is not a lower-case UUID."),
        ({"name": "../gw1"}, "The name '../gw1' cannot be enrolled"),
        ({"site": "a b"}, "The enrolment of gw1 cannot be signed"),
        ({"validity_days": 0}, "validity_days must be at least 1"),
        ({"site": None}, "state is present but all of the following are missing: site"),
    ],
)
def test_what_cannot_be_used_is_named(folder: Folder, changes: dict[str, Any], sentence: str) -> None:
    result = folder.call(**changes)
    assert result["failed"] and sentence in result["msg"]
    assert not (folder.path / "enrolments").exists()


def test_a_missing_library_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MISSING_LIBRARY", "securesystemslib")
    assert "(securesystemslib)" in folder.call()["msg"]
