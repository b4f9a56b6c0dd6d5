# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's own copies of metadata: whose signatures are not checked again, and when they are."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common import atomic
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_publish, repository_refresh, repository_updater
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import tuf_library as tuf
from bocage_core._packages.repository_client import Client
from signed_repository import NOW, SignedRepository, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

KEPT = ("timestamp", "snapshot", "targets")
# the pinned root by two keys, timestamp and snapshot by one each, the top list by two
ALL_KEPT = 6


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    found = SignedRepository(tmp_path)
    found.publish("base/a_1.wapt", "group/g_1.wapt")
    return found


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of keys by which signatures are checked meanwhile."""
    checked: list[str] = []
    real = tuf.SSlibKey.verify_signature

    def verify(key: Any, signature: Any, data: bytes) -> None:
        checked.append(key.keyid)
        real(key, signature, data)

    with monkeypatch.context() as patched:
        patched.setattr(tuf.SSlibKey, "verify_signature", verify)
        yield checked


def paths(client: Client) -> set[str]:
    return {one.path for one in client.listing().targets()}


def change_state(client: Client, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    with closing(sqlite3.connect(client.folder / "targets.sqlite")) as database, database:
        marks = dict(database.execute("select name, value from state where name like 'accepted.%'"))
        assert marks.keys() == {f"accepted.{role}" for role in ("pinned", "root", *KEPT)}
        database.execute("delete from state where name like 'accepted.%'")
        database.executemany("insert into state values (?, ?)", change(marks).items())


def alter(client: Client, name: str) -> bytes:
    """What an attacker would like a host to remember: no signature is good any more."""
    file = client.folder / f"metadata/{name}.json"
    document = json.loads(file.read_bytes())
    signed = document["signed"]
    if name == "timestamp":
        signed["version"] += 1000
    elif name == "snapshot":
        signed["meta"]["base.json"]["version"] += 1000
    else:
        for role in signed["delegations"]["roles"]:
            role["custom"] = {"may_execute": True}
    file.write_text(json.dumps(document))
    return file.read_bytes()


def forge(marks: dict[str, str], name: str, altered: bytes) -> dict[str, str]:
    """The record as it would be had these bytes been accepted."""
    words = f"1 {marks['accepted.root']} {hashlib.sha256(altered).hexdigest()} {name}"
    return {**marks, f"accepted.{name}": hashlib.sha256(words.encode()).hexdigest()}


def assert_nothing_of_it_counts(client: Client, name: str, altered: bytes) -> None:
    assert {one.path: one.may_execute for one in client.listing().targets()} == {
        "base/a_1.wapt": True,
        "group/g_1.wapt": False,
    }
    assert (client.folder / f"metadata/{name}.json").read_bytes() != altered


def test_what_a_host_accepted_is_not_checked_again(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed.client()
    client.update()
    with counted(monkeypatch) as checked:
        client.update()
    # the timestamp that the replica sends
    assert len(checked) == 1
    signed.publish("group/h_1.wapt")
    with counted(monkeypatch) as checked:
        assert client.update().lists_loaded == 1
    # a new timestamp, snapshot and list
    assert len(checked) == 3
    with counted(monkeypatch) as checked:
        client.update()
    assert len(checked) == 1


def test_the_list_that_names_the_bins_is_not_checked_again(
    signed: SignedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_BINS", ((4, 0), (40, 2), (1000, 3)))
    signed.publish(*(f"base/p{number}_1.wapt" for number in range(9)))
    client = signed.client()
    client.update()
    client.update()
    signed.publish("base/q_1.wapt")
    with counted(monkeypatch) as checked:
        assert client.update().lists_loaded == 1
    assert len(checked) == 3
    with closing(sqlite3.connect(client.folder / "targets.sqlite")) as database, database:
        (raw,) = database.execute("select raw from roles where name = 'base'").fetchone()
        document = json.loads(raw)
        document["signed"]["delegations"]["succinct_roles"]["bit_length"] = 1
        database.execute("update roles set raw = ? where name = 'base'", [json.dumps(document).encode()])
    with pytest.raises(Refused, match="lacks good signatures"):
        client.update()


@pytest.mark.parametrize("name", KEPT)
def test_attack_a_kept_file_was_altered(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    client = signed.client()
    client.update()
    altered = alter(client, name)
    with counted(monkeypatch) as checked:
        client.update()
    # the timestamp of the replica, the copy in vain, and what came for it
    assert len(checked) == {"timestamp": 2, "snapshot": 3, "targets": 5}[name]
    assert_nothing_of_it_counts(client, name, altered)


@pytest.mark.parametrize("name", KEPT)
def test_attack_kept_file_and_record_were_altered_by_who_is_not_root(signed: SignedRepository, name: str) -> None:
    """A folder into which others reach keeps no record that counts."""
    client = signed.client()
    client.update()
    altered = alter(client, name)
    change_state(client, lambda marks: forge(marks, name, altered))
    client.folder.chmod(0o770)
    client.update()
    assert_nothing_of_it_counts(client, name, altered)


def test_root_of_the_host_can_forge_both(signed: SignedRepository) -> None:
    """What the record means: whoever writes here as root could as well replace the program or the pinned root."""
    client = signed.client()
    client.update()
    altered = alter(client, "timestamp")
    change_state(client, lambda marks: forge(marks, "timestamp", altered))
    with pytest.raises(Refused, match="must be >="):
        client.update()


def test_attack_the_record_was_altered(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed.client()
    client.update()
    for change in (
        lambda marks: {},
        lambda marks: dict.fromkeys(marks, "0" * 64),
        lambda marks: dict.fromkeys(marks, ""),
        lambda marks: dict(zip(marks, [*marks.values()][2:] + [*marks.values()][:2], strict=True)),
        lambda marks: dict.fromkeys(marks, marks["accepted.timestamp"]) | {"accepted.timestamp": ""},
    ):
        change_state(client, change)
        with counted(monkeypatch) as checked:
            client.update()
        assert len(checked) == ALL_KEPT + 1
        with counted(monkeypatch) as checked:
            client.update()
        assert len(checked) == 1
    assert paths(client) == {"base/a_1.wapt", "group/g_1.wapt"}


def test_attack_kept_files_of_a_key_that_a_new_root_replaced(
    signed: SignedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted under an earlier root is judged again under the new one."""
    client = signed.client()
    client.update()
    stolen = set()
    for name in ("snapshot", "timestamp"):
        stolen |= {one.public_key.keyid for one in getattr(signed.holders, name)}
        setattr(signed.holders, name, signers())
    change = repository_edit.Change(root=signed.holders.new_root(signed.root))
    repository_publish.commit(signed.path, change, signed.holders.online, NOW, root_first=True)
    kept = (client.folder / "metadata/timestamp.json").read_bytes()
    with counted(monkeypatch) as checked:
        assert client.update().root == 2
    # neither believed nor even tried by the keys that are no more
    assert not stolen & set(checked)
    assert (client.folder / "metadata/timestamp.json").read_bytes() != kept
    with counted(monkeypatch) as checked:
        client.update()
    # the new root is no pinned one: two holders by the old root, and by itself; and the timestamp of the replica
    assert len(checked) == 5


