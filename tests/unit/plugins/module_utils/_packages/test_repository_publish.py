# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing: what is served, in which order it comes, and that no interruption is ever seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import repository, repository_edit, repository_keys, repository_publish, repository_refresh
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.repository_client import Listing
from bocage_core._packages.repository_edit import Change
from bocage_core._packages.repository_store import Store
from bocage_core._packages.tuf_library import Targets
from signed_repository import NOW, SignedRepository, signers

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    return SignedRepository(tmp_path)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def paths(listing: Listing) -> set[str]:
    return {one.path for one in listing.targets()}


def test_a_published_package_is_listed_with_its_description(signed: SignedRepository) -> None:
    signed.add(signed.package("base/tis-7zip_23.1-2.wapt", depends="tis-msvc(>=1)", target_os="windows"))
    (found,) = signed.client().update().targets()
    assert (found.path, found.role, found.may_execute) == ("base/tis-7zip_23.1-2.wapt", "base", True)
    assert (found.custom.package, found.custom.version) == ("tis-7zip", "23.1-2")
    assert (found.custom.depends, found.custom.target_os, found.custom.conflicts) == ("tis-msvc(>=1)", "windows", "")


def test_only_the_delegation_of_developers_may_execute(signed: SignedRepository) -> None:
    signed.publish("base/a_1.wapt", "group/g_1.wapt", "host/paris/h.wapt", "policy/p_1.wapt")
    rights = {one.path: one.may_execute for one in signed.client().update().targets()}
    assert rights == {
        "base/a_1.wapt": True, "group/g_1.wapt": False, "host/paris/h.wapt": False, "policy/p_1.wapt": False,
    }  # fmt: skip


def test_agents_of_wapt_find_the_same_files_under_plain_names(signed: SignedRepository) -> None:
    signed.publish("base/a_1.wapt", "unit/u_1.wapt", "host/lyon/h.wapt", "crl/estate.crl", index=b"PK")
    plain = {"wapt/a_1.wapt": "base/a_1.wapt", "wapt/u_1.wapt": "unit/u_1.wapt", "wapt-host/h.wapt": "host/lyon/h.wapt"}
    listed = repository_publish.listing(signed.path)
    for name, path in plain.items():
        stored = signed.public / layout.target_file(path, listed[path]["sha256"])
        assert (signed.public / name).samefile(stored)
    assert (signed.public / "wapt/Packages").read_bytes() == b"PK"
    assert not (signed.public / "wapt/estate.crl").exists()


def test_a_package_of_the_same_path_is_replaced(signed: SignedRepository) -> None:
    signed.add(signed.package("host/paris/h.wapt", b"old"))
    signed.add(signed.package("host/paris/h.wapt", b"new"))
    assert (signed.public / "wapt-host/h.wapt").read_bytes() == b"new"
    client = signed.client()
    client.update()
    assert client.download(client.find("h")[0]).read_bytes() == b"new"


def test_a_retired_package_is_gone_and_its_file_waits_for_slow_readers(signed: SignedRepository) -> None:
    signed.publish("base/a_1.wapt", "base/b_1.wapt")
    before = repository_publish.listing(signed.path)["base/a_1.wapt"]["sha256"]
    repository.retire(signed.path, ["base/a_1.wapt"], signed.holders.signing, signed.holders.online, LATER)
    assert paths(signed.client().update(at=LATER)) == {"base/b_1.wapt"}
    assert not (signed.public / "wapt/a_1.wapt").exists()
    stored = layout.target_file("base/a_1.wapt", before)
    assert (signed.public / stored).exists()
    assert stored not in repository_publish.clear(signed.path, LATER)
    gone = repository_publish.clear(signed.path, LATER + timedelta(days=3))
    assert stored in gone
    assert "metadata/2.base.json" in gone
    assert "metadata/1.root.json" not in gone
    assert paths(signed.client(name="other").update(at=LATER)) == {"base/b_1.wapt"}


def test_what_is_not_there_cannot_be_retired(signed: SignedRepository) -> None:
    with pytest.raises(BadInput, match=r"has no target base/a_1\.wapt that could be retired"):
        repository.retire(signed.path, ["base/a_1.wapt"], signed.holders.signing, signed.holders.online, NOW)


class Killed(BaseException):
    """The process ended here: nothing that comes later in it happens."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Ends the process before the given call that changes the disk; counts the calls."""
    count = [0]

    def ending(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] >= step:
                raise Killed
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("link", "replace", "rename", "unlink", "mkdir", "symlink", "rmdir"):
            patch.setattr(os, name, ending(getattr(os, name)))
        yield count


