# SPDX-License-Identifier: GPL-3.0-or-later
"""The index for agents of WAPT is that of what is served, whatever was published before and however it ended."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import package_maker
import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import (
    control,
    index,
    index_upkeep,
    repository_edit,
    repository_publish,
    signing,
    target_custom,
)
from bocage_core._packages import repository_layout as layout
from bocage_core._packages import repository_roles as roles
from bocage_core._packages import tuf_library as tuf
from bocage_core._packages.certificates import fingerprint_of
from party_maker import AT, CODE, Party, rsa_key, trust, wapt_trust
from signed_repository import NOW, SignedRepository

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture(params=["flat", "bins"])
def signed(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SignedRepository:
    if request.param == "bins":
        monkeypatch.setattr(layout, "_BINS", ((2, 0), (10, 2), (1000, 3)))
    return SignedRepository(tmp_path)


def real(folder: Path, path: str, party: Party = package_maker.DEVELOPER, **fields: str) -> repository_edit.Addition:
    """A signed package as the target that `path` says."""
    name, _slash, version = path.rpartition("/")[2].removesuffix(".wapt").partition("_")
    place = folder / hashlib.sha256(repr((path, fields)).encode()).hexdigest()[:16]
    place.mkdir()
    given = {"package": name, "version": version or "1", "section": path.partition("/")[0], **fields}
    file = package_maker.build(place, {"data": path.encode()}, party, **given)
    raw = package_maker.contents(file)["WAPT/control"]
    said = target_custom.from_control(control.parse_control(raw).fields, raw)
    return repository_edit.add_file(path, file, said.to_dict())


def served_index(signed: SignedRepository) -> bytes:
    return (signed.public / layout.INDEX).read_bytes()


def entries(signed: SignedRepository, authority: Party = package_maker.ROOT) -> dict[str, str]:
    """Packages by their file names; nothing is listed that a client who trusts the authority would discard."""
    raw = served_index(signed)
    found = index.read_index(raw, trust(authority), AT)
    assert found.discarded == ()
    text = zipfile.ZipFile(io.BytesIO(raw)).read("Packages").decode()
    # as WAPT writes it: an empty line between two packages, and none elsewhere
    assert len(text.split("\n\n")) == max(1, len(found.accepted)) and not text.startswith("\n")
    assert text.endswith("\n") == bool(found.accepted) and not text.endswith("\n\n")
    for one in found.accepted:
        file = signed.public / "wapt" / one.unsigned["filename"]
        assert one.unsigned["size"] == str(file.stat().st_size)
        assert one.unsigned["md5sum"] == hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return {one.unsigned["filename"]: str(one.control) for one in found.accepted}


def from_nothing(signed: SignedRepository) -> bytes | None:
    """The index of the same repository as one makes it who never saw another."""
    store = signed.store
    heads = store.heads()
    delegations = roles.delegated(store.role("targets", heads["targets"]).signed)

    def targets(name: str, version: int) -> tuf.Targets:
        found: tuf.Targets = store.role(name, version).signed
        return found

    served = index_upkeep.Served(delegations, heads, targets, lambda name: signed.public / name)
    return index_upkeep.renewed(signed.folder / "none", served)


def test_an_empty_repository_has_an_empty_index(signed: SignedRepository) -> None:
    assert entries(signed) == {}
    assert zipfile.ZipFile(io.BytesIO(served_index(signed))).read("Packages") == b""


def test_the_index_follows_what_is_served(signed: SignedRepository, tmp_path: Path) -> None:
    expected: dict[str, str] = {}
    for number in range(12):
        signed.add(
            real(tmp_path, f"base/app{number}_1.{number}.wapt"),
            real(tmp_path, f"group/office{number}_7.wapt", package_maker.DEPLOYER),
            real(tmp_path, f"host/paris/pc{number}.wapt", package_maker.DEPLOYER),
        )
        expected |= {
            f"app{number}_1.{number}.wapt": f"app{number}=1.{number}",
            f"office{number}_7.wapt": f"office{number}=7",
        }
        if number % 3 == 2:
            gone = f"base/app{number - 1}_1.{number - 1}.wapt"
            signed.publish(removals=[gone])
            del expected[gone.removeprefix("base/")]
        assert entries(signed) == expected
        assert served_index(signed) == from_nothing(signed)


def test_signers_come_and_go_with_their_packages(signed: SignedRepository, tmp_path: Path) -> None:
    between = package_maker.ROOT.issue("packages", rsa_key("between"), authority=True)
    ann = between.issue("ann", rsa_key("ann"), extended=CODE)
    place = tmp_path / "anns"
    place.mkdir()
    source = package_maker.make_folder(place / "source", {"data": b"1"})
    fields = control.Control({**package_maker.FIELDS, "package": "anns", "version": "1"})
    file = signing.build_package(source, fields, place / "a.wapt", ann.signer(between), AT).path
    raw = package_maker.contents(file)["WAPT/control"]
    said = target_custom.from_control(control.parse_control(raw).fields, raw).to_dict()
    signed.add(real(tmp_path, "base/app_1.wapt"), repository_edit.add_file("base/anns_1.wapt", file, said))
    assert set(entries(signed)) == {"app_1.wapt", "anns_1.wapt"}

    def signers() -> set[str]:
        return {name for name in zipfile.ZipFile(io.BytesIO(served_index(signed))).namelist() if "ssl/" in name}

    assert len(signers()) == 3
    signed.publish(removals=["base/anns_1.wapt"])
    assert f"ssl/{fingerprint_of(ann.certificate)}.crt" not in signers()
    assert set(entries(signed)) == {"app_1.wapt"}


def test_only_what_is_new_is_opened(signed: SignedRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed.add(*(real(tmp_path, f"base/app{number}_1.wapt") for number in range(8)))
    opened: list[str] = []
    read = index.read_package
    monkeypatch.setattr(index, "read_package", lambda name, path: opened.append(name) or read(name, path))
    signed.add(real(tmp_path, "base/new_1.wapt"))
    assert opened == ["new_1.wapt"]
    before = served_index(signed)
    signed.publish("crl/estate.crl")
    assert (opened, served_index(signed)) == (["new_1.wapt"], before)
    assert len(entries(signed)) == 9


@pytest.mark.parametrize("harm", ["gone", "cut", "other", "crc", "table", "certificate"])
def test_an_index_that_is_not_whole_is_made_anew(signed: SignedRepository, tmp_path: Path, harm: str) -> None:
    signed.add(*(real(tmp_path, f"base/app{number}_1.wapt") for number in range(5)))
    path = signed.public / layout.INDEX
    raw = path.read_bytes()
    path.unlink()
    members = zipfile.ZipFile(io.BytesIO(raw))
    if harm == "cut":
        path.write_bytes(raw[:300])
    elif harm == "crc":
        crc = members.getinfo("Packages").CRC.to_bytes(4, "little")
        path.write_bytes(raw.replace(crc, bytes(4)))
    elif harm != "gone":
        with zipfile.ZipFile(path, "w") as archive:
            for name in members.namelist():
                content = members.read(name)
                if harm == "table" and name == index_upkeep.TABLE:
                    content = b'{"format": 1, "heads": [], "parts": [[]]}'
                if (harm == "other" and name == index_upkeep.TABLE) or (harm == "certificate" and "ssl/" in name):
                    continue
                archive.writestr(name, content)
    signed.add(real(tmp_path, "base/new_1.wapt"))
    assert len(entries(signed)) == 6
    assert served_index(signed) == from_nothing(signed)


def test_what_no_host_would_take_is_left_out(signed: SignedRepository, tmp_path: Path) -> None:
    good = real(tmp_path, "base/app_1.wapt")
    other = real(tmp_path, "base/other_1.wapt")
    lying = repository_edit.add_file("base/lie_1.wapt", other.source, {**other.target.custom, "version": "9"})
    signed.add(good, lying, signed.package("base/noarchive_1.wapt"))
    assert entries(signed) == {"app_1.wapt": "app=1"}
    signed.add(other)
    assert entries(signed) == {"app_1.wapt": "app=1", "other_1.wapt": "other=1"}


def test_an_index_that_agents_could_not_read_is_none(
    signed: SignedRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.add(real(tmp_path, "base/app_1.wapt"))
    monkeypatch.setattr(index, "MAX_BYTES", 100)
    signed.add(real(tmp_path, "base/more_1.wapt"))
    assert not (signed.public / layout.INDEX).exists()
    assert len(signed.client().update()) == 2
    monkeypatch.undo()
    signed.add(real(tmp_path, "base/third_1.wapt"))
    assert len(entries(signed)) == 3


def test_a_delegation_that_ends_takes_its_packages_along(signed: SignedRepository, tmp_path: Path) -> None:
    signed.add(real(tmp_path, "base/app_1.wapt"), real(tmp_path, "group/office_1.wapt"))
    assert set(entries(signed)) == {"app_1.wapt", "office_1.wapt"}
    del signed.holders.lists["deployers"]
    change = repository_edit.delegate(signed.store, signed.holders.delegations(), signed.holders.signing, NOW)
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert set(entries(signed)) == {"app_1.wapt"}


def test_vectors_of_wapt_are_judged_in_our_index_as_wapt_judges_them(tmp_path: Path) -> None:
    """Everything that can be listed at all, in one list; a reader that trusts the root decides as WAPT's did."""
    verdicts: dict[str, Any] = wapt_vectors.table("packages.json")["verdicts"]
    listed: dict[str, tuf.TargetFile] = {}
    files: dict[str, Path] = {}
    for name in verdicts:
        file = wapt_vectors.FOLDER / "packages" / f"{name}.wapt"
        try:
            found = index.read_package(f"{name}.wapt", file)
            said = target_custom.from_control(found.listed.control.fields, found.control_raw)
        except (Refused, BadInput):  # no package at all; test_acceptance has the reason of each
            continue
        one = repository_edit.add_file(f"base/{name}.wapt", file, said.to_dict()).target
        listed[one.path], files[layout.target_file(one.path, one.hashes["sha256"])] = one, file
    targets = tuf.Targets(version=1, expires=NOW, targets=listed)
    base = tuf.DelegatedRole("base", [], 1, True, ["base/*"])
    served = index_upkeep.Served({"base": base}, {"base": 1}, lambda name, version: targets, files.__getitem__)
    raw = index_upkeep.renewed(tmp_path / "none", served)
    assert raw is not None
    stanzas, discarded = index.parse_entries(zipfile.ZipFile(io.BytesIO(raw)).read("Packages"))
    assert (len(stanzas), discarded) == (len(listed), [])
    found_good = {one.unsigned["filename"] for one in index.read_index(raw, wapt_trust(["root-ca"]), AT).accepted}
    # by themselves they lack a certificate, which packages beside them in the index bring
    helped = {"m-cert-swapped.wapt", "inter-missing.wapt"}
    by_wapt = helped | {f"{name}.wapt" for name, one in verdicts.items() if one["root"]["control"] == "accept"}
    assert len(found_good) > 10
    assert found_good == by_wapt & {path.removeprefix("base/") for path in listed}
