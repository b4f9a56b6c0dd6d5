# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change does in words, who signed it, and how many signatures it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_edit, repository_keys, repository_publish
from bocage_core._packages import repository_layout as layout
from bocage_core._packages.change_signatures import Frame, lacking
from bocage_core._packages.repository import new_change
from signed_repository import NOW, SignedRepository, signers


@pytest.fixture
def signed(tmp_path: Path) -> SignedRepository:
    return SignedRepository(tmp_path)


def frame(signed: SignedRepository, change: repository_edit.Change) -> Frame:
    return Frame(change, signed.root, signed.store)


def test_the_top_list_by_the_root(signed: SignedRepository) -> None:
    holders = signed.holders
    one = {**holders.signing, "targets": holders.targets[:1]}
    change = new_change(signed.root, holders.delegations(), one, NOW)
    begun = Frame(change, signed.root)
    assert begun.missing() == {"targets": 1}
    assert begun.roles()["targets"].signers == {holders.targets[0].public_key.keyid}
    assert begun.roles()["targets"].keys == {one.public_key.keyid for one in holders.targets}
    assert begun.steps() == ["begin a repository with base, deployers, host-paris, host-lyon, crl, masters"]
    assert repository_edit.sign_change(change, "targets", holders.targets[2:]) == ["targets"]
    assert Frame(change, signed.root).missing() == {}


def test_signatures_that_count_nothing(signed: SignedRepository) -> None:
    """Of a stranger, of the same holder a second time, of other content."""
    holders = signed.holders
    one = {**holders.signing, "targets": holders.targets[:1]}
    change = new_change(signed.root, holders.delegations(), one, NOW)
    repository_edit.sign_change(change, "targets", [*signers(), *holders.targets[:1]])
    assert Frame(change, signed.root).missing() == {"targets": 1}
    base = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], holders.signing, NOW)
    assert frame(signed, base).missing() == {}
    base.lists["base"] = base.lists["base"].replace(b'"version": 2', b'"version": 3').replace(b'n":2', b'n":3')
    assert frame(signed, base).missing() == {"base": 1}


def test_bins_are_signed_with_their_role(signed: SignedRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_BINS", ((2, 0), (1000, 2)))
    developers = signers(2)
    signed.holders.lists["base"] = developers
    two = [replace(one, threshold=2) if one.name == "base" else one for one in signed.holders.delegations()]
    change = repository_edit.delegate(signed.store, two, signed.holders.signing, NOW)
    assert frame(signed, change).steps() == [
        "sign base anew",
        "delegate to base, deployers, host-paris, host-lyon, crl, masters",
    ]
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    additions = [signed.package(f"base/p{number}_1.wapt") for number in range(3)]
    change = repository_edit.prepare(signed.store, additions, [], {"base": developers[:1]}, NOW)
    assert len(change.lists) == 5
    assert frame(signed, change).missing() == {"base": 1}
    # one of five lists that was not signed is enough
    for name in change.lists:
        if name != "base-2":
            change.lists[name] = repository_keys.sign(change.lists[name], developers[1:], name)
    assert frame(signed, change).missing() == {"base": 1}
    assert frame(signed, change).roles()["base"].signers == {developers[0].public_key.keyid}
    repository_edit.sign_change(change, "base", developers[1:])
    assert frame(signed, change).missing() == {}
    assert sorted(frame(signed, change).steps()) == [f"publish base/p{number}_1.wapt" for number in range(3)]
    repository_publish.commit(signed.path, change, signed.holders.online, NOW)
    assert frame(signed, change).is_served()
    change = repository_edit.prepare(signed.store, [], ["base/p1_1.wapt"], {"base": developers}, NOW)
    assert frame(signed, change).steps() == ["retire base/p1_1.wapt"]
    assert frame(signed, change).missing() == {}


def test_a_change_that_was_overtaken(signed: SignedRepository) -> None:
    change = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], signed.holders.signing, NOW)
    assert (frame(signed, change).overtaken(), frame(signed, change).is_served()) == ("", False)
    signed.publish("base/b_1.wapt")
    assert (frame(signed, change).overtaken(), frame(signed, change).is_served()) == ("base", False)


def test_a_root_that_waits(signed: SignedRepository) -> None:
    """Its holders sign the lists that come with it."""
    old = signed.holders.targets
    signed.holders.targets = signers(3)
    root = signed.holders.new_root(signed.root)
    change = repository_edit.renew(signed.store, {"targets": old[:2]}, NOW, everything=True)
    change.root = root
    waits = Frame(change, signed.root, signed.store)
    assert waits.missing() == {"targets": 2}
    assert waits.steps() == ["take the next root", "sign targets anew"]
    repository_edit.sign_change(change, "targets", signed.holders.targets[1:])
    assert Frame(change, root, signed.store).missing() == {}


def test_without_a_top_list_nobody_knows_who_signs(signed: SignedRepository) -> None:
    change = repository_edit.prepare(signed.store, [signed.package("base/a_1.wapt")], [], signed.holders.signing, NOW)
    with pytest.raises(BadInput, match="The change has the list base and no top list, which says who signs it; give a"):
        Frame(change, signed.root).missing()
    change.lists["everything"] = change.lists["base"]
    with pytest.raises(Refused, match="Nobody is entitled to sign 'everything' of the change"):
        frame(signed, change).missing()


def test_in_words() -> None:
    assert lacking({"targets": 1, "base": 2}) == "2 signatures of base and 1 signature of targets"
