# SPDX-License-Identifier: GPL-3.0-or-later
"""`test`: what is asked of podman, and what is made of the answers; the containers themselves are the lab's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bocage_packager import trial, trial_driver
from packager_calls import Call, Say

STEPS = [
    {"step": name, "ok": True, "reason": "", "answer": None, "seconds": 0.1}
    for name in ("install", "audit", "uninstall")
]


class Podman:
    """Keeps what is asked, and answers as podman does."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.found: dict[str, Any] = {"steps": STEPS, "left_behind": []}
        self.status = 0
        # systemd does not answer at once
        self.states = ["", "starting", "degraded"]

    def run(self, command: Sequence[str], _seconds: float, _show: bool = False) -> tuple[int, str, str]:
        self.asked.append(list(command))
        if command[1] == "images":
            return 0, "localhost/bocage-lab:abc\nlocalhost/bocage-lab:old\n", ""
        if command[1] == "exec" and "python3" in command:
            return self.status, json.dumps(self.found) + "\n", "Error: it broke\n" if self.status else ""
        if "is-system-running" in command:
            return 1, f"{self.states.pop(0)}\n", ""
        return 0, "", ""

    def verbs(self) -> list[str]:
        return [one[1] for one in self.asked]


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> Podman:
    fake = Podman()
    monkeypatch.setattr(trial, "_run", fake.run)
    monkeypatch.setattr(trial.time, "sleep", lambda _seconds: None)
    return fake


@pytest.fixture
def folder(tmp_path: Path, call: Call) -> Path:
    call("init", tmp_path / "thing")
    return tmp_path / "thing"


def test_a_package_that_passes(folder: Path, call: Call, podman: Podman) -> None:
    status, answer = call("test", folder)
    assert (status, answer["passed"], answer["container"]) == (0, True, None)
    assert podman.verbs() == ["images", "run", "exec", "exec", "exec", "exec", "rm"]
    run = podman.asked[1]
    assert run[-1] == "localhost/bocage-lab:abc"
    assert "--systemd=always" in run
    request = json.loads(podman.asked[5][-1])
    assert (request["package"], request["version"], request["seconds"]) == ("thing", "1-1", 900)


def test_a_package_that_fails_a_step(folder: Path, say: Say, podman: Podman) -> None:
    broken = [{**STEPS[0], "ok": False, "reason": "Failed: no such \x1b[2J package"}, *STEPS[1:]]
    podman.found = {"steps": broken, "left_behind": ["/etc/thing.conf"]}
    status, output, _error = say("test", folder)
    assert status == 1
    assert "install: FAILED, 0.1 s: Failed: no such \\x1b[2J package\n" in output
    assert "left behind: /etc/thing.conf\n" in output
    assert output.endswith("did not pass.\n")


def test_a_container_that_breaks_is_no_verdict(folder: Path, call: Call, podman: Podman) -> None:
    podman.status = 125
    status, answer = call("test", folder)
    assert status == 3
    assert answer["error"].endswith("Error: it broke.")
    assert podman.verbs()[-1] == "rm", "it is gone all the same"


def test_a_container_to_look_into(folder: Path, call: Call, podman: Podman) -> None:
    status, answer = call("test", folder, "--keep", "--image", "other")
    assert (status, answer["container"][:20]) == (0, "bocage-package-test-")
    assert podman.verbs() == ["run", "exec", "exec", "exec", "exec"]


def test_a_machine_without_podman(folder: Path, call: Call) -> None:
    status, answer = call("test", folder, "--podman", "no-such-podman")
    assert (status, answer["error"]) == (
        2,
        "no-such-podman is not on this machine; install podman, or name it with --podman.",
    )


def test_the_driver_runs_the_hooks_as_the_agent_does(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the real runner, outside of a container."""
    place = tmp_path / "etc"
    place.mkdir()
    (folder / "setup.py").write_text(
        f"def install():\n    write('{place}/a.conf', 'a')\n    open('{place}/b.conf', 'w').close()\n"
        "def audit():\n    return 'OK'\n"
    )
    monkeypatch.setattr(trial_driver, "_WORK", tmp_path / "work")
    monkeypatch.setattr(trial_driver, "PLACES", (str(place),))
    library = Path(__file__).parents[4] / "build" / "src"
    request = {
        "library": str(library),
        "content": str(folder),
        "package": "thing",
        "version": "1-1",
        "control": {"package": "thing"},
        "seconds": 30,
    }
    monkeypatch.setattr("sys.argv", ["driver", json.dumps(request)])
    monkeypatch.setattr("bocage_agent.packages_platform.systemd_runs", lambda: False)
    assert trial_driver.main() == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(one["step"], one["ok"]) for one in found["steps"]] == [
        ("install", True),
        ("audit", True),
        ("uninstall", True),
    ]
    assert found["left_behind"] == [f"{place}/b.conf"], "what was not made by a helper is the package's own to remove"
