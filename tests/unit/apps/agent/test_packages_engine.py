# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of packages: real SQLite, real files, real child processes, a repository in a dictionary."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_agent.packages_engine import Engine
from bocage_agent.packages_ports import Unreachable
from bocage_core._common.errors import BadInput, BocageError
from package_fakes import Host, touching


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


def made(host: Host, name: str) -> Path:
    return host.folder / "made" / name


def test_update_installs_nothing_and_says_what_is_due(host: Host) -> None:
    host.changes["require"] = ["a", "zz"]
    host.library.add("a", "1.0", touching(made(host, "a")), depends="b")
    host.library.add("b", "1.0", touching(made(host, "b")))
    host.update()
    assert host.states() == {"a": ("NEED-INSTALL", None), "b": ("NEED-INSTALL", None), "zz": ("MISSING", None)}
    assert host.rows()["zz"].reason == "The repository has no package zz"
    assert not made(host, "a").exists()
    assert host.cached() == []


def test_install_upgrade_remove(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")), depends="b")
    host.library.add("b", "1.0", touching(made(host, "b")))
    assert host.install("a") is True
    assert host.states() == {"a": ("OK", "1.0"), "b": ("OK", "1.0")}
    assert host.install("a") is True
    assert made(host, "a").read_text() == "1.0 "
    host.library.add("a", "1.1", touching(made(host, "a")), depends="b")
    host.update()
    assert host.states()["a"] == ("NEED-UPGRADE", "1.0")
    assert host.upgrade() is True
    assert host.states()["a"] == ("OK", "1.1")
    assert made(host, "a").read_text() == "1.0 1.1 "
    assert host.upgrade() is True
    assert made(host, "a").read_text() == "1.0 1.1 "
    assert host.cached() == []
    with pytest.raises(BadInput, match="The package b stays: a needs it; remove that first"):
        host.remove("b")
    assert host.remove("a") is True
    assert not made(host, "a").exists()
    assert host.states() == {"b": ("OK", "1.0")}
    assert next(one[3:5] for one in host.look(lambda store: store.history(3))) == ("remove", "finished")


def test_what_the_helpers_did_is_undone_without_an_uninstall(host: Host) -> None:
    target = made(host, "deep") / "file"
    setup = f"def install():\n    mkdir({str(target.parent)!r})\n    write({str(target)!r}, 'x')\n"
    host.library.add("a", "1.0", setup)
    assert host.install("a") is True
    assert target.read_text() == "x"
    assert host.remove("a") is True
    assert not target.parent.exists()


def test_a_failure_keeps_the_download_is_an_error_and_is_tried_again(host: Host) -> None:
    broken = f"def install():\n    print('looking')\n    if not isfile({str(made(host, 'ok'))!r}): error('no ok')\n"
    host.library.add("a", "1.0", broken)
    host.library.add("c", "1.0", touching(made(host, "c")), depends="a")
    host.library.add("d", "1.0", touching(made(host, "d")))
    host.changes["require"] = ["c", "d"]
    assert host.upgrade() is False
    assert host.states() == {"a": ("ERROR", None), "c": ("ERROR", None), "d": ("OK", "1.0")}
    assert host.rows()["a"].reason == "no ok"
    assert host.rows()["c"].reason == "It needs a, which could not be installed"
    assert len(host.cached()) == 2
    assert "a| looking" in host.lines
    made(host, "ok").touch()
    assert host.upgrade() is True
    assert host.states() == {"a": ("OK", "1.0"), "c": ("OK", "1.0"), "d": ("OK", "1.0")}


def test_a_refused_package_is_deleted_and_nothing_of_it_runs(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.library.refuse["a"] = "The certificate of its signer was revoked."
    assert host.install("a") is False
    assert host.states() == {"a": ("ERROR", None)}
    assert host.rows()["a"].reason == "Refused (revoked): The certificate of its signer was revoked."
    assert host.cached() == []
    assert not made(host, "a").exists()
    assert host.look(lambda store: store.refusals())[0][:3] == ("a", "1.0", "revoked")


def test_an_older_version_than_was_installed_is_refused_also_after_a_removal(host: Host) -> None:
    host.library.add("a", "2.0", touching(made(host, "a")))
    host.install("a")
    host.remove("a")
    host.library.known.clear()
    host.library.add("a", "1.0", touching(made(host, "a")))
    assert host.install("a") is False
    assert "below_floor" in host.rows()["a"].reason


def test_offline_from_the_cache_by_record(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    assert host.upgrade(download_only=True) is True
    assert host.states() == {"a": ("NEED-INSTALL", None)}
    host.library.problem = Unreachable("No replica answered.")
    host.later(days=29)
    assert host.upgrade() is True
    assert host.states() == {"a": ("OK", "1.0")}
    record = host.look(lambda store: store.records())[0]
    assert record.used_offline_at == "2026-12-20T12:00:00Z"
    assert "a 1.0: from the cache, accepted at 2026-11-21T12:00:00Z" in host.lines


def test_a_record_that_is_too_old_is_not_used(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    host.upgrade(download_only=True)
    host.library.problem = Unreachable("No replica answered.")
    host.later(days=31)
    assert host.upgrade() is False
    assert host.states() == {"a": ("NEED-INSTALL", None)}
    with pytest.raises(BocageError, match=r"a cannot be had without a repository: No replica answered\."):
        host.install("a")


def test_attack_a_download_changed_in_the_cache(host: Host) -> None:
    offer = host.library.add("a", "1.0", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    host.upgrade(download_only=True)
    path = host.folder / "cache" / f"{offer.sha256}.wapt"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    host.library.problem = Unreachable("No replica answered.")
    assert host.upgrade() is False
    assert "was changed after it was accepted; it is removed" in host.rows()["a"].reason
    assert host.cached() == []


def test_what_is_known_of_updates_stays_known_without_a_repository(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.install("a")
    host.library.add("a", "2.0", touching(made(host, "a")))
    host.update()
    host.library.problem = Unreachable("No replica answered.")
    host.upgrade()
    assert host.states() == {"a": ("NEED-UPGRADE", "1.0")}


def test_a_clock_that_went_back_a_year_is_refused(host: Host) -> None:
    host.library.add("a", "1.0")
    host.update()
    host.later(days=-365)
    for verb in (host.update, host.upgrade, lambda: host.install("a")):
        with pytest.raises(BocageError, match=r"clock of this host is wrong: it says 2025-11-21T12:00:00Z, but 2026-"):
            verb()
    assert "clock" in host.look(lambda store: store.fact("last_problem"))


def test_metadata_that_is_not_believed_stops_nothing_that_was_accepted(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    host.upgrade(download_only=True)
    host.library.problem = BocageError("The metadata timestamp is expired.")
    with pytest.raises(BocageError, match=r"timestamp is expired\. \(This host's clock says 2026-11-21T12:00:00Z"):
        host.update()
    assert host.upgrade() is False
    assert host.states() == {"a": ("OK", "1.0")}


def test_settings_go_with_what_asked_for_them_and_software_stays(host: Host) -> None:
    host.library.add("host1", "1", section="host", depends="unit:lab", conflicts="old")
    host.library.add("unit:lab", "1", section="unit", depends="tool")
    host.library.add("tool", "1", touching(made(host, "tool")))
    host.library.add("old", "1", touching(made(host, "old")))
    host.install("old")
    host.changes["host_package"] = "host1"
    assert host.upgrade() is True
    assert host.states() == {"host1": ("OK", "1"), "unit:lab": ("OK", "1"), "tool": ("OK", "1")}
    assert not made(host, "old").exists()
    host.library.add("host1", "2", section="host")
    host.update()
    assert host.states()["unit:lab"] == ("NEED-REMOVE", "1")
    assert host.upgrade() is True
    assert host.states() == {"host1": ("OK", "2"), "tool": ("OK", "1")}


def test_forbidden_packages_go_and_do_not_come(host: Host) -> None:
    host.library.add("game", "1", touching(made(host, "game")))
    host.install("game")
    host.changes["forbidden"] = ["game"]
    assert host.upgrade() is True
    assert host.states() == {}
    with pytest.raises(BadInput, match="The package game is forbidden on this host"):
        host.install("game")


def test_an_unknown_package_changes_nothing(host: Host) -> None:
    with pytest.raises(BocageError, match=r"nope: The repository has no package nope\."):
        host.install("nope")
    assert host.states() == {}
    assert host.look(lambda store: store.requests()) == {}
    with pytest.raises(BadInput, match="The package nope is not installed"):
        host.remove("nope")


def test_forget_removes_nothing_of_the_package(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.install("a")
    host.run(lambda engine: engine.forget(["a"]))
    assert host.states() == {}
    assert made(host, "a").exists()


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("return 'WARNING'", "WARNING"),
        ("return None", "OK"),
        ("return 'maybe'", "ERROR"),
        ("raise ValueError('broken')", "ERROR"),
    ],
)
def test_audit_answers(host: Host, body: str, answer: str) -> None:
    host.library.add("a", "1.0", f"def install():\n    pass\ndef audit():\n    {body}\n")
    host.install("a")
    assert host.run(lambda engine: engine.audit()) == {"a": answer}
    assert host.rows()["a"].audit == answer
    assert host.run(lambda engine: engine.audit(due=True)) == {}
    host.later(days=1)
    assert host.run(lambda engine: engine.audit(due=True)) == {"a": answer}


def test_clean_keeps_what_is_waited_for(host: Host) -> None:
    host.library.add("a", "1.0", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    host.upgrade(download_only=True)
    (host.folder / "cache" / "left").write_bytes(b"123")
    assert host.run(Engine.clean) == (1, 3)
    assert len(host.cached()) == 1


def test_a_package_of_self_service_leaves_its_rules(host: Host) -> None:
    host.library.add("self", "1", section="selfservice", files={"selfservice.json": '{"staff": ["tool*"]}'})
    host.install("self")
    assert host.look(lambda store: store.rules("selfservice.json")) == {"self": {"staff": ["tool*"]}}
    host.remove("self")
    assert host.look(lambda store: store.rules("selfservice.json")) == {}


def test_a_package_with_bad_rules_is_an_error(host: Host) -> None:
    host.library.add("self", "1", section="selfservice", files={"selfservice.json": '{"staff": "tool"}'})
    assert host.install("self") is False
    assert "needs a list" in host.rows()["self"].reason
