# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed packages from their author to a host: published beside the keys, served by anybody, believed by nobody."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_core._common import timestamps
from bocage_core._packages import index, publishable
from bocage_packager.main import main as packager
from packages_made import SECRETS, TRUST, copied, make, publish

REPOSITORY = "/srv/bocage/packages"
# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND, BROKEN, MENDED, THIRD, SOFTWARE, FOURTH, FIFTH = (f"{RUN}.{number}-1" for number in range(8))
SETUP = '''
UNIT = """[Unit]
Description=A demonstration
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""

def install():
    write("/etc/systemd/system/demo-hello.service", UNIT)
    write("/opt/demo-hello/version", control["version"])
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "--quiet", "demo-hello"])
    run(["systemctl", "restart", "demo-hello"])
    run(["{last}"])

def audit():
    return "OK" if run_notfatal(["systemctl", "is-active", "demo-hello"]).strip() == "active" else "ERROR"
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where packages are made; from the first of them on, the host of these tests takes none by itself."""
    driver.no_upgrade_by_itself("desk1")
    yield tmp_path_factory.mktemp("packages")
    driver.on("desk1", "systemctl start bocage-agent-upgrade.timer")


@pytest.fixture(scope="module", autouse=True)
def trusted() -> None:
    """The estate trusts a root of packages; hub and cache serve, and every host looks."""
    driver.serve_packages()


def signed(folder: Path, version: str, last: str = "true", who: str = "developer") -> Path:
    """A package of the demo as its author makes it."""
    return make(folder, "demo-hello", version, SETUP.replace("{last}", last), who)


def agent(host: str, words: str, check: bool = True) -> str:
    return driver.on(host, f"{driver.AGENT} {words} 2>&1", check=check, timeout=120)


def module(host: str, name: str, /, *arguments: str, **options: Any) -> dict[str, Any]:
    """What a module of the collection answers on a host, asked as an operator does without a playbook."""
    command = ["ansible", host, "-i", str(driver.INVENTORY), "--become", "-m", f"bocage.fleet.{name}"]
    environment = driver.environment(ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal")
    done = subprocess.run(
        [*command, *(["-a", json.dumps(options)] if options else []), *arguments],
        cwd=driver.ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    told = re.search(rf"^{host} \| [A-Z!]+ => ", done.stdout, re.MULTILINE)
    assert told, done.stdout + done.stderr
    found: dict[str, Any] = json.JSONDecoder().raw_decode(done.stdout, told.end())[0]
    return {**found, "printed": done.stdout}


def report() -> None:
    driver.on("desk1", "systemctl start bocage-agent-report")


def inventory() -> dict[str, Any]:
    return driver.inventory_list()[0]


def versions() -> dict[str, str]:
    """What the inventory says is installed on the host of these tests."""
    report()
    found = inventory()["_meta"]["hostvars"]["desk1"]["reported"]["packages"]
    # what a host says is marked, so that nobody takes it for a template
    return {name: version["__ansible_unsafe"] for name, version in found.items()}


def test_a_second_run_changes_nothing() -> None:
    for name in ("packages", "publish_package"):
        run = driver.playbook(f"playbooks/{name}.yml")
        assert run.ok, run.failures
        assert run.changed_tasks == [], name


def test_a_run_of_one_host_gives_what_a_run_of_all_gave() -> None:
    """Also of what it takes from hosts that are not in the run: the registry, the publisher, the copy of its site."""
    for name in ("desk1", "gw1"):
        run = driver.playbook("playbooks/site.yml", "--limit", name)
        assert run.ok, run.failures
        assert run.changed_tasks == [], name


def test_attack_the_publisher_is_searched_for_keys() -> None:
    """It holds those of snapshot and timestamp, and would hold no other without being told of."""
    program = "/opt/bocage/packager/current/bin/bocage-package check-keys --json"
    said = driver.on("hub1", f"{program} {REPOSITORY} --more /etc/bocage/package-repository")
    assert json.loads(said) == {"clean": True, "found": []}
    for name in ("root-1", "targets-1", "base", "rollouts"):
        secret = (SECRETS / "tuf" / f"{name}.key").read_text().splitlines()[1]
        assert driver.on("hub1", f"grep -rlF {secret} /etc/bocage /srv /opt/bocage/packager", check=False) == ""


def test_a_package_reaches_a_host_by_the_copy_of_its_site(folder: Path) -> None:
    run = publish(signed(folder, FIRST))
    assert run.ok, run.failures
    copied()
    said = agent("desk1", "install demo-hello")
    assert f"demo-hello {FIRST}: install finished" in said, said
    assert driver.on("desk1", "systemctl is-active demo-hello; cat /opt/demo-hello/version").split() == [
        "active",
        FIRST,
    ]
    assert versions()["demo-hello"] == FIRST


def test_agents_of_wapt_find_an_index_where_packages_are(folder: Path) -> None:
    """The publisher made it with the publication, and the copy has it; a client that trusts the estate takes all of it."""
    command = f"base64 {REPOSITORY}/public/wapt/Packages"
    raw = base64.b64decode(driver.on("hub1", command))
    assert base64.b64decode(driver.on("wrs1", command)) == raw
    found = index.read_index(raw, publishable.estate_trust(TRUST), timestamps.now())
    assert found.discarded == ()
    (entry,) = [one for one in found.accepted if str(one.control) == f"demo-hello={FIRST}"]
    served = driver.on("wrs1", f"sha256sum {REPOSITORY}/public/wapt/{entry.unsigned['filename']}")
    assert served.split()[0] == hashlib.sha256((folder / entry.unsigned["filename"]).read_bytes()).hexdigest()


def test_attack_an_altered_package_is_not_published(folder: Path) -> None:
    """Whoever has the keys of the lists is told what every host would say, before anything is signed."""
    altered = signed(folder, SOFTWARE)
    with zipfile.ZipFile(altered, "a") as archive:
        archive.writestr("more.py", "print(1)")
    run = publish(altered)
    assert not run.ok
    assert [words for _host, _task, words in run.failures if "more.py" in words], run.failures
    listed = driver.on("hub1", f"find {REPOSITORY}/public/targets -name '*demo-hello_{SOFTWARE}*'")
    assert listed == ""
    altered.unlink()
    shutil.rmtree(folder / f"demo-hello-{SOFTWARE}")


def test_attack_a_poisoned_copy_is_passed_over(folder: Path) -> None:
    run = publish(signed(folder, SECOND))
    assert run.ok, run.failures
    copied()
    poison = f"find {REPOSITORY}/public/targets -name '*demo-hello_{SECOND}*' -exec sh -c 'head -c 3000 /dev/urandom > \"$1\"' sh {{}} ';'"
    driver.on("wrs1", poison)
    said = agent("desk1", "upgrade")
    assert f"demo-hello {SECOND}: install finished" in said, said
    assert driver.on("desk1", "cat /opt/demo-hello/version") == SECOND


def test_a_deployer_signs_no_software(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError):
        signed(folder, SOFTWARE, who="deployer")
    assert "the certificate deployer lacks codeSigning; let a developer sign it." in capsys.readouterr().err


def test_what_fails_is_told_and_the_next_version_mends_it(folder: Path) -> None:
    run = publish(signed(folder, BROKEN, last="false"))
    assert run.ok, run.failures
    copied()
    said = agent("desk1", "upgrade", check=False)
    assert f"demo-hello {BROKEN}: install failed" in said, said
    report()
    found = inventory()
    assert "desk1" in found["packages_error"]["hosts"]
    assert "desk1" in found["drift_packages"]["hosts"]
    assert "demo-hello is in ERROR" in driver.package_drift("desk1")
    assert publish(signed(folder, MENDED)).ok
    copied()
    agent("desk1", "upgrade")
    report()
    assert "desk1" not in inventory().get("packages_error", {}).get("hosts", [])


def fetched() -> tuple[int, int]:
    """Requests that the host made of copies of its site and of others, by its own report."""
    sections = json.loads(driver.on("desk1", f"{driver.AGENT} report --print"))["sections"]
    found = sections["packages"]["fetched"]
    return found["site_requests"], found["elsewhere_requests"]


def test_the_copy_of_the_site_goes_away_and_comes_back() -> None:
    before = fetched()
    driver.on("wrs1", "systemctl stop bocage-package-repository")
    try:
        agent("desk1", "update")
    finally:
        driver.on("wrs1", "systemctl start bocage-package-repository")
    away = fetched()
    assert away[1] > before[1], "the publisher itself was asked"
    agent("desk1", "update")
    back = fetched()
    assert back[0] > away[0] and back[1] == away[1], "the copy of the site is asked again, and nobody else"


def test_a_host_installs_without_any_network(folder: Path) -> None:
    """What was downloaded and accepted in full is installed while every server is away, and reported later."""
    run = publish(signed(folder, THIRD))
    assert run.ok, run.failures
    copied()
    agent("desk1", "download-upgrade")
    report()
    found = inventory()
    assert "desk1" in found["packages_need_upgrade"]["hosts"]
    assert "demo-hello" not in driver.package_drift("desk1"), "who only waits has not drifted"
    for host in ("hub1", "wrs1"):
        driver.on(host, "systemctl stop bocage-package-repository")
    driver.on("hub1", "systemctl stop bocage-registry")
    try:
        said = agent("desk1", "upgrade", check=False)
        assert driver.on("desk1", "cat /opt/demo-hello/version") == THIRD, said
        report()
        assert json.loads(agent("desk1", "status"))["spooled"] >= 1
    finally:
        for host in ("hub1", "wrs1"):
            driver.on(host, "systemctl start bocage-package-repository")
        driver.on("hub1", "systemctl start bocage-registry")
        driver.registry_answers()
    driver.eventually(lambda: versions().get("demo-hello") == THIRD, 30, "the report tells")
    found = inventory()
    assert "desk1" not in found.get("packages_need_upgrade", {}).get("hosts", [])
    records = found["_meta"]["hostvars"]["desk1"]["reported"]["sections"]["packages"]["offline_records"]
    assert "demo-hello" in json.dumps(records), records


def test_a_removed_package_leaves_nothing() -> None:
    agent("desk1", "remove demo-hello")
    left = driver.on("desk1", "ls -d /opt/demo-hello /etc/systemd/system/demo-hello.service 2>/dev/null", check=False)
    assert left == ""
    assert "demo-hello" not in versions()


def four(**options: Any) -> list[dict[str, Any]]:
    """Check, do, check again, do again; what is foreseen is what is done, and only once."""
    calls = (("--check", "--diff"), ("--diff",), ("--check",), ())
    results = [module("desk1", "package", *arguments, **options) for arguments in calls]
    assert [one["changed"] for one in results] == [True, True, False, False], results
    assert results[0]["changes"] == results[1]["changes"]
    return results


def test_the_module_has_a_package_and_looks_at_it() -> None:
    checked = module("desk1", "package", "--check", name=["demo-hello"])
    assert checked["changed"]
    assert driver.on("desk1", "ls -d /opt/demo-hello 2>/dev/null", check=False) == "", "only checked"
    done = four(name=["demo-hello"])[1]
    installed = {"package": "demo-hello", "action": "install", "before": None, "after": THIRD}
    assert done["changes"] == [installed] and f"+demo-hello {THIRD}" in done["printed"]
    assert driver.on("desk1", "systemctl is-active demo-hello; cat /opt/demo-hello/version").split() == [
        "active",
        THIRD,
    ]
    found = module("desk1", "package_info")
    assert not found["changed"] and found["versions"]["demo-hello"] == THIRD
    assert found["requests"]["demo-hello"] == "demo-hello"
    assert "demo-hello" not in [one["package"] for one in found["problems"]]
    assert found["history"][0]["package"] == "demo-hello" and found["metadata"]["timestamp"] > 0


def test_the_module_tells_in_a_sentence_what_cannot_be() -> None:
    absent = module("desk1", "package", name=["never-there"])
    assert absent["msg"] == "never-there: The repository has no package never-there for this host."
    older = module("desk1", "package", name=["demo-hello(<0.1)"])
    assert older["msg"].startswith("demo-hello: ")
    assert driver.on("desk1", "cat /opt/demo-hello/version") == THIRD
    lock = "exec 9<>/run/bocage/packages.lock; flock 9; sleep 20"
    held = subprocess.Popen([str(driver.PODMAN), "exec", "bocage-demo-desk1", "bash", "-c", lock])
    try:
        free = "flock --nonblock /run/bocage/packages.lock true"
        driver.eventually(lambda: driver.on("desk1", f"{free} || echo held", check=False) == "held\n", 10, "it is held")
        busy = module("desk1", "package", name=["demo-hello"], wait_seconds=0)
        assert busy["msg"].startswith("Another agent works with packages on this host (")
    finally:
        held.wait(30)


def test_the_module_keeps_what_fits_and_takes_the_latest(folder: Path) -> None:
    assert publish(signed(folder, FOURTH)).ok
    copied()
    assert not module("desk1", "package", name=["demo-hello"])["changed"]
    done = four(name=["demo-hello"], state="latest")[1]
    assert done["changes"] == [{"package": "demo-hello", "action": "upgrade", "before": THIRD, "after": FOURTH}]
    assert driver.on("desk1", "cat /opt/demo-hello/version") == FOURTH
    assert not module("desk1", "package", state="latest")["changed"], "nothing else is due"


def test_the_module_removes_what_it_brought() -> None:
    done = four(name=["demo-hello"], state="absent")[1]
    assert done["changes"] == [{"package": "demo-hello", "action": "remove", "before": FOURTH, "after": None}]
    left = driver.on("desk1", "ls -d /opt/demo-hello /etc/systemd/system/demo-hello.service 2>/dev/null", check=False)
    assert left == ""


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


def test_what_is_about_to_end_is_told_before_it_does(folder: Path) -> None:
    """A timestamp of eleven hours, and nobody who would sign it again: who serves it says so, and playbooks warn."""

    def expiring() -> bool:
        driver.on("hub1", "systemctl start bocage-agent-report")
        # the copy of the site may have taken it in, and then says so, too
        return "hub1" in inventory().get("packages_expiring", {}).get("hosts", [])

    driver.on("hub1", "systemctl stop bocage-package-upkeep.timer")
    try:
        run = publish(signed(folder, FIFTH), package_repository_timestamp_hours=11)
        assert run.ok, run.failures
        assert expiring()
        run = driver.playbook("playbooks/packages.yml", "--limit desk1,hub1", "--check")
        assert run.ok, run.failures
        (told,) = [line for line in run.stdout.splitlines() if "hub1 serves: the timestamp ends at 2" in line]
        assert "WARNING: something ends" in told and "has to be signed by the publisher before" in told
    finally:
        driver.on("hub1", "systemctl start bocage-package-upkeep bocage-package-upkeep.timer")
    assert not expiring()


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
