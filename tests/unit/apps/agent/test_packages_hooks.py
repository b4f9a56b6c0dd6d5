# SPDX-License-Identifier: GPL-3.0-or-later
"""Flatpaks of a package: what was there before stays, what it brought goes, and a removal that fails is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_hooks

HELLO = "org.example.Hello"


class Flatpak:
    """Knows what is installed, as the program does."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.stuck = False

    def asked(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        good = verb == "list" or words[0] in self.there
        return subprocess.CompletedProcess([], 0 if good else 1, "\n".join(sorted(self.there)), "")

    def run(self, command: Sequence[str]) -> str:
        what = Path(command[-1]).name.removesuffix(".flatpak")
        if command[1] == "install":
            self.there.add(what)
        elif self.stuck:
            raise packages_hooks.Failed(f"{what} ended with status 1: it is used")
        else:
            self.there.remove(what)
        return ""


@pytest.fixture
def flatpak(monkeypatch: pytest.MonkeyPatch) -> Flatpak:
    found = Flatpak()
    monkeypatch.setattr(packages_hooks, "_asked_flatpak", found.asked)
    monkeypatch.setattr(packages_hooks.Helpers, "run", lambda _self, command: found.run(command))
    return found


def install(folder: Path, *references: str) -> tuple[dict[str, Any], list[list[str]]]:
    names = packages_hooks.names(folder, folder, {}, recording=True)
    names["install_flatpak"](*references)
    notes = folder / packages_hooks.UNDO
    return names, [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


@pytest.mark.parametrize("source", [HELLO, f"{HELLO}.flatpak"])
def test_it_goes_with_the_package(flatpak: Flatpak, tmp_path: Path, source: str) -> None:
    names, deeds = install(tmp_path, source)
    assert deeds == [["remove_flatpak", HELLO]]
    for _ in range(2):
        packages_hooks.undo(names, deeds)
        assert flatpak.there == set()


@pytest.mark.parametrize("source", [HELLO, f"{HELLO}.flatpak"])
def test_one_that_was_there_before_stays(flatpak: Flatpak, tmp_path: Path, source: str) -> None:
    flatpak.there.add(HELLO)
    assert install(tmp_path, source)[1] == []


def test_a_removal_that_fails_is_told(flatpak: Flatpak, tmp_path: Path) -> None:
    names, deeds = install(tmp_path, HELLO)
    flatpak.stuck = True
    with pytest.raises(packages_hooks.Failed, match="it is used"):
        packages_hooks.undo(names, deeds)


def test_without_the_program_nothing_of_it_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packages_hooks.undo(packages_hooks.names(tmp_path, tmp_path, {}, recording=False), [["remove_flatpak", HELLO]])
