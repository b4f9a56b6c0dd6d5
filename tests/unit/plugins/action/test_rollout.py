# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action does with each command, and the one sentence where it cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action import rollout, rollout_info
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.rollout import State
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_document import (
    Locked,
    RolloutDocument,
    parse,
)
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_repository import Repository
from tuf.api.metadata import TargetFile

IDS = {name: f"00000000-0000-4000-8000-00000000000{number}" for number, name in enumerate(("desk1", "desk2", "lost"))}
DOCUMENT = RolloutDocument(
    definition={
        "name": "editor-2",
        "salt": "s",
        "rings": [{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "share_percent": 100}],
        "gates": {"soak_seconds": 0},
        "roll_back": False,
        "expires": "2040-01-01T00:00:00Z",
    },
    state=State("running", 0, datetime(2026, 11, 22, tzinfo=UTC)),
    before={"editor": Locked("1.0", ("a" * 64,))},
    after={"editor": Locked("2.0", ("b" * 64,))},
    tickets=(),
)


def variables(
    name: str, digest: str | None = None, groups: tuple[str, ...] = ("desktops", "state_fresh")
) -> dict[str, Any]:
    reported: dict[str, Any] = {} if name == "lost" else {"enrolment": {"host_id": IDS[name]}}
    if digest is not None:
        packages = {
            "rollouts": {
                "editor-2": {"digest": digest, "due": False, "audited_at": timestamps.write(timestamps.now())}
            },
            "problems": [],
            "problem_count": 0,
            "audits": {},
        }
        reported |= {"sections": {"packages": packages}, "issued_at": timestamps.write(timestamps.now())}
    return {"host_site": "lyon", "group_names": list(groups), "reported": reported}


class Place:
    def __init__(self, folder: Path, make_action: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.make_action = folder, make_action
        self.repository = Repository({}, {"editor-2": DOCUMENT}, lambda _path: True)
        self.hostvars = {name: variables(name) for name in ("desk1", "desk2", "lost")}
        for module in (rollout, rollout_info):
            monkeypatch.setattr(module, "read_repository", lambda _exported, _trust: self.repository)

    def run(self, kind: Any = rollout, **arguments: Any) -> dict[str, Any]:
        given = {"exported": "/x", "trust_directory": "/x", **arguments}
        if kind is rollout:
            given["output_directory"] = str(self.folder)
        task_vars = {"groups": {"managed": list(self.hostvars)}, "hostvars": self.hostvars}
        found: dict[str, Any] = self.make_action(kind.ActionModule, **given).run(task_vars=task_vars)
        return found


@pytest.fixture
def place(tmp_path: Path, make_action: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, make_action, monkeypatch)


def test_a_step_without_news_publishes_nothing_and_asks_who_has_not_changed(place: Place) -> None:
    found = place.run()
    assert (found["changed"], found["files"], found["upgrade"], found["audit"]) == (False, [], ["desk1"], [])
    assert found["active"] == ["editor-2"]
    ring = found["rollouts"]["editor-2"]["rings"][1]
    assert ring["hosts"] == ["desk2"] and not ring["open"], "a host that is not enrolled is in no ring"


def test_a_ring_that_is_well_opens_the_next_one(place: Place) -> None:
    place.hostvars["desk1"] = variables("desk1", DOCUMENT.lock_digest("after"))
    found = place.run()
    assert found["changed"] and found["upgrade"] == ["desk2"]
    assert found["audit"] == ["desk1"]
    assert found["files"] == [{"path": "rollouts/editor-2.json", "file": str(place.folder / "editor-2.json")}]
    assert parse((place.folder / "editor-2.json").read_bytes()).state.ring == 1
    assert "ring rest opened, 1 hosts" in found["rollouts"]["editor-2"]["history"][-1]


def test_what_a_person_decides_is_published(place: Place) -> None:
    found = place.run(command="pause", name="editor-2", reason="holidays")
    assert found["changed"] and found["upgrade"] == [] and found["active"] == []
    assert found["rollouts"]["editor-2"]["reason"] == "holidays"


def test_an_end_takes_what_was_not_for_all_with_it(place: Place) -> None:
    targets = {
        path: TargetFile(1, {"sha256": sha256}, path)
        for path, sha256 in (("base/editor_2.wapt", "b" * 64), ("base/editor_1.wapt", "a" * 64))
    }
    for phase, retired in (("rolled_back", ["base/editor_2.wapt"]), ("done", [])):
        place.repository = Repository(
            targets, {"editor-2": replace(DOCUMENT, state=State(phase, 0))}, lambda _path: True
        )  # type: ignore[arg-type]
        found = place.run(command="end", name="editor-2")
        assert found["retired"] == ["rollouts/editor-2.json", *retired] and found["files"] == []
        kept = place.run(command="end", name="editor-2", keep_packages=True)
        assert kept["retired"] == ["rollouts/editor-2.json"]


def test_a_start_that_was_cut_off_goes_on(place: Place) -> None:
    found = place.run(command="start", name="editor-2", definition={"files": ["/nonexistent"], "rings": []})
    assert not found["changed"] and found["upgrade"] == ["desk1"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"command": "pause"}, "The command pause needs the name of a rollout."),
        ({"command": "abort", "name": "x"}, "The repository has no rollout x; there are: editor-2."),
        ({"name": "x"}, "The repository has no rollout x; there are: editor-2."),
        (
            {"command": "end", "name": "editor-2"},
            "The rollout editor-2 is running; abort it or roll it back before it is ended.",
        ),
        ({"command": "resume", "name": "editor-2"}, "The rollout editor-2 is running and cannot become running; that"),
        (
            {"command": "start", "name": "new", "definition": {"rings": []}},
            "The rollout new needs a list of 1 to 20 rings.",
        ),
        (
            {"command": "start", "name": "new", "definition": {"files": ["/nonexistent.wapt"], "rings": []}},
            "There is no authority of packages in /x",
        ),
        (
            {"command": "start", "name": "new", "definition": {"files": [{"path": "x"}]}},
            "A file of the rollout is neither a path nor one with file and site; correct its definition.",
        ),
        (
            {
                "command": "start",
                "name": "new",
                "definition": {"rings": [{"name": "x", "groups": ["state_fresh"]}]},
            },
            "The ring x of the rollout new names the group state_fresh, which has no enrolled host.",
        ),
        (
            {
                "command": "start",
                "name": "new",
                "definition": {
                    "rings": [{"name": "x", "groups": ["desktops"]}],
                    "gates": {"metrics": [{"name": "packages.problem_counts", "most_ratio": 2}]},
                },
            },
            "a figure that no host reports; did you mean packages.problem_count?",
        ),
    ],
)
def test_sentences(place: Place, arguments: dict[str, Any], sentence: str) -> None:
    place.hostvars["desk2"] = variables("desk2", "0" * 64)
    found = place.run(**arguments)
    assert found["failed"] and sentence in found["msg"] and "\n" not in found["msg"]
    assert list(place.folder.iterdir()) == []


