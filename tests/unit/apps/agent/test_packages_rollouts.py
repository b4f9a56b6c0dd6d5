# SPDX-License-Identifier: GPL-3.0-or-later
"""Several rollouts speak of one host, and each package has one of them to keep to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bocage_agent.packages_rollouts import keep_to
from bocage_core._common.rollout import State
from bocage_core._packages.rollout_document import Locked, RolloutDocument, render

OLD, NEW = Locked("1.0-1", ("a" * 64,)), Locked("2.0-1", ("b" * 64,))
NOW = datetime(2026, 11, 22, tzinfo=UTC)
DEFINITION = {
    "name": "editor-2",
    "salt": "salt",
    "rings": [{"name": "pilots", "hosts": ["desk1"]}, {"name": "rest", "share_percent": 100}],
    "gates": {"failed_percent": "0.5"},
    "expires": "2026-12-01T00:00:00Z",
}
DOCUMENT = RolloutDocument(
    definition=DEFINITION,
    state=State("running", 0),
    before={"editor": OLD},
    after={"editor": NEW, "editor-plugin": Locked("1-0", ("c" * 64,))},
    tickets=({"payload": "x"},),
)


def test_several_rollouts() -> None:
    """The one that names a package first, by name, has it."""
    second = replace(
        DOCUMENT,
        definition={**DEFINITION, "name": "other"},
        state=State(),
        before={"browser": OLD, "editor": NEW},
        after={},
    )
    documents = [(f"rollouts/{one.name}.json", render(one)) for one in (second, DOCUMENT)]
    found = {
        name: (version, reason)
        for name, (version, _sha, reason) in keep_to(documents, "id-2", "desk2", "", NOW, {}).versions.items()
    }
    assert found == {
        "editor": ("1.0-1", "rollout editor-2, ring rest"),
        "browser": ("1.0-1", "rollout other, ring rest"),
    }
