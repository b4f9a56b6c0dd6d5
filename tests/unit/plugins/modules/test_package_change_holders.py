# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that need keys of two machines: a change waits, gets its signatures, and is taken in once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import package_change
from bocage_core._common import timestamps
from bocage_core._packages import repository_ends, repository_keys, repository_refresh, tokens
from bocage_core._packages.repository_store import Store
from bocage_core._packages.tokens import Token
from bocage_packager.publisher import online_signers
from publishing_estate import Estate

DELEGATIONS = ["rollouts", "base"]


class Machines:
    """Two holders of the top list, each with keys of their own; the second one has that of base, too."""

    def __init__(self, estate: Estate, call_module: Any) -> None:
        self.estate, self.call_module = estate, call_module
        self.first, self.second = estate.folder / "first", estate.folder / "second"
        for folder, names in ((self.first, ("targets-1", "rollouts")), (self.second, ("targets-2", "base"))):
            folder.mkdir()
            for name in names:
                shutil.copy(estate.secret / f"{name}.key", folder)
        self.waiting = estate.folder / "unfinished.change"

    def change(self, secret: Path | None = None, check: bool = False, **more: Any) -> dict[str, Any]:
        exported = {"exported": self.estate.exported()} if (self.estate.folder / "repository").exists() else {}
        options = {"secret_directory": str(secret or self.first), "unfinished": str(self.waiting), **exported, **more}
        options = self.estate.options(**{"delegations": DELEGATIONS, **options})
        done: dict[str, Any] = self.call_module(package_change, check=check, **options)
        return done

    def sign(self, role: str, name: str, *more: object) -> dict[str, Any]:
        key = ("--key", self.second / f"{name}.key", "--passphrase-file", self.estate.folder / "passphrase")
        pinned = ("--root", self.estate.trust / "root.json")
        return self.estate.packager("sign-change", self.waiting, "--role", role, *key, *pinned, *more)

    def take_in(self, check: bool = False) -> dict[str, Any]:
        return self.change(signed=str(self.waiting), check=check)


@pytest.fixture
def machines(tmp_path: Path, capsys: pytest.CaptureFixture[str], call_module: Any) -> Machines:
    return Machines(Estate(tmp_path, capsys, targets=2), call_module)


@pytest.fixture
def begun(machines: Machines) -> Machines:
    machines.change()
    machines.sign("targets", "targets-2")
    machines.sign("base", "base")
    machines.take_in()
    assert machines.estate.commit()["new"]
    return machines


def test_a_repository_that_two_machines_begin(machines: Machines) -> None:
    output = machines.estate.folder / "signed.change"
    predicted = machines.change(check=True)
    assert (predicted["changed"], predicted["written"], machines.waiting.exists()) == (
        True,
        str(machines.waiting),
        False,
    )
    done = machines.change()
    assert done["missing_signatures"] == {"base": 1, "targets": 1} == predicted["missing_signatures"]
    assert (done["changed"], done["again"], output.exists()) == (True, True, False)
    assert done["next_step"].startswith(
        f"The change {machines.waiting} is not published: it lacks 1 signature of base and 1 signature of targets. Let"
    )
    failed = machines.take_in()
    assert failed["msg"] == (
        f"The change {machines.waiting} is not complete: it lacks 1 signature of base and 1 signature of targets; pass it"
        " on to another holder."
    )
    signed = machines.sign("targets", "targets-2")
    assert (signed["changed"], signed["missing_signatures"]) == (True, {"base": 1})
    again = machines.change()
    assert (again["changed"], again["missing_signatures"]) == (False, {"base": 1}), "what was signed stays"
    assert machines.sign("base", "base")["missing_signatures"] == {}
    assert "has all signatures now: take it in first" in machines.change()["msg"]
    predicted = machines.take_in(check=True)
    assert (predicted["changed"], output.exists()) == (True, False)
    done = machines.take_in()
    assert (done["changed"], done["again"], done["missing_signatures"], done["next_step"]) == (True, True, {}, "")
    assert done["steps"] == ["begin a repository with rollouts, base"]
    assert (done["written"], done["lists"]) == (str(output), ["base", "rollouts", "targets"])
    assert machines.estate.commit()["new"]
    for check in (True, False):
        assert not machines.take_in(check=check)["changed"], "it was taken in already"


