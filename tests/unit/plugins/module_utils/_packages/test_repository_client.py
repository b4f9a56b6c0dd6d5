# SPDX-License-Identifier: GPL-3.0-or-later
"""A client: replicas in order, downloads, its cache, hosts that slept."""

from __future__ import annotations

import http.server
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_publish, tuf_library
from bocage_core._packages import repository_layout as layout
from bocage_core._packages.fetcher import Fetcher
from bocage_core._packages.repository_client import Client, Unreachable
from bocage_core._packages.repository_refresh import online_keys
from signed_repository import NOW, QUICK, SignedRepository, served, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    found = SignedRepository(tmp_path)
    found.publish("base/a_1.wapt", "group/g_1.wapt")
    return found


def paths(client: Client) -> set[str]:
    return {one.path for one in client.listing().targets()}


def assert_refused(code: str, sentence: str, call: Callable[[], Any]) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        call()
    assert refused.value.code == code
    assert str(refused.value).endswith((".", ")."))
    assert "Traceback" not in str(refused.value)


class TestReplicas:
    def test_the_next_one_when_the_first_fails(self, signed: SignedRepository, tmp_path: Path) -> None:
        stale = shutil.copytree(signed.public, tmp_path / "stale")
        signed.publish("base/b_1.wapt")
        client = signed.client()
        client.update()
        with served(signed.public) as good:
            listing = client.update([str(stale), "http://127.0.0.1:9", good])
        assert listing.replica == f"{good}/"
        assert [sentence.split()[2] for sentence in listing.failures] == [f"{stale.as_uri()}/", "http://127.0.0.1:9/"]
        assert client.update([str(signed.public)]).failures == ()

    def test_when_all_fail_the_attack_is_told_first(self, signed: SignedRepository, tmp_path: Path) -> None:
        stale = shutil.copytree(signed.public, tmp_path / "stale")
        signed.publish("base/b_1.wapt")
        client = signed.client()
        client.update()
        assert_refused(
            "rolled_back",
            r"of another version.* Also: The replica http://127\.0\.0\.1:9/ does not give",
            lambda: client.update(["http://127.0.0.1:9", str(stale)]),
        )

    def test_a_poisoned_package_comes_from_the_next_one(self, signed: SignedRepository, tmp_path: Path) -> None:
        poisoned = shutil.copytree(signed.public, tmp_path / "poisoned")
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        (poisoned / layout.target_file(target.path, target.sha256)).write_bytes(b"c0ntent")
        assert client.download(target, [str(poisoned), str(signed.public)]).read_bytes() == b"content"

    @pytest.mark.parametrize(
        "place", ["", "ftp://a/", "relative/folder", "http://", "http://u:p@h/", "http://h/?q", "http://["]
    )
    def test_addresses_that_are_none(self, signed: SignedRepository, place: str) -> None:
        with pytest.raises(BadInput, match="is not the address of a replica: give a URL"):
            signed.client(place)

    def test_none_at_all(self, signed: SignedRepository) -> None:
        with pytest.raises(BadInput, match="needs the address of at least one replica"):
            Client(signed.folder, signed.root, [])


