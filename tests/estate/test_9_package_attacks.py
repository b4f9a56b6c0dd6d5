# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever holds the copy of a site against a real agent: nothing of theirs is installed.

The publisher is silent while the copy of the site serves what the attacker likes, so that nobody else can be asked. The
host knows the state before the last publication; the order of the tests is that in which it comes to know more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import driver
import pytest
from packages_made import make
from packages_made import serve as serve_published
from tuf.api.metadata import Metadata, Targets

PUBLIC = "/srv/bocage/packages/public"
ONLINE = "/etc/bocage/package-repository"
# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND, THIRD = (f"{RUN}.{number}-1" for number in range(3))
SETUP = """
def install():
    write("/opt/demo-safe/version", control["version"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacks")


def publish(folder: Path, version: str) -> None:
    serve_published(make(folder, "demo-safe", version, SETUP))


def agent(words: str, days: int = 0) -> str:
    """What the agent of desk1 says, with its clock so many days ahead."""
    clock = f"faketime '+{days} days' " if days else ""
    return driver.on("desk1", f"{clock}{driver.AGENT} {words} --wait 60 2>&1", check=False, timeout=300)


def installed() -> str:
    return driver.on("desk1", "cat /opt/demo-safe/version").strip()


@pytest.fixture(scope="module", autouse=True)
def siege(folder: Path) -> Iterator[None]:
    """desk1 has the first version and knows of the second; the attacker has both states and the site's copy."""
    driver.serve_packages()
    driver.no_upgrade_by_itself("desk1")
    publish(folder, FIRST)
    said = agent("install demo-safe")
    assert f"demo-safe {FIRST}: install finished" in said, said
    driver.on("wrs1", f"rm -rf /srv/old /srv/new && cp -a {PUBLIC} /srv/old")
    publish(folder, SECOND)
    driver.on("wrs1", f"cp -a {PUBLIC} /srv/new && systemctl stop bocage-package-upkeep.timer")
    driver.on("hub1", "systemctl stop bocage-package-upkeep.timer bocage-package-repository")
    yield
    driver.on("hub1", "systemctl start bocage-package-repository bocage-package-upkeep.timer")
    driver.on("wrs1", "rm -rf /srv/old /srv/new; systemctl start bocage-package-upkeep.timer")
    driver.on("desk1", "systemctl start bocage-agent-upgrade.timer")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    serve("/srv/new")


def serve(source: str) -> None:
    driver.on("wrs1", f"find {PUBLIC} -mindepth 1 -delete && cp -a {source}/. {PUBLIC}/")


def refused(*words: str, days: int = 0) -> str:
    """The host takes nothing, and says why in a sentence that has one of these words."""
    said = agent("upgrade", days)
    assert installed() == FIRST
    assert "Traceback" not in said
    assert any(word in said for word in words), said
    return said


def head(role: str) -> str:
    """The newest file of a role on the site's copy."""
    found = driver.on("wrs1", f"ls {PUBLIC}/metadata | grep -E '^[0-9]+\\.{role}\\.json$' | sort -n | tail -1")
    return f"{PUBLIC}/metadata/{found.strip()}"


def read(role: str) -> bytes:
    path = f"{PUBLIC}/metadata/timestamp.json" if role == "timestamp" else head(role)
    return driver.on("wrs1", f"cat {path}").encode()


def write(path: str, data: bytes) -> None:
    driver.on("wrs1", f"cat > {path} <<'E'\n{data.decode()}\nE\ntruncate -s -1 {path}")


def test_attack_mix_and_match() -> None:
    """The timestamp of today with the snapshot of yesterday, under the name of today's."""
    old = driver.on("wrs1", "ls /srv/old/metadata | grep -E '^[0-9]+\\.snapshot\\.json$' | sort -n | tail -1").strip()
    driver.on("wrs1", f"cp --remove-destination /srv/old/metadata/{old} {head('snapshot')}")
    refused("snapshot", "length", "hash", "bytes")


def test_attack_omission() -> None:
    """A list is not there, so that nobody would hear of what is in it."""
    driver.on("wrs1", f"rm {head('base')}")
    refused("lacks a file")


def test_attack_arbitrary_software() -> None:
    """A list that names a file of the attacker, under the signatures that the list had."""
    listed: Metadata[Targets] = Metadata.from_bytes(read("base"))
    for target in listed.signed.targets.values():
        target.hashes = {"sha256": "0" * 64}
    write(head("base"), listed.to_bytes())
    refused("base")


