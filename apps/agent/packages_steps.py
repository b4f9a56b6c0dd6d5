# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing and removing one package in steps, each of which is over or was never begun, whatever ends the agent.

`begun` -> `unpacked` -> `started` (and how it goes again) -> `executed` -> `placed` -> `finished` -> `cleaned`.
Before `started` nothing of the package has run: the next run forgets the attempt, and what was there before goes as it
would have. From `started` on the child's own result, which lies in the work folder, decides; where there is none, the
package is in ERROR and tried again.
"""

from __future__ import annotations

import ast
import errno
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bocage_core._common import atomic, canonical, timestamps
from bocage_core._common.errors import BocageError

from . import agent_trial
from .commands import sentence
from .packages_cache import Cache
from .packages_ports import CONTROL_ONLY, Library
from .packages_runner import Hook, Outcome, Runner, outcome_of, undo_of
from .packages_settings import Limits, rules
from .packages_store import Pending, Record, Row, Store, Uninstall, add_step, put_row, put_uninstall
from .packages_time import TimeLeft

SESSIONS = "sessions"
WORK = "work"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,100}")
_MAX_SETUP = 4 * 1024 * 1024
_MAX_RULES = 1024 * 1024
# Types of packages whose content is read by the agent, and the file that has it.
RULE_FILES = {"selfservice": "selfservice.json", "self-service": "selfservice.json", "policy": "policy.json"}

Line = Callable[[str], None]


class Steps:
    def __init__(
        self,
        store: Store,
        library: Library,
        cache: Cache,
        runner: Runner,
        *,
        folder: Path,
        limits: Limits,
        clock: Callable[[], datetime],
        log: Line,
        after: Callable[[str], None] = lambda step: None,
        time_left: TimeLeft | None = None,
    ) -> None:
        self._store = store
        self._library = library
        self._cache = cache
        self._runner = runner
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._log = log
        self._after = after
        self._time = time_left or TimeLeft()

    def install(self, record: Record) -> bool:
        """Whether the package is installed now; where not, its state is ERROR, with the reason."""
        pending = self._begin(record.name, "install", record.version, record.sha256)
        work = self.work(pending)
        try:
            self._cache.check_hash(record)
            self._cache.need_room(self._folder, _unpacked_size(record), f"{record.name} {record.version}")
            content = _fresh(work)
            self._library.unpack(self._cache.path(record.sha256), record.sha256, content)
            self._done(pending, "unpacked")
            uninstall = self._uninstall(record, content)
            note = "executing" if self._runs(record) else "nothing to execute"
            pending = self._done(pending, "started", note, uninstall)
            outcome = Outcome(True)
            if self._runs(record):
                hook = Hook("install", record.name, record.version, content, work, record.control)
                outcome = self._runner.run(hook, self._time.at_most(self._limits.hook_seconds), self._line(record.name))
        except (OSError, BocageError) as error:
            outcome = Outcome(False, _said(error), undo=undo_of(work))
        return self._finish(pending, outcome)

    def remove(self, row: Row) -> bool:
        """Run the recorded uninstall; whether the package is gone."""
        version = row.version or row.wanted or ""
        pending = self._begin(row.name, "remove", version, row.sha256)
        known = self._store.uninstall(row.name)
        work = self.work(pending)
        try:
            content = _fresh(work)
            content.mkdir(mode=0o700)
            if known is not None and known.setup is not None:
                (content / "setup.py").write_bytes(known.setup)
            self._done(pending, "unpacked")
            pending = self._done(pending, "started")
            outcome = Outcome(True)
            if known is not None and (known.setup is not None or known.undo):
                hook = Hook("uninstall", row.name, version, content, work, known.control, known.undo)
                outcome = self._runner.run(hook, self._time.at_most(self._limits.hook_seconds), self._line(row.name))
        except (OSError, BocageError) as error:
            outcome = Outcome(False, _said(error))
        return self._finish(pending, outcome)

    def audit(self, row: Row) -> Outcome:
        """Run the recorded audit in a folder of its own."""
        known = self._store.uninstall(row.name)
        if known is None or known.setup is None or not defines(known.setup, "audit"):
            return Outcome(True, value="OK")
        pending = self._begin(row.name, "audit", row.version or "", row.sha256)
        work = self.work(pending)
        try:
            content = _fresh(work)
            content.mkdir(mode=0o700)
            (content / "setup.py").write_bytes(known.setup)
            hook = Hook("audit", row.name, row.version or "", content, work, known.control)
            outcome = self._runner.run(hook, self._time.at_most(self._limits.hook_seconds), self._line(row.name))
        except (OSError, BocageError) as error:
            outcome = Outcome(False, _said(error))
        with self._store.step() as step:
            step.execute("DELETE FROM pending WHERE id=?", (pending.id,))
        _remove_tree(work)
        return outcome

    def repair(self) -> list[str]:
        """Bring what was cut off to an end; the packages that this concerned."""
        concerned = []
        for pending in self._store.pending():
            work = self.work(pending)
            self._runner.stop_leftover(work)
            about = f"{pending.name} {pending.version}: {pending.action}"
            if pending.action == "audit" or pending.step != "started":
                with self._store.step() as step:
                    step.execute("DELETE FROM pending WHERE id=?", (pending.id,))
                    self._history(step, pending, "forgotten", "cut off before anything was executed")
                self._log(f"{about} was cut off at {pending.at}, before anything was executed; it is forgotten")
            else:
                ended = outcome_of(work)
                when = "after it had been executed; it is finished" if ended else "while it was executed"
                self._log(f"{about} was cut off at {pending.at}, {when}")
                with self._store.step() as step:
                    self._history(step, pending, "interrupted", f"cut off {when}")
                reason = f"Its {pending.action} was cut off at {pending.at}; the next upgrade does it again"
                self._finish(pending, ended or Outcome(False, reason, undo=undo_of(work)))
            concerned.append(pending.name)
            _remove_tree(work)
        for left in (self._folder / WORK).glob("*"):
            _remove_tree(left)
        return concerned

    def work(self, pending: Pending) -> Path:
        return self._folder / WORK / str(pending.id)

    def _begin(self, name: str, action: str, version: str, sha256: str) -> Pending:
        at = self._now()
        with self._store.step() as step:
            step.execute("DELETE FROM pending WHERE name=?", (name,))
            number = step.execute(
                "INSERT INTO pending (name,action,version,sha256,step,at) VALUES (?,?,?,?,'begun',?)",
                (name, action, version, sha256, at),
            ).lastrowid
            pending = Pending(number or 0, name, action, version, sha256, "begun", at)
            self._history(step, pending, "begun")
        self._say(pending, "begun")
        self._after("begun")
        return pending

    def _done(self, pending: Pending, name: str, note: str = "", uninstall: Uninstall | None = None) -> Pending:
        with self._store.step() as step:
            if uninstall is not None:
                put_uninstall(step, uninstall)
            step.execute("UPDATE pending SET step=? WHERE id=?", (name, pending.id))
            self._history(step, pending, name, note)
        self._say(pending, name, note)
        self._after(name)
        return replace(pending, step=name)

    def _uninstall(self, record: Record, content: Path) -> Uninstall:
        """How the package goes again, known before it comes; what an older version did is not forgotten."""
        setup = content / "setup.py"
        source = atomic.read_bounded(setup, _MAX_SETUP) if setup.is_file() else None
        before = self._store.uninstall(record.name)
        return Uninstall(record.name, record.version, record.control, source, [] if before is None else before.undo)

    def _finish(self, pending: Pending, outcome: Outcome) -> bool:
        self._after("executed")
        work = self.work(pending)
        rule = None
        if outcome.ok:
            try:
                rule = self._place(pending, work / "content")
            except (OSError, BocageError) as error:
                outcome = replace(outcome, ok=False, reason=_said(error))
            self._after("placed")
        if pending.action == "install":
            self._finish_install(pending, outcome, rule)
        else:
            self._finish_removal(pending, outcome)
        self._say(pending, "finished" if outcome.ok else "failed", outcome.reason)
        self._after("finished")
        _remove_tree(work)
        if outcome.ok and pending.sha256 and not self._is_on_trial(pending):
            self._cache.drop(pending.sha256)
        self._after("cleaned")
        return outcome.ok

    def _finish_install(self, pending: Pending, outcome: Outcome, rule: dict[str, Any] | None) -> None:
        record = self._store.record(pending.sha256)
        if record is None:
            raise BocageError(f"The record of {pending.name} {pending.version} is gone; run `bocage-agent upgrade`.")
        row = self._store.rows().get(pending.name, Row(pending.name, "NEED-INSTALL"))
        known = self._store.uninstall(pending.name)
        floor = self._store.floor(pending.name)
        with self._store.step() as step:
            if known is not None:
                undo = known.undo + [list(one) for one in outcome.undo if list(one) not in known.undo]
                put_uninstall(step, replace(known, undo=undo))
            if outcome.ok and self._is_on_trial(record):
                state = "NEED-INSTALL" if row.version is None else "NEED-UPGRADE"
                row = replace(row, state=state, reason=agent_trial.ON_TRIAL, wanted=record.version)
            elif outcome.ok:
                row = installed_row(record, self._now())
                if floor is None or self._library.compare(record.version, floor) != 0:
                    set_floor(step, record)
                step.execute("DELETE FROM rule WHERE name=?", (record.name,))
                if rule is not None:
                    kind = RULE_FILES[record.section]
                    step.execute("INSERT INTO rule VALUES (?,?,?)", (record.name, kind, json.dumps(rule)))
            else:
                row = replace(row, state="ERROR", reason=outcome.reason, wanted=pending.version)
            put_row(step, row)
            step.execute("DELETE FROM pending WHERE id=?", (pending.id,))
            self._history(step, pending, "finished" if outcome.ok else "failed", outcome.reason)

    def _finish_removal(self, pending: Pending, outcome: Outcome) -> None:
        row = self._store.rows().get(pending.name)
        with self._store.step() as step:
            if outcome.ok:
                forget(step, pending.name)
            elif row is not None:
                put_row(step, replace(row, state="ERROR", reason=outcome.reason, wanted=""))
            step.execute("DELETE FROM pending WHERE id=?", (pending.id,))
            self._history(step, pending, "finished" if outcome.ok else "failed", outcome.reason)

    def _place(self, pending: Pending, content: Path) -> dict[str, Any] | None:
        """What users' sessions need, where they can read it; and the content of a package of settings."""
        folder = self._folder / SESSIONS / _file_name(pending.name)
        _remove_tree(folder)
        if pending.action != "install":
            return None
        setup = content / "setup.py"
        if setup.is_file() and defines(setup.read_bytes(), "session_setup"):
            folder.mkdir(parents=True)
            # users come here, whatever umask whoever started the agent has
            for one in (self._folder, folder.parent, folder):
                one.chmod(0o755)
            record = self._store.record(pending.sha256)
            control = {} if record is None else record.control
            atomic.write_file(folder / "control.json", canonical.dumps(control), 0o644)
            atomic.write_file(folder / "setup.py", setup.read_bytes(), 0o644)
        record = self._store.record(pending.sha256)
        if record is None or record.section not in RULE_FILES:
            return None
        return self._rule(record, content / RULE_FILES[record.section])

    def _rule(self, record: Record, path: Path) -> dict[str, Any]:
        what = f"{path.name} of {record.name}"
        try:
            found = canonical.loads(atomic.read_bounded(path, _MAX_RULES), what)
        except FileNotFoundError as error:
            raise BocageError(f"The package {record.name} of the type {record.section} has no {path.name}.") from error
        if path.name == "policy.json":
            from .packages_policy import check_policy

            return check_policy(found, what)
        return {group: list(names) for group, names in rules(found, what).items()}

    def _runs(self, record: Record) -> bool:
        return record.executable and record.section not in CONTROL_ONLY

    def _is_on_trial(self, one: Record | Pending) -> bool:
        """An agent that was made ready counts as installed once it has proven itself."""
        return one.name == agent_trial.PACKAGE and agent_trial.concerns(self._folder / agent_trial.FOLDER, one.version)

    def _history(self, step: Any, pending: Pending, what: str, note: str = "") -> None:
        add_step(step, self._now(), pending.name, pending.version, pending.action, what, note)

    def _say(self, pending: Pending, step: str, note: str = "") -> None:
        self._log(f"{pending.name} {pending.version}: {pending.action} {step}{': ' + note if note else ''}")

    def _line(self, name: str) -> Line:
        return lambda text: self._log(f"{name}| {text}")

    def _now(self) -> str:
        return timestamps.write(self._clock())


