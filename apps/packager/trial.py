# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package test`: install, audit and remove a package in a fresh container, as the agent does it on a host."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages.building import read_control
from bocage_core._packages.container import open_container

from .answers import GOOD, REFUSED, Answer, plain

IMAGE = "localhost/bocage-lab"
_START_SECONDS = 120
_STEPS = 3
_GRACE_SECONDS = 60


def test(options: Namespace) -> Answer:
    if options.timeout < 1:
        raise BadInput("--timeout is below 1 second; give the seconds that each step may take.")
    library = _library()
    podman = _podman(options.podman)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        content = work / "content"
        if options.file.is_dir():
            shutil.copytree(options.file, content, symlinks=True)
        else:
            with open_container(options.file) as container:
                container.extract(content, {name: container.digest(name) for name in container.names})
        control = read_control(content)
        for name, source in library.items():
            shutil.copytree(source, work / "library" / name, ignore=shutil.ignore_patterns("__pycache__"))
        request = {
            "library": "/bocage/library",
            "content": "/bocage/content",
            "package": control.package,
            "version": control.version,
            "control": dict(control.fields),
            "seconds": options.timeout,
        }
        with _container(podman, options, work) as name:
            found = _drive(podman, name, request, _STEPS * options.timeout + _GRACE_SECONDS)
    return _answer(options, str(control), found, name if options.keep else None)


def _answer(options: Namespace, title: str, found: dict[str, Any], kept: str | None) -> Answer:
    passed = all(step["ok"] for step in found["steps"]) and len(found["steps"]) == _STEPS
    lines = [
        f"{step['step']}: {'good' if step['ok'] else 'FAILED'}, {step['seconds']} s"
        + (f": {plain(step['reason'])}" if step["reason"] else "")
        for step in found["steps"]
    ]
    lines += [f"left behind: {plain(name)}" for name in found["left_behind"]]
    lines += [f"The container is {kept}."] if kept else []
    lines.append(f"{options.file}: {title} {'passed' if passed else 'did not pass'}.")
    return Answer({"passed": passed, **found, "container": kept}, lines, GOOD if passed else REFUSED)


@contextmanager
def _container(podman: str, options: Namespace, work: Path) -> Iterator[str]:
    """A new container with systemd, as hosts of the lab are; it is gone afterwards, unless it is to be kept."""
    image = options.image or _image(podman)
    name = f"bocage-package-test-{os.urandom(4).hex()}"
    (work / "lab").mkdir()
    if options.apt_proxy:
        (work / "lab" / "apt-proxy").write_text(f"{options.apt_proxy}\n")
    start = [
        podman,
        "run",
        "--detach",
        "--name",
        name,
        "--privileged",
        "--systemd=always",
        "--network",
        options.network,
    ]
    start += ["--volume", f"{work}:/bocage:ro", "--volume", f"{work / 'lab'}:/etc/lab:ro", image]
    try:
        _must(start, _START_SECONDS, f"A container of the image {image} cannot be started")
        _wait(podman, name)
        yield name
    finally:
        if not options.keep:
            _run([podman, "rm", "--force", "--time", "5", "--ignore", name], _START_SECONDS)


def _wait(podman: str, name: str) -> None:
    """Until all is started, so that nothing of that is taken for the package's; systemd may not answer at first."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        _status, output, _error = _run(
            [podman, "exec", name, "systemctl", "is-system-running", "--wait"], _START_SECONDS
        )
        # degraded is what a host of the lab is, too; the package is judged by its own steps
        if output.strip() in ("running", "degraded"):
            return
        time.sleep(0.2)
    raise BocageError(f"The container {name} does not come up in {_START_SECONDS} seconds; try again.")


def _drive(podman: str, name: str, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    program = (Path(__file__).parent / "trial_driver.py").read_text()
    command = [podman, "exec", name, "python3", "-I", "-B", "-c", program, json.dumps(request)]
    output = _must(command, seconds, f"The package cannot be tried in the container {name}", show=True)
    try:
        found: dict[str, Any] = json.loads(output.strip().rpartition("\n")[2])
    except ValueError as error:
        raise BocageError(f"The container {name} gave no result of the trial; try again with --keep.") from error
    return found


def _library() -> dict[str, Path]:
    """Where the agent and the library lie on this machine, by the names that they are imported by."""
    found: dict[str, Path] = {}
    for name in ("bocage_agent", "bocage_core"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise BadInput(f"{name} is not installed here, whose runner tries packages; install the wheel of bocage.")
        found[name] = Path(spec.origin).parent
    return found


def _podman(given: str | None) -> str:
    wrapper = Path("lab/bin/podman")
    return given or (str(wrapper.resolve()) if wrapper.is_file() else "podman")


def _image(podman: str) -> str:
    listed = _must(
        [podman, "images", "--filter", f"reference={IMAGE}", "--format", "{{.Repository}}:{{.Tag}}"],
        _START_SECONDS,
        "The images of podman cannot be listed",
    )
    if not listed.split():
        raise BadInput(
            "There is no image of the lab on this machine; give one with --image, or start a lab (make lab-up)."
        )
    return listed.split()[0]


def _must(command: Sequence[str], seconds: float, about: str, show: bool = False) -> str:
    status, output, error = _run(command, seconds, show)
    if status != 0:
        last = (error or output).strip().rpartition("\n")[2]
        raise BocageError(f"{about}: {plain(last)[:300] or f'status {status}'}.")
    return output


def _run(command: Sequence[str], seconds: float, show: bool = False) -> tuple[int, str, str]:
    """Status, output and errors; what a package says while it is tried may be shown as it comes."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except FileNotFoundError as error:
        raise BadInput(f"{command[0]} is not on this machine; install podman, or name it with --podman.") from error
    except subprocess.TimeoutExpired:
        return 124, "", f"it did not end in {seconds:.0f} seconds"
    return done.returncode, done.stdout, done.stderr or ""
