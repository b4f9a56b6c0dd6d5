# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions that a package's setup.py finds as names; each notes how what it did is undone.

They run in the child process (packages_child.py) and need Python alone. A note is on the disk before the deed, so that
also an installation that was cut off can be undone; undoing what never happened does nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bocage_core._packages.control import OPTIONAL

UNDO = "undo.jsonl"
_SECONDS = 3600
_APT = ("apt-get", "--yes", "--quiet", "-o", "Dpkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=300")


class Failed(Exception):
    """A helper or a hook could not do what it was asked for; the message is for the operator."""


class ControlFile(dict[str, Any]):
    """A control file as setup.py has it: by keys, or as WAPT's packages do by attributes, empty ones for what it leaves out."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in OPTIONAL:
            return ""
        raise AttributeError(f"the control file has no {name}")


class Helpers:
    def __init__(self, folder: Path, work: Path, *, recording: bool) -> None:
        self._folder = folder
        self._undo = work / UNDO if recording else None

    def run(
        self, command: str | Sequence[str], *, timeout: float = _SECONDS, accept: Sequence[int] = (0,), input: str = ""
    ) -> str:
        """Run a program and give what it printed; a text is run by the shell. Another status than `accept` fails."""
        shell = isinstance(command, str)
        shown = command if isinstance(command, str) else " ".join(command)
        print(f"+ {shown}", flush=True)
        try:
            process = subprocess.Popen(
                command,
                shell=shell,  # setup.py is trusted to execute anything, that is what it is signed for
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="backslashreplace",
                cwd=self._folder,
            )
        except OSError as error:
            raise Failed(f"{shown[:200]} cannot be run: {error.strerror}") from error
        deadline = time.monotonic() + timeout
        try:
            output = process.communicate(input, timeout=max(0.0, deadline - time.monotonic()))[0]
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise Failed(f"{shown[:200]} did not end in {timeout:g} seconds") from error
        if output:
            print(output, end="" if output.endswith("\n") else "\n", flush=True)
        if process.returncode not in accept:
            last = output.strip().rpartition("\n")[2]
            raise Failed(f"{shown[:200]} ended with status {process.returncode}{f': {last[:200]}' if last else ''}")
        return output

    def run_notfatal(self, command: str | Sequence[str], *, timeout: float = _SECONDS) -> str:
        """The same, and a failure is only printed."""
        try:
            return self.run(command, timeout=timeout)
        except Failed as error:
            print(error, flush=True)
            return ""

    def copy(self, source: str, target: str, *, mode: int | None = None) -> str:
        """Copy a file or folder of the package to a full path; a file replaces in one moment what is there."""
        found, place = self._folder / source, _full(target)
        if found.is_dir():
            self._note(place.exists(), "remove", target)
            shutil.copytree(found, place, dirs_exist_ok=True)
            return str(place)
        if place.is_dir():
            place = place / found.name
        self._note(place.exists(), "remove", str(place))
        with _replacing(place, f"{source} cannot be copied to {place}") as temporary:
            shutil.copy2(found, temporary)
            if mode is not None:
                temporary.chmod(mode)
        return str(place)

    def write(self, target: str, text: str, *, mode: int = 0o644) -> str:
        """A file with this text at a full path, with the folders above it."""
        place = _full(target)
        self.mkdir(str(place.parent))
        self._note(place.exists(), "remove", target)
        with _replacing(place, f"{place} cannot be written") as temporary:
            temporary.write_text(text)
            temporary.chmod(mode)
        return str(place)

    def mkdir(self, target: str, *, mode: int = 0o755) -> str:
        """A folder and those above it."""
        place = _full(target)
        if not place.is_dir():
            self._note(False, "remove_empty", target)
            place.mkdir(mode=mode, parents=True, exist_ok=True)
        return str(place)

    def remove(self, target: str) -> None:
        """Remove a file, a link or a whole folder, if it is there."""
        place = _full(target)
        if len(place.parts) < 3:
            raise Failed(f"remove refuses {place}: it is no part of any package")
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def remove_empty(self, target: str) -> None:
        """Remove a folder if nothing is left in it."""
        place = _full(target)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()

    def install_apt(self, *packages: str) -> None:
        """Install packages of the distribution, or .deb files of this package."""
        given = [str(self._folder / one) if one.endswith(".deb") else one for one in packages]
        absent = [one for one in packages if not one.endswith(".deb") and not _is_installed(one)]
        local = [name for one in given if one.endswith(".deb") for name in [_name_of(one)] if not _is_installed(name)]
        if absent or local:
            self._note(False, "remove_apt", *absent, *local)
        self.run(["dpkg", "--configure", "-a"])  # of an installation that was cut off
        self.run([*_APT, "install", "--", *given])

    def remove_apt(self, *packages: str) -> None:
        there = [one for one in packages if _is_installed(one)]
        if there:
            self.run([*_APT, "remove", "--", *there])

    def install_flatpak(self, *references: str, remote: str = "flathub") -> None:
        """Install Flatpaks of a remote, or .flatpak files of this package, for all users."""
        for one in references:
            if one.endswith(".flatpak"):
                before = _flatpaks()
                self.run(["flatpak", "install", "--system", "--noninteractive", "--or-update", str(self._folder / one)])
                # only flatpak can tell what was in the file
                for name in sorted(_flatpaks() - before):
                    self._note(False, "remove_flatpak", name)
            else:
                self._note(_has_flatpak(one), "remove_flatpak", one)
                self.run(["flatpak", "install", "--system", "--noninteractive", "--or-update", remote, one])

    def remove_flatpak(self, *references: str) -> None:
        for one in references:
            if _has_flatpak(one):
                self.run(["flatpak", "uninstall", "--system", "--noninteractive", one])

    def service(self, name: str, state: str = "started", *, enabled: bool | None = None) -> None:
        """Bring a unit of systemd into a state: started, stopped, restarted or reloaded; and enable it, if told."""
        verbs = {"started": "start", "stopped": "stop", "restarted": "restart", "reloaded": "reload"}
        if state not in verbs:
            raise Failed(f"service {name}: the state {state!r} is none of {', '.join(verbs)}")
        if enabled is not None:
            if enabled:
                self._note(False, "stop_service", name)
            self.run(["systemctl", "enable" if enabled else "disable", "--", name])
        self.run(["systemctl", "daemon-reload"])
        if state != "stopped" and _goes_down():
            # systemd begins nothing any more
            print(
                f"the host goes down: {name} is not {state}, it is begun with the host where it is enabled", flush=True
            )
            return
        self.run(["systemctl", verbs[state], "--", name])

    def stop_service(self, name: str) -> None:
        """Stop and disable a unit, if it is there."""
        self.run_notfatal(["systemctl", "disable", "--now", "--", name])

    def _note(self, was_there: bool, deed: str, *what: str) -> None:
        """How it goes again; what was there before the package is not the package's to remove."""
        if self._undo is None or was_there:
            return
        with self._undo.open("a") as stream:
            stream.write(json.dumps([deed, *what]) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


_UNDOING = ("remove", "remove_empty", "remove_apt", "remove_flatpak", "stop_service")
_OFFERED = (
    *("run", "run_notfatal", "copy", "write", "mkdir", "remove", "remove_empty", "install_apt", "remove_apt"),
    *("install_flatpak", "remove_flatpak", "service", "stop_service"),
)


def names(folder: Path, work: Path, control: Mapping[str, Any], *, recording: bool) -> dict[str, Any]:
    """All that setup.py finds: the helpers, `control`, `basedir`, and other spellings that packages of WAPT use."""
    helpers = Helpers(folder, work, recording=recording)
    found: dict[str, Any] = {name: getattr(helpers, name) for name in _OFFERED}
    return {
        **found,
        "basedir": str(folder),
        "control": ControlFile(control),
        "Failed": Failed,
        "error": _error,
        "makepath": os.path.join,
        "isfile": os.path.isfile,
        "isdir": os.path.isdir,
        "mkdirs": found["mkdir"],
        "filecopyto": found["copy"],
        "copytree2": found["copy"],
        "remove_file": found["remove"],
        "remove_tree": found["remove"],
        "uninstall_apt": found["remove_apt"],
    }


def undo(names: Mapping[str, Callable[..., Any]], deeds: Sequence[Sequence[Any]]) -> None:
    """Undo what was noted, the last first; all is tried before the first failure is told."""
    failed: list[str] = []
    for deed, *what in reversed(deeds):
        if deed not in _UNDOING:
            raise Failed(f"the record of the installation has an unknown deed: {deed!r}")
        try:
            names[deed](*what)
        except (Failed, OSError) as error:
            failed.append(str(error))
    if failed:
        raise Failed(failed[0])


def _error(message: str) -> None:
    raise Failed(str(message)[:500])


@contextmanager
def _replacing(place: Path, failed: str) -> Iterator[Path]:
    """A file beside `place` that takes its place in one moment once it is whole; raises Failed."""
    temporary = place.with_name(f".{place.name}.bocage-new")
    try:
        yield temporary
        temporary.replace(place)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Failed(f"{failed}: {error.strerror}") from error


def _full(target: str) -> Path:
    place = Path(target)
    if not place.is_absolute() or ".." in place.parts:
        raise Failed(f"{target} is not a full path")
    return place


def _goes_down() -> bool:
    asked = subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() == "stopping"


def _is_installed(package: str) -> bool:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0 and done.stdout.startswith("ii")


def _has_flatpak(reference: str) -> bool:
    return _asked_flatpak("info", reference).returncode == 0


def _flatpaks() -> set[str]:
    """Full references of all programs that are there for all users."""
    return set(_asked_flatpak("list", "--app", "--columns=ref").stdout.split())


def _asked_flatpak(verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["flatpak", verb, "--system", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        # where it is not there, nothing of it is
        return subprocess.CompletedProcess(command, 127, "", "")


def _name_of(file: str) -> str:
    done = subprocess.run(["dpkg-deb", "--field", file, "Package"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{file} is no package of the distribution: {done.stderr.strip()[:200]}")
    return done.stdout.strip()