def test_ended_ones_are_not_started_again(place: Place) -> None:
    place.repository = Repository({}, {"editor-2": replace(DOCUMENT, state=State("stopped", 0))}, lambda _path: True)
    found = place.run(command="start", name="editor-2")
    assert found["msg"] == "The rollout editor-2 is stopped already; end it, or take another name."


def test_a_look_at_all_of_them(place: Place) -> None:
    found = place.run(rollout_info)
    assert not found["changed"]
    assert found["rollouts"]["editor-2"]["changes"] == ["editor: 1.0 becomes 2.0"]
    assert (
        found["rollouts"]["editor-2"]["rings"][0]["waiting"]
        == "0 of 1 hosts have taken the change; nothing is known of desk1"
    )


def test_what_two_rings_should_not_have_alike(place: Place) -> None:
    def between(*rings: str, name: str = "editor-2") -> dict[str, Any]:
        return place.run(rollout_info, name=name, between=list(rings))

    assert between("pilots", "rest")["differences"] == [{"package": "editor", "pilots": "2.0", "rest": "1.0"}]
    assert between("rest", "pilots")["differences"] == [{"package": "editor", "rest": "1.0", "pilots": "2.0"}]
    assert "differences" not in place.run(rollout_info)
    for state in (State("pending"), State("rolling_back", 0), State("done", 1), State("running", 1)):
        place.repository = Repository({}, {"editor-2": replace(DOCUMENT, state=state)}, lambda _path: True)
        assert between("pilots", "rest")["differences"] == []
    coming = replace(DOCUMENT, before={})
    place.repository = Repository({}, {"editor-2": coming}, lambda _path: True)
    assert between("pilots", "rest")["differences"] == [{"package": "editor", "pilots": "2.0", "rest": ""}]


@pytest.mark.parametrize(
    ("name", "rings", "sentence"),
    [
        ("x", ["pilots", "rest"], "The repository has no rollout x; there are: editor-2."),
        (None, ["pilots", "rest"], "The repository has no rollout without a name; there are: editor-2."),
        ("editor-2", ["pilots", "tenth"], "The rollout editor-2 has no ring tenth; there are: pilots, rest."),
        (
            "editor-2",
            ["pilots"],
            "A difference is between two rings of the rollout editor-2; name two of pilots, rest.",
        ),
        (
            "editor-2",
            ["rest", "rest"],
            "A difference is between two rings of the rollout editor-2; name two of pilots, rest.",
        ),
    ],
)
def test_rings_that_cannot_be_compared(place: Place, name: str | None, rings: list[str], sentence: str) -> None:
    found = place.run(rollout_info, name=name, between=rings)
    assert found["failed"] and found["msg"] == sentence
