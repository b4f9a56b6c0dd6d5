# SPDX-License-Identifier: GPL-3.0-or-later
"""What an assertion of a role or playbook says to certain variables, worked out as Ansible does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
ASSERT = "ansible.builtin.assert"
# The collection's own filters, without Ansible's finder of collections.
NAMESPACE = "bocage.fleet."
filter_loader.add_directory(str(ROOT / "plugins/filter"))


def task_of(path: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one assertion or other task of this name in a file of tasks or plays, and the variables around it."""
    (found,) = [
        (task, variables)
        for task, variables in _tasks(DataLoader().load_from_file(str(ROOT / path)), {})
        if task.get("name") == name and "block" not in task
    ]
    return found


def _tasks(items: Any, around: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for item in items or ():
        variables = {**around, **(item.get("vars") or {})}
        yield item, variables
        for inner in ("tasks", "block", "rescue", "always"):
            yield from _tasks(item.get(inner), variables)


def holds(conditions: Any, variables: Mapping[str, Any]) -> bool:
    """Whether all of them do; the first that does not ends it, as with `until` and `that`."""
    templar = Templar(loader=DataLoader(), variables=dict(variables))
    return all(
        templar.evaluate_conditional(trust_as_template(str(one).replace(NAMESPACE, "")))
        for one in (conditions if isinstance(conditions, list) else [conditions])
    )


def refusal(path: str, name: str, **variables: Any) -> str | None:
    """The sentence with which the assertion fails, or None where it holds."""
    task, around = task_of(path, name)
    known = {**{key: trusted(value) for key, value in around.items()}, **variables}
    if holds(task[ASSERT]["that"], known):
        return None
    templar = Templar(loader=DataLoader(), variables=known)
    return str(templar.template(trust_as_template(task[ASSERT]["fail_msg"])))


def trusted(value: Any) -> Any:
    return trust_as_template(value) if isinstance(value, str) else value
