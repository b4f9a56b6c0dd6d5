# SPDX-License-Identifier: GPL-3.0-or-later
"""A root that holders sign one after another, through files; and hosts that slept through several of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_core._packages import repository_keys as keys
from bocage_core._packages import repository_root, root_ceremony
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
YEAR, MARGIN = timedelta(days=365), timedelta(days=60)
PHRASE = b"a passphrase of holders"


@dataclass
class Table:
    """The folder of the inventory, and the keys that each holder has at home."""

    folder: Path
    now: datetime = NOW
    root: tuple[str, ...] = ("root-1", "root-2", "root-3")
    threshold: int = 2

    def key(self, name: str, check: bool = False) -> root_ceremony.Done:
        return root_ceremony.make_key(self.private(name), self.public(name), lambda: PHRASE, check)

    def private(self, name: str) -> Path:
        return self.folder / f"home/{name}.key"

    def public(self, name: str) -> Path:
        return self.folder / f"trust/keys/{name}.pub"

    def keys(self, *names: str) -> None:
        for name in names:
            self.key(name)

    def plan(self) -> repository_root.RootPlan:
        targets, online = [self.public(f"targets-{n}") for n in (1, 2, 3)], [self.public("snapshot")]
        named = [self.public(one) for one in self.root]
        return root_ceremony.plan_of(named, self.threshold, targets, 2, online, [self.public("timestamp")])

    def draft(self, check: bool = False) -> root_ceremony.Done:
        return root_ceremony.draft(self.folder / "trust", self.plan(), self.now, YEAR, MARGIN, check)

    def sign(self, name: str, check: bool = False) -> root_ceremony.Done:
        public = root_ceremony.read_public(self.public(name))
        load = lambda: keys.load_signer(self.private(name), PHRASE)  # noqa: E731
        return root_ceremony.sign(self.folder / "trust", load, public, check)

    def finish(self, check: bool = False) -> root_ceremony.Done:
        return root_ceremony.finish(self.folder / "trust", self.now, check)

    def pinned(self) -> bytes:
        return (self.folder / "trust/root.json").read_bytes()


@pytest.fixture
def table(tmp_path: Path) -> Table:
    made = Table(tmp_path)
    made.keys("root-1", "root-2", "root-3", "targets-1", "targets-2", "targets-3", "snapshot", "timestamp")
    return made


def test_two_of_three_make_a_root_and_each_step_is_taken_once(table: Table) -> None:
    assert table.draft(check=True).changed and not (table.folder / "trust/root-draft.json").exists()
    first = table.draft()
    assert first.changed and first.state["missing_signatures_new"] == 2
    assert not table.draft().changed
    assert table.sign("root-1", check=True).changed
    one = table.sign("root-1")
    assert one.state["missing_signatures_new"] == 1 and not table.sign("root-1").changed
    with pytest.raises(
        Refused, match=r"The root 1 is not complete: 0 .* and 1 of its own are missing; pass the file on"
    ):
        table.finish()
    # a draft that fits keeps the signatures that it has
    assert not table.draft().changed
    assert table.sign("root-3").state["complete"]
    assert table.finish(check=True).changed and not (table.folder / "trust/root.json").exists()
    done = table.finish()
    assert done.changed and done.words == "root.json: root 1 until 2027-11-22"
    assert not (table.folder / "trust/root-draft.json").exists()
    for again in (table.draft, table.finish, lambda: table.sign("root-2")):
        assert not again().changed


def make_root(table: Table, *holders: str) -> None:
    table.draft()
    for name in holders:
        table.sign(name)
    table.finish()


def test_a_root_is_drafted_anew_before_it_ends(table: Table) -> None:
    make_root(table, "root-1", "root-2")
    table.now += timedelta(days=304)
    assert not table.draft().changed
    table.now += timedelta(days=2)
    done = table.draft()
    assert done.changed and (done.state["version"], done.state["missing_signatures_old"]) == (2, 2)


def test_a_holder_is_replaced_and_a_host_that_slept_follows(table: Table) -> None:
    """The lost key root-1 goes, then root-2: the holders that a sleeping host knows vouch for each next step."""
    make_root(table, "root-1", "root-2")
    slept = table.pinned()
    for new, gone, signers in (("root-4", "root-1", ("root-2", "root-3")), ("root-5", "root-2", ("root-3", "root-4"))):
        table.keys(new)
        table.root = (*(one for one in table.root if one != gone), new)
        table.draft()
        for name in signers:
            table.sign(name)
        table.finish()
    for version in (2, 3):
        new_root = (table.folder / f"trust/roots/{version}.root.json").read_bytes()
        repository_root.check(new_root, slept, table.now)
        slept = new_root
    assert slept == table.pinned()
    # root-1 and root-2, which that host began with, sign nothing any more
    table.now += timedelta(days=330)
    table.draft()
    for name in ("root-1", "root-2"):
        with pytest.raises(BadInput, match="is of no holder of the root 4 or of the one before"):
            table.sign(name)


def test_attack_new_holders_without_the_old_ones(table: Table) -> None:
    make_root(table, "root-1", "root-2")
    table.keys("thief-1", "thief-2", "thief-3")
    table.root = ("thief-1", "thief-2", "thief-3")
    table.draft()
    for name in table.root:
        table.sign(name)
    with pytest.raises(Refused, match="2 signatures of the holders of the previous root and 0 of its own are missing"):
        table.finish()
    assert repository_root.plan_of(table.pinned()).root.threshold == 2


def test_attack_one_holder_signs_twice(table: Table) -> None:
    table.draft()
    table.sign("root-1")
    assert not table.sign("root-1").changed
    table.public("root-9").write_bytes(table.public("root-1").read_bytes())
    table.root = ("root-1", "root-9", "root-2")
    with pytest.raises(BadInput, match="The role root names a key twice; name each once"):
        table.draft()


def test_plans_that_would_lock_out_or_leave_all_to_one(table: Table) -> None:
    table.threshold = 1
    with pytest.raises(BadInput, match="The root needs at least two of three keys"):
        table.draft()
    table.threshold = 3
    with pytest.raises(BadInput, match="The root needs at least two of three keys"):
        table.draft()
    table.threshold, table.root = 2, ("root-1", "root-2", "snapshot")
    with pytest.raises(BadInput, match="would be on the publisher and sign offline roles"):
        table.draft()


def test_keys(table: Table) -> None:
    assert table.private("root-1").stat().st_mode & 0o777 == 0o600
    assert table.private("root-1").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert not table.key("root-1").changed
    table.public("root-1").unlink()
    assert table.key("root-1", check=True).changed and table.key("root-1").changed
    table.private("root-1").unlink()
    with pytest.raises(
        BadInput, match=r"root-1\.pub is the public half of a key that is not in .*; bring the key from"
    ):
        table.key("root-1")
    with pytest.raises(BadInput, match=r"The public key .*root-7\.pub cannot be read: No such file.*; ask its holder"):
        root_ceremony.read_public(table.public("root-7"))


def test_a_signature_with_another_key_than_the_one_that_was_named(table: Table) -> None:
    table.draft()
    table.private("root-2").replace(table.private("root-1"))
    with pytest.raises(BadInput, match="The private key is not the one of the public key"):
        table.sign("root-1")


def test_public_keys_in_pem(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert root_ceremony.read_public(path).scheme == "ecdsa-sha2-nistp256"
    for damaged in (b"", b"{}", b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", b"x" * 20000):
        path.write_bytes(damaged)
        with pytest.raises(BocageError):
            root_ceremony.read_public(path)


def test_an_interruption_between_the_root_and_the_end_of_its_draft(table: Table) -> None:
    table.draft()
    table.sign("root-1")
    table.sign("root-2")
    draft = (table.folder / "trust/root-draft.json").read_bytes()
    table.finish()
    (table.folder / "trust/root-draft.json").write_bytes(draft)
    assert table.finish().changed and not table.finish().changed
    assert table.pinned() == draft


def test_nothing_to_finish(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"There is neither .*root-draft\.json nor .*root\.json; draft a root first"):
        root_ceremony.finish(tmp_path, NOW, False)