def test_what_one_machine_can_sign_needs_no_other(begun: Machines) -> None:
    (begun.estate.folder / "x.json").write_text("{}")
    done = begun.change(files=[{"path": "rollouts/x.json", "file": str(begun.estate.folder / "x.json")}])
    assert (done["missing_signatures"], done["again"]) == ({}, False)
    assert done["written"] == str(begun.estate.folder / "signed.change")
    assert begun.estate.commit()["lists"] == ["rollouts"]


def test_what_no_key_here_can_sign_is_an_error(begun: Machines) -> None:
    package = begun.estate.package(begun.estate.developer, {}, package="a", section="base")
    failed = begun.change(packages=[{"file": str(package)}])
    assert failed["msg"] == "No key of the delegation base was given, which has to sign this change."


def test_a_change_of_two_lists_that_has_files(begun: Machines) -> None:
    """One part is signed here, the other one by who has the key of base; the files travel along."""
    (begun.estate.folder / "x.json").write_text("{}")
    package = begun.estate.package(begun.estate.developer, {}, package="a", section="base")
    wanted: dict[str, Any] = {
        "packages": [{"file": str(package)}],
        "files": [{"path": "rollouts/x.json", "file": str(begun.estate.folder / "x.json")}],
    }
    done = begun.change(**wanted)
    assert done["missing_signatures"] == {"base": 1}
    copy = begun.estate.folder / "copy"
    root = begun.estate.trust / "root.json"
    begun.estate.packager("replicate", "--root", root, "--from", begun.estate.folder / "repository/public", copy)
    signed = begun.sign("base", "base", "--repository", copy)
    assert signed["steps"] == [f"publish base/{package.name}", "publish rollouts/x.json"]
    assert begun.take_in()["steps"] == signed["steps"]
    assert begun.estate.commit()["files"] == 2
    assert not begun.change(**wanted)["changed"]


def test_another_change_is_not_written_over(begun: Machines) -> None:
    done = begun.change(delegations=[*DELEGATIONS, "crl"])
    assert "which has to sign its first list" not in str(done)
    assert (done["steps"], done["missing_signatures"]) == (
        ["delegate to rollouts, base, crl"],
        {"targets": 1, "crl": 1},
    )
    failed = begun.change(delegations=[*DELEGATIONS, "deployers"])
    assert failed["msg"] == (
        f"Another change waits in {begun.waiting} and lacks 1 signature of crl and 1 signature of targets; let it be signed"
        " and take it in first, or move it away."
    )


def test_a_change_that_was_overtaken_is_made_anew(begun: Machines) -> None:
    begun.change(delegations=[*DELEGATIONS, "crl"])
    old = begun.estate.folder / "old.change"
    shutil.copy(begun.waiting, old)
    both = {"secret_directory": str(begun.estate.secret)}
    begun.call_module(
        package_change,
        **begun.estate.options(delegations=[*DELEGATIONS, "deployers"], exported=begun.estate.exported(), **both),
    )
    begun.estate.commit()
    failed = begun.change(signed=str(old))
    assert failed["msg"].startswith(f"The change {old} was overtaken: its list targets is not the next one of what is")
    done = begun.change(delegations=[*DELEGATIONS, "deployers", "crl"])
    assert (done["changed"], done["missing_signatures"]) == (True, {"targets": 1, "crl": 1})