class TestDownload:
    def test_a_part_is_continued(self, signed: SignedRepository) -> None:
        content = bytes(range(256)) * 1000
        signed.add(signed.package("base/big_1.wapt", content))
        asked: list[str | None] = []

        def ranges(handler: http.server.BaseHTTPRequestHandler) -> bool:
            asked.append(handler.headers.get("Range"))
            start = int((asked[-1] or "bytes=0-")[6:-1])
            end = len(content) if start else 100_000
            handler.send_response(206 if start else 200)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            handler.send_header("Content-Length", str(len(content) - start))
            handler.end_headers()
            handler.wfile.write(content[start:end])
            return True

        with served(signed.public, {"big_1": ranges}) as url:
            client = signed.client(url)
            client.update()
            (target,) = client.find("big")
            with pytest.raises(Unreachable, match=r"does not give base/big_1\.wapt"):
                client.download(target)
            assert client.download(target).read_bytes() == content
            assert asked == [None, "bytes=100000-"]

    def test_a_part_that_another_replica_poisoned(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        part = client.folder / "packages" / f".{target.sha256}.part"
        for poison in (b"evi", b"x" * 7, b"far too long"):
            part.write_bytes(poison)
            found = client.download(target)
            assert found.read_bytes() == b"content"
            assert not part.exists()
            found.unlink()

    def test_a_server_that_knows_no_ranges(self, signed: SignedRepository) -> None:
        with served(signed.public) as url:
            client = signed.client(url)
            client.update()
            (target,) = client.find("a")
            (client.folder / "packages" / f".{target.sha256}.part").write_bytes(b"con")
            assert client.download(target).read_bytes() == b"content"

    def test_a_file_of_the_cache_that_was_changed(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        client.download(target).write_bytes(b"poisoned")
        assert client.download(target).read_bytes() == b"content"

    def test_without_a_network_what_is_there_is_enough(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        client.download(target)
        assert client.download(target, ["http://127.0.0.1:9"]).read_bytes() == b"content"

    def test_what_is_no_longer_listed(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        signed.publish("base/b_1.wapt", removals=["base/a_1.wapt"])
        client.update()
        assert_refused("incomplete", r"no longer lists base/a_1\.wapt as it was", lambda: client.download(target))

    def test_what_is_cleaned_and_what_is_kept(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        found = [client.find(name)[0] for name in ("a", "g")]
        for target in found:
            client.download(target)
        (client.folder / "packages/.x.part").write_bytes(b"")
        assert client.clean(found[:1]) == [".x.part", f"{found[1].sha256}.g_1.wapt"]
        assert client.download(found[0], ["http://127.0.0.1:9"]).exists()

    def test_nothing_new_on_stale_metadata(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        assert_refused("expired", "update before", lambda: client.download(target, at=NOW + timedelta(days=3)))


class TestCache:
    def test_what_did_not_change_is_not_loaded(self, signed: SignedRepository) -> None:
        client = signed.client()
        assert client.update().lists_loaded == 6
        again = client.update()
        assert (again.lists_loaded, again.requests) == (0, 2)
        signed.publish("group/h_1.wapt")
        assert client.update().lists_loaded == 1

    def test_a_host_reads_the_lists_that_concern_it(self, signed: SignedRepository) -> None:
        signed.publish("host/paris/h.wapt", "host/lyon/i.wapt")
        client = signed.client(roles=lambda name: name not in ("host-lyon", "masters"))
        client.update()
        assert paths(client) == {"base/a_1.wapt", "group/g_1.wapt", "host/paris/h.wapt"}

    @pytest.mark.parametrize("harm", ["garbage", "another form", "half"])
    def test_a_damaged_cache_is_begun_anew(self, signed: SignedRepository, harm: str) -> None:
        client = signed.client()
        client.update()
        database = client.folder / "targets.sqlite"
        if harm == "garbage":
            database.write_bytes(b"no database" * 1000)
        elif harm == "another form":
            with sqlite3.connect(database) as opened:
                opened.execute("pragma user_version = 99")
        else:
            database.write_bytes(database.read_bytes()[:5000])
        try:
            client.update()
        except BocageError as error:
            assert "was damaged and is removed; update again" in str(error)
            client.update()
        assert paths(client) == {"base/a_1.wapt", "group/g_1.wapt"}

    def test_metadata_that_a_power_cut_emptied(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        for name in ("timestamp", "snapshot", "targets"):
            (client.folder / f"metadata/{name}.json").write_bytes(b"")
        client.update()
        assert len(client.listing()) == 2

    def test_a_root_that_cannot_be_used(self, signed: SignedRepository) -> None:
        with pytest.raises(BadInput, match="The pinned root of the repository cannot be used; place it again"):
            signed.client(root=b"{}").update()

    def test_a_clock_that_is_wrong_by_a_year(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update(at=NOW - timedelta(days=365))
        assert_refused(
            "expired", "the clock of this host is wrong", lambda: client.update(at=NOW + timedelta(days=365))
        )

    def test_real_time_is_the_default(self, tmp_path: Path) -> None:
        now = datetime.now(tz=UTC)
        signed = SignedRepository(tmp_path, now)
        signed.publish("base/a_1.wapt")
        client = Client(tmp_path / "c", signed.root, [str(signed.public)])
        assert len(client.update()) == 1


class TestSleepers:
    """Hosts that were asleep while keys changed."""

    def rotate(self, signed: SignedRepository, now: datetime) -> None:
        """All top keys at once, old and new ones signing together while the change becomes visible."""
        old = replace_holders(signed)
        holders = signed.holders
        root = holders.new_root(signed.store.root_bytes(), old.root[:2], now)
        both = [*old.targets[:2], *holders.targets[:2]]
        change = repository_edit.renew(signed.store, {"targets": both}, now, everything=True)
        change.root = root
        online = online_keys([*old.snapshot, *holders.snapshot], [*old.timestamp, *holders.timestamp])
        repository_publish.commit(signed.path, change, online, now)

    def test_a_host_that_slept_through_many_roots(self, signed: SignedRepository) -> None:
        awake, asleep = signed.client(name="awake"), signed.client(name="asleep")
        asleep.update()
        now = NOW
        for _ in range(3):
            now += timedelta(days=20)
            self.rotate(signed, now)
            change = repository_edit.renew(signed.store, signed.holders.lists, now, everything=True)
            repository_publish.commit(signed.path, change, signed.holders.online, now)
            assert len(awake.update(at=now)) == 2
        signed.publish("base/b_1.wapt", now=now)
        for client in (awake, asleep, signed.client(name="enrolled now")):
            listing = client.update(at=now)
            assert (listing.root, len(listing)) == (4, 3)

    def test_no_reader_is_left_without_metadata_while_keys_change(
        self, signed: SignedRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At every write of the rotation, a reader of any root gets what it can believe."""
        readers = [signed.client(name="known"), signed.client(name="new")]
        readers[0].update()
        seen = set()
        for name in ("link", "replace"):
            real = getattr(os, name)

            def watched(*arguments: Any, real: Callable[..., Any] = real) -> None:
                real(*arguments)
                if "public" in str(arguments[1]):
                    seen.update(reader.update(at=LATER).root for reader in readers)

            monkeypatch.setattr(os, name, watched)
        self.rotate(signed, LATER)
        assert seen == {1, 2}

    def test_a_new_key_of_a_delegation(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        stolen = signed.holders.lists["base"]
        signed.holders.lists["base"] = signers()
        change = repository_edit.delegate(signed.store, signed.holders.delegations(), signed.holders.signing, NOW)
        assert set(change.lists) == {"targets", "base"}
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
        assert client.update().lists_loaded == 1
        assert paths(client) == {"base/a_1.wapt", "group/g_1.wapt"}
        change = repository_edit.prepare(signed.store, [signed.package("base/evil_1.wapt")], [], {"base": stolen}, NOW)
        with pytest.raises(Refused, match="The metadata of base lacks good signatures"):
            repository_publish.commit(signed.path, change, signed.holders.online, NOW)


def replace_holders(signed: SignedRepository) -> Any:
    old = replace(signed.holders)
    signed.holders.root, signed.holders.targets = signers(3), signers(3)
    signed.holders.snapshot, signed.holders.timestamp = signers(), signers()
    return old


def test_a_folder_in_the_place_of_a_file_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = os.listdir("/proc/self/fd")
    with Fetcher(QUICK) as fetcher:
        fetcher.begin()
        for name in ("folder", "pipe"):
            with pytest.raises(tuf_library.exceptions.DownloadError, match=f"{name} is not a file"):
                fetcher.download_bytes((tmp_path / name).as_uri(), 10)
    assert os.listdir("/proc/self/fd") == before
