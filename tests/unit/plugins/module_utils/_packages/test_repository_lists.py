# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists: bins, delegations that change, the right to execute."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_keys, repository_publish, repository_refresh, tuf_library
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.repository_cache import Cache, KnownList, VerifiedList
from bocage_core._packages.repository_client import Listing
from bocage_core._packages.repository_edit import Change
from bocage_core._packages.repository_store import Store
from bocage_core._packages.tuf_library import MetaFile, Root, Targets
from signed_repository import NOW, SignedRepository, signers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    return SignedRepository(tmp_path)


def paths(listing: Listing) -> set[str]:
    return {one.path for one in listing.targets()}


class TestBins:
    @pytest.fixture
    def binned(self, signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> SignedRepository:
        monkeypatch.setattr(layout, "_BINS", ((4, 0), (40, 2), (1000, 3)))
        signed.publish(*(f"base/p{number}_1.wapt" for number in range(9)))
        return signed

    def test_many_targets_are_spread(self, binned: SignedRepository) -> None:
        heads = binned.store.heads()
        assert {name for name in heads if name.startswith("base-")} == {f"base-{number}" for number in range(4)}
        listing = binned.client().update()
        assert paths(listing) == {f"base/p{number}_1.wapt" for number in range(9)}
        assert {one.may_execute for one in listing.targets()} == {True}

    def test_one_package_changes_one_list(self, binned: SignedRepository) -> None:
        client = binned.client()
        client.update()
        before = binned.store.heads()
        binned.publish("base/new_1.wapt")
        changed = {name for name, version in binned.store.heads().items() if before[name] != version}
        assert len(changed) == 1
        listing = client.update()
        assert listing.lists_loaded == 1
        assert len(listing) == 10

    def test_more_bins_come_with_more_targets(self, binned: SignedRepository) -> None:
        client = binned.client()
        client.update()
        binned.publish(*(f"base/q{number}_1.wapt" for number in range(60)))
        bins = roles.bins_in(binned.store.role("base", binned.store.heads()["base"]).signed, "base")
        assert bins is not None
        assert bins.number_of_bins == 8
        for reader in (client, binned.client(name="cold")):
            assert len(reader.update()) == 69
        assert (binned.public / "wapt/p1_1.wapt").exists()
        binned.publish("base/p1_2.wapt", removals=["base/p1_1.wapt"])
        assert len(client.update()) == 69
        assert not (binned.public / "wapt/p1_1.wapt").exists()

    def test_lists_are_signed_anew_before_they_expire(self, binned: SignedRepository) -> None:
        late = NOW + timedelta(days=20)
        assert repository_edit.renew(binned.store, {"base": binned.holders.lists["base"]}, NOW).lists == {}
        change = repository_edit.renew(binned.store, binned.holders.signing, late)
        assert set(change.lists) >= {"targets", "base", "base-0", "base-3", "crl"}
        repository_publish.commit(binned.path, change, binned.holders.online, late)
        at = NOW + timedelta(days=40)
        repository_refresh.refresh(binned.path, binned.holders.online, at)
        assert len(binned.client().update(at=at)) == 9

    def test_the_bin_of_another_target(self, binned: SignedRepository) -> None:
        """A list may not speak of what falls into another bin, also with good signatures."""
        store = binned.store
        heads = store.heads()
        bins = roles.bins_in(store.role("base", heads["base"]).signed, "base")
        assert bins is not None
        own = bins.get_role_for_target("base/x_1.wapt")
        other = next(name for name in bins.get_roles() if name != own)
        metadata = store.role(other, heads[other])
        metadata.signed.version += 1
        metadata.signed.targets["base/x_1.wapt"] = binned.package("base/x_1.wapt").target
        metadata.signatures.clear()
        repository_keys.sign_metadata(metadata, binned.holders.lists["base"], other)
        with pytest.raises(
            Refused, match=rf"The list {other} has the target base/x_1\.wapt, which only {own} may sign"
        ):
            repository_publish.commit(
                binned.path, Change({other: roles.to_bytes(metadata)}), binned.holders.online, NOW
            )


@pytest.mark.parametrize(
    ("count", "bits"), [(0, 0), (2000, 0), (2001, 8), (4000, 8), (10_000, 8), (16_000, 9), (60_000, 10)]
)
def test_the_number_of_bins(count: int, bits: int) -> None:
    assert layout.bits_for(count) == bits
    assert layout.bits_for(0, bits) == bits
    with pytest.raises(BadInput, match="at most 200000 targets"):
        layout.bits_for(200_001)


def test_delegations_that_overlap_or_lack(signed: SignedRepository) -> None:
    (key,) = [one.public_key for one in signers()]
    one = roles.Delegation("one", ("base/*",), (key,))
    for other, sentence in (
        (roles.Delegation("two", ("base/*",), (key,)), r"base/\* is delegated to one and to two"),
        (roles.Delegation("one", ("group/*",), (key,)), "The delegation one is given twice"),
        (roles.Delegation("two", ("*/x",), (key,)), "is not a folder and"),
        (roles.Delegation("two", (), (key,)), "The delegation two has no path"),
        (roles.Delegation("two", ("group/*",), (key,), 2), "asks for 2 of 1 keys"),
        (roles.Delegation("Root", ("group/*",), (key,)), "cannot name a delegation"),
        (roles.Delegation("one-0a", ("group/*",), (key,)), "a name that a bin of another one would get"),
    ):
        with pytest.raises(BadInput, match=sentence):
            roles.new_targets([one, other], 1, NOW)


def test_a_list_that_comes_back_has_a_later_version(signed: SignedRepository) -> None:
    """TUF lets no role vanish from a snapshot, nor its version go back."""
    everybody = signed.holders.delegations()
    fewer = [one for one in everybody if one.name != "host-lyon"]
    signed.publish("host/lyon/h.wapt")
    client = signed.client()
    assert paths(client.update()) == {"host/lyon/h.wapt"}
    for delegations, expected in ((fewer, set()), (everybody, {"host/lyon/h.wapt"})):
        change = repository_edit.delegate(signed.store, delegations, signed.holders.signing, NOW)
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
        assert paths(client.update()) == expected
    assert Store(signed.path).heads()["host-lyon"] == 3


def test_the_right_to_execute_reaches_every_list_at_once(signed: SignedRepository) -> None:
    signed.publish("group/g_1.wapt")
    client = signed.client()
    client.update()
    changed = [replace(one, may_execute=one.name == "deployers") for one in signed.holders.delegations()]
    change = repository_edit.delegate(signed.store, changed, signed.holders.signing, NOW)
    assert set(change.lists) == {"targets"}
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert [one.may_execute for one in client.update().targets()] == [True]


@pytest.mark.parametrize("count", [1, 60])
def test_a_delegation_that_comes_before_another_takes_its_paths_at_once(
    signed: SignedRepository, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Also from lists that did not change themselves; our publisher never delegates a path twice."""
    monkeypatch.setattr(layout, "_BINS", ((40, 0), (1000, 2)))
    monkeypatch.setattr(roles, "_refuse_overlap", lambda delegations: None)
    signed.publish("group/g_1.wapt", *(f"base/p{number}_1.wapt" for number in range(count)))
    client = signed.client()
    assert len(client.update()) == count + 1
    (early,) = signers()
    first = roles.Delegation("early", ("base/*",), (early.public_key,))
    signing = {**signed.holders.signing, "early": [early]}
    change = repository_edit.delegate(signed.store, [first, *signed.holders.delegations()], signing, NOW)
    assert set(change.lists) == {"targets", "early"}
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    listing = client.update()
    assert paths(listing) == {"group/g_1.wapt"}
    assert "has the target 'base/p0_1.wapt', which it may not sign" in " ".join(listing.refused)
    assert client.update().lists_loaded == 0


def test_a_digest_in_the_snapshot_counts_for_lists_that_are_kept(
    signed: SignedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.publish("base/a_1.wapt")
    client = signed.client()
    client.update()
    version = signed.store.heads()["base"]
    right = hashlib.sha256((signed.public / layout.metadata_file("base", version)).read_bytes()).hexdigest()
    for digest, loaded in ((right, 1), (right, 0), ("0" * 64, None)):

        def named(number: int, digest: str = digest) -> MetaFile:
            return MetaFile(number, hashes={"sha256": digest} if number == version else None)

        named.from_data = MetaFile.from_data  # type: ignore[attr-defined]
        monkeypatch.setattr(tuf_library, "MetaFile", named)
        root = roles.from_bytes(signed.root, Root, "root").signed
        repository_refresh.seal(signed.store, signed.holders.online, NOW, {"base": version}, [root])
        monkeypatch.undo()
        if loaded is None:
            with pytest.raises(Refused, match="a file is not the one that was signed") as caught:
                client.update()
            assert caught.value.code == "wrong_digest"
        else:
            assert client.update().lists_loaded == loaded
    assert paths(client.listing()) == {"base/a_1.wapt"}


def test_a_target_that_is_no_package_may_say_anything_of_itself(signed: SignedRepository) -> None:
    source = signed.folder / "site.crl"
    source.write_bytes(b"1")
    words = {"package": {"of": ["no", "package"]}}
    signed.add(repository_edit.add_file("crl/site.crl", source, words))
    client = signed.client()
    assert [one.words for one in client.update().targets()] == [words]
    assert client.find("package") == []


def test_only_what_changed_in_a_list_is_written(signed: SignedRepository) -> None:
    signed.publish("base/a_1.wapt", "base/b_1.wapt")
    client = signed.client()
    client.update()

    def places() -> dict[str, int]:
        with closing(sqlite3.connect(client.folder / "targets.sqlite")) as database:
            return dict(database.execute("select path, rowid from targets"))

    before = places()
    signed.publish("base/a_2.wapt")
    client.update()
    assert before.items() < places().items()
    signed.add(signed.package("base/a_1.wapt", b"other content"), removals=["base/a_2.wapt"])
    assert {one.path: one.length for one in client.update().targets()} == {"base/a_1.wapt": 13, "base/b_1.wapt": 7}
    assert places()["base/b_1.wapt"] == before["base/b_1.wapt"]


def test_a_full_disk_is_told_and_takes_nothing_away(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed.client()
    client.update()
    before = paths(client.listing())
    many = [f"base/many-{number}_1.wapt" for number in range(200)]
    signed.publish(*many)
    connect = Cache._connect

    def full(cache: Cache) -> sqlite3.Connection:
        database = connect(cache)
        # never less than there is already
        database.execute("pragma max_page_count = 1")
        return database

    monkeypatch.setattr(Cache, "_connect", full)
    with pytest.raises(BocageError, match="cannot be written: database or disk is full; update again"):
        client.update()
    assert paths(client.listing()) == before
    monkeypatch.undo()
    client.update()
    assert paths(client.listing()) == before | set(many)


def test_a_version_that_no_file_of_ours_can_keep(signed: SignedRepository, tmp_path: Path) -> None:
    one = KnownList("base", "targets", 2**63, "", "", None)
    cache = Cache(tmp_path / "targets.sqlite")
    lists = [VerifiedList(*one[:4], "2027-01-01T00:00:00Z", True, set(), None, [], set())]
    with pytest.raises(Refused, match="has a version above 2\\^63; use another replica"):
        cache.replace(lists, [], {})
    assert cache.known() == {}


def test_too_many_targets(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed.client()
    for number in range(3):
        # each time another row, and never more than two
        signed.add(signed.package("base/a_1.wapt", bytes([number])), signed.package("base/b_1.wapt", bytes([number])))
        client.update()
    monkeypatch.setattr(layout, "MAX_TARGETS", 2)
    signed.add(signed.package("base/a_1.wapt", b"other"))
    assert len(client.update()) == 2
    monkeypatch.setattr(layout, "MAX_TARGETS", 3)
    signed.publish("base/c_1.wapt")
    assert len(client.update()) == 3
    monkeypatch.setattr(layout, "MAX_TARGETS", 200)
    signed.publish("base/d_1.wapt")
    monkeypatch.setattr(layout, "MAX_TARGETS", 3)
    with pytest.raises(BocageError, match="lists 4 targets; at most 3 are kept"):
        client.update()
    assert len(client.listing()) == 3


def test_a_top_list_that_says_nothing_of_execution() -> None:
    (signer,) = signers()
    raw = roles.new_targets([roles.Delegation("base", ("base/*",), (signer.public_key,))], 1, NOW)
    (role,) = roles.delegated(roles.from_bytes(raw, Targets, "targets").signed).values()
    assert not roles.may_execute(role)
    for word in ("true", 1, None, [True]):
        role.unrecognized_fields["custom"] = {"may_execute": word}
        assert not roles.may_execute(role)


@pytest.mark.parametrize("more", [None, "x/*.wapt", "base/?/one", "*"])
def test_who_may_sign_a_path(signed: SignedRepository, more: str | None) -> None:
    """Asked once for a folder where each pattern takes all of a folder, and the same as python-tuf says."""
    top = signed.store.role("targets", 1).signed
    assert top.delegations is not None
    assert top.delegations.roles is not None
    if more is not None:
        (*_others, last) = top.delegations.roles.values()
        last.paths = [more]
    owner = roles.owners(top)
    for path in ["base/a", "base/b", "base/", "base", "/base/a", "base/x/one", "base/y/one", "x/1.wapt", "x/1.txt"] * 2:
        said = [name for name, _terminating in top.delegations.get_roles_for_target(path)]
        assert owner(path) == next(iter(said), ""), path


def test_who_may_sign_a_path_where_nothing_is_delegated(signed: SignedRepository) -> None:
    assert roles.owners(roles.new_list(1, NOW).signed)("base/a") == ""
