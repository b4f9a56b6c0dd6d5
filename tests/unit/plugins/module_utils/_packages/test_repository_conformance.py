# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios of the public conformance suite of TUF clients that no other test here has; docs/tuf-conformance.md lists all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_keys, repository_reading
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.repository_client import Client
from bocage_core._packages.tuf_library import Key, Metadata, Root, Signer, SSlibKey, Targets, Timestamp
from signed_repository import NOW, SignedRepository, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

Change = Callable[[Any], None]


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    found = SignedRepository(tmp_path)
    found.publish("base/a_1.wapt")
    return found


def found_by(client: Client) -> list[str]:
    return [one.path for one in client.find("a")]


def resign(signed: SignedRepository, name: str, kind: type[Any], keys: list[Signer], change: Change) -> None:
    """A file of the repository with a change, signed by these."""
    path = signed.public / "metadata" / f"{name}.json"
    metadata: Metadata[Any] = roles.from_bytes(path.read_bytes(), kind, name)
    change(metadata.signed)
    metadata.signatures.clear()
    path.write_bytes(repository_keys.sign(metadata.to_bytes(), keys, name))


def set_field(name: str, value: Any) -> Change:
    return lambda document: setattr(document, name, value)


def unknown_fields(document: Any) -> None:
    document.unrecognized_fields["a_field_of_tomorrow"] = {"x": [1, "two", None]}


def test_a_pinned_root_that_its_own_holders_did_not_sign(signed: SignedRepository) -> None:
    document = json.loads(signed.root)
    document["signatures"] = document["signatures"][:1]
    with pytest.raises(BadInput, match="The pinned root of the repository cannot be used; place it again"):
        signed.client(root=json.dumps(document).encode()).update()


def test_a_pinned_root_that_ended_leads_to_the_newest(signed: SignedRepository) -> None:
    """The specification (5.3.10) looks at the end of the last root alone."""
    late = NOW + timedelta(days=380)
    old = signed.root
    (signed.public / "metadata/2.root.json").write_bytes(signed.holders.new_root(old, now=late))
    resign(signed, "timestamp", Timestamp, signed.holders.timestamp, set_field("expires", late + timedelta(days=1)))
    # the lists ended, which is said of them and not of the root
    with pytest.raises(Refused, match="snapshot") as refused:
        signed.client(root=old).update(at=late)
    assert refused.value.code == "expired"
    newest = (signed.public / "metadata/2.root.json").read_bytes()
    assert newest in [one.read_bytes() for one in (signed.folder / "client").rglob("*.json")]


def test_the_newest_root_has_ended(signed: SignedRepository) -> None:
    ended = NOW - timedelta(days=400)
    (signed.public / "metadata/2.root.json").write_bytes(signed.holders.new_root(signed.root, now=ended))
    with pytest.raises(Refused, match="expired") as refused:
        signed.client().update()
    assert refused.value.code == "expired"


@pytest.mark.parametrize(
    ("name", "kind"), [("timestamp", Timestamp), ("1.targets", Targets), ("2.base", Targets), ("2.root", Root)]
)
def test_fields_that_nobody_knows_are_kept_and_mean_nothing(
    signed: SignedRepository, name: str, kind: type[Any]
) -> None:
    role = name.rpartition(".")[2]
    keys = {"timestamp": signed.holders.timestamp, "base": signed.holders.lists["base"]}
    if name == "2.root":
        (signed.public / "metadata/2.root.json").write_bytes(signed.holders.new_root(signed.root))
    both = {"targets": signed.holders.targets[:2], "root": signed.holders.root[:2], **keys}[role]
    resign(signed, name, kind, both, unknown_fields)
    client = signed.client()
    client.update()
    assert found_by(client) == ["base/a_1.wapt"]
    raw = (signed.public / f"metadata/{name}.json").read_bytes()
    # of lists their rows are kept
    kept = [one for one in client.folder.rglob("*.json") if one.read_bytes() == raw]
    assert len(kept) == (0 if role == "base" else 1), "byte by byte"


@pytest.mark.parametrize("version", [1, 3])
def test_a_list_of_another_version_than_its_name(signed: SignedRepository, version: int) -> None:
    resign(signed, "2.base", Targets, signed.holders.lists["base"], set_field("version", version))
    with pytest.raises(Refused, match="of another version") as refused:
        signed.client().update()
    assert refused.value.code == "rolled_back"


def test_a_timestamp_with_other_words_and_no_new_version_is_no_news(signed: SignedRepository) -> None:
    client = signed.client()
    client.update()
    known = (client.folder / "metadata/timestamp.json").read_bytes()
    resign(signed, "timestamp", Timestamp, signed.holders.timestamp, unknown_fields)
    client.update()
    assert (client.folder / "metadata/timestamp.json").read_bytes() == known


