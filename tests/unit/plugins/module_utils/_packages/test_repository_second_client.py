# SPDX-License-Identifier: GPL-3.0-or-later
"""What we publish is a repository for a client that others wrote, and it refuses there what it refuses here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bocage_core._common import timestamps
from bocage_core._packages import (
    repository_edit,
    repository_keys,
    repository_publish,
    repository_refresh,
    repository_root,
)
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.tuf_library import Metadata, MetaFile, Snapshot, Timestamp
from second_client import SecondClient, missing
from signed_repository import SignedRepository, served, signers

LACKING = missing()
pytestmark = [
    # a reason is asked for also where nothing is left out
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "tuf-js can run"),
    pytest.mark.usefixtures("no_waiting_for_the_disk"),
]
PATHS = ("base/a_1.wapt", "group/g_1.wapt", "host/paris/h.wapt", "crl/estate.crl")
# its clock is the machine's
NOW = timestamps.now()


both = pytest.mark.parametrize("signed", ["flat", "bins"], indirect=True)


@pytest.fixture
def signed(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SignedRepository:
    if getattr(request, "param", "flat") == "bins":
        monkeypatch.setattr(layout, "_BINS", ((2, 0), (1000, 4)))
    found = SignedRepository(tmp_path, NOW)
    found.publish(*PATHS, *(f"base/more{number}_1.wapt" for number in range(6)))
    return found


@pytest.fixture
def url(signed: SignedRepository) -> Iterator[str]:
    with served(signed.public) as address:
        yield address


@pytest.fixture
def client(signed: SignedRepository) -> SecondClient:
    return SecondClient(signed.folder / "second", signed.root)


def list_of(signed: SignedRepository, path: str) -> Path:
    """The file of the list that has a target."""
    role = repository_publish.listing(signed.path)[path]["role"]
    return signed.public / layout.metadata_file(role, signed.store.heads()[role])


def jump(signed: SignedRepository, version: int) -> None:
    """What a thief of the keys of snapshot and timestamp can sign."""
    snapshot = signed.store.snapshot()
    assert snapshot is not None
    forward: Metadata[Snapshot] = roles.from_bytes(snapshot.to_bytes(), Snapshot, "snapshot")
    forward.signed.version = version
    forward.sign(signed.holders.snapshot[0])
    raw = forward.to_bytes()
    (signed.public / f"metadata/{version}.snapshot.json").write_bytes(raw)
    named = MetaFile.from_data(version, raw, ["sha256"])
    timestamp = Metadata(Timestamp(version=version, expires=NOW + timedelta(hours=12), snapshot_meta=named))
    timestamp.sign(signed.holders.timestamp[0])
    (signed.public / "metadata/timestamp.json").write_bytes(timestamp.to_bytes())


@both
def test_it_finds_and_downloads_what_is_published(signed: SignedRepository, client: SecondClient, url: str) -> None:
    answer = client.update(url, *PATHS, "base/none_1.wapt", "elsewhere/x")
    assert (answer.error, answer.message) == ("", "")
    assert answer.targets.pop("base/none_1.wapt") is None and answer.targets.pop("elsewhere/x") is None
    assert {path: file.read_bytes() for path, file in answer.targets.items() if file} == dict.fromkeys(
        PATHS, b"content"
    )
    signed.publish("base/b_2.wapt", removals=["base/a_1.wapt"])
    answer = client.update(url, "base/a_1.wapt", "base/b_2.wapt")
    assert answer.targets["base/a_1.wapt"] is None and answer.targets["base/b_2.wapt"] is not None


@both
def test_it_follows_new_holders_of_all_keys(signed: SignedRepository, client: SecondClient, url: str) -> None:
    """It has the first root, and meets the third."""
    root = signed.root
    for _generation in range(2):
        former, online = signed.holders.root, signed.holders.online
        signed.holders.root, signed.holders.targets = signers(3), signers(3)
        signed.holders.snapshot, signed.holders.timestamp = signers(), signers()
        signed.holders.lists["base"] = signers()
        root = signed.holders.new_root(root, former[:2], NOW)
        change = repository_edit.delegate(signed.store, signed.holders.delegations(), signed.holders.signing, NOW)
        change.root = root
        together = repository_refresh.OnlineKeys(
            (*online.snapshot, *signed.holders.snapshot), (*online.timestamp, *signed.holders.timestamp)
        )
        repository_publish.commit(signed.path, change, together, NOW, root_first=True)
    answer = client.update(url, *PATHS)
    assert (answer.error, answer.message, client.version("root")) == ("", "", 3)
    assert all(answer.targets.values())


class TestAttacks:
    def test_rollback(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        old = shutil.copytree(signed.public, signed.folder / "old")
        signed.publish("base/b_1.wapt")
        assert client.update(url).error == ""
        with served(old) as stale:
            assert client.update(stale).error == "BadVersionError"
        assert client.update(url, "base/b_1.wapt").targets["base/b_1.wapt"] is not None

    def test_freeze(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        long_ago = NOW - layout.TIMESTAMP_LIFETIME - timedelta(minutes=1)
        other = signed.folder / "other"
        other.mkdir()
        frozen = SignedRepository(other, long_ago)
        host = SecondClient(other / "second", frozen.root)
        with served(frozen.public) as stale:
            answer = host.update(stale)
            assert (answer.error, "timestamp" in answer.message.lower()) == ("ExpiredMetadataError", True)
            repository_refresh.refresh(frozen.path, frozen.holders.online, NOW)
            assert host.update(stale).error == ""

    def test_an_altered_package(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        sha256 = repository_publish.listing(signed.path)["base/a_1.wapt"]["sha256"]
        stored = signed.public / layout.target_file("base/a_1.wapt", sha256)
        stored.write_bytes(b"c0ntent")
        answer = client.update(url, "base/a_1.wapt")
        assert (answer.error, answer.targets) == ("LengthOrHashMismatchError", {})
        stored.write_bytes(b"content and more")
        assert client.update(url, "base/a_1.wapt").error == "DownloadLengthMismatchError"
        assert not any(client.downloads.iterdir())

    @both
    def test_an_altered_list(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        path = list_of(signed, "base/a_1.wapt")
        path.write_bytes(
            path.read_bytes().replace(b'"length": 7', b'"length": 8').replace(b'"length":7', b'"length":8')
        )
        answer = client.update(url, "base/a_1.wapt")
        assert answer.error == "RuntimeError" and "sign" in answer.message

    @both
    def test_a_list_of_another_publication(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        """Mix and match: an old list in the place of the one that the snapshot names."""
        before = list_of(signed, "base/a_1.wapt").read_bytes()
        change = repository_edit.renew(signed.store, {"base": signed.holders.lists["base"]}, NOW, everything=True)
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
        list_of(signed, "base/a_1.wapt").write_bytes(before)
        answer = client.update(url, "base/a_1.wapt")
        assert answer.error == "RuntimeError" and "version" in answer.message

    def test_a_deployer_lists_software(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        """Signed well by the holders of groups, put by a publisher who lies into their list."""
        heads = signed.store.heads()
        listed = roles.new_list(heads["deployers"] + 1, NOW, [signed.package("base/evil_1.wapt").target])
        listed.sign(signed.holders.lists["deployers"][0])
        (signed.public / layout.metadata_file("deployers", listed.signed.version)).write_bytes(listed.to_bytes())
        store = signed.store
        repository_refresh.seal(store, signed.holders.online, NOW, {"deployers": listed.signed.version}, [store.root()])
        assert client.update(url, "base/evil_1.wapt").targets == {"base/evil_1.wapt": None}

    def test_a_root_of_too_few(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        thief = signed.holders.root[0]
        signed.holders.root = [thief, *signers(2)]
        forged = repository_root.draft(signed.holders.plan(), signed.root, NOW)
        raw = repository_keys.sign(forged, signed.holders.root, "root")
        (signed.public / "metadata/2.root.json").write_bytes(raw)
        answer = client.update(url)
        assert answer.error == "UnsignedMetadataError" and client.version("root") == 1

    def test_recovery_from_a_fast_forward(self, signed: SignedRepository, client: SecondClient, url: str) -> None:
        genuine = (signed.public / "metadata/timestamp.json").read_bytes()
        jump(signed, 2**31)
        assert (client.update(url).error, client.version("timestamp")) == ("", 2**31)
        (signed.public / f"metadata/{2**31}.snapshot.json").unlink()
        (signed.public / "metadata/timestamp.json").write_bytes(genuine)
        assert client.update(url).error == "BadVersionError"
        signed.holders.snapshot, signed.holders.timestamp = signers(), signers()
        change = repository_edit.Change(root=signed.holders.new_root(signed.root, now=NOW))
        repository_publish.commit(signed.path, change, signed.holders.online, NOW, root_first=True)
        answer = client.update(url, *PATHS)
        assert (answer.error, client.version("root")) == ("", 2)
        assert client.version("timestamp") < 10 and all(answer.targets.values())
