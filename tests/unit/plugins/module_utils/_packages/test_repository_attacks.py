# SPDX-License-Identifier: GPL-3.0-or-later
"""A client against replicas that lie, stall, forget and replay, over HTTP on loopback where it matters."""

from __future__ import annotations

import http.server
import json
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_keys, repository_publish, repository_refresh
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.repository_client import Client, Unreachable
from bocage_core._packages.tuf_library import Metadata, MetaFile, Snapshot, Timestamp
from signed_repository import HASTY, NOW, SignedRepository, served, signers

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


def resign_online(signed: SignedRepository, snapshot: Metadata[Snapshot], timestamp_version: int) -> None:
    """Place a snapshot and a timestamp of it that nobody but the holder of the online keys could make."""
    snapshot.signatures.clear()
    repository_keys.sign_metadata(snapshot, signed.holders.snapshot, "snapshot")
    raw = snapshot.to_bytes()
    (signed.public / f"metadata/{snapshot.signed.version}.snapshot.json").write_bytes(raw)
    named = MetaFile.from_data(snapshot.signed.version, raw, ["sha256"])
    timestamp = Metadata(Timestamp(version=timestamp_version, expires=NOW + timedelta(days=1), snapshot_meta=named))
    repository_keys.sign_metadata(timestamp, signed.holders.timestamp, "timestamp")
    (signed.public / "metadata/timestamp.json").write_bytes(timestamp.to_bytes())


