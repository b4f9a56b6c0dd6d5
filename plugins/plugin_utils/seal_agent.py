# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls the agent that is installed on a host over the connection of a task: one remote command, no module."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError

SEALS = "/var/lib/bocage/seals"
AGENT = "/opt/bocage/agent/current/bin/bocage-agent"


class AgentSilent(BocageError):
    """No answer that could be used; the message says why, in words that follow a colon."""


class AgentMissing(AgentSilent):
    """There is no agent, or one of before it knew seals."""


def ask_agent(action: ActionBase, arguments: list[str], question: Mapping[str, Any]) -> dict[str, Any]:
    """The agent's answer to a question on its standard input; raises AgentSilent where there is none."""
    done = _execute(action, " ".join([AGENT, *arguments]), json.dumps(question) + "\n")
    # 127: no such file. 2: argparse, of an agent that is older than the verb.
    if done["rc"] in (2, 126, 127):
        raise AgentMissing("no agent that knows seals is on the host yet")
    if done["rc"] != 0:
        words = (done["stderr"] or done["stdout"]).strip().splitlines() or ["no reason given"]
        raise AgentSilent(words[-1])
    try:
        answer = json.loads(done["stdout"])
    except ValueError as error:
        raise AgentSilent(f"the answer of its agent is not JSON ({error})") from error
    if not isinstance(answer, dict):
        raise AgentSilent("the answer of its agent is not an object")
    return answer


def remove_seals(action: ActionBase, roles: Iterable[str]) -> None:
    """Remove seals past an agent that cannot do it: what runs now must not be called sealed if it fails."""
    paths = [action._connection._shell.quote(f"{SEALS}/{role}.json") for role in roles]
    action._low_level_execute_command(" ".join(["rm", "-f", "--", *paths]))


def _execute(action: ActionBase, command: str, question: str) -> dict[str, Any]:
    """One remote command, with the question on its standard input where the connection passes that on."""
    done: dict[str, Any]
    if action._connection.has_pipelining:
        done = action._low_level_execute_command(command, in_data=question.encode())
        return done
    folder = action._make_tmp_path()
    path = action._connection._shell.join_path(folder, "question.json")
    action._transfer_data(path, question)
    done = action._low_level_execute_command(f"{command} < {action._connection._shell.quote(path)}")
    action._remove_tmp_path(folder)
    return done
