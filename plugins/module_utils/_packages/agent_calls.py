# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How packages of a host are asked of its agent: the words of a call, and what the answer means. Nothing is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._common.commands import answer_of, last_line
from .._common.errors import BadInput, BocageError
from .requests import parse_requests

AGENT = "/opt/bocage/agent/current/bin/bocage-agent"
_VERBS = {"present": "install", "latest": "install", "absent": "remove", "forgotten": "forget"}
_REFUSED = re.compile(r"Refused \(([a-z_]+)\): ")
_FAULTY = ("ERROR", "MISSING")
_MOST_PROBLEMS = 5


def words(state: str, requests: Sequence[str], *, update: bool, wait_seconds: float, plan: bool) -> list[str]:
    """The agent's words for a state of packages. Raises BadInput for what no agent would understand."""
    named = [str(one) for text in requests for one in parse_requests(text)]
    if not named and state != "latest":
        raise BadInput(f"No package is named for the state {state}; give name.")
    verb = _VERBS[state] if named else "upgrade"
    if verb in ("remove", "forget") and (bounded := [one for one in named if "(" in one]):
        raise BadInput(f"{bounded[0]} has a version, and a package is {state} in whatever version; name it alone.")
    options = ["--json", "--quiet", f"--wait={wait_seconds:g}"]
    options += ["--plan"] if plan else []
    options += ["--ensure"] if verb != "upgrade" and state != "latest" else []
    options += ["--no-update"] if verb in ("install", "upgrade") and not update else []
    # one word for all that is asked of one package, in the order in which packages were named
    together: dict[str, list[str]] = {}
    for one in named:
        together.setdefault(one.partition("(")[0], []).append(one)
    return [AGENT, verb, *options, *(["--"] if named else []), *(",".join(same) for same in together.values())]


def read(status: int, output: str, error: str) -> dict[str, Any]:
    """What the agent answered. Raises BocageError with its own sentence where it did nothing."""
    document = answer_of(output)
    if document is not None:
        if "error" in document:
            raise BocageError(str(document["error"]))
        return document
    if status == 2 and "unrecognized arguments" in error:
        raise BocageError(
            "The agent of this host is older than this module and does not know what it asks; run playbooks/packages.yml."
        )
    last = last_line(error).removeprefix("bocage-agent: ") or "it said nothing"
    raise BocageError(f"The agent of this host ended with {status} and no answer: {last}")


def check(*, there: bool, administrator: bool) -> None:
    """Raise BocageError where nobody would answer."""
    if not there:
        raise BocageError(f"There is no agent on this host: {AGENT} is missing; run playbooks/packages.yml for it.")
    if not administrator:
        raise BadInput("The agent is asked as root; give the task become: true.")


def is_changed(document: Mapping[str, Any]) -> bool:
    requests = document["requests"]
    return bool(document["changes"]) or requests["before"] != requests["after"]


def difference(document: Mapping[str, Any]) -> dict[str, str]:
    """Versions, and what is asked for on the host, before and after: of what changes alone."""
    requests = document["requests"]
    asked = {
        side: [
            f"asked for: {request}"
            for name, request in sorted(requests[side].items())
            if requests["before"].get(name) != requests["after"].get(name)
        ]
        for side in ("before", "after")
    }
    versions = {
        side: [_version(one, side) for one in document["changes"] if one[side] is not None]
        for side in ("before", "after")
    }
    return {side: "".join(f"{line}\n" for line in (*versions[side], *asked[side])) for side in ("before", "after")}


def _version(change: Mapping[str, Any], side: str) -> str:
    again = " (installed again)" if side == "after" and change["action"] == "reinstall" else ""
    left = " (left on the host)" if side == "before" and change["action"] == "forget" else ""
    return f"{change['package']} {change[side]}{again}{left}"


def failure(document: Mapping[str, Any], named: Iterable[str]) -> str:
    """Why not all is as it was asked for, as one sentence for each package; empty where all is."""
    if document["good"]:
        return ""
    problems = {one["package"]: one for one in document["problems"]}
    chosen = [name for name in named if name in problems] if document["verb"] == "install" else list(problems)
    for name in chosen:
        # whom the failure of another one failed
        chosen += [one for one in problems if one not in chosen and f" {one}," in f"{problems[name]['reason']},"]
    said = [f"{name}: {problems[name]['state']}: {problems[name]['reason']}" for name in chosen[:_MOST_PROBLEMS]]
    if len(chosen) > _MOST_PROBLEMS:
        said.append(f"and {len(chosen) - _MOST_PROBLEMS} more")
    return "; ".join(said or [document["last_problem"] or "the agent says only that not all went well"])


def names(requests: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(one.package for text in requests for one in parse_requests(text)))


def with_codes(problems: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Problems with the code of the rule that refused the package, where one did."""
    found = [(one, _REFUSED.match(one.get("reason") or "")) for one in problems]
    return [{**one, "code": match[1] if match else ""} for one, match in found]


def information(state: Mapping[str, Any]) -> dict[str, Any]:
    """All that an agent says of packages (`packages --json`), in the form of the module package_info."""
    packages = {name: {**one, "reason": one["reason"] or ""} for name, one in state["packages"].items()}
    faulty = [{"package": name, **one} for name, one in packages.items() if one["state"] in _FAULTY]
    due = {
        name: {"state": one["state"], "version": one["version"], "wanted": one["wanted"] or None}
        for name, one in packages.items()
        if one["state"].startswith("NEED-")
    }
    return {
        "versions": {name: one["version"] for name, one in packages.items() if one["version"] is not None},
        "packages": packages,
        "due": due,
        "problems": with_codes(
            [{key: one[key] for key in ("package", "state", "version", "wanted", "reason")} for one in faulty]
        ),
        "audits": {
            name: {"answer": one["audit"], "reason": one["audit_reason"], "at": one["audited_at"]}
            for name, one in packages.items()
            if one["audit"]
        },
        "requests": dict(state["requests"]),
        "history": list(state.get("history", [])),
        "refused": list(state.get("refused", [])),
        "interrupted": list(state.get("interrupted", [])),
        "rollouts": dict(state.get("rollouts", {})),
        "metadata": dict(state["metadata"]),
        "last_update_at": state["last_update_at"],
        "last_problem": state["last_problem"],
    }
