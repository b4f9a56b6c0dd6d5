# SPDX-License-Identifier: GPL-3.0-or-later
"""A host sleeps for sixty days while every key changes three times, and goes on where it stopped.

The clock of the host is set ahead (faketime); the repository is one of its own, signed for the same days, so that the
clocks of the other hosts are left alone. Agent, web server and overlay are those of the estate.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import driver
import pytest
from bocage_core._common import timestamps
from bocage_core._packages import repository_edit, repository_publish
from bocage_core._packages.repository_refresh import online_keys
from cryptography.hazmat.primitives.serialization import Encoding

sys.path.insert(0, str(driver.ROOT / "tests" / "unit" / "apps" / "agent"))

from package_estate import Estate, signers  # found by the path above

AGENT = "/opt/bocage/agent/current/bin/bocage-agent"
PUBLIC = "/srv/bocage/packages/public/asleep"
HOME = "/srv/asleep"
SETUP = "def install():\n    write('/opt/sleeper/version', control['version'])\n"


def unpack(host: str, files: dict[str, bytes], folder: str) -> None:
    """Put files on a host, in the place of what was there."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    text = base64.encodebytes(packed.getvalue()).decode()
    driver.on(host, f"rm -rf {folder} && mkdir -p {folder} && base64 -d <<'E' | tar -xz -C {folder}\n{text}\nE")


class Sleeper:
    """desk1 with a repository beside that of the estate."""

    def __init__(self, folder: Path) -> None:
        self.estate = Estate(folder, now=timestamps.now().replace(microsecond=0))
        self.begun = self.estate.now
        addresses = driver.on("wrs1", "ip -6 -o address show dev bocage0 scope global").split()
        address = addresses[addresses.index("inet6") + 1].split("/")[0]
        settings = {
            "replicas": [{"url": f"http://[{address}]:8480/asleep/"}],
            "directories": {
                **{name: f"{HOME}/{name}" for name in ("trust", "state", "cache")},
                "lock": f"{HOME}/lock",
            },
        }
        trust = {
            "trust/root.json": self.estate.repository.root,
            "trust/authorities.pem": self.estate.root.certificate.public_bytes(Encoding.PEM),
        }
        unpack("desk1", {"packages.json": json.dumps(settings).encode(), **trust}, HOME)
        self.serve()

    def serve(self) -> None:
        public = self.estate.repository.public
        files = {str(path.relative_to(public)): path.read_bytes() for path in public.rglob("*") if path.is_file()}
        unpack("wrs1", files, PUBLIC)

    def agent(self, words: str) -> str:
        days = (self.estate.now - self.begun).days
        clock = f"DONT_FAKE_MONOTONIC=1 faketime '+{days} days' " if days else ""
        command = f"{clock}{AGENT} {words} --packages-config {HOME}/packages.json 2>&1"
        return driver.on("desk1", command, check=False, timeout=120)

    def rotate(self) -> None:
        """All keys at once: those of root and targets, of snapshot and timestamp, of the list of developers."""
        repository, now = self.estate.repository, self.estate.now
        holders, old = repository.holders, replace(repository.holders)
        holders.root, holders.targets = signers(3), signers(3)
        holders.snapshot, holders.timestamp = signers(), signers()
        root = holders.new_root(repository.store.root_bytes(), old.root[:2], now)
        both = [*old.targets[:2], *holders.targets[:2]]
        change = repository_edit.renew(repository.store, {"targets": both}, now, everything=True)
        change.root = root
        together = online_keys([*old.snapshot, *holders.snapshot], [*old.timestamp, *holders.timestamp])
        repository_publish.commit(repository.path, change, together, now)
        holders.lists["base"] = signers()
        change = repository_edit.delegate(repository.store, holders.delegations(), holders.signing, now)
        repository_publish.commit(repository.path, change, holders.online, now)
        change = repository_edit.renew(repository.store, holders.lists, now, everything=True)
        repository_publish.commit(repository.path, change, holders.online, now)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    yield Sleeper(tmp_path)
    driver.on("wrs1", f"rm -rf {PUBLIC}")
    driver.on("desk1", f"rm -rf {HOME} /opt/sleeper")


def version() -> str:
    return driver.on("desk1", "cat /opt/sleeper/version").strip()


def test_a_host_that_slept_for_sixty_days_comes_back(sleeper: Sleeper) -> None:
    estate = sleeper.estate
    estate.publish("sleeper", "1.0", SETUP)
    sleeper.serve()
    said = sleeper.agent("install sleeper")
    assert "sleeper 1.0: install finished" in said, said
    for _month in range(3):
        estate.now += timedelta(days=20)
        estate.repository.now = estate.now
        sleeper.rotate()
        estate.revoke()
    # it wakes, and the copy of its site slept as long: nothing new is taken from that
    said = sleeper.agent("upgrade")
    assert "expired" in said or "ended" in said, said
    assert version() == "1.0"
    estate.publish("sleeper", "2.0", SETUP)
    sleeper.serve()
    said = sleeper.agent("upgrade")
    assert "sleeper 2.0: install finished" in said, said
    assert version() == "2.0"
    known = json.loads(sleeper.agent("packages"))
    assert known["metadata"]["root"] == 4, "each of the three new roots was followed"