def defines(setup: bytes, name: str) -> bool:
    """Whether a setup.py gives something this name, in whatever way; one that cannot be read is run, and then says why."""
    try:
        nodes = list(ast.walk(ast.parse(setup)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(
        (isinstance(node, functions) and node.name == name)
        or (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.alias) and (node.asname or node.name) == name)
        for node in nodes
    )


def installed_row(record: Record, at: str) -> Row:
    """Of a package that is there as it should be."""
    return Row(
        record.name,
        "OK",
        version=record.version,
        section=record.section,
        depends=record.depends,
        conflicts=record.conflicts,
        sha256=record.sha256,
        installed_at=at,
        audit_schedule=str(record.control.get("audit_schedule", ""))[:64],
    )


def set_floor(step: Any, record: Record) -> None:
    """Below this version a host does not go again."""
    step.execute("INSERT OR REPLACE INTO floor VALUES (?,?)", (record.name, record.version))


def forget(step: Any, name: str) -> None:
    """All of a package but the floor, below which it must not come back."""
    for table in ("package", "request", "uninstall", "rule"):
        step.execute(f"DELETE FROM {table} WHERE name=?", (name,))  # noqa: S608


def _fresh(work: Path) -> Path:
    """Where content goes in a new work folder, which nobody but root looks into."""
    _remove_tree(work)
    work.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work.mkdir(mode=0o700)
    return work / "content"


def _file_name(package: str) -> str:
    """A name of one file for a package, whatever it is called: it could be called `..`."""
    return package if _PLAIN.fullmatch(package) else canonical.digest(package.encode())


def _remove_tree(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _unpacked_size(record: Record) -> int:
    size = record.control.get("installed_size")
    return max(record.size, size if isinstance(size, int) and size < 2**50 else 0)


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        full = "; make room, the next upgrade tries again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return sentence(f"{error.strerror or error}: {error.filename or 'a file of the agent'}{full}")
    return sentence(str(error))
