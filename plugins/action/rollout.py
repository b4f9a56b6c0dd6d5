# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the next step of rollouts, by what hosts reported; signing and publishing is left to package_change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BadInput, BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.rollout import Host
from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
    authority_files,
    downgrades,
    publishable,
    rollout_document,
    rollout_figures,
    rollout_progress,
    rollout_repository,
    rollout_start,
    root_ceremony,
)
from ansible_collections.bocage.fleet.plugins.module_utils._packages.rollout_document import RolloutDocument
from ansible_collections.bocage.fleet.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.bocage.fleet.plugins.plugin_utils.rollout_hosts import rollout_hosts
from ansible_collections.bocage.fleet.plugins.plugin_utils.rollout_repository import read_repository
from ansible_collections.bocage.fleet.plugins.plugin_utils.rollout_text import changes, line, status


@dataclass
class Work:
    """What a run is about, and what it found to do."""

    given: Mapping[str, Any]
    repository: rollout_repository.Repository
    hosts: Sequence[Host]
    reports: Mapping[str, rollout_progress.Report]
    now: datetime
    files: list[dict[str, str]] = field(default_factory=list)
    packages: list[dict[str, str]] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    upgrade: set[str] = field(default_factory=set)
    audit: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    rollouts: dict[str, Any] = field(default_factory=dict)

    def sign(self, ticket: downgrades.Ticket) -> Mapping[str, Any]:
        phrase = authority_files.read_passphrase(Path(self.given["passphrase_file"] or ""))
        key = root_ceremony.read_ticket_key(Path(self.given["ticket_key_file"]), phrase)
        return downgrades.sign(ticket, key)

    @property
    def signs(self) -> rollout_start.SignTicket | None:
        return self.sign if self.given["ticket_key_file"] else None

    @cached_property
    def ticket_keys(self) -> Sequence[bytes]:
        """Those whose tickets hosts believe; a rollout that signs none needs none."""
        return root_ceremony.ticket_keys(Path(self.given["trust_directory"])) if self.signs else ()


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            {
                "command": {
                    "type": "str",
                    "choices": ["start", "step", "end", "pause", "resume", "abort", "roll_back"],
                    "default": "step",
                },
                "name": {"type": "str"},
                "definition": {"type": "dict", "default": {}},
                "exported": {"type": "path", "required": True},
                "trust_directory": {"type": "path", "required": True},
                "output_directory": {"type": "path", "required": True},
                "ticket_key_file": {"type": "path", "no_log": False},
                "passphrase_file": {"type": "path", "no_log": False},
                "reason": {"type": "str", "default": "by hand"},
                "keep_packages": {"type": "bool", "default": False},
            }
        )
        try:
            hosts, reports = rollout_hosts(task_vars or {})
            work = Work(
                given, read_repository(given["exported"], given["trust_directory"]), hosts, reports, timestamps.now()
            )
            carry_out(work)
        except (BocageError, OSError) as error:
            return {**result, "failed": True, "msg": str(error)}
        for one in work.lines:
            self._display.display(one)
        changed = bool(work.files or work.retired)
        result.update(
            changed=changed,
            files=work.files,
            packages=work.packages,
            retired=work.retired,
            upgrade=sorted(work.upgrade),
            audit=sorted(work.audit - work.upgrade),
            rollouts=work.rollouts,
            active=sorted(name for name, one in work.rollouts.items() if one["phase"] in ("running", "rolling_back")),
        )
        if changed:
            result["diff"] = {"before": "", "after": "".join(f"{one}\n" for one in work.lines)}
        return result


def carry_out(work: Work) -> None:
    """What is asked for, of one rollout or, for a step, of all. Raises BocageError before anything is written."""
    command, name = work.given["command"], work.given["name"]
    known = work.repository.rollouts
    if command != "step" and not name:
        raise BadInput(f"The command {command} needs the name of a rollout.")
    if command not in ("start", "step") or (name and command == "step"):
        work.repository.rollout(name)
    documents = {}
    for one, document in sorted(known.items()):
        if command == "step" and name in (None, "", one):
            documents[one] = document
        elif one == name:
            documents[one] = end(work, document) if command == "end" else by_hand(work, document)
    if command == "start" and name not in known:
        documents[name] = started(work)
    for one, document in documents.items():
        if document is not None:
            take_step(work, one, document)


def by_hand(work: Work, document: RolloutDocument) -> RolloutDocument:
    """A rollout that is there and started again goes on: a run that was cut off is finished by running it again."""
    command = work.given["command"]
    if command == "start":
        if document.state.ended:
            raise BadInput(
                f"The rollout {document.name} is {document.state.phase.replace('_', ' ')} already; end it, or take another name."
            )
        return document
    return rollout_progress.command(document, command, work.now, work.given["reason"])


def end(work: Work, document: RolloutDocument) -> None:
    """Nothing is held back any more; what was not for all goes with it, unless it shall stay."""
    if not document.state.ended:
        raise BadInput(
            f"The rollout {document.name} is {document.state.phase.replace('_', ' ')}; abort it or roll it back before it is ended."
        )
    work.retired.append(f"rollouts/{document.name}.json")
    if document.state.phase != "done" and not work.given["keep_packages"]:
        work.retired += work.repository.paths_of(document)
    work.lines.append(f"{document.name}: ended; {', '.join(work.retired)} retired")


def started(work: Work) -> RolloutDocument:
    given = dict(work.given["definition"])
    files = [_file(one) for one in given.pop("files", [])]
    requests = given.pop("packages", [])
    additions = publishable.packages(
        [(Path(one["file"]), one["site"]) for one in files],
        lambda: publishable.estate_trust(Path(work.given["trust_directory"])),
        work.now,
        work.repository.may_execute,
    )
    document = rollout_start.start(
        work.given["name"],
        given,
        requests,
        work.repository.packages(additions),
        work.hosts,
        work.repository.rollouts.values(),
        work.now,
        work.signs,
        rollout_figures.names(one.sections for one in work.reports.values()),
        work.ticket_keys,
    )
    work.packages += files
    work.lines += [f"{document.name}: {one}" for one in changes(document)]
    return document


def _file(given: Any) -> dict[str, str]:
    """A package to publish, by its full path: who signs and publishes works in another folder."""
    one = given if isinstance(given, Mapping) else {"file": given}
    if "file" not in one or set(one) - {"file", "site"}:
        raise BadInput("A file of the rollout is neither a path nor one with file and site; correct its definition.")
    return {"file": str(Path(str(one["file"])).expanduser().absolute()), "site": str(one.get("site", ""))}


def take_step(work: Work, name: str, document: RolloutDocument) -> None:
    progress = rollout_progress.advance(document, work.hosts, work.reports, work.now, work.signs, work.ticket_keys)
    known = work.repository.rollouts.get(name)
    if known is None or rollout_document.render(progress.document) != rollout_document.render(known):
        path = Path(work.given["output_directory"]) / f"{name}.json"
        path.write_bytes(rollout_document.render(progress.document))
        work.files.append({"path": f"rollouts/{name}.json", "file": str(path)})
    work.upgrade |= {*progress.step.change, *progress.step.undo}
    work.audit |= set(progress.audit)
    found = status(progress.document, work.hosts, work.reports, work.now)
    work.rollouts[name] = found
    work.lines.append(line(name, found, progress.step.health))
