# SPDX-License-Identifier: GPL-3.0-or-later
"""The process in which a package's setup.py runs; it knows nothing of the agent and ends when the agent ends.

It gets one line of JSON on its standard input: `hook`, `folder` (where the package lies), `work` (where it writes
`result.json` and `undo.jsonl`), `control`, `undo` and `session`. The result is written before it ends, so that an agent
that was killed meanwhile finds it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
import types
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from . import packages_hooks

HOOKS = ("install", "uninstall", "session_setup", "audit", "update_package")
# The package that is the agent itself, as agent_trial.py has it.
AGENT = "bocage-agent"
AUDITS = ("OK", "WARNING", "ERROR")
RESULT = "result.json"
_MAX_REQUEST = 16 * 1024 * 1024


def main() -> int:
    asked = sys.stdin.buffer.readline(_MAX_REQUEST)
    if not asked.endswith(b"\n"):
        return 1  # the agent ended before it had asked
    request = json.loads(asked)
    work = Path(request["work"])
    threading.Thread(target=_end_with_the_agent, daemon=True).start()
    # what the package of the agent uses is loaded while it can be
    more = of_the_agent(request, work)
    # what the agent itself is made of is not the package's to import
    sys.path[:] = [*(one for one in sys.path if one != request["library"]), request["folder"]]
    sys.dont_write_bytecode = True
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    os.chdir(request["folder"])
    try:
        value = call(request, work, more)
    except packages_hooks.Failed as error:
        result = {"ok": False, "value": None, "reason": str(error)}
    except SystemExit as error:
        result = {"ok": error.code in (0, None), "value": None, "reason": f"setup.py ended with status {error.code}"}
    except BaseException as error:
        # the whole story goes to the journal, one sentence to the report
        traceback.print_exc(file=sys.stdout)
        result = {"ok": False, "value": None, "reason": f"{type(error).__name__}: {error}"[:500]}
    else:
        result = {"ok": True, "value": value, "reason": ""}
    sys.stdout.flush()
    _write(work / RESULT, result)
    return 0 if result["ok"] else 1


def of_the_agent(request: dict[str, Any], work: Path) -> dict[str, Any]:
    """Further names for the package that is the agent; none for others."""
    if request["control"].get("package") != AGENT:
        return {}
    from bocage_core._common.errors import BocageError

    from . import agent_update

    # the state of packages, in which the work folder is
    folder = work.parents[1] / "agent"

    def update_agent() -> None:
        """Put the agent of this package on trial."""
        try:
            print(agent_update.update(Path(request["folder"]), str(request["control"]["version"]), folder), flush=True)
        except BocageError as error:
            raise packages_hooks.Failed(str(error)) from error

    def release_agent() -> None:
        """Let roles look after the agent again."""
        try:
            print(agent_update.release(folder), flush=True)
        except BocageError as error:
            raise packages_hooks.Failed(str(error)) from error

    return {"update_agent": update_agent, "release_agent": release_agent}


def call(request: dict[str, Any], work: Path, more: Mapping[str, Any] = MappingProxyType({})) -> str | None:
    """Run one hook; None where setup.py has no such hook."""
    names = packages_hooks.names(
        Path(request["folder"]), work, request["control"], recording=request["hook"] == "install"
    )
    setup = Path(request["folder"]) / "setup.py"
    namespace: dict[str, Any] = {**names, **more, "__name__": "setup", "__file__": str(setup)}
    _offer_helpers_by_name(names)
    hook = None
    if setup.is_file():
        exec(compile(setup.read_bytes(), str(setup), "exec"), namespace)  # noqa: S102  # what this process is for
        hook = namespace.get(request["hook"])
    if hook is None:
        if request["hook"] == "uninstall":
            packages_hooks.undo(names, request["undo"])
        return None
    answer = hook()
    if request["hook"] == "audit":
        word = "OK" if answer in (None, True) else "ERROR" if answer is False else str(answer).upper()
        if word not in AUDITS:
            raise packages_hooks.Failed(f"audit answered {word[:60]!r} instead of OK, WARNING or ERROR")
        return word
    if answer is False or (isinstance(answer, str) and answer.upper() == "ERROR"):
        raise packages_hooks.Failed(f"{request['hook']} answered {answer!r}")
    if request["hook"] == "uninstall":
        packages_hooks.undo(names, request["undo"])
    return None if answer is None else str(answer)[:200]


def _offer_helpers_by_name(names: dict[str, Any]) -> None:
    """The module that packages made for WAPT import their helpers from."""
    module = types.ModuleType("setuphelpers")
    module.__dict__.update(names)
    sys.modules["setuphelpers"] = module


def _end_with_the_agent() -> None:
    """The agent holds the other end of the standard input as long as it lives."""
    while os.read(0, 4096):
        continue
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _write(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    with temporary.open("w") as stream:
        json.dump(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
