# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb says that it changes, before and after; and that saying it beforehand changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_agent.agent_trial import PACKAGE
from bocage_agent.packages_changes import Standing, changes, problems, with_plan
from bocage_agent.packages_plan import Plan
from bocage_agent.packages_ports import Offer
from bocage_agent.packages_store import Row
from bocage_core._common.errors import BocageError
from package_fakes import FakeLibrary, Host, touching

BEFORE = Standing(
    {
        "kept": Row("kept", "OK", version="1.0", sha256="a", installed_at="then"),
        "moved": Row("moved", "OK", version="1.0", sha256="b", installed_at="then"),
        "late": Row("late", "MISSING"),
        "halfway": Row("halfway", "ERROR"),
    },
    {},
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("version", "sha256", "action"),
    [("1.1", "c", "upgrade"), ("0.9", "c", "downgrade"), ("1.0", "c", "reinstall"), ("1.0", "b", "reinstall")],
)
def test_the_name_of_a_change(version: str, sha256: str, action: str) -> None:
    after = with_plan(BEFORE, Plan(), [Offer("moved", version, sha256=sha256)], (), {})
    found = changes(BEFORE, after, FakeLibrary().compare)
    assert found == [{"package": "moved", "action": action, "before": "1.0", "after": version}]


def test_what_comes_goes_and_is_missing() -> None:
    plan = Plan(missing={"zz": "There is none"})
    after = with_plan(BEFORE, plan, [Offer("late", "2.0")], ["kept", "halfway"], {})
    found = [tuple(one.values()) for one in changes(BEFORE, after, FakeLibrary().compare)]
    assert found == [
        ("halfway", "remove", None, None),
        ("kept", "remove", "1.0", None),
        ("late", "install", None, "2.0"),
    ]
    assert (after.rows["zz"].state, after.rows["zz"].reason) == ("MISSING", "There is none")
    assert changes(BEFORE, BEFORE, FakeLibrary().compare) == []


def test_the_agent_itself_is_tried_first() -> None:
    before = Standing({PACKAGE: Row(PACKAGE, "OK", version="1.0", sha256="a", installed_at="then")}, {})
    after = with_plan(before, Plan(), [Offer(PACKAGE, "1.1")], (), {})
    trial = {"package": PACKAGE, "action": "trial", "before": "1.0", "after": "1.1"}
    assert changes(before, after, FakeLibrary().compare) == [trial]
    assert changes(after, after, FakeLibrary().compare) == []
    kept = Standing({PACKAGE: Row(PACKAGE, "OK", version="1.1", sha256="b", installed_at="now")}, {})
    assert changes(after, kept, FakeLibrary().compare)[0]["action"] == "upgrade"
    held = with_plan(before, Plan(held={PACKAGE: ("ERROR", "It did not report.")}), (), (), {})
    assert changes(before, held, FakeLibrary().compare) == []
    assert [one["reason"] for one in problems(held)] == ["It did not report."]


def test_what_is_foreseen_is_what_is_done(host: Host) -> None:
    host.library.add("a", "1.0", touching(host.folder / "made" / "a"), depends="b")
    host.library.add("b", "1.0", touching(host.folder / "made" / "b"))
    host.library.add("c", "1.0", touching(host.folder / "made" / "c"), conflicts="b")

    def versions(standing: Standing) -> dict[str, str | None]:
        return {name: row.version for name, row in standing.rows.items()}

    for foresee, do in (
        (lambda engine: engine.foresee_install(["a"]), lambda engine: engine.install(["a"], "root")),
        (lambda engine: engine.foresee_removal(["a"]), lambda engine: engine.remove(["a"])),
        (lambda engine: engine.foresee_install(["c"]), lambda engine: engine.install(["c"], "root")),
        (lambda engine: engine.foresee_upgrade(), lambda engine: engine.upgrade()),
        (
            lambda engine: engine.foresee_removal(["c"], forgetting=True),
            lambda engine: engine.forget(["c"]),
        ),
    ):
        before = host.run(lambda engine: engine.standing())
        foreseen = host.run(foresee)
        assert host.run(lambda engine: engine.standing()) == before and foreseen.good
        host.run(do)
        after = host.run(lambda engine: engine.standing())
        assert (versions(foreseen.after), dict(foreseen.after.requests)) == (versions(after), after.requests)
        assert changes(before, foreseen.after, host.library.compare) == changes(before, after, host.library.compare)
    assert host.run(lambda engine: engine.standing()).rows.keys() == set()


def test_ensure_leaves_what_fits(host: Host) -> None:
    host.library.add("a", "1.0", touching(host.folder / "made" / "a"))
    host.install("a")
    host.library.add("a", "1.1", touching(host.folder / "made" / "a"))
    assert host.run(lambda engine: engine.remove(["x"], ensure=True)) is True
    host.run(lambda engine: engine.forget(["x"], ensure=True))
    with pytest.raises(BocageError, match="The package x is not installed on this host"):
        host.remove("x")
    assert host.states() == {"a": ("OK", "1.0")}


def test_a_removal_that_is_taken_back_is_in_the_plan(host: Host) -> None:
    """One whose removal failed goes no more once it is asked for again."""
    host.library.add("a", "1.0", "def install():\n    pass\ndef uninstall():\n    error('it is in use')\n")
    host.install("a")
    assert host.remove("a") is False
    assert host.rows()["a"].wanted == ""
    foreseen = host.run(lambda engine: engine.foresee_install(["a"]))
    assert host.rows()["a"].wanted == "", "only foreseen"
    assert foreseen.after.rows["a"].version == "1.0"
    assert host.install("a") is True
    assert host.states() == {"a": ("OK", "1.0")}


def test_without_a_refresh_the_last_update_counts(host: Host) -> None:
    host.library.add("a", "1.0", touching(host.folder / "made" / "a"))
    with pytest.raises(BocageError, match="Nothing is known of the repository on this host yet; update first"):
        host.run(lambda engine: engine.upgrade(refresh=False))
    host.update()
    host.library.problem = BocageError("Nobody may ask now.")
    assert host.run(lambda engine: engine.install(["a"], "root", refresh=False)) is True
