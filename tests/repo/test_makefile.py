# SPDX-License-Identifier: GPL-3.0-or-later
"""`make help` tells of every target, and every target is there."""

from __future__ import annotations

import re
import subprocess

import tree

PROMISED = {"demo", "test", "test-unit", "test-molecule", "lint", "bench", "docs", "build", "converge", "clean", "help"}
PROMISED |= {"lab-up", "lab-down", "lab-status", "lab-shell"}


def phony() -> set[str]:
    return {one for line in re.findall(r"^\.PHONY:(.*)$", tree.read("Makefile"), re.MULTILINE) for one in line.split()}


def test_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=tree.ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert set(listed) == phony()
    assert all(listed.values()), "a target without a word about it"


def test_every_target_is_declared_and_has_a_rule() -> None:
    rules = set(re.findall(r"^([a-z][a-z-]*):(?!=)", tree.read("Makefile"), re.MULTILINE))
    assert rules == phony()
    assert rules >= PROMISED


def test_variables_that_help_names_are_used() -> None:
    text = tree.read("Makefile")
    for name in set(re.findall(r"\(([A-Z]+)=", text)) | {"SCENARIO", "BENCH", "HOST", "PLAYBOOK", "LIMIT"}:
        assert f"$({name})" in text, name
