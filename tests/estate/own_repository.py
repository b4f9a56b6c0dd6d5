# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a repository of its own, with all keys of it: what nobody can show with those of the estate.

Agent, web server and overlay are those of the estate.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import driver
from bocage_core._common import timestamps
from bocage_core._packages import repository_edit, repository_publish, target_custom
from bocage_core._packages.container import open_container
from bocage_core._packages.control import parse_control
from bocage_core._packages.repository_refresh import online_keys
from cryptography.hazmat.primitives.serialization import Encoding
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

sys.path.insert(0, str(driver.ROOT / "tests" / "unit" / "apps" / "agent"))

from package_estate import Estate, signers  # found by the path above
from party_maker import DAY

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

    def __init__(self, folder: Path, **more: Any) -> None:
        """`more`: settings of the host beside those that it needs to find the repository."""
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
            **more,
        }
        trust = {
            "trust/root.json": self.estate.repository.root,
            "trust/authorities.pem": self.estate.root.certificate.public_bytes(Encoding.PEM),
        }
        unpack("desk1", {"packages.json": json.dumps(settings).encode(), **trust}, HOME)
        self.serve()

    def serve(self, **changes: bytes) -> None:
        """What is published, with files of `metadata` replaced."""
        public = self.estate.repository.public
        files = {str(path.relative_to(public)): path.read_bytes() for path in public.rglob("*") if path.is_file()}
        unpack("wrs1", {**files, **{f"metadata/{name}.json": data for name, data in changes.items()}}, PUBLIC)

    def offer(
        self,
        name: str,
        alter: Callable[[Path], object] = lambda path: None,
        days_ago: int = 0,
        listed_after: bool = False,
        **options: Any,
    ) -> str:
        """List a package that no publisher would, signed so many days ago, and what the agent says to it.

        With `listed_after` the list says what the altered package says.
        """
        today = self.estate.now
        self.estate.now = today - days_ago * DAY
        built = self.estate.build(name, "1.0", SETUP, **options)
        self.estate.now = today
        if listed_after:
            alter(built)
        with open_container(built) as container:
            raw = container.control_raw
        custom = target_custom.from_control(parse_control(raw).fields, raw).to_dict()
        if not listed_after:
            alter(built)
        self.estate.repository.add(repository_edit.add_file(f"base/{name}_1.0.wapt", built, custom))
        self.serve()
        return self.agent(f"install {name}")

    def agent(self, words: str) -> str:
        days = (self.estate.now - self.begun).days
        clock = f"faketime '+{days} days' " if days else ""
        command = f"{clock}{driver.AGENT} {words} --packages-config {HOME}/packages.json 2>&1"
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

    def force(self, name: str, listed: Metadata[Targets]) -> None:
        """Serve a list that the publisher would not take in, with the snapshot and timestamp of a thief of its keys."""
        holders, public = self.estate.repository.holders, self.estate.repository.public
        snapshots = public.glob("metadata/*.snapshot.json")
        snapshot: Metadata[Snapshot] = Metadata.from_file(
            str(max(snapshots, key=lambda path: int(path.name.split(".")[0])))
        )
        snapshot.signed.version += 1
        snapshot.signed.meta[f"{name}.json"] = MetaFile(listed.signed.version)
        snapshot.sign(holders.snapshot[0])
        timestamp: Metadata[Timestamp] = Metadata.from_file(str(public / "metadata" / "timestamp.json"))
        timestamp.signed.version += 1
        timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
        timestamp.sign(holders.timestamp[0])
        forced = ((name, listed), ("snapshot", snapshot))
        stolen = {f"{one.signed.version}.{role}": one.to_bytes() for role, one in forced}
        self.serve(timestamp=timestamp.to_bytes(), **stolen)


def gone() -> None:
    """Nothing of it is left on the hosts."""
    driver.on("wrs1", f"rm -rf {PUBLIC}")
    driver.on("desk1", f"rm -rf {HOME} /opt/sleeper")


def version() -> str:
    return driver.on("desk1", "cat /opt/sleeper/version").strip()


def nothing_was_done(sleeper: Sleeper) -> None:
    assert driver.on("desk1", "ls -d /opt/sleeper /etc/evil /evil 2>/dev/null", check=False) == ""
    rows = json.loads(sleeper.agent("packages"))["packages"]
    assert [name for name, row in rows.items() if row["version"] is not None] == []
