# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the container of `bocage-package test`: the hooks of a package, as the agent on a host runs them.

It is given to the container's Python as text, with one JSON document as its argument; the agent's own runner lies in
the container, so that helpers, limits and what is noted for the removal are those of a host.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

PLACES = ("/etc", "/opt", "/srv", "/usr/local", "/var/lib/systemd")
_WORK = Path("/var/tmp/bocage-test")  # noqa: S108  # of a container that nobody else is in


def main() -> int:
    request = json.loads(sys.argv[1])
    sys.path.insert(0, request["library"])
    from importlib import import_module

    # of the agent, which is beside it in the container alone
    runner = import_module("bocage_agent.packages_runner")
    content = _WORK / "content"
    shutil.copytree(request["content"], content)
    before = files()
    steps: list[dict[str, Any]] = []
    undo: Any = ()
    for name in ("install", "audit", "uninstall"):
        work = _WORK / name
        work.mkdir()
        hook = runner.Hook(name, request["package"], request["version"], content, work, request["control"], undo)
        print(f"== {name}", file=sys.stderr, flush=True)
        begun = time.monotonic()
        outcome = runner.Runner().run(hook, request["seconds"], lambda text: print(text, file=sys.stderr, flush=True))
        ok = outcome.ok and not (name == "audit" and outcome.value == "ERROR")
        steps.append(
            {
                "step": name,
                "ok": ok,
                "reason": outcome.reason or ("" if ok else "audit answered ERROR"),
                "answer": outcome.value,
                "seconds": round(time.monotonic() - begun, 1),
            }
        )
        if name == "install":
            undo = outcome.undo
    left = sorted(files() - before)
    print(json.dumps({"steps": steps, "left_behind": left[:200]}))
    return 0


def files() -> set[str]:
    """All files where a package could leave some behind."""
    return {f"{place}/{name}" for top in PLACES for place, _folders, names in os.walk(top) for name in names}


if __name__ == "__main__":
    sys.exit(main())
