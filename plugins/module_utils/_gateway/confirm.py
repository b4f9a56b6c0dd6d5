# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies a ruleset that reverts by itself unless a new connection confirms it.

``active.nft`` is what a boot loads and is replaced only on confirmation, so a
reboot in between reverts, too. The timer runs ``revert.sh``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common.atomic import write_file
from .._common.commands import Run, must
from .._common.confirm import start_timer, stop_timer
from .._common.errors import BocageError
from .additions import FOLDER, Addition, blamed
from .ruleset import TABLE

TIMER = "bocage-nftables-revert"
_REFUSED = "nft refuses the planned ruleset, and nothing was changed: {said}"
_REVERT = """\
# Managed by Bocage: takes back a firewall change that nobody confirmed.
nft -f '{previous}' && rm -f '{pending}'
"""


@dataclass(frozen=True)
class Paths:
    """Files of the ruleset in one folder."""

    folder: Path

    @property
    def active(self) -> Path:
        return self.folder / "active.nft"

    @property
    def pending(self) -> Path:
        return self.folder / "pending.nft"

    @property
    def previous(self) -> Path:
        return self.folder / "previous.nft"

    @property
    def additions(self) -> Path:
        return self.folder / FOLDER

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def revert(self) -> Path:
        return self.folder / "revert.sh"


def live_digest(run: Run) -> str | None:
    """Digest of the live table without its counters, or None where the table is absent."""
    status, output, _error = run(["nft", "--stateless", "list", "table", "inet", TABLE])
    return hashlib.sha256(output.encode()).hexdigest() if status == 0 else None


def read_state(paths: Paths) -> dict[str, Any]:
    if not paths.state.exists():
        return {}
    try:
        state: dict[str, Any] = json.loads(paths.state.read_text())
    except ValueError:
        # a broken note of what was applied only costs one application more
        return {}
    return state


def differs(paths: Paths, ruleset: str, run: Run) -> bool:
    """Whether the file or the live table is not what is desired."""
    if not paths.active.exists() or paths.active.read_text() != ruleset or paths.pending.exists():
        return True
    return live_digest(run) != read_state(paths).get("live_digest")


def check(paths: Paths, ruleset: str, additions: Sequence[Addition], run: Run) -> None:
    """Let nft read the ruleset without loading it; raises BocageError that names the addition which is wrong."""
    with tempfile.TemporaryDirectory(prefix="bocage-") as folder:
        planned = Path(folder) / "planned.nft"
        planned.write_text(ruleset)
        status, output, error = run(["nft", "--check", "--file", str(planned)])
    if status != 0:
        said = (error or output).strip()
        raise BocageError(blamed(ruleset, said, additions, paths.additions) or _REFUSED.format(said=said))


def apply_pending(paths: Paths, ruleset: str, run: Run, confirm_seconds: int) -> str:
    """Load the ruleset, with a timer that takes it back; returns the token that confirms it.

    A change that an earlier run left unconfirmed is taken back first: one at a time.
    """
    if paths.pending.exists():
        stop_timer(run, TIMER)
        must(
            run, ["sh", str(paths.revert)], "The unconfirmed firewall change of an earlier run could not be taken back"
        )
    token = secrets.token_hex(8)
    paths.folder.mkdir(parents=True, exist_ok=True)
    live = live_digest(run)
    if live is not None and live == read_state(paths).get("live_digest") and paths.active.exists():
        # the file, not a listing of it: nft lists a reloaded listing in other words, which would look like a change
        previous = paths.active.read_text()
    else:
        previous = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
        if live is not None:
            previous += must(
                run,
                ["nft", "--stateless", "list", "table", "inet", TABLE],
                "The present firewall table could not be read",
            )
    write_file(paths.previous, previous.encode(), 0o644)
    write_file(paths.revert, _REVERT.format(previous=paths.previous, pending=paths.pending).encode(), 0o644)
    # the last one: where it exists, there is a way back
    write_file(paths.pending, ruleset.encode(), 0o644)
    status, output, error = run(["nft", "--check", "--file", str(paths.pending)])
    if status != 0:
        paths.pending.unlink()
        raise BocageError(_REFUSED.format(said=(error or output).strip()))
    if confirm_seconds:
        start_timer(
            run,
            TIMER,
            confirm_seconds,
            paths.revert,
            "The timer that takes a firewall change back could not be started, and nothing was changed",
        )
    must(run, ["nft", "--file", str(paths.pending)], "nft could not load the planned ruleset")
    state = {**read_state(paths), "token": token, "pending_digest": live_digest(run)}
    write_file(paths.state, json.dumps(state).encode(), 0o644)
    return token


def confirm(paths: Paths, token: str, run: Run) -> None:
    """Make the pending ruleset the one that boots; raises BocageError where it was already taken back."""
    taken_back = BocageError(
        "The firewall change was already taken back on this host, because no new connection confirmed it in time."
    )
    state = read_state(paths)
    if not paths.pending.exists() or state.get("token") != token:
        raise taken_back
    stop_timer(run, TIMER)
    # the timer may have fired just before it was stopped
    digest = live_digest(run)
    if not paths.pending.exists() or digest is None or digest != state.get("pending_digest"):
        raise taken_back
    write_file(paths.state, json.dumps({"live_digest": digest}).encode(), 0o644)
    paths.pending.replace(paths.active)
    clear_way_back(paths)


def clear_way_back(paths: Paths) -> None:
    """Remove what only an unconfirmed change needs, also what an interruption or an earlier release left of it."""
    if not paths.pending.exists():
        for left in (paths.revert, paths.previous):
            left.unlink(missing_ok=True)