def test_a_list_that_ends_soon_does_not_hold_up_the_rest(
    begun: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = timestamps.now()
    (tmp_path / "x.json").write_text("{}")
    files = [{"path": "rollouts/x.json", "file": str(tmp_path / "x.json")}]
    repository = Store(begun.estate.folder / "repository")
    expires = repository.role("targets", repository.heads()["targets"]).signed.expires
    # all lists end within two weeks from here on; the ones of the publisher were kept up
    later = expires - repository_ends.RENEW_LIST / 2
    assert now < later < expires
    repository_refresh.refresh(repository.folder, online_signers(begun.estate.folder / "online"), later)
    monkeypatch.setattr(timestamps, "now", lambda: later)
    monkeypatch.setattr(package_change.timestamps, "now", lambda: later)
    done = begun.change(files=files)
    assert (done["missing_signatures"], done["again"]) == ({}, True)
    assert done["steps"] == ["publish rollouts/x.json"]
    begun.estate.commit()
    done = begun.change(files=files)
    assert (done["steps"], done["missing_signatures"], done["again"]) == (["sign targets anew"], {"targets": 1}, False)
    assert begun.sign("targets", "targets-2")["missing_signatures"] == {}
    assert begun.take_in()["steps"] == ["sign targets anew"]
    assert begun.estate.commit()["lists"] == ["targets"]


def test_paths_as_the_caller_of_a_playbook_gives_them(begun: Machines) -> None:
    """Ansible runs modules in the playbook's folder; who calls it is elsewhere."""
    folder = begun.estate.folder
    (folder / "x.json").write_text("{}")
    package = begun.estate.package(begun.estate.developer, {}, package="a", section="base")
    wanted: dict[str, Any] = {
        "packages": [{"file": str(package.relative_to(folder))}],
        "files": [{"path": "rollouts/x.json", "file": "x.json"}],
        "relative_to": str(folder),
    }
    done = begun.change(**{**wanted, "unfinished": "waits.change"})
    assert (done["written"], done["missing_signatures"]) == (str(folder / "waits.change"), {"base": 1})
    begun.waiting = folder / "waits.change"
    begun.sign("base", "base", "--repository", folder / "repository")
    assert begun.change(signed="waits.change", relative_to=str(folder))["missing_signatures"] == {}
    assert begun.estate.commit()["files"] == 2


def uri(token: Token, number: str = "%02") -> str:
    return f"pkcs11:token={token.label};id={number}?module-path={token.module}"


def test_a_list_is_signed_on_a_token(machines: Machines, softhsm: Token, pin: Path) -> None:
    """The holder of base has no file at all, and nobody else has to sign."""
    estate = machines.estate
    (estate.secret / "base.key").unlink()
    key = tokens.metadata_signer(softhsm, 2, None, pin).public_key
    (estate.trust / "keys" / "base.pub").write_bytes(repository_keys.write_public_key(key))
    on_token = {"tokens": {"base": uri(softhsm)}, "token_pin_file": str(pin)}
    done = machines.change(secret=estate.secret, **on_token)
    assert (done["missing_signatures"], done["again"]) == ({}, True)
    assert estate.commit()["new"]
    package = estate.package(estate.developer, {}, package="a", section="base")
    done = machines.change(secret=estate.secret, packages=[{"file": str(package)}], **on_token)
    assert (done["missing_signatures"], done["steps"]) == ({}, [f"publish base/{package.name}"])
    assert estate.commit()["lists"] == ["base"]
    assert Store(estate.folder / "repository").heads()["base"] == 2


def test_a_token_that_cannot_sign_is_told_in_a_sentence(machines: Machines, softhsm: Token, pin: Path) -> None:
    def told(name: str = "base", given: str = uri(softhsm), **more: Any) -> str:
        options = {"tokens": {name: given}, "token_pin_file": str(pin), **more}
        words: str = machines.change(secret=machines.estate.secret, **options)["msg"]
        return words

    assert told() == "The key 2 of the token estate is not the one of that public key."
    assert told("ann") == "A token is given for ann, who holds no key of this repository; correct tokens."
    assert told(given="pkcs11:token=estate").startswith("'pkcs11:token=estate' lacks the token, the object or id")
    assert "is named by its id" in told(given=uri(softhsm).replace("id=%02", "object=root"))
    assert told(token_pin_file=None) == "A key on a token needs its PIN; give the passphrase file that holds it."
    pin.write_text("wrong\n")
    assert "wrong" not in told()
    assert not (machines.estate.folder / "signed.change").exists()