class TestAttacks:
    def test_rollback(self, signed: SignedRepository, tmp_path: Path) -> None:
        """An old state, rightly signed, after a newer one was seen."""
        old = shutil.copytree(signed.public, tmp_path / "old")
        signed.publish("base/a_2.wapt", removals=["base/a_1.wapt"])
        client = signed.client()
        client.update()
        with served(old) as url:
            assert_refused(
                "rolled_back", "metadata is of another version than the one that is due", lambda: client.update([url])
            )
        assert paths(client) == {"base/a_2.wapt", "group/g_1.wapt"}

    def test_rollback_of_one_list(self, signed: SignedRepository) -> None:
        """The online keys alone cannot bring back an older list to who saw the newer one."""
        client = signed.client()
        client.update()
        snapshot = signed.store.snapshot()
        assert snapshot is not None
        snapshot.signed.version += 1
        snapshot.signed.meta["base.json"].version = 1
        resign_online(signed, snapshot, 9)
        assert_refused("rolled_back", "of another version", client.update)

    def test_freeze(self, signed: SignedRepository, tmp_path: Path) -> None:
        """An old state for ever: it ends with the timestamp, after 24 hours."""
        client = signed.client()
        client.update(at=NOW + timedelta(hours=23))
        assert_refused(
            "expired", "has expired: it is frozen, or the clock", lambda: client.update(at=NOW + timedelta(days=2))
        )
        assert_refused("expired", "update before you install", lambda: client.find("a", at=NOW + timedelta(days=2)))
        assert [one.path for one in client.find("a", at=NOW + timedelta(days=2), stale=True)] == ["base/a_1.wapt"]

    def test_freeze_of_one_list(self, signed: SignedRepository) -> None:
        """A list whose holders sign no more ends by itself, also where it is known already."""
        client = signed.client()
        client.update()
        late = NOW + timedelta(days=31)
        change = repository_edit.renew(signed.store, {"targets": signed.holders.targets}, late - timedelta(days=9))
        repository_publish.commit(signed.path, change, signed.holders.online, late - timedelta(days=9))
        repository_refresh.refresh(signed.path, signed.holders.online, late)
        assert_refused("expired", "The list base of .* has expired; its keys must", lambda: client.update(at=late))
        assert_refused("expired", "has expired", lambda: signed.client(name="new").update(at=late))

    def test_mix_and_match(self, signed: SignedRepository, tmp_path: Path) -> None:
        """Lists of two states that never were one, each with good signatures."""
        old = (signed.public / "metadata/2.base.json").read_bytes()
        signed.publish("base/a_2.wapt")
        (signed.public / "metadata/3.base.json").write_bytes(old)
        client = signed.client()
        assert_refused("rolled_back", "of another version", client.update)
        with pytest.raises(BocageError, match=r"Nothing is known of the repository in .* yet; update first"):
            client.find("a")

    def test_mix_and_match_of_snapshots(self, signed: SignedRepository) -> None:
        old = (signed.public / "metadata/2.snapshot.json").read_bytes()
        signed.publish("base/a_2.wapt")
        (signed.public / "metadata/3.snapshot.json").write_bytes(old)
        assert_refused("wrong_digest", "is not the one that was signed", signed.client().update)

    def test_omission_of_a_list(self, signed: SignedRepository) -> None:
        (signed.public / "metadata/2.deployers.json").unlink()
        client = signed.client()
        assert_refused("incomplete", "lacks a file of the repository that it should have", client.update)

    def test_omission_in_the_snapshot(self, signed: SignedRepository) -> None:
        snapshot = signed.store.snapshot()
        assert snapshot is not None
        snapshot.signed.version += 1
        del snapshot.signed.meta["base.json"]
        resign_online(signed, snapshot, 9)
        assert_refused("incomplete", "does not name the list base", signed.client().update)

    def test_omission_of_a_package(self, signed: SignedRepository) -> None:
        client = signed.client()
        client.update()
        shutil.rmtree(signed.public / "targets/base")
        (target,) = client.find("a")
        assert_refused("incomplete", r"lacks a file of base/a_1\.wapt", lambda: client.download(target))

    def test_wrong_software_under_a_right_name(self, signed: SignedRepository) -> None:
        """A replica gives another package, itself signed and listed, where this one was asked for."""
        signed.add(signed.package("base/b_1.wapt", b"another software"))
        client = signed.client()
        client.update()
        (target,) = client.find("a")
        (other,) = client.find("b")
        stored = {one.path: signed.public / layout.target_file(one.path, one.sha256) for one in (target, other)}
        stored[target.path].unlink()
        shutil.copy(stored[other.path], stored[target.path])
        assert_refused("oversized", "longer than it may be", lambda: client.download(target))
        stored[target.path].write_bytes(b"c0ntent")
        assert_refused(
            "wrong_digest",
            r"The file of base/a_1\.wapt is not the one that was signed",
            lambda: client.download(target),
        )
        assert list((client.folder / "packages").iterdir()) == []

    def test_arbitrary_installation(self, signed: SignedRepository, tmp_path: Path) -> None:
        """A whole repository with the right names and keys of the attacker's own."""
        (tmp_path / "evil").mkdir()
        evil = SignedRepository(tmp_path / "evil")
        evil.publish("base/a_9.wapt", "base/evil_1.wapt")
        client = signed.client()
        with served(evil.public) as url:
            assert_refused("bad_signature", "lacks good signatures", lambda: client.update([url]))
            client.update()
            assert_refused("bad_signature", "lacks good signatures", lambda: client.update([url]))
        assert paths(client) == {"base/a_1.wapt", "group/g_1.wapt"}

    def test_a_deployer_lists_software(self, signed: SignedRepository) -> None:
        """A holder of another list signs a base package; a publisher that takes it is compromised as well."""
        listed = roles.new_list(3, NOW, [signed.package(one).target for one in ("base/evil_1.wapt", "group/h_1.wapt")])
        repository_keys.sign_metadata(listed, signed.holders.lists["deployers"], "deployers")
        (signed.public / "metadata/3.deployers.json").write_bytes(listed.to_bytes())
        snapshot = signed.store.snapshot()
        assert snapshot is not None
        snapshot.signed.version += 1
        snapshot.signed.meta["deployers.json"].version = 3
        resign_online(signed, snapshot, 9)
        client = signed.client()
        listing = client.update()
        assert paths(client) == {"base/a_1.wapt", "group/h_1.wapt"}
        assert listing.refused == ("The list deployers has the target 'base/evil_1.wapt', which it may not sign.",)

    def test_key_compromise_below_the_threshold(self, signed: SignedRepository) -> None:
        """One of two keys of the top list, and both online keys, are not enough to delegate to others."""
        mine = signers()
        change = roles.new_targets([roles.Delegation("base", ("base/*",), (mine[0].public_key,), 1, True)], 2, NOW)
        raw = repository_keys.sign(change, signed.holders.targets[:1], "targets")
        (signed.public / "metadata/2.targets.json").write_bytes(raw)
        snapshot = signed.store.snapshot()
        assert snapshot is not None
        snapshot.signed.version += 1
        snapshot.signed.meta["targets.json"].version = 2
        resign_online(signed, snapshot, 9)
        assert_refused("bad_signature", "lacks good signatures", signed.client().update)

    def test_root_compromise_below_the_threshold(self, signed: SignedRepository) -> None:
        """One holder of three makes a root of keys of his own."""
        thief = signed.holders.root[0]
        signed.holders.root = [thief, *signers(2)]
        (signed.public / "metadata/2.root.json").write_bytes(signed.holders.new_root(signed.root))
        assert_refused("bad_signature", "lacks good signatures", signed.client().update)

    def test_one_key_that_signs_twice(self, signed: SignedRepository) -> None:
        raw = json.loads((signed.public / "metadata/1.targets.json").read_bytes())
        raw["signatures"] = raw["signatures"][:1] * 2
        (signed.public / "metadata/1.targets.json").write_text(json.dumps(raw))
        assert_refused("malformed", "its metadata cannot be used", signed.client().update)

    def test_recovery_from_a_fast_forward(self, signed: SignedRepository) -> None:
        """A thief of the online keys jumps to the last version; new keys in a new root bring hosts back."""
        client = signed.client()
        genuine = (signed.public / "metadata/timestamp.json").read_bytes()
        snapshot = signed.store.snapshot()
        assert snapshot is not None
        forward = roles.from_bytes(snapshot.to_bytes(), Snapshot, "snapshot")
        forward.signed.version = 2**31
        resign_online(signed, forward, 2**31)
        client.update()
        (signed.public / f"metadata/{2**31}.snapshot.json").unlink()
        (signed.public / "metadata/timestamp.json").write_bytes(genuine)
        assert_refused("rolled_back", "of another version", client.update)
        signed.holders.snapshot, signed.holders.timestamp = signers(), signers()
        change = repository_edit.Change(root=signed.holders.new_root(signed.root))
        repository_publish.commit(signed.path, change, signed.holders.online, NOW, root_first=True)
        listing = client.update()
        assert (listing.root, listing.timestamp, listing.snapshot) == (2, 3, 3)
        assert paths(client) == {"base/a_1.wapt", "group/g_1.wapt"}


