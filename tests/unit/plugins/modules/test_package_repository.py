# SPDX-License-Identifier: GPL-3.0-or-later
"""The module package_repository as Ansible calls it, with the real programs on real repositories."""

from __future__ import annotations

import errno
import io
import os
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._packages import publisher_calls
from ansible_collections.bocage.fleet.plugins.modules import package_change, package_repository
from bocage_core._common import timestamps
from bocage_core._packages.repository_store import Journal
from bocage_packager import publisher
from bocage_packager.main import main as packager
from publishing_estate import Estate


class Publisher(Estate):
    """An estate whose publisher, and whose copy, are asked by the module."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], call: Any) -> None:
        super().__init__(folder, capsys)
        self.call, self.asked = call, []
        self.copy = folder / "copy"

    def answer(self, command: list[str]) -> tuple[int, str, str]:
        self.asked.append(command)
        words = command[command.index(publisher_calls.PROGRAM) + 1 :]
        output, error = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(error):
            status = packager(words)
        return status, output.getvalue(), error.getvalue()

    def ask(self, command: str, *, check: bool = False, **more: Any) -> dict[str, Any]:
        options = {
            "command": command,
            "directory": str(self.folder / "repository"),
            "keys_directory": str(self.folder / "online"),
            **more,
        }
        found: dict[str, Any] = self.call(package_repository, check=check, diff=True, **options)
        return found

    def four(self, command: str, **more: Any) -> list[dict[str, Any]]:
        """Check, do, check again, do again."""
        before = self.state()
        results = [self.ask(command, check=True, **more)]
        assert self.state() == before, "the check changed something"
        results.append(self.ask(command, **more))
        before = self.state()
        results += [self.ask(command, check=check, **more) for check in (True, False)]
        assert self.state() == before, "the second run changed something"
        assert [one.get("changed") for one in results] == [True, True, False, False], results
        assert results[0]["steps"] == results[1]["steps"] and results[0]["diff"] == results[1]["diff"]
        return results

    def state(self) -> dict[str, tuple[int, int]]:
        """All files of repository, copy and keys; a lock comes with the first who looks."""
        folders = [self.folder / name for name in ("repository", "copy", "online", "new")]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

    def change(self, **more: Any) -> str:
        """What was signed beside the keys."""
        exported = self.folder / "exported.tar"
        done = self.ask("export", output=str(exported))
        given = {"exported": str(exported)} if done["exists"] else {}
        assert self.call(package_change, **self.options(**given, **more))["changed"]
        return str(self.folder / "signed.change")

    def note(self, name: str) -> list[dict[str, str]]:
        (self.folder / f"{name}.json").write_text("{}")
        return [{"path": f"rollouts/{name}.json", "file": str(self.folder / f"{name}.json")}]


@pytest.fixture
def estate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], call_module: Any, monkeypatch: pytest.MonkeyPatch
) -> Publisher:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    program = tmp_path / "bocage-package"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(publisher_calls, "PROGRAM", str(program))
    made = Publisher(tmp_path, capsys, call_module)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command: made.answer(command))
    return made


@pytest.fixture
def begun(estate: Publisher) -> Publisher:
    assert estate.ask("publish", change=estate.change())["new"]
    return estate


def test_the_first_change_begins_the_repository(estate: Publisher) -> None:
    assert not estate.ask("export", output=str(estate.folder / "exported.tar"))["exists"]
    results = estate.four("publish", change=estate.change())
    assert results[1]["steps"] == [
        "begin the repository",
        "serve the list rollouts that was signed",
        "serve the list targets that was signed",
    ]
    assert results[1]["new"] and not results[3]["new"]


def test_init_begins_one_and_touches_none(estate: Publisher) -> None:
    change = estate.change()
    assert [one["changed"] for one in estate.four("init", change=change)] == [True, True, False, False]
    assert not estate.ask("init", change="/nonexistent")["changed"]


def test_publish_and_retire(begun: Publisher) -> None:
    published = begun.four("publish", change=begun.change(files=begun.note("a")))
    assert published[1]["steps"] == ["take in 1 files", "serve the list rollouts that was signed"]
    assert published[1]["diff"]["after"] == "take in 1 files\nserve the list rollouts that was signed\n"
    first = (begun.folder / "signed.change").read_bytes()
    begun.four("publish", change=begun.change(retired=["rollouts/a.json"]))
    (begun.folder / "signed.change").write_bytes(first)
    for check in (True, False):
        old = begun.ask("publish", check=check, change=str(begun.folder / "signed.change"))
        assert "something else was published since. Prepare the change again." in old["msg"]


def test_a_change_that_is_altered_is_refused_also_beforehand(begun: Publisher) -> None:
    change = Path(begun.change(files=begun.note("a")))
    raw = change.read_bytes()
    change.write_bytes(raw.replace(b"rollouts/a.json", b"rollouts/b.json"))
    before = begun.state()
    for check in (True, False):
        assert begun.ask("publish", check=check, change=str(change))["failed"]
    change.write_bytes(raw[:3000])
    assert begun.ask("publish", change=str(change))["failed"]
    assert begun.state() == before


def test_what_is_exported_is_written_once(begun: Publisher) -> None:
    output = begun.folder / "again.tar"
    assert begun.ask("export", check=True, output=str(output))["exists"] and not output.exists()
    results = [begun.ask("export", output=str(output)) for _ in range(2)]
    assert [one["changed"] for one in results] == [True, False]
    assert output.read_bytes() == Path(begun.exported()).read_bytes()
    assert sorted(path.name for path in begun.folder.glob(".export*")) == []


def interrupt(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, step: str, change: str) -> None:
    """A publication that comes to its end at a step of its journal."""

    def cut(*_words: object) -> None:
        raise OSError(errno.EIO, "power")

    with monkeypatch.context() as power:
        power.setattr(Journal, step, cut)
        assert publisher.ask("publish", change=change)["failed"]


@pytest.mark.parametrize("step", ["carry_out", "done"])
def test_a_change_that_was_interrupted_is_served_before_another_is_made(
    begun: Publisher, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    change = begun.change(files=begun.note("a"))
    interrupt(begun, monkeypatch, step, change)
    pending = begun.folder / "repository" / "pending"
    assert pending.exists()
    output = str(begun.folder / "exported.tar")
    assert not begun.ask("export", output=output, finish=False)["finished"]
    assert not begun.ask("export", output=output, check=True)["finished"]
    assert pending.exists()
    done = begun.ask("export", output=output)
    assert (done["finished"], done["changed"]) == (True, True)
    assert done["steps"][0] == "finish a change that was interrupted"
    assert not pending.exists() and (begun.folder / "repository/public/targets/rollouts").is_dir()
    assert not begun.ask("export", output=output)["finished"]
    assert begun.ask("publish", change=begun.change(files=begun.note("b")))["changed"]


def test_a_beginning_that_was_interrupted_is_served_before_another_is_made(
    estate: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = estate.change()
    interrupt(estate, monkeypatch, "carry_out", change)
    done = estate.ask("export", output=str(estate.folder / "exported.tar"))
    assert (done["finished"], done["exists"]) == (True, True)
    assert estate.ask("publish", change=estate.change(files=estate.note("a")))["changed"]


def test_keys_are_made_once(estate: Publisher) -> None:
    results = estate.four("keys", keys_directory=str(estate.folder / "new"))
    assert results[1]["steps"] == ["make the key of the snapshot", "make the key of the timestamp"]
    assert results[0]["public"] == {} and results[1]["public"] == results[3]["public"]
    assert '"scheme":"ed25519"' in results[1]["public"]["snapshot"] and "PRIVATE" not in str(results)


def later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    now = timestamps.now() + timedelta(**by)
    monkeypatch.setattr(publisher.timestamps, "now", lambda: now)


def test_refresh(begun: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = begun.ask("refresh")
    assert not fresh["changed"] and fresh["expiries"][0]["role"] == "timestamp"
    later(monkeypatch, hours=10)
    assert begun.four("refresh")[1]["steps"] == ["sign timestamp 2"]
    later(monkeypatch, days=3)
    assert begun.four("refresh")[1]["steps"] == ["sign snapshot 2", "sign timestamp 3"]


def test_what_holders_have_to_sign_is_told_before_and_then_fails(
    begun: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, words: warned.append(words))
    later(monkeypatch, days=21)
    assert begun.ask("refresh")["changed"]
    assert any(one.startswith("The list rollouts ends at ") for one in warned), warned
    later(monkeypatch, days=40)
    for check in (True, False):
        failed = begun.ask("refresh", check=check)
        assert failed["msg"].startswith("Hosts take nothing new from here: ") and "rollouts ended at" in failed["msg"]
    assert failed["expiries"]


def test_the_ends_of_certificates_and_of_lists_of_revoked_ones_are_told(
    estate: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = ["rollouts", "crl"]
    estate.ask("publish", change=estate.change(delegations=lists))
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, words: warned.append(words))
    (estate.folder / "online" / "authorities.pem").write_bytes(estate.authority_pem())
    files = [{"path": "crl/estate.crl", "file": str(estate.trust / "crl/estate.crl")}]
    estate.ask("publish", change=estate.change(delegations=lists, files=files))
    found = {one["role"].partition(" (")[0]: one for one in estate.ask("refresh")["expiries"]}
    assert (found["crl/estate.crl"]["kind"], found["crl/estate.crl"]["state"]) == ("crl", "good")
    assert (found["estate"]["kind"], found["estate"]["signed_by"]) == ("certificate", "holders")
    later(monkeypatch, hours=12)
    estate.ask("refresh", check=True)
    ends = found["crl/estate.crl"]["expires"]
    sentence = (
        f"The list of revoked certificates crl/estate.crl ends at {ends}, and a new one has to be published before."
    )
    assert sentence in warned
    later(monkeypatch, days=2)
    assert f"crl/estate.crl ended at {ends}" in estate.ask("refresh")["msg"]


def test_nothing_to_refresh_yet(estate: Publisher) -> None:
    for check in (True, False):
        found = estate.ask("refresh", check=check)
        assert (found["changed"], found["steps"], found["expiries"]) == (False, [], [])


def test_replicate(begun: Publisher) -> None:
    source = str(begun.folder / "repository" / "public")
    options = {
        "directory": str(begun.copy),
        "root": str(begun.trust / "root.json"),
        "upstream": [str(begun.folder / "nowhere"), source],
    }
    results = begun.four("replicate", **options)
    assert results[1]["steps"] == [f"copy up to timestamp 1 from {source}"]
    assert results[1]["source"] == source and len(results[1]["failures"]) == 1
    begun.ask("publish", change=begun.change(files=begun.note("a")))
    assert begun.four("replicate", **options)[1]["steps"] == [f"copy up to timestamp 2 from {source}"]
    (lost,) = (begun.copy / "public" / "targets" / "rollouts").iterdir()
    lost.unlink()
    assert begun.ask("replicate", **options)["changed"] and lost.exists()
    gone = {**options, "upstream": options["upstream"][:1]}
    for check in (True, False):
        failed = begun.ask("replicate", check=check, **gone)
        assert failed["msg"].startswith("No source could be copied from, and the copy stays as it was.")


def test_an_older_state_is_refused_also_beforehand(begun: Publisher) -> None:
    import shutil

    old = begun.folder / "old"
    shutil.copytree(begun.folder / "repository" / "public", old)
    begun.ask("publish", change=begun.change(files=begun.note("a")))
    options = {"directory": str(begun.copy), "root": str(begun.trust / "root.json")}
    begun.ask("replicate", upstream=[str(begun.folder / "repository" / "public")], **options)
    for check in (True, False):
        failed = begun.ask("replicate", check=check, upstream=[str(old)], **options)
        assert "its metadata is of another version than the one that is due" in failed["msg"]


def test_root_works_as_the_user_of_the_repository(begun: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    begun.asked.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    begun.ask("refresh")
    begun.ask("export", output=str(begun.folder / "x.tar"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    begun.ask("refresh", user="x")
    as_user = ["setpriv", "--reuid=bocage-packages", "--regid=bocage-packages", "--clear-groups"]
    assert [one[: one.index(publisher_calls.PROGRAM)] for one in begun.asked] == [as_user, [], []]


@pytest.mark.parametrize(
    ("command", "options", "sentence"),
    [
        ("publish", {}, "The command publish needs the option change."),
        ("init", {}, "The command init needs the option change."),
        ("export", {}, "The command export needs the option output."),
        ("replicate", {}, "The command replicate needs the option upstream."),
        ("publish", {"change": "/nonexistent"}, "The change /nonexistent cannot be read: No such file or directory."),
        ("publish", {"change": "/x", "keys_directory": "/nonexistent"}, "There is no key of the role snapshot"),
        ("replicate", {"upstream": ["/x"], "root": "/nonexistent"}, "/nonexistent: No such file or directory."),
    ],
)
def test_what_cannot_be(estate: Publisher, command: str, options: dict[str, Any], sentence: str) -> None:
    assert sentence in estate.ask(command, **options)["msg"]


def test_a_host_without_the_programs(estate: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_calls, "PROGRAM", "/nonexistent/bocage-package")
    assert estate.ask("refresh")["msg"] == (
        "This host has no programs of the package repository: /nonexistent/bocage-package is missing;"
        " run playbooks/packages.yml for it."
    )


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((2, '{"error": "Unrecognized arguments: --plan; see bocage-package commit --help."}', ""), "older than this"),
        ((1, "", "Traceback\nMemoryError\n"), "ended with 1 and no answer: MemoryError"),
        ((139, "", ""), "ended with 139 and no answer: nothing said"),
        ((1, '{"changed": false}', ""), "ended with 1 and no answer"),
    ],
)
def test_programs_that_fail(
    estate: Publisher, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, str], sentence: str
) -> None:
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *_: answer)
    assert sentence in estate.ask("refresh")["msg"]
