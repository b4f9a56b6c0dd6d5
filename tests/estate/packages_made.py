# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the lab as their authors make them, and as whoever holds the keys publishes them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import driver
from bocage_packager.main import main as packager

TRUST = driver.INVENTORY / "trust" / "packages"
SECRETS = driver.ROOT / ".lab" / "trust" / "packages"


def make(folder: Path, package: str, version: str, setup: str, who: str = "developer", **control: str) -> Path:
    """A signed package in `folder`, with more fields of its control."""
    source = folder / f"{package}-{version}"
    assert packager(["init", str(source), "--package", package, "--version", version]) == 0
    with (source / "WAPT" / "control").open("a") as stream:
        stream.writelines(f"{name:<18}: {value}\n" for name, value in control.items())
    (source / "setup.py").write_text(textwrap.dedent(setup))
    sign(folder, source, who)
    return folder / f"{package}_{version}_PROD.wapt"


def sign(folder: Path, source: Path, who: str = "developer") -> None:
    words = ["--key", SECRETS / "signers" / f"{who}.key", "--certificate", TRUST / "signers" / f"{who}.crt"]
    words += ["--passphrase-file", SECRETS / "passphrase", "--output", folder]
    assert packager(["sign", str(source), *(str(word) for word in words)]) == 0


def publish(*files: Path, **extra: Any) -> driver.Run:
    packages = [{"file": str(one)} for one in files]
    return driver.playbook("playbooks/publish_package.yml", extra={"publish_packages": packages, **extra})


def copied() -> None:
    """The copy of the site takes in what is published."""
    driver.on("wrs1", "systemctl start bocage-package-upkeep")


def serve(*files: Path) -> None:
    """Published, and on the copy of the site."""
    run = publish(*files)
    assert run.ok, run.failures
    copied()