def endless(handler: http.server.BaseHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(b" " * 65_536)
    except OSError:
        pass  # the client had enough
    return True


def slow(handler: http.server.BaseHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        pass  # the client had enough
    return True


def slow_headers(handler: http.server.BaseHTTPRequestHandler) -> bool:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(200):
            handler.wfile.write(b"X-%d: y\r\n" % number)
            time.sleep(0.05)
    except OSError:
        pass  # the client had enough
    return True


def silent(handler: http.server.BaseHTTPRequestHandler) -> bool:
    time.sleep(1.5)
    return True


class TestBadServers:
    @pytest.mark.parametrize("name", ["root", "timestamp", "snapshot", "targets", "base"])
    def test_endless_data(self, signed: SignedRepository, name: str) -> None:
        answer = {f"{name}.json": endless}
        with served(signed.public, answer) as url:
            client = signed.client(url)
            assert_refused("oversized", "an answer is longer than it may be", client.update)

    def test_endless_data_of_a_package(self, signed: SignedRepository) -> None:
        with served(signed.public, {"a_1.wapt": endless}) as url:
            client = signed.client(url)
            client.update()
            assert_refused(
                "oversized", r"for base/a_1\.wapt: an answer is longer", lambda: client.download(client.find("a")[0])
            )
            assert sum(one.stat().st_size for one in (client.folder / "packages").iterdir()) <= 7

    @pytest.mark.parametrize("answer", [slow, slow_headers, silent])
    def test_slow_retrieval(self, signed: SignedRepository, answer: Callable[..., bool]) -> None:
        with served(signed.public, {"timestamp": answer}) as url:
            client = signed.client(url, limits=HASTY)
            started = time.monotonic()
            assert_refused("too_slow", "it sends too slowly", client.update)
            assert time.monotonic() - started < 9  # the server would go on for ten

    def test_slow_retrieval_of_a_package(self, signed: SignedRepository) -> None:
        with served(signed.public, {"a_1.wapt": slow_headers}) as url:
            signed.client(url).update()
            client = signed.client(url, limits=HASTY)
            assert_refused("too_slow", "sends too slowly", lambda: client.download(client.find("a")[0]))

    def test_a_redirection_is_not_followed(self, signed: SignedRepository) -> None:
        def elsewhere(handler: http.server.BaseHTTPRequestHandler) -> bool:
            handler.send_response(302)
            handler.send_header("Location", "http://127.0.0.1:1/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return True

        with (
            served(signed.public, {"timestamp": elsewhere}) as url,
            pytest.raises(Unreachable, match="the answer was 302"),
        ):
            signed.client(url).update()

    def test_no_server(self, signed: SignedRepository) -> None:
        with pytest.raises(Unreachable, match=r"The replica http://127\.0\.0\.1:9/ does not give the repository"):
            signed.client("http://127.0.0.1:9").update()

    def test_garbage(self, signed: SignedRepository) -> None:
        (signed.public / "metadata/timestamp.json").write_bytes(b"[" * 10_000)
        assert_refused("malformed", "its metadata cannot be used", signed.client().update)