def test_a_publish_interrupted_anywhere_is_never_seen_and_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = SignedRepository(tmp_path)
    signed.publish("base/a_1.wapt", "base/old_1.wapt", index=b"old index")
    pristine = tmp_path / "pristine"
    shutil.copytree(signed.path, pristine, copy_function=os.link)
    reader = signed.client()
    reader.update()
    shutil.copytree(reader.folder, tmp_path / "reader")
    old, new = {"base/a_1.wapt", "base/old_1.wapt"}, {"base/a_1.wapt", "base/b_1.wapt", "group/g_1.wapt"}

    def publish() -> None:
        signed.publish("base/b_1.wapt", "group/g_1.wapt", removals=["base/old_1.wapt"], index=b"new index")

    seen = {"old": 0, "new": 0}
    for step in range(1, 200):
        for folder, origin in ((signed.path, pristine), (reader.folder, tmp_path / "reader")):
            shutil.rmtree(folder)
            shutil.copytree(origin, folder, copy_function=os.link if origin == pristine else shutil.copy2)
        interrupted = False
        with killed_at(step, monkeypatch):
            try:
                publish()
            except Killed:
                interrupted = True
        # a reader sees one state or the other, with every file of it
        found = paths(reader.update())
        assert found in (old, new), step
        for one in list(reader.listing().targets()):
            reader.download(one)
        seen["new" if found == new else "old"] += 1
        if not interrupted:
            break
        waits = (signed.path / "pending").exists()
        if step % 3 == 0:
            repository_refresh.refresh(signed.path, signed.holders.online, NOW)
        elif step % 3 == 1:
            signed.publish("base/c_1.wapt")
        elif waits or found == new:
            signed.publish("base/b_1.wapt")
        else:
            publish()
        expected = new if waits or found == new or step % 3 == 2 else old
        assert paths(reader.update()) - {"base/c_1.wapt"} == expected, step
        assert (signed.public / "wapt/Packages").read_bytes() == (b"new index" if expected == new else b"old index")
        assert (signed.public / "wapt/old_1.wapt").exists() == (expected == old)
        assert not (signed.path / "pending").exists()
    else:
        pytest.fail("the publish never ended")
    assert seen["old"] > 10
    assert seen["new"] > 2


def test_packages_come_before_the_lists_and_the_timestamp_last(
    signed: SignedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for name in ("link", "replace"):
        real = getattr(os, name)

        def noted(origin: Any, place: Any, *rest: Any, real: Any = real, **options: Any) -> Any:
            order.append(Path(place).relative_to(signed.path).as_posix())
            return real(origin, place, *rest, **options)

        monkeypatch.setattr(os, name, noted)
    signed.publish("base/a_1.wapt", index=b"PK")
    kept = [one for one in order if one.startswith("public/") and not one.endswith(".new")]
    assert [one.replace(one.rpartition("/")[2].partition(".")[0] + ".a", "HASH.a") for one in kept] == [
        "public/targets/base/HASH.a_1.wapt",
        "public/wapt/a_1.wapt",
        "public/wapt/Packages",
        "public/metadata/2.base.json",
        "public/metadata/2.snapshot.json",
        "public/metadata/timestamp.json",
    ]


def test_two_publishers_at_once(signed: SignedRepository) -> None:
    with signed.store.locked(), pytest.raises(BocageError, match="is being changed by another process"):
        signed.publish("base/a_1.wapt")


def test_a_change_made_from_an_older_state_is_refused(signed: SignedRepository) -> None:
    late = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], signed.holders.signing, NOW)
    signed.publish("base/b_1.wapt")
    with pytest.raises(Refused, match="has the version 2 where 3 is next") as refused:
        repository_publish.commit(signed.path, late, signed.holders.online, NOW)
    assert refused.value.code == "rolled_back"
    assert paths(signed.client().update()) == {"base/b_1.wapt"}


@pytest.mark.parametrize(
    ("signer", "path"), [("deployers", "base/a_1.wapt"), ("host-lyon", "host/paris/h.wapt"), ("base", "group/g_1.wapt")]
)
def test_a_publisher_takes_nothing_that_the_wrong_holder_signed(
    signed: SignedRepository, signer: str, path: str
) -> None:
    keys = signed.holders.lists[signer]
    owner = repository_edit.role_of(signed.store.role("targets", 1).signed, path)
    change = repository_edit.prepare(signed.store, [signed.package(path)], [], {owner: keys}, NOW)
    with pytest.raises(Refused, match=rf"The metadata of {owner} lacks good signatures") as refused:
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert refused.value.code == "bad_signature"


def test_a_holder_cannot_list_paths_of_another(signed: SignedRepository) -> None:
    listed = roles.new_list(2, NOW, [signed.package("base/evil_1.wapt").target])
    repository_keys.sign_metadata(listed, signed.holders.lists["deployers"], "deployers")
    change = Change({"deployers": roles.to_bytes(listed)})
    with pytest.raises(Refused, match=r"The list deployers has the target base/evil_1\.wapt, which only base may sign"):
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)


