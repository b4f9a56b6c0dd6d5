# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of packages: verification, update checks, publishing, the index of WAPT, solving.

All of them in rounds that take turns with their baseline, as medians of processor time, with bytes or requests beside.
Repositories are made here, with keys of their own, and read from a folder, so that no network is measured; only beside
apt both are asked for on loopback.

    packages.py [--only verify,index,update,publish,solve] [--targets 10000]
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests/unit/plugins/module_utils"
sys.path[:0] = [str(ROOT / "build/src"), str(UNIT), str(UNIT / "_packages")]

import package_maker  # noqa: E402
import packages_apt  # noqa: E402
import packages_rollout  # noqa: E402
import packages_solve  # noqa: E402
from bocage_core._packages import acceptance, control, repository_edit, repository_publish, target_custom  # noqa: E402
from bocage_core._packages import repository_layout as layout  # noqa: E402
from bocage_core._packages import tuf_library as tuf  # noqa: E402
from bocage_core._packages.certificates import Trust  # noqa: E402
from bocage_core._packages.repository_cache import Target  # noqa: E402
from figures import figure  # noqa: E402
from party_maker import AT  # noqa: E402
from runs import BenchError, run, say  # noqa: E402
from signed_repository import NOW, SignedRepository  # noqa: E402
from zip_maker import Part, make_zip  # noqa: E402

# Reads every value, as an agent does.
PYTHON_DEBIAN = """
import sys
from debian.deb822 import Deb822
with open(sys.argv[1], "rb") as stream:
    for stanza in Deb822.iter_paragraphs(stream, use_apt_pkg=False):
        for value in stanza.values():
            len(value)
"""
PARTS = ("verify", "index", "update", "publish", "solve")
MEGABYTE = 1 << 20
ROUNDS = 5
# an update takes a few milliseconds, of which others on the machine take as many now and then
UPDATES = 31


def spent(work: Callable[[], object]) -> float:
    """Processor seconds of this process and of those that it waited for."""
    before = _processor()
    work()
    return _processor() - before


