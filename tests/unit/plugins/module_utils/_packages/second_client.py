# SPDX-License-Identifier: GPL-3.0-or-later
"""tuf-js, a client of repositories that others wrote, as a reader of ours; `make test-unit` installs it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[5]
PROGRAM = ROOT / "tests/tuf-js/client.mjs"
MODULES = ROOT / "build/tuf-js"
_LEAST = (20, 17)


def missing() -> str:
    """Why it cannot run here, or ""; where node is there and tuf-js is not, that is a failure and no reason."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed here, so tuf-js cannot run"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    found = re.fullmatch(r"v(\d+)\.(\d+)\..*", said)
    if found is None or (int(found[1]), int(found[2])) < _LEAST:
        return f"tuf-js needs node 20.17, and {said} is installed here"
    if not (MODULES / ".installed").exists() and shutil.which("npm") is None:
        return "npm is not installed here, which would bring tuf-js"
    return ""


@dataclass(frozen=True)
class Answer:
    error: str
    message: str
    targets: dict[str, Path | None]


class SecondClient:
    """A host that trusts a root and keeps what it learned."""

    def __init__(self, folder: Path, root: bytes) -> None:
        self.metadata, self.downloads = folder / "metadata", folder / "downloads"
        for one in (self.metadata, self.downloads):
            one.mkdir(parents=True)
        (self.metadata / "root.json").write_bytes(root)

    def update(self, url: str, *targets: str) -> Answer:
        options = {"modules": str(MODULES), "metadata": str(self.metadata), "downloads": str(self.downloads)}
        given = json.dumps({**options, "url": url, "targets": targets})
        ended = subprocess.run(
            ["node", str(PROGRAM)], input=given, capture_output=True, text=True, check=False, timeout=60
        )
        if ended.returncode:
            raise AssertionError(f"tuf-js did not run; `make {MODULES.relative_to(ROOT)}/.installed`: {ended.stderr}")
        said = json.loads(ended.stdout)
        found = {path: None if file is None else Path(file) for path, file in said["targets"].items()}
        return Answer(said.get("error", ""), said.get("message", ""), found)

    def version(self, role: str) -> int:
        """The version of a role that it believes."""
        return int(json.loads((self.metadata / f"{role}.json").read_bytes())["signed"]["version"])