def test_a_bad_signature_beside_enough_good_ones(signed: SignedRepository) -> None:
    """Two of three holders signed; what a third left there harms nobody, and does not count either."""
    path = signed.public / "metadata/1.targets.json"
    document = json.loads(path.read_bytes())
    third = signed.holders.targets[2].public_key.keyid
    document["signatures"].append({"keyid": third, "sig": "00" * 64})
    path.write_text(json.dumps(document))
    signed.client().update()
    del document["signatures"][0]
    path.write_text(json.dumps(document))
    with pytest.raises(Refused, match="lacks good signatures"):
        signed.client(name="other").update()


def named(key: Key, name: str) -> Key:
    document = key.to_dict()
    return SSlibKey.from_dict(name, document)


def test_a_key_under_a_name_that_is_not_its_digest(signed: SignedRepository) -> None:
    """The specification asks for names that differ (4.2); whoever may write a root gives them, and one key has one."""
    (signer,) = signed.holders.timestamp
    other = named(signer.public_key, "0" * 64)
    document = json.loads(signed.holders.new_root(signed.root))
    root = Root.from_dict(document["signed"])
    root.revoke_key(signer.public_key.keyid, "timestamp")
    root.add_key(other, "timestamp")
    raw = repository_keys.sign(Metadata(root).to_bytes(), signed.holders.root[:2], "root")
    (signed.public / "metadata/2.root.json").write_bytes(raw)
    # signed under its old name, it is of nobody whom the new root names
    with pytest.raises(Refused, match="lacks good signatures"):
        signed.client().update()
    path = signed.public / "metadata/timestamp.json"
    path.write_bytes(path.read_bytes().replace(signer.public_key.keyid.encode(), b"0" * 64))
    signed.client(name="renamed").update()


@pytest.mark.parametrize(("kind", "scheme"), [("ed25519", "ed25519-of-tomorrow"), ("of-tomorrow", "x")])
def test_a_root_with_a_key_of_a_kind_that_nobody_knows(signed: SignedRepository, kind: str, scheme: str) -> None:
    """Refused as a whole, and what is known stays: hosts learn of a new kind of key by a new agent, before a root has it."""
    client = signed.client()
    client.update()
    document = json.loads(signed.holders.new_root(signed.root))
    strange = {"keytype": kind, "scheme": scheme, "keyval": {"public": "ab" * 32}}
    document["signed"]["keys"]["f" * 64] = strange
    document["signed"]["roles"]["timestamp"]["keyids"].append("f" * 64)
    raw = repository_reading.signed_bytes(document["signed"])
    document["signatures"] = [one.sign(raw).to_dict() for one in signed.holders.root[:2]]
    (signed.public / "metadata/2.root.json").write_text(json.dumps(document))
    with pytest.raises(Refused, match="cannot be used"):
        client.update()
    assert found_by(client) == ["base/a_1.wapt"]


@pytest.mark.parametrize("hashes", [{"md9": "ab"}, {"sha512": "ab" * 64}])
def test_a_package_without_a_hash_that_we_know(signed: SignedRepository, hashes: dict[str, str]) -> None:
    """Ours have SHA-256; a list that lets a file be anything else is no list of ours."""

    def change(listed: Any) -> None:
        for target in listed.targets.values():
            target.hashes = hashes

    resign(signed, "2.base", Targets, signed.holders.lists["base"], change)
    client = signed.client()
    client.update()
    assert found_by(client) == []


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ((0, 1), (0, 1), True),
        ((1, 2), (0, 1), True),
        ((0,), (0, 1), False),
        ((0, 1), (1,), False),
        ((), (0, 1), False),
    ],
)
def test_a_root_needs_its_threshold_of_old_and_of_new_holders(
    signed: SignedRepository, old: tuple[int, ...], new: tuple[int, ...], good: bool
) -> None:
    before = signed.holders.root
    signed.holders.root = signers(3)
    draft = repository_keys.sign(signed.holders.new_root(signed.root), [before[one] for one in old], "root")
    document = json.loads(draft)
    wanted = {signed.holders.root[one].public_key.keyid for one in new} | {before[one].public_key.keyid for one in old}
    document["signatures"] = [one for one in document["signatures"] if one["keyid"] in wanted]
    (signed.public / "metadata/2.root.json").write_text(json.dumps(document))
    client = signed.client()
    if good:
        client.update()
        assert client.listing().root == 2
    else:
        with pytest.raises(Refused, match="lacks good signatures"):
            client.update()
