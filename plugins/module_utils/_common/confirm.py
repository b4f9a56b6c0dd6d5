# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of a host that is taken back by itself unless a new connection confirms it.

The way back is written before the change: a script, beside the files that it needs, which a timer runs and each
boot. Who renames the file ``pending`` decides: the confirmation or the script, never both.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .atomic import sync_directory, write_file
from .commands import Run, must
from .errors import BocageError

_HEAD = """\
#!/bin/sh
# Managed by Bocage: takes back a change of {what} that nobody confirmed. At boot with the argument boot.
cd {folder} || exit 1
mv pending reverting 2>/dev/null
[ -e reverting ] || exit 0
"""


def start_timer(run: Run, unit: str, seconds: int, script: Path, about: str) -> None:
    """Run the script once after so many seconds; raises BocageError with ``about`` where systemd does not take it."""
    run(["systemctl", "reset-failed", f"{unit}.timer", f"{unit}.service"])
    must(
        run,
        ["systemd-run", "--quiet", f"--unit={unit}", f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms",
         "/bin/sh", str(script)],
        about,
    )  # fmt: skip


def stop_timer(run: Run, unit: str) -> None:
    run(["systemctl", "stop", f"{unit}.timer", f"{unit}.service"])


@dataclass(frozen=True)
class WayBack:
    """The folder with the script, and the name of the timer that runs it; ``what`` is changed, in words."""

    folder: Path
    timer: str
    what: str

    @property
    def pending(self) -> Path:
        return self.folder / "pending"

    @property
    def script(self) -> Path:
        return self.folder / "revert.sh"

    @property
    def files(self) -> Path:
        """Where the script finds the files of before."""
        return self.folder / "files"

    @property
    def unfinished(self) -> bool:
        return self.pending.exists() or (self.folder / "reverting").exists()

    def take_back(self, run: Run) -> None:
        """Take back what an earlier run left unconfirmed: one change at a time."""
        if self.unfinished:
            stop_timer(run, self.timer)
            must(
                run,
                ["sh", str(self.script)],
                f"The unconfirmed change of {self.what} of an earlier run could not be taken back",
            )

    def prepare(self, run: Run, body: str, files: Mapping[str, bytes], seconds: int) -> str:
        """Write the way back and start its timer, before anything is changed; returns the token that confirms.

        ``body`` are commands for sh, which find ``files`` in the folder of that name.
        """
        self.discard()
        self.files.mkdir(parents=True)
        self.folder.chmod(0o700)
        for name, content in files.items():
            write_file(self.files / name, content, 0o644)
        head = _HEAD.format(what=self.what, folder=shlex.quote(str(self.folder)))
        # what is deleted while sh reads it stays readable
        tail = f"rm -f reverting\ncd / && rm -rf {shlex.quote(str(self.folder))}\n"
        write_file(self.script, f"{head}{body}{tail}".encode(), 0o644)
        token = secrets.token_hex(8)
        # the last one: where it exists, there is a way back
        write_file(self.pending, token.encode(), 0o600)
        try:
            start_timer(
                run, self.timer, seconds, self.script,
                f"The timer that takes a change of {self.what} back could not be started, and nothing was changed",
            )  # fmt: skip
        except BocageError:
            self.discard()
            raise
        return token

    def confirm(self, run: Run, token: str) -> None:
        """Keep the change; raises BocageError where it was already taken back."""
        confirmed = self.folder / "confirmed"
        try:
            if self.pending.read_text() != token:
                raise FileNotFoundError
            # the script, which may begin at this moment, renames the same file
            self.pending.rename(confirmed)
        except FileNotFoundError as error:
            raise BocageError(
                f"The change of {self.what} was already taken back on this host, "
                "because no new connection confirmed it in time; correct what cut the controller off and run again."
            ) from error
        sync_directory(self.folder)
        stop_timer(run, self.timer)
        self.discard()

    def discard(self) -> None:
        """Remove what only an unconfirmed change needs; a script that is cut short finds nothing to do."""
        self.pending.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
