# SPDX-License-Identifier: GPL-3.0-or-later
"""What authors and operators have for packages beside the agent: modules of the collection, and trying one in a container."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_packager.main import main as packager
from packages_made import SECRETS, TRUST, make, serve

# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND = (f"{RUN}.{number}-1" for number in range(2))
SETUP = """
def install():
    write("/opt/demo-module/version", control["version"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module", autouse=True)
def published(folder: Path) -> Iterator[None]:
    """A package is there to be installed, and the host of these tests takes none by itself."""
    driver.serve_packages()
    driver.no_upgrade_by_itself("desk1")
    serve(make(folder, "demo-module", FIRST, SETUP))
    yield
    driver.on("desk1", "systemctl start bocage-agent-upgrade.timer")


def version() -> str:
    return driver.on("desk1", "cat /opt/demo-module/version")


def module(host: str, name: str, /, *arguments: str, **options: Any) -> dict[str, Any]:
    """What a module of the collection answers on a host, asked as an operator does without a playbook."""
    here = ["-i", "localhost,", "--connection", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    where = here if host == "localhost" else ["-i", str(driver.INVENTORY), "--become"]
    command = ["ansible", host, *where, "-m", f"bocage.fleet.{name}"]
    environment = driver.environment(ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal")
    done = subprocess.run(
        [*command, *(["-a", json.dumps(options)] if options else []), *arguments],
        cwd=driver.ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    told = re.search(rf"^{host} \| [A-Z!]+ => ", done.stdout, re.MULTILINE)
    assert told, done.stdout + done.stderr
    found: dict[str, Any] = json.JSONDecoder().raw_decode(done.stdout, told.end())[0]
    return {**found, "printed": done.stdout}


def four(host: str = "desk1", name: str = "package", /, told: str = "changes", **options: Any) -> list[dict[str, Any]]:
    """Check, do, check again, do again; what is foreseen is what is done, and only once."""
    calls = (("--check", "--diff"), ("--diff",), ("--check",), ())
    results = [module(host, name, *arguments, **options) for arguments in calls]
    assert [one["changed"] for one in results] == [True, True, False, False], results
    assert results[0][told] == results[1][told]
    return results


def test_the_module_has_a_package_and_looks_at_it() -> None:
    checked = module("desk1", "package", "--check", name=["demo-module"])
    assert checked["changed"]
    assert driver.on("desk1", "ls -d /opt/demo-module 2>/dev/null", check=False) == "", "only checked"
    done = four(name=["demo-module"])[1]
    installed = {"package": "demo-module", "action": "install", "before": None, "after": FIRST}
    assert done["changes"] == [installed] and f"+demo-module {FIRST}" in done["printed"]
    assert version() == FIRST
    found = module("desk1", "package_info")
    assert not found["changed"] and found["versions"]["demo-module"] == FIRST
    assert found["requests"]["demo-module"] == "demo-module"
    assert "demo-module" not in [one["package"] for one in found["problems"]]
    assert found["history"][0]["package"] == "demo-module" and found["metadata"]["timestamp"] > 0


def test_the_module_tells_in_a_sentence_what_cannot_be() -> None:
    absent = module("desk1", "package", name=["never-there"])
    assert absent["msg"] == "never-there: The repository has no package never-there for this host."
    older = module("desk1", "package", name=["demo-module(<0.1)"])
    assert older["msg"].startswith("demo-module: ")
    assert version() == FIRST
    lock = "exec 9<>/run/bocage/packages.lock; flock 9; sleep 20"
    held = subprocess.Popen([str(driver.PODMAN), "exec", "bocage-demo-desk1", "bash", "-c", lock])
    try:
        free = "flock --nonblock /run/bocage/packages.lock true"
        driver.eventually(lambda: driver.on("desk1", f"{free} || echo held", check=False) == "held\n", 10, "it is held")
        busy = module("desk1", "package", name=["demo-module"], wait_seconds=0)
        assert busy["msg"].startswith("Another agent works with packages on this host (")
    finally:
        held.wait(30)


def test_the_module_keeps_what_fits_and_takes_the_latest(folder: Path) -> None:
    serve(make(folder, "demo-module", SECOND, SETUP))
    assert not module("desk1", "package", name=["demo-module"])["changed"]
    done = four(name=["demo-module"], state="latest")[1]
    assert done["changes"] == [{"package": "demo-module", "action": "upgrade", "before": FIRST, "after": SECOND}]
    assert version() == SECOND
    assert not module("desk1", "package", state="latest")["changed"], "nothing else is due"


def test_the_module_removes_what_it_brought() -> None:
    done = four(name=["demo-module"], state="absent")[1]
    assert done["changes"] == [{"package": "demo-module", "action": "remove", "before": SECOND, "after": None}]
    assert driver.on("desk1", "ls -d /opt/demo-module 2>/dev/null", check=False) == ""


def test_the_module_of_the_repository_finds_all_fresh() -> None:
    fresh = module("hub1", "package_repository", "--check", command="refresh")
    assert not fresh["changed"] and fresh["expiries"][0]["state"] in ("good", "renew")
    unit = driver.on("wrs1", "systemctl show --property=ExecStart --value bocage-package-upkeep.service")
    upstream = re.findall(r"--from (\S+)", unit)
    assert upstream, unit
    # its timer may have been faster
    module("wrs1", "package_repository", command="replicate", upstream=upstream)
    for arguments in (("--check",), ()):
        again = module("wrs1", "package_repository", *arguments, command="replicate", upstream=upstream)
        assert (again["changed"], again["steps"]) == (False, []), again


def test_a_debian_package_is_packed_tried_signed_and_installed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the file of a distribution to a host and away again, by what an operator has for it."""
    content = folder / "deb"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "opt" / "demo-deb").mkdir(parents=True)
    (content / "opt" / "demo-deb" / "version").write_text(FIRST)
    fields = {
        "Package": "demo-deb",
        "Version": FIRST,
        "Architecture": "all",
        "Maintainer": "the lab <lab@demo.internal>",
    }
    lines = [f"{name}: {value}" for name, value in {**fields, "Description": "a demonstration"}.items()]
    (content / "DEBIAN" / "control").write_text("\n".join([*lines, ""]))
    deb, source = folder / "demo-deb.deb", folder / "demo-deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(content), str(deb)], check=True, capture_output=True
    )
    assert packager(["init", str(source), "--deb", str(deb)]) == 0
    capsys.readouterr()
    assert packager(["test", str(source), "--podman", str(driver.PODMAN), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] and told["left_behind"] == [], told

    options = {"folder": str(source), "output_directory": str(folder), "passphrase_file": str(SECRETS / "passphrase")}
    options |= {"key": str(SECRETS / "signers/developer.key"), "certificate": str(TRUST / "signers/developer.crt")}
    built = four("localhost", "package_build", told="reasons", **options)[1]
    assert (built["package"], built["version"]) == ("demo-deb", FIRST), built
    serve(Path(built["file"]))
    assert module("desk1", "package", name=["demo-deb"])["changed"]
    asked = "dpkg-query --show --showformat '${Version} ${db:Status-Status}' demo-deb; cat /opt/demo-deb/version"
    assert driver.on("desk1", asked) == f"{FIRST} installed{FIRST}"
    assert module("desk1", "package", name=["demo-deb"], state="absent")["changed"]
    assert driver.on("desk1", "ls -d /opt/demo-deb 2>/dev/null", check=False) == ""


def test_an_author_tries_a_package_in_a_container(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Installed, audited and removed by the agent's own runner; what it leaves behind is told."""
    assert packager(["init", str(tmp_path / "demo-trial"), "--package", "demo-trial", "--version", "1-0"]) == 0
    setup = tmp_path / "demo-trial" / "setup.py"
    install = 'def install():\n    write("/opt/demo-trial/version", control["version"])\n'
    for text, left in ((install, []), (f'{install}    run(["touch", "/opt/left"])\n', ["/opt/left"])):
        setup.write_text(text)
        capsys.readouterr()
        status = packager(["test", str(tmp_path / "demo-trial"), "--podman", str(driver.PODMAN), "--json"])
        told = json.loads(capsys.readouterr().out)
        assert status == 0 and told["passed"], told
        assert told["left_behind"] == left, told
