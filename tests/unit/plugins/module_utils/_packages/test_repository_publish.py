# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing: what is served, in which order it comes, and what is refused."""

from __future__ import annotations

import os
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
from bocage_core._packages.repository_replica import replicate
from signed_repository import NOW, SignedRepository

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    return SignedRepository(tmp_path)


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
    signed.publish("base/a_1.wapt", "unit/u_1.wapt", "host/lyon/h.wapt", "crl/estate.crl")
    plain = {"wapt/a_1.wapt": "base/a_1.wapt", "wapt/u_1.wapt": "unit/u_1.wapt", "wapt-host/h.wapt": "host/lyon/h.wapt"}
    listed = repository_publish.listing(signed.path)
    for name, path in plain.items():
        stored = signed.public / layout.target_file(path, listed[path]["sha256"])
        assert (signed.public / name).samefile(stored)
    assert not (signed.public / "wapt/estate.crl").exists()


def test_a_web_server_can_read_everything_that_is_served(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        signed = SignedRepository(tmp_path)
        signed.publish("base/a_1.wapt", "host/paris/h.wapt")
        replicate(str(signed.public), tmp_path / "replica", signed.root, at=NOW)
    finally:
        os.umask(before)
    for top in (signed.public, tmp_path / "replica/public"):
        modes = {one.stat().st_mode & 0o777 for one in (top, *top.rglob("*")) if one.is_dir()}
        assert modes == {0o755}
        assert {one.stat().st_mode & 0o777 for one in top.rglob("*") if one.is_file()} == {0o644}


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
    signed.publish("base/a_1.wapt")
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


def test_a_damaged_file_of_the_repository(signed: SignedRepository) -> None:
    (signed.public / "metadata/1.base.json").write_bytes(b"{")
    with pytest.raises(
        BocageError, match=r"The metadata of base cannot be read as TUF writes it\. Bring the file back"
    ):
        signed.publish("base/a_1.wapt")
    (signed.public / "metadata/1.base.json").unlink()
    with pytest.raises(BocageError, match=r"1\.base\.json of the repository cannot be read .* bring it back"):
        signed.publish("base/a_1.wapt")
