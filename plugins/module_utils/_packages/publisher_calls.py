# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a publisher or a copy is asked, by its own programs: the words of a call, and what the answer means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._common.commands import answer_of, last_line
from .._common.errors import BadInput, BocageError
from . import repository_ends

PROGRAM = "/opt/bocage/packager/current/bin/bocage-package"
# What a command cannot do without.
NEEDED = {"init": ("change",), "publish": ("change",), "export": ("output",), "replicate": ("upstream",)}
_VERBS = {"init": "commit", "publish": "commit", "keys": "online-keys"}
# These write into the folder of the repository, which belongs to its user.
_AS_USER = frozenset({"init", "publish", "replicate", "refresh"})


def words(options: Mapping[str, Any], *, plan: bool, administrator: bool) -> list[str]:
    """The words of a call. Raises BadInput where an option is missing."""
    command = options["command"]
    for name in NEEDED.get(command, ()):
        if not options[name]:
            raise BadInput(f"The command {command} needs the option {name}.")
    call = [PROGRAM, _VERBS.get(command, command), "--json", *(["--plan"] if plan else [])]
    if command == "keys":
        call += ["--generation", str(options["keys_generation"]), "--repository", options["directory"]]
        call += [options["keys_directory"]]
    elif command == "export":
        call += ["--output", options["output"], options["directory"]]
    elif command == "replicate":
        call += ["--root", options["root"]]
        for source in options["upstream"]:
            call += ["--from", source]
        call += [options["directory"]]
    else:
        call += ["--keys", options["keys_directory"]]
        call += ["--snapshot-days", str(options["snapshot_days"]), "--timestamp-hours", str(options["timestamp_hours"])]
        if command != "refresh":
            call += [*(["--root-first"] if options["root_first"] else []), options["change"]]
        call += [options["directory"]]
    if administrator and command in _AS_USER:
        user = options["user"]
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *call]
    return call


def check(*, there: bool) -> None:
    """Raise BocageError where nobody would answer."""
    if not there:
        raise BocageError(
            f"This host has no programs of the package repository: {PROGRAM} is missing; run playbooks/packages.yml for it."
        )


def read(status: int, output: str, error: str) -> dict[str, Any]:
    """The answer of a call. Raises BocageError with the program's own sentence where it did nothing."""
    document = answer_of(output)
    if document is not None:
        if "Unrecognized arguments" in str(document.get("error")):
            raise BocageError(
                "The programs of this host are older than this module; run playbooks/packages.yml for it."
            )
        if "error" in document:
            raise BocageError(str(document["error"]))
        if status == 0 or "expiries" in document:
            return document
    said = last_line(error) or "nothing said"
    raise BocageError(f"The programs of the package repository ended with {status} and no answer: {said}")


def steps(command: str, document: Mapping[str, Any]) -> list[str]:
    """What was done, or would be, in words; nothing where nothing is new."""
    if not document["changed"]:
        return []
    if command == "keys":
        made = [f"make the key of the {role}" for role in document["made"]]
        return made + [f"remove {name}, which no root names any more" for name in document["removed"]]
    if command == "export":
        return [f"export {document['files']} files of metadata"]
    if command == "replicate":
        return [f"copy up to timestamp {document['timestamp']} from {document['source']}"]
    if command == "refresh":
        finished = ["finish a change that was interrupted"] if document["finished"] else []
        return finished + [f"sign {role} {version}" for role, version in document["written"].items()]
    begun = ["begin the repository"] if document["new"] else []
    brought = [f"take in {document['files']} files"] if document["files"] else []
    return begun + brought + [f"serve the list {name} that was signed" for name in document["lists"]]


def ending(document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Of what is served the clauses for what ended and stops hosts, and for what holders have to sign soon or anew."""
    over, soon = [], []
    for one in document.get("expiries", ()):
        if repository_ends.stops_hosts(one):
            over.append(repository_ends.sentence(one))
        elif one["state"] == "expired" or (one["state"] == "alert" and one["signed_by"] != "publisher"):
            soon.append(repository_ends.sentence(one))
    return over, soon
