# SPDX-License-Identifier: GPL-3.0-or-later
"""The ten plain hosts of lab/estates/bench.yml: made when they are needed, and removed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from runs import ROOT, playbook, run, say

FOLDER = Path(__file__).resolve().parent / "role20"
INVENTORY = FOLDER / "inventory"
LAB = ("ansible-playbook", "-i", "localhost,", "-e", f"@{ROOT}/lab/estates/bench.yml")


def hosts() -> dict[str, str]:
    """Names and addresses."""
    listed = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["managed"]["hosts"]
    return {name: values["ansible_host"] for name, values in listed.items()}


@contextmanager
def bench_lab(keep: bool) -> Iterator[None]:
    """The hosts, enrolled and with the agent; what stands already is used. With `keep` they stay."""
    say("the lab of ten plain hosts ...")
    run(*LAB, "lab/up.yml")
    try:
        if not (ROOT / ".lab/bench/ready").exists():
            say("their trust, enrolment, agent and resources ...")
            playbook(INVENTORY, "playbooks/trust.yml")
            playbook(INVENTORY, "playbooks/enrol.yml", "-e", "enrol_key_holder=bench")
            playbook(INVENTORY, FOLDER / "setup.yml")
            (ROOT / ".lab/bench/ready").touch()
        yield
    finally:
        if not keep:
            run(*LAB, "lab/down.yml")