def test_a_file_that_changed_since_it_was_signed(signed: SignedRepository) -> None:
    addition = signed.package("base/a_1.wapt")
    change = repository_edit.prepare(signed.store, [addition], [], signed.holders.signing, NOW)
    addition.source.write_bytes(b"another")
    with pytest.raises(BadInput, match="is not the one that was signed; it changed since"):
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    addition.source.unlink()
    with pytest.raises(BocageError, match="cannot be copied into the repository"):
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert paths(signed.client().update()) == set()


def test_a_list_without_its_files(signed: SignedRepository) -> None:
    change = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], signed.holders.signing, NOW)
    change.files.clear()
    with pytest.raises(BadInput, match=r"lists base/a_1\.wapt and does not bring its file"):
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)


def test_an_expired_change(signed: SignedRepository) -> None:
    change = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], signed.holders.signing, NOW)
    with pytest.raises(Refused, match="The list base of the change has expired"):
        repository_publish.commit(signed.path, change, signed.holders.online, NOW + timedelta(days=31))


def test_a_package_without_a_description(signed: SignedRepository) -> None:
    bare = replace(signed.package("base/a_1.wapt"), target=roles.target("base/a_1.wapt", 7, "0" * 64))
    change = repository_edit.prepare(signed.store, [bare], [], signed.holders.signing, NOW)
    with pytest.raises(Refused, match=r"The description of base/a_1\.wapt is not an object"):
        repository_publish.commit(signed.path, change, signed.holders.online, NOW)


def test_two_packages_with_one_plain_name(signed: SignedRepository) -> None:
    signed.publish("base/a_1.wapt")
    with pytest.raises(BadInput, match=r"would be one file, wapt/a_1\.wapt, for agents of WAPT; rename one"):
        signed.publish("group/a_1.wapt")
    with pytest.raises(BadInput, match=r"would be one file, wapt-host/h\.wapt"):
        signed.publish("host/paris/h.wapt", "host/lyon/h.wapt")


@pytest.mark.parametrize("path", ["base/../x", "/base/x", "base/.x", "base//x", "other/x", "base/a b", "base/x/y", ""])
def test_paths_that_are_none(signed: SignedRepository, path: str) -> None:
    with pytest.raises(BadInput, match="is not the path of a target: write base/NAME"):
        signed.publish(path)


def test_a_path_that_nobody_may_sign(signed: SignedRepository) -> None:
    with pytest.raises(BadInput, match=r"No delegation of this repository covers host/nantes/h\.wapt; add one"):
        signed.publish("host/nantes/h.wapt")


def test_a_folder_without_a_repository(tmp_path: Path, signed: SignedRepository) -> None:
    with pytest.raises(BadInput, match="There is no repository in"):
        repository_refresh.refresh(tmp_path / "none", signed.holders.online, NOW)
    change = repository.new_change(signed.root, signed.holders.delegations(), signed.holders.signing, NOW)
    with pytest.raises(BadInput, match=r"There is a repository in .* already"):
        repository_publish.init(signed.path, change, signed.holders.online, NOW)


def test_the_first_publish_interrupted_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = SignedRepository(tmp_path)
    change = repository.new_change(signed.root, signed.holders.delegations(), signed.holders.signing, NOW)
    for step in range(1, 120, 3):
        folder = tmp_path / f"r{step}"
        done = False
        with killed_at(step, monkeypatch):
            try:
                repository_publish.init(folder, change, signed.holders.online, NOW)
                done = True
            except Killed:
                done = False
        if done:
            break
        if not (folder / "public/metadata/timestamp.json").exists() or (folder / "pending").exists():
            repository_publish.init(folder, change, signed.holders.online, NOW)
        assert paths(signed.client(str(folder / "public"), name=f"client{step}").update()) == set()
    else:
        pytest.fail("init never ended")


def test_a_damaged_file_of_the_repository(signed: SignedRepository) -> None:
    (signed.public / "metadata/1.base.json").write_bytes(b"{")
    with pytest.raises(
        BocageError, match=r"The metadata of base cannot be read as TUF writes it\. Bring the file back"
    ):
        signed.publish("base/a_1.wapt")
    (signed.public / "metadata/1.base.json").unlink()
    with pytest.raises(BocageError, match=r"1\.base\.json of the repository cannot be read .* bring it back"):
        signed.publish("base/a_1.wapt")


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
    ("count", "bits"), [(0, 0), (2000, 0), (2001, 8), (4000, 8), (10_000, 9), (16_000, 9), (60_000, 10)]
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


def test_a_top_list_that_says_nothing_of_execution() -> None:
    (signer,) = signers()
    raw = roles.new_targets([roles.Delegation("base", ("base/*",), (signer.public_key,))], 1, NOW)
    (role,) = roles.delegated(roles.from_bytes(raw, Targets, "targets").signed).values()
    assert not roles.may_execute(role)
    for word in ("true", 1, None, [True]):
        role.unrecognized_fields["custom"] = {"may_execute": word}
        assert not roles.may_execute(role)
