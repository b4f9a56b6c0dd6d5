# SPDX-License-Identifier: GPL-3.0-or-later
"""`sign-change`: what a second holder sees and signs, and with which keys nothing is signed."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_core._common import timestamps
from bocage_core._packages import repository_edit, repository_keys, repository_root, target_custom, tokens
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.change_archive import read_change, write_change
from bocage_core._packages.change_signatures import Frame
from bocage_core._packages.repository import new_change
from bocage_core._packages.repository_store import Store
from packager_calls import PASSPHRASE, Call, Say

NAMES = ("root-1", "root-2", "root-3", "targets-1", "targets-2", "targets-3", "base-1", "base-2")


class Estate:
    """Keys in files, a root that asks for two of three holders of the top list, and a first change of one of them."""

    def __init__(self, folder: Path, call: Call) -> None:
        self.folder, self.call, self.change, self.root = folder, call, folder / "first.change", folder / "root.json"
        _status, answer = call("online-keys", folder / "online")
        online = {role: repository_keys.read_public_key(text.encode()) for role, text in answer["public"].items()}
        for name in NAMES:
            repository_keys.generate_key_file(folder / f"{name}.key", PASSPHRASE)
        (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
        (folder / "passphrase").chmod(0o600)
        keys = {name: repository_keys.load_signer(folder / f"{name}.key", PASSPHRASE) for name in NAMES}
        public = {name: one.public_key for name, one in keys.items()}
        plan = repository_root.RootPlan(
            repository_root.holders([public[name] for name in NAMES[:3]], 2),
            repository_root.holders([public[name] for name in NAMES[3:6]], 2),
            *(repository_root.holders([online[role]]) for role in ("snapshot", "timestamp")),
        )
        now = timestamps.now()
        draft = repository_root.draft(plan, None, now)
        self.root.write_bytes(repository_keys.sign(draft, [keys["root-1"], keys["root-2"]], "root"))
        base = roles.Delegation("base", ("base/*",), (public["base-1"], public["base-2"]), 2, may_execute=True)
        signers = {"targets": [keys["targets-1"]], "base": [keys["base-1"], keys["base-2"]]}
        self.keys = keys
        write_change(new_change(self.root.read_bytes(), [base], signers, now), self.change)

    def options(self, role: str, key: str) -> tuple[object, ...]:
        signer = ("--key", self.folder / f"{key}.key", "--passphrase-file", self.folder / "passphrase")
        return ("--role", role, *signer, "--root", self.root)

    def commit(self) -> int:
        return self.call("commit", self.change, "--keys", self.folder / "online", self.folder / "repository")[0]

    def publish(self) -> None:
        """A second change: something to execute, signed by one of two developers."""
        source = self.folder / "a.wapt"
        source.write_bytes(b"content")
        store = Store(self.folder / "repository")
        control = {"package": "a", "version": "1-1", "architecture": "all"}
        custom = target_custom.from_control(control, b"control").to_dict()
        addition = repository_edit.add_file("base/a_1-1.wapt", source, custom)
        signers = {"base": [self.keys["base-1"]]}
        write_change(repository_edit.prepare(store, [addition], [], signers, timestamps.now()), self.change)


@pytest.fixture
def estate(tmp_path: Path, call: Call) -> Estate:
    return Estate(tmp_path, call)


def test_a_second_holder_completes_it(estate: Estate, call: Call, say: Say) -> None:
    assert estate.commit() == 1, "one of two signatures is not enough"
    raw = estate.change.read_bytes()
    status, answer = call("sign-change", estate.change, *estate.options("targets", "targets-3"), "--plan")
    assert (status, answer["changed"], answer["missing_signatures"]) == (0, True, {})
    assert estate.change.read_bytes() == raw
    status, output, _error = say("sign-change", estate.change, *estate.options("targets", "targets-3"))
    keys = ", ".join(sorted(estate.keys[name].public_key.keyid for name in ("base-1", "base-2")))
    short = ", ".join(key[:16] for key in keys.split(", "))
    assert status == 0
    assert f"  base: base/* by 2 of 2 keys ({short}), may execute\n" in output
    assert output.endswith(f"{estate.change}: signed; it is complete: take it in.\n")
    assert estate.commit() == 0
    status, answer = call("sign-change", estate.change, *estate.options("targets", "targets-3"))
    assert (status, answer["changed"]) == (0, False)


def test_lists_below_the_top_one(estate: Estate, call: Call, tmp_path: Path) -> None:
    call("sign-change", estate.change, *estate.options("targets", "targets-2"))
    assert estate.commit() == 0
    estate.publish()
    command = ("sign-change", estate.change, *estate.options("base", "base-2"))
    status, answer = call(*command)
    assert (status, answer["error"]) == (
        2,
        "The change has the list base and no top list, which says who signs it; give a copy of the repository, too.",
    )
    status, answer = call(*command, "--repository", estate.folder / "repository")
    assert (status, answer["steps"], answer["missing_signatures"]) == (0, ["publish base/a_1-1.wapt"], {})
    assert answer["lists"][0]["targets"] == ["base/a_1-1.wapt"]
    assert len(answer["files"]) == 1
    assert estate.commit() == 0
    (tmp_path / "other").mkdir()
    estate.root.write_bytes(Estate(tmp_path / "other", call).root.read_bytes())
    status, answer = call(*command, "--repository", estate.folder / "repository")
    assert status == 1, "another root does not vouch for this copy"
    assert "lacks good signatures" in answer["error"]


@pytest.mark.parametrize(
    ("role", "key", "sentence"),
    [
        ("targets", "base-1", "is of no holder of targets, so that its signature counts nothing."),
        ("base", "targets-2", "is of no holder of base, so that its signature counts nothing."),
        ("crl", "base-1", "The change has no list of crl; it has those of base, targets."),
        ("targets", "none", "none.key cannot be read: No such file or directory."),
    ],
)
def test_keys_that_count_nothing(estate: Estate, say: Say, role: str, key: str, sentence: str) -> None:
    raw = estate.change.read_bytes()
    status, output, error = say("sign-change", estate.change, *estate.options(role, key))
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert sentence in error
    assert estate.change.read_bytes() == raw


def test_a_change_that_was_overtaken(estate: Estate, call: Call) -> None:
    call("sign-change", estate.change, *estate.options("targets", "targets-2"))
    assert estate.commit() == 0
    command = ("sign-change", estate.change, *estate.options("base", "base-2"))
    status, answer = call(*command, "--repository", estate.folder / "repository")
    assert status == 2
    assert answer["error"].startswith(f"The change {estate.change} was overtaken: its list ")


def test_a_root_that_nobody_vouches_for(estate: Estate, call: Call, tmp_path: Path) -> None:
    """Who hands out a change decides nothing: its root must be the pinned one, or follow it."""
    (tmp_path / "other").mkdir()
    other = Estate(tmp_path / "other", call)
    raw = estate.change.read_bytes()
    options = list(estate.options("targets", "targets-2"))
    options[options.index(estate.root)] = other.root
    status, answer = call("sign-change", estate.change, *options)
    assert (status, estate.change.read_bytes()) == (1, raw)
    assert answer["error"] == "The root has the version 1; 2 is the next one."


def test_a_key_on_a_token(estate: Estate, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token itself is tested with SoftHSM where its library is; here a key answers for it."""
    asked = []

    def metadata_signer(token: tokens.Token, key_id: int, public: object, pin_file: Path) -> object:
        asked.append((token.label, key_id, public, pin_file))
        return estate.keys["targets-2"]

    monkeypatch.setattr(tokens, "metadata_signer", metadata_signer)
    rest = ("--role", "targets", "--root", estate.root)
    uri = "pkcs11:token=estate;{}?module-path=/usr/lib/softhsm/libsofthsm2.so"
    command = ("sign-change", estate.change, *rest, "--pkcs11")
    assert call(*command, uri.format("id=%02"))[1]["error"].startswith("A key on a token needs its PIN")
    pin = ("--passphrase-file", estate.folder / "passphrase")
    assert "is named by its id" in call(*command, uri.format("object=holder"), *pin)[1]["error"]
    status, answer = call(*command, uri.format("id=%02"), *pin)
    assert (status, answer["missing_signatures"]) == (0, {})
    assert asked == [("estate", 2, None, estate.folder / "passphrase")]
    (estate.folder / "laid").mkdir()
    change = read_change(estate.change, estate.folder / "laid")
    assert Frame(change, estate.root.read_bytes()).missing() == {}