def test_another_pinned_root_begins_anew(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed.client()
    client.update()
    later = signed.holders.new_root(None, now=NOW + timedelta(hours=1))
    for root in (later, json.dumps(json.loads(signed.root), indent=1).encode()):
        again = signed.client(root=root)
        with counted(monkeypatch) as checked:
            again.update()
        assert len(checked) == ALL_KEPT + 1


@pytest.mark.parametrize("days", [2, 8, 31, 366])
def test_attack_what_was_accepted_ends_all_the_same(signed: SignedRepository, days: int) -> None:
    """A replica that shows the same for ever, and a host with records of all of it."""
    client = signed.client()
    client.update()
    client.update()
    late = NOW + timedelta(days=days)
    if days > 2:
        repository_refresh.refresh(signed.path, signed.holders.online, late)
    if days == 8:
        client.update(at=late)
        return
    with pytest.raises(Refused, match="metadata has expired: it is frozen, or the clock") as refused:
        client.update(at=late)
    assert refused.value.code == "expired"
    with pytest.raises(Refused, match="update before you install"):
        client.find("a", at=late)


def test_a_root_that_is_refused_leaves_no_mark(signed: SignedRepository) -> None:
    """Else what the present root lets in would count as judged by the other one."""
    trusted = repository_updater.TrustedSet(signed.root, NOW, {})
    before = dict(trusted.marks)
    assert before.keys() == {"pinned", "root"}
    with pytest.raises(tuf.exceptions.BadVersionNumberError):
        trusted.update_root(signed.root)
    assert trusted.marks == before
    timestamp = (signed.public / "metadata/timestamp.json").read_bytes()
    trusted.update_timestamp(timestamp)
    other = repository_updater.TrustedSet(signed.root, NOW, {})
    other.update_timestamp(timestamp)
    assert trusted.marks == other.marks


def test_an_update_that_failed_is_no_record(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed.client()
    client.update()
    signed.publish("group/h_1.wapt")
    (signed.public / "metadata/3.deployers.json").rename(signed.folder / "away")
    with pytest.raises(Refused, match="lacks a file"):
        client.update()
    (signed.folder / "away").rename(signed.public / "metadata/3.deployers.json")
    with counted(monkeypatch) as checked:
        client.update()
    # the timestamp twice, the snapshot and the list once
    assert len(checked) == 4


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o750, 0o720, 0o777])
def test_a_folder_that_others_reach(tmp_path: Path, mode: int) -> None:
    state = {"accepted.root": "1", "expires": "x"}
    tmp_path.chmod(0o700)
    assert repository_updater.accepted_in(state, tmp_path) == {"root": "1"}
    tmp_path.chmod(mode)
    assert repository_updater.accepted_in(state, tmp_path) == {}


def test_a_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert repository_updater.accepted_in({"accepted.root": "1"}, tmp_path) == {}


def test_what_was_seen_is_on_the_disk_also_when_the_rest_is_refused(
    signed: SignedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed.client()
    client.update()
    signed.publish("group/h_1.wapt")
    (signed.public / "metadata/3.snapshot.json").unlink()
    synced: list[Path] = []
    monkeypatch.setattr(atomic, "sync_directory", synced.append)
    with pytest.raises(Refused, match="lacks a file"):
        client.update()
    assert synced == [client.folder / "metadata"]
    sent = (signed.public / "metadata/timestamp.json").read_bytes()
    assert (client.folder / "metadata/timestamp.json").read_bytes() == sent