def test_attack_endless_data() -> None:
    """A file without an end, where a small one should be: it is left after as many bytes as may be."""
    driver.on("wrs1", f"truncate -s 20G {PUBLIC}/metadata/timestamp.json")
    begun = time.monotonic()
    refused("bytes", "longer", "long")
    assert time.monotonic() - begun < 60


@contextmanager
def web_server(change: str) -> Iterator[None]:
    """The web server of the site's copy with a change of its settings, as a script of sed."""
    settings = f"{ONLINE}/nginx.conf"
    driver.on("wrs1", f"cp {settings} /srv/nginx.conf && sed -i '{change}' {settings}")
    driver.on("wrs1", "systemctl restart bocage-package-repository")
    try:
        yield
    finally:
        driver.on("wrs1", f"mv /srv/nginx.conf {settings} && systemctl restart bocage-package-repository")


def test_attack_slow_retrieval() -> None:
    """A trickle of bytes, so that the update never ends."""
    begun = time.monotonic()
    with web_server("s/sendfile on;/sendfile on; limit_rate 20;/"):
        refused("slow", "per second", "took")
    assert time.monotonic() - begun < 200


def test_attack_keys_that_nobody_signed() -> None:
    """Words inside of what is signed are no longer what was signed."""
    served = json.loads(read("timestamp"))
    served["signed"]["unsigned_key"] = "trust me"
    write(f"{PUBLIC}/metadata/timestamp.json", json.dumps(served).encode())
    refused("sign")


@pytest.mark.parametrize(
    ("length", "word"),
    [
        ("+0", "not the one that was signed"),
        ("+1", "bytes that are due"),
        ("+20G", "bytes that are due"),
        ("-1", "ended after"),
    ],
)
def test_attack_wrong_software_under_the_right_name(length: str, word: str) -> None:
    """A package that a developer did sign, in the place of another one: as long, longer, without an end, and shorter.

    What came of the shorter one stays for the next try; the honest copy, asked last, ends well from there.
    """
    old = f"$(ls {PUBLIC}/targets/base/*.demo-safe_{FIRST}_PROD.wapt)"
    new = f"$(ls {PUBLIC}/targets/base/*.demo-safe_{SECOND}_PROD.wapt)"
    driver.on("wrs1", f"cp --remove-destination {old} {new}")
    driver.on("wrs1", f"truncate -r /srv/new/targets/base/*.demo-safe_{SECOND}_PROD.wapt -s {length} {new}")
    refused(word)


def test_attack_slow_retrieval_of_a_package() -> None:
    """What is listed comes as ever, and the package itself in a trickle."""
    driver.on("desk1", f"{driver.AGENT} clean")
    begun = time.monotonic()
    with web_server("s/location \\/ {/location ~ [.]wapt$ { limit_rate 20; }\\n    location \\/ {/"):
        refused("bytes in 1")
    assert time.monotonic() - begun < 60


def test_attack_freeze() -> None:
    """The copy stands still for three days, signed as ever."""
    refused("expired", "ended", days=3)


def test_attack_rollback_of_the_whole_repository() -> None:
    """The host has heard of the newer state by now."""
    serve("/srv/old")
    refused("must be >=")


def test_the_honest_copy_is_taken_afterwards() -> None:
    """None of all that has left the host unable to go on."""
    said = agent("upgrade")
    assert f"demo-safe {SECOND}: install finished" in said, said


def test_work_that_is_cut_off_anywhere_is_mended_by_the_next_run(folder: Path) -> None:
    """The agent is killed at twelve moments of an installation, as a power cut would do it."""
    driver.on("hub1", "systemctl start bocage-package-repository bocage-package-upkeep.timer")
    publish(folder, THIRD)
    agent("remove demo-safe")
    begun = time.monotonic()
    agent("install demo-safe")
    whole = time.monotonic() - begun
    killed = halfway = 0
    for number in range(12):
        agent("remove demo-safe")
        kill = f"timeout -s KILL {whole * (number + 1) / 13:.2f} {driver.AGENT} install demo-safe --wait 60"
        killed += driver.on("desk1", f"{kill} > /dev/null; echo $?").split()[-1] == "137"
        halfway += packages()["interrupted"] != []
        said = agent("install demo-safe")
        assert "Traceback" not in said
        assert packages()["packages"]["demo-safe"]["state"] == "OK", (number, said)
        assert packages()["interrupted"] == []
        assert installed() == THIRD
    print(f"killed {killed} times of 12 within {whole:.1f} s, {halfway} times in an installation that had begun")
    assert killed >= 6 and halfway >= 1


def packages() -> dict[str, Any]:
    """What the host knows of its packages."""
    found: dict[str, Any] = json.loads(driver.on("desk1", f"{driver.AGENT} packages"))
    return found