def _processor() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def turns(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Medians of each work, in interleaved rounds."""
    taken: list[list[float]] = [[] for _work in works]
    for _round in range(rounds):
        for place, work in enumerate(works):
            taken[place].append(spent(work))
    return [statistics.median(one) for one in taken]


def verify(folder: Path) -> None:
    """A package of 256 MiB, verified from its archive to its signatures, beside sha256sum of the same file; then the
    whole rule of a host, which also compares the archive with the one that the repository lists.
    """
    package = package_maker.build(folder, {"setup.py": b"print(1)\n", "data.bin": os.urandom(256 * MEGABYTE)})
    trust = Trust((package_maker.ROOT.certificate,))
    size = package.stat().st_size / MEGABYTE

    def bare() -> None:
        subprocess.run(["sha256sum", str(package)], check=True, stdout=subprocess.DEVNULL)

    def library() -> None:
        with package.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")

    target, standing = listed(package), acceptance.Standing("host", "", (), ())
    ours, whole, theirs, python = turns(
        ROUNDS,
        lambda: acceptance.verify_package(package, trust, AT),
        lambda: acceptance.accept(package, target, trust, AT, standing),
        bare,
        library,
    )
    figure("packages.verify.megabytes_per_second", size / ours, "MiB/s", size / theirs)
    figure("packages.verify.ratio_to_sha256", ours / theirs, "ratio")
    figure("packages.verify.ratio_to_python_sha256", ours / python, "ratio")
    figure("packages.accept.megabytes_per_second", size / whole, "MiB/s", size / theirs)
    figure("packages.accept.ratio_to_sha256", whole / theirs, "ratio")


def listed(package: Path) -> Target:
    """The package as a repository lists it."""
    raw = package_maker.contents(package)["WAPT/control"]
    said = target_custom.from_control(control.parse_control(raw).fields, raw).to_dict()
    with package.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Target(f"base/{package.name}", package.stat().st_size, digest, "base", True, json.dumps(said))


def index(folder: Path) -> None:
    """The list of 10,000 packages, every value read, beside python-debian where it is."""
    stanza = control.render_control(control.Control({**package_maker.FIELDS, "signature": "A" * 344}))
    raw = b"\n".join(stanza.replace(b"tis-app", b"tis-app%d" % number) for number in range(10_000))
    (folder / "Packages").write_bytes(raw)
    size = len(raw) / MEGABYTE

    def ours() -> None:
        if len(control.parse_controls(raw, maximum=1 << 28)) != 10_000:
            raise BenchError("The list was not read whole.")

    peer = ROOT / ".venv-bench/bin/python"
    if not peer.exists():
        why = "python-debian is not installed; run make bench."
        figure(
            "packages.index_parse.megabytes_per_second", size / turns(ROUNDS, ours)[0], "MiB/s", missing_baseline=why
        )
        return
    command = [peer, "-c", PYTHON_DEBIAN, folder / "Packages"]
    taken, theirs = turns(ROUNDS, ours, lambda: run(*command))
    figure("packages.index_parse.megabytes_per_second", size / taken, "MiB/s", size / theirs)
    figure("packages.index_parse.ratio_to_python_debian", theirs / taken, "ratio")


class Filled(SignedRepository):
    """Its packages are archives as those of an estate: the index for agents of WAPT is made of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._pattern = package_maker.contents(package_maker.build(folder, {"data": b"1"}, depends="", version="1.0-0"))

    def package(self, path: str, content: bytes = b"", **words: str) -> repository_edit.Addition:
        name, _slash, version = path.rpartition("/")[2].removesuffix(".wapt").partition("_")
        own = {b": tis-app\n": f": {name}\n", b": 1.0-0\n": f": {version}\n"}
        control_raw = self._pattern["WAPT/control"]
        for word, text in own.items():
            control_raw = control_raw.replace(word, text.encode())
        # of a size as it is, and like no other, as signatures are
        signature = b"signature         : " + base64.b64encode(os.urandom(256)) + b"\n"
        control_raw = re.sub(rb"^signature +: .*\n", signature, control_raw, flags=re.MULTILINE)
        found = self.folder / "sources" / path.replace("/", "-")
        found.parent.mkdir(exist_ok=True)
        parts = {**self._pattern, "WAPT/control": control_raw}
        found.write_bytes(make_zip([Part(part, data) for part, data in parts.items()]))
        said = target_custom.from_control(control.parse_control(control_raw).fields, control_raw)
        return repository_edit.add_file(path, found, said.to_dict())


def filled(folder: Path, targets: int, kind: type[SignedRepository] = SignedRepository) -> SignedRepository:
    folder.mkdir()
    signed = kind(folder)
    signed.publish(*(f"base/app{number}_1.0-{number % 50}.wapt" for number in range(targets)))
    return signed


def flat_list(signed: SignedRepository) -> bytes:
    """The same targets in one list, as TUF has them without delegations and bins."""
    listed = {}
    heads = signed.store.heads()
    for name in heads:
        if name.startswith("base"):
            listed |= signed.store.role(name, heads[name]).signed.targets
    metadata = tuf.Metadata(tuf.Targets(version=1, expires=NOW + timedelta(days=30), targets=listed))
    metadata.sign(signed.holders.lists["base"][0])
    return metadata.to_bytes()


def update(folder: Path, sizes: tuple[int, ...]) -> None:
    """One package was published since the last update: what a host takes to know of it, beside python-tuf's own
    reading and verifying of one list of the same targets."""
    for targets in sizes:
        signed = filled(folder / f"update-{targets}", targets)
        client, key = signed.client(), signed.holders.lists["base"][0].public_key
        cold, flat = spent(client.update), flat_list(signed)
        ours, theirs, found = [], [], []

        def check(raw: bytes = flat, key: tuf.Key = key) -> None:
            read = tuf.Metadata.from_bytes(raw)
            key.verify_signature(read.signatures[key.keyid], read.signed_bytes)

        for number in range(UPDATES):
            signed.publish(f"base/new_1.0-{number}.wapt", now=NOW + timedelta(minutes=number))
            started = time.process_time()
            found.append(client.update())
            ours.append(time.process_time() - started)
            theirs.append(spent(check))
        mine, other = statistics.median(ours), statistics.median(theirs)
        figure(f"packages.update.{targets}.cpu_seconds", mine, "s", other)
        figure(f"packages.update.{targets}.ratio_to_flat_tuf_cpu", mine / other, "ratio")
        figure(f"packages.update.{targets}.cold_cpu_seconds", cold, "s", other)
        figure(f"packages.update.{targets}.bytes", statistics.median(one.bytes for one in found), "bytes", len(flat))
        figure(f"packages.update.{targets}.requests", statistics.median(one.requests for one in found), "requests", 1)
        packages_apt.beside_apt(signed.folder, signed, targets)


def publish(folder: Path, targets: int) -> None:
    """One package more, beside the same without the index for agents of WAPT."""
    signed = filled(folder / "publish", targets, Filled)
    numbers = iter(range(1000))

    def one() -> None:
        signed.publish(f"base/one_1.0-{next(numbers)}.wapt")

    def without_index() -> None:
        with patch.object(repository_publish, "_index_steps", return_value=[]):
            one()

    # those that had none are made up for first, so that each round makes up for one
    taken, bare = [], []
    for _round in range(ROUNDS):
        bare.append(spent(without_index))
        one()
        taken.append(spent(one))
    started = time.perf_counter()
    one()
    wall = time.perf_counter() - started
    mine, other = statistics.median(taken), statistics.median(bare)
    figure(f"packages.publish.{targets}.cpu_seconds", mine, "s", other)
    figure(f"packages.publish.{targets}.ratio_to_without_index", mine / other, "ratio")
    figure(f"packages.publish.{targets}.seconds", wall, "s")
    index_bytes = (signed.public / layout.INDEX).stat().st_size
    figure(f"packages.publish.{targets}.index_bytes", index_bytes, "bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--targets", type=int, default=10_000)
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    try:
        with tempfile.TemporaryDirectory(prefix="bocage-bench-") as name:
            folder = Path(name)
            for part in wanted:
                say(f"==> {part}")
                if part == "verify":
                    (folder / "verify").mkdir()
                    verify(folder / "verify")
                elif part == "index":
                    index(folder)
                elif part == "update":
                    update(folder, (*(one for one in (100, 1_000) if one < options.targets), options.targets))
                elif part == "publish":
                    publish(folder, options.targets)
                else:
                    packages_solve.measure()
        packages_rollout.report()
    except (BenchError, OSError) as error:
        say(f"packages.py: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
