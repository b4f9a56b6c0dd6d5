# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed packages from their author to a host: published beside the keys, served by anybody, believed by nobody."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_core._common import timestamps
from bocage_core._packages import index, publishable
from packages_made import SECRETS, TRUST, copied, make, publish

REPOSITORY = "/srv/bocage/packages"
# Of this run: a host takes no version below one that it had, also where the lab was kept.
RUN = int(time.time()) // 60
FIRST, SECOND, BROKEN, MENDED, THIRD, SOFTWARE, FOURTH = (f"{RUN}.{number}-1" for number in range(7))
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


def act(verb: str, group: str) -> driver.Run:
    """Hosts are asked by a signed action, and followed until each has answered."""
    return driver.playbook("playbooks/act.yml", "--limit", group, extra={"act_verb": verb})


def test_a_group_is_asked_to_upgrade_what_fails_is_told_and_the_next_version_mends_it(folder: Path) -> None:
    """One host of two has something to do: it fails there, and the operator is told; then all is well."""
    run = publish(signed(folder, BROKEN, last="false"))
    assert run.ok, run.failures
    copied()
    run = act("upgrade", "hypervisors")
    assert not run.ok
    assert "upgrade: 2 hosts: 1 done, 1 failed." in run.stdout, run.stdout
    (told,) = [line for line in run.stdout.splitlines() if line.startswith("desk1: failed: ")]
    assert "demo-hello" in told, told
    journal = driver.on("desk1", "journalctl -q --no-pager -o cat -u 'bocage-action-*' -u bocage-agent-listen")
    assert f"demo-hello {BROKEN}: install failed" in journal and "A signed action" in journal, journal
    found = inventory()
    assert "desk1" in found["packages_error"]["hosts"]
    assert "desk1" in found["drift_packages"]["hosts"]
    assert "demo-hello is in ERROR" in driver.package_drift("desk1")
    assert publish(signed(folder, MENDED)).ok
    copied()
    run = act("upgrade", "hypervisors")
    assert run.ok, run.failures
    assert "upgrade: 2 hosts: 2 done." in run.stdout, run.stdout
    assert driver.on("desk1", "cat /opt/demo-hello/version") == MENDED
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


def test_what_is_about_to_end_is_told_before_it_does(folder: Path) -> None:
    """A timestamp of eleven hours, and nobody who would sign it again: who serves it says so, and playbooks warn."""

    def expiring() -> bool:
        driver.on("hub1", "systemctl start bocage-agent-report")
        # the copy of the site may have taken it in, and then says so, too
        return "hub1" in inventory().get("packages_expiring", {}).get("hosts", [])

    driver.on("hub1", "systemctl stop bocage-package-upkeep.timer")
    try:
        run = publish(signed(folder, FOURTH), package_repository_timestamp_hours=11)
        assert run.ok, run.failures
        assert expiring()
        run = driver.playbook("playbooks/packages.yml", "--limit desk1,hub1", "--check")
        assert run.ok, run.failures
        (told,) = [line for line in run.stdout.splitlines() if "hub1 serves: the timestamp ends at 2" in line]
        assert "WARNING: something ends" in told and "has to be signed by the publisher before" in told
    finally:
        driver.on("hub1", "systemctl start bocage-package-upkeep bocage-package-upkeep.timer")
    assert not expiring()
