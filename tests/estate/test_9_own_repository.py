# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a repository of its own: attacks that need keys of an estate, and sixty days of sleep while keys change.

The clock of the host is set ahead (faketime), and the repository is signed for the same days, so that the clocks and the
trust of the other hosts are left alone. Agent, web server and overlay are those of the estate.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_core._common import timestamps
from bocage_core._packages import repository_edit, repository_publish, target_custom
from bocage_core._packages.container import open_container
from bocage_core._packages.control import parse_control
from bocage_core._packages.repository_refresh import online_keys
from cryptography.hazmat.primitives.serialization import Encoding
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

sys.path.insert(0, str(driver.ROOT / "tests" / "unit" / "apps" / "agent"))

from package_estate import Estate, signers  # found by the path above
from package_maker import rewrite
from party_maker import CODE, DAY, Party, rsa_key

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

    def serve(self, **changes: bytes) -> None:
        """What is published, with files of `metadata` replaced."""
        public = self.estate.repository.public
        files = {str(path.relative_to(public)): path.read_bytes() for path in public.rglob("*") if path.is_file()}
        unpack("wrs1", {**files, **{f"metadata/{name}.json": data for name, data in changes.items()}}, PUBLIC)

    def offer(
        self, name: str, alter: Callable[[Path], object] = lambda path: None, days_ago: int = 0, **options: Any
    ) -> str:
        """List a package that no publisher would, signed so many days ago, and what the agent says to it."""
        today = self.estate.now
        self.estate.now = today - days_ago * DAY
        built = self.estate.build(name, "1.0", SETUP, **options)
        self.estate.now = today
        with open_container(built) as container:
            raw = container.control_raw
        custom = target_custom.from_control(parse_control(raw).fields, raw).to_dict()
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


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    yield Sleeper(tmp_path)
    driver.on("wrs1", f"rm -rf {PUBLIC}")
    driver.on("desk1", f"rm -rf {HOME} /opt/sleeper")


def version() -> str:
    return driver.on("desk1", "cat /opt/sleeper/version").strip()


def nothing_was_done(sleeper: Sleeper) -> None:
    assert driver.on("desk1", "ls -d /opt/sleeper /etc/evil /evil 2>/dev/null", check=False) == ""
    rows = json.loads(sleeper.agent("packages"))["packages"]
    assert [name for name, row in rows.items() if row["version"] is not None] == []


def test_attack_signers_that_are_revoked_expired_or_unknown(sleeper: Sleeper) -> None:
    estate = sleeper.estate
    past, ended = {"start": estate.now - 30 * DAY}, {"end": estate.now - DAY}
    revoked = estate.root.issue("left", extended=CODE)
    estate.revoke(revoked)
    for name, signer, code in (
        ("revoked", revoked, "revoked"),
        ("expired", estate.root.issue("ended", extended=CODE, **past, **ended), "expired"),
        ("unknown", Party.root("estate", rsa_key("stranger")).issue("developer", extended=CODE), "untrusted_signer"),
    ):
        said = sleeper.offer(name, signer=signer, days_ago=2 if name == "expired" else 0)
        assert f"Refused ({code})" in said, (name, said)
    nothing_was_done(sleeper)


def test_attack_archives_that_fill_a_disk_or_leave_their_folder(sleeper: Sleeper) -> None:
    """Whoever may list packages brings such ones; nothing of them is unpacked."""
    for name, files, code in (
        ("bomb", {"zeros": bytes(200_000_000)}, "oversized"),
        ("traversal", {"../../../etc/evil": b"x"}, "bad_archive"),
        ("absolute", {"/evil": b"x"}, "bad_archive"),
        ("twice", {"SETUP.PY": b"x"}, "bad_archive"),
        ("unlisted", {"more": b"x"}, "altered"),
    ):
        said = sleeper.offer(name, lambda path, files=files: rewrite(path, files))  # type: ignore[misc]
        assert f"Refused ({code})" in said, (name, said)
    nothing_was_done(sleeper)


@pytest.mark.parametrize("taken", ["one holder of the top list of two", "no holder of the list of developers"])
def test_attack_the_publisher_and_too_few_holders(sleeper: Sleeper, taken: str) -> None:
    """A thief of the publisher's keys signs a snapshot of lists that too few have signed."""
    holders, public = sleeper.estate.repository.holders, sleeper.estate.repository.public
    sleeper.estate.publish("sleeper", "1.0", SETUP)
    name, thief = ("targets", holders.targets[0]) if "top list" in taken else ("base", holders.snapshot[0])
    newest = max(public.glob(f"metadata/*.{name}.json"), key=lambda path: int(path.name.partition(".")[0]))
    listed: Metadata[Targets] = Metadata.from_file(str(newest))
    listed.signed.version += 1
    listed.sign(thief)
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
    stolen = {f"{one.signed.version}.{role}": one.to_bytes() for role, one in ((name, listed), ("snapshot", snapshot))}
    sleeper.serve(timestamp=timestamp.to_bytes(), **stolen)
    said = sleeper.agent("install sleeper")
    assert "sign" in said and "install begun" not in said, said
    nothing_was_done(sleeper)


def test_attack_fast_forward_ends_with_new_keys(sleeper: Sleeper) -> None:
    """A thief of the publisher's keys signs the highest version there is, so that no honest one is newer."""
    estate = sleeper.estate
    estate.publish("sleeper", "1.0", SETUP)
    (thief,) = estate.repository.holders.timestamp
    stolen: Metadata[Timestamp] = Metadata.from_file(str(estate.repository.public / "metadata" / "timestamp.json"))
    stolen.signed.version = 2**31 - 1
    stolen.sign(thief)
    sleeper.serve(timestamp=stolen.to_bytes())
    sleeper.agent("update")
    estate.publish("sleeper", "2.0", SETUP)
    sleeper.serve()
    said = sleeper.agent("update")
    assert str(2**31 - 1) in said, said
    sleeper.rotate()
    sleeper.serve()
    said = sleeper.agent("install sleeper")
    assert "sleeper 2.0: install finished" in said, said


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
