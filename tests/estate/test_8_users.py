# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of a real host who are not root: what they may start, what a rule adds, and what packages do in their sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import driver
import pytest
from bocage_packager.main import main as packager
from packages_made import make, serve, sign

HOST = "desk1"
# Whom a rule names by her group, whom one names by himself, and whom none names.
ANN, BOB, EVE = "demo-ann", "demo-bob", "demo-eve"
GROUP = "demo-staff"
RULES = {GROUP: ["demo-tool"], f"user:{BOB}": ["demo-own-*"]}
TOOL, OWN, OTHER = "demo-tool", "demo-own-hat", "demo-other"
# Of this run: a host takes no version below one that it had, also where the lab was kept.
FIRST, SECOND, THIRD = (f"{int(time.time()) // 60}.{number}-1" for number in range(3))
SETUP = """
def install():
    write("/opt/demo-users/" + control["package"], control["version"])
"""
SESSION = """
import os, pwd

def session_setup():
    {first}
    with open(os.path.expanduser("~/demo-session"), "a") as stream:
        stream.write(control["version"] + " " + pwd.getpwuid(os.geteuid()).pw_name + "\\n")
"""
BROKEN = 'error("broken on purpose")'
# What a user's own program says at the socket; all that the agent answers.
SAY = """
import json, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect("/run/bocage/packages.sock")
    door.sendall(sys.argv[1].encode() + b"\\n")
    door.shutdown(socket.SHUT_WR)
    sys.stdout.write(door.makefile().read())
"""


def rules(folder: Path) -> Path:
    """A package of the type selfservice, signed by whoever may not sign software."""
    source = folder / f"demo-rules-{FIRST}"
    begun = ["init", str(source), "--template", "selfservice", "--package", "demo-rules", "--version", FIRST]
    assert packager(begun) == 0
    (source / "selfservice.json").write_text(json.dumps(RULES))
    sign(folder, source, "deployer")
    return folder / f"demo-rules_{FIRST}_PROD.wapt"


@pytest.fixture(scope="module", autouse=True)
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Three users, packages that are served and not installed, and no timer that is at work meanwhile."""
    driver.serve_packages()
    folder = tmp_path_factory.mktemp("users")
    sessions = ((FIRST, "pass"), (SECOND, BROKEN), (THIRD, "pass"))
    made = [make(folder, "demo-session", version, SESSION.replace("{first}", first)) for version, first in sessions]
    serve(*made, *(make(folder, name, FIRST, SETUP) for name in (TOOL, OWN, OTHER)), rules(folder))
    driver.no_upgrade_by_itself(HOST)
    forget_users()
    driver.on(HOST, f"groupadd {GROUP}; useradd -m -s /bin/bash -G {GROUP} {ANN}")
    driver.on(HOST, f"useradd -m -s /bin/bash {BOB}; useradd -m -s /bin/bash {EVE}")
    agent("update")
    yield
    for name in ("demo-rules", "demo-session", TOOL, OWN, OTHER):
        agent(f"remove {name} --ensure", check=False)
    forget_users()
    driver.on(HOST, "rmdir /opt/demo-users; systemctl start bocage-agent-upgrade.timer", check=False)


def forget_users() -> None:
    script = f"for one in {ANN} {BOB} {EVE}; do userdel -r $one; done; groupdel {GROUP}"
    driver.on(HOST, f"({script}) >/dev/null 2>&1", check=False)


def agent(words: str, check: bool = True) -> str:
    """What root has the agent do."""
    return driver.on(HOST, f"{driver.AGENT} {words} --wait 60 2>&1", check=check, timeout=120)


def ask(user: str, words: str) -> tuple[int, str]:
    """Status and words of the agent to a user, by the name under which users find it."""
    said = driver.on(HOST, f"runuser -l {user} -c 'bocage-agent {words}' 2>&1; echo $?", timeout=120)
    text, _newline, status = said.strip().rpartition("\n")
    return int(status), text


def may_not(user: str, words: str, sentence: str) -> None:
    assert ask(user, words) == (1, sentence)


def there() -> list[str]:
    return driver.on(HOST, "ls /opt/demo-users 2>/dev/null", check=False).split()


def log_in(user: str) -> str:
    """What a user sees who logs in on a terminal."""
    return driver.on(HOST, f"runuser -l {user} -c 'bash -lic true' 2>&1", timeout=120)


def lines(user: str) -> list[str]:
    return driver.on(HOST, f"cat ~{user}/demo-session").splitlines()


def reported() -> dict[str, Any]:
    driver.on(HOST, "systemctl start bocage-agent-report")
    found: dict[str, Any] = driver.inventory_list()[0]["_meta"]["hostvars"][HOST]["reported"]
    return found


def test_without_a_rule_a_user_only_brings_what_the_host_should_have() -> None:
    for verb in ("update", "clean"):
        status, said = ask(EVE, verb)
        assert status == 0, said
    # what other tests left in error would fail here as well
    for verb in ("download-upgrade", "upgrade"):
        status, said = ask(EVE, verb)
        assert "may not" not in said and "Another agent" not in said, said
    needs = "on this host; it needs the rights of an administrator."
    for verb in ("forget demo-tool", "audit", "list", "search tool", "packages"):
        may_not(EVE, verb, f"{EVE} may not do `{verb.split()[0]}` {needs}")
    for verb in ("install", "remove"):
        unnamed = f"{EVE} may not {verb} {TOOL}: no rule of self-service names it; ask an administrator."
        may_not(EVE, f"{verb} {TOOL}", unnamed)
    status, said = ask(EVE, f"install {TOOL} --plan")
    assert status == 1 and said.endswith("are for administrators of this host."), said
    assert there() == []


def test_a_rule_lets_users_of_a_group_and_single_ones_have_what_it_names() -> None:
    agent("install demo-rules")
    for user, package in ((ANN, TOOL), (BOB, OWN)):
        status, said = ask(user, f"install {package}")
        assert status == 0 and f"{package} {FIRST}: install finished" in said, said
        assert driver.on(HOST, f"stat -c %U /opt/demo-users/{package}").strip() == "root", "the agent did it, as root"
        status, said = ask(user, "list")
        assert status == 0 and package in said, said
    journal = driver.on(HOST, "journalctl --no-pager --since -5min -u 'bocage-packages@*'")
    assert f"{ANN} asks for install {TOOL}" in journal and f"{TOOL} {FIRST}: install finished" in journal
    for user, package in ((ANN, TOOL), (BOB, OWN)):
        status, said = ask(user, f"remove {package}")
        assert status == 0, said
    assert there() == []


def test_attack_a_user_asks_for_more_than_the_rule_names() -> None:
    """By the program, and by a program of the user's own that says what it likes."""
    unnamed = "no rule of self-service names it; ask an administrator."
    for user, package in ((ANN, OTHER), (ANN, OWN), (BOB, TOOL), (EVE, TOOL)):
        may_not(user, f"install {package}", f"{user} may not install {package}: {unnamed}")
    may_not(ANN, f"install {TOOL} {OTHER}", f"{ANN} may not install {OTHER}: {unnamed}")
    may_not(ANN, f'install "{TOOL}(>=0)"', f"{ANN} may not install {TOOL}(>=0): {unnamed}")
    driver.on(HOST, f"cat > /tmp/demo-say.py <<'E'\n{SAY}\nE")
    try:
        for question, word in (
            ({"verb": "install", "packages": [OTHER]}, unnamed),
            ({"verb": "install", "packages": [f"{TOOL}, {OTHER}"]}, unnamed),
            ({"verb": "upgrade", "packages": [OTHER]}, "it needs the rights of an administrator."),
            ({"verb": "install", "packages": [OTHER], "user": "root"}, "unknown fields"),
            ({"verb": "settle", "packages": []}, "There is no verb"),
        ):
            command = f"python3 /tmp/demo-say.py '\\''{json.dumps(question)}'\\''"
            said = driver.on(HOST, f"runuser -l {ANN} -c '{command}' 2>&1", check=False)
            assert word in said and '"status": 0' not in said, said
        owned = "/var/lib/bocage/packages/state.sqlite /run/bocage/packages.lock /etc/bocage/packages.json"
        for path in (*owned.split(), "/var/lib/bocage/packages/sessions", "/opt/bocage/agent/current/lib"):
            assert driver.on(HOST, f"runuser -u {ANN} -- test -w {path} && echo writable", check=False) == "", path
    finally:
        driver.on(HOST, "rm /tmp/demo-say.py")
    assert there() == []


def test_attack_a_user_closes_the_way_of_others() -> None:
    """Connections without a question, many of them, and one that stays: others are answered again soon."""
    script = """
import socket
def connect():
    door = socket.socket(socket.AF_UNIX)
    door.connect("/run/bocage/packages.sock")
    return door
kept = connect()
for _ in range(300):
    connect().close()
"""
    driver.on(HOST, f"runuser -u {EVE} -- python3 - <<'E'\n{script}\nE")
    assert driver.on(HOST, "systemctl is-active bocage-packages.socket").strip() == "active"
    driver.eventually(lambda: ask(ANN, "clean")[0] == 0, 30, "another user is answered")


def test_the_rule_goes_with_its_package() -> None:
    agent("remove demo-rules")
    may_not(
        ANN, f"install {TOOL}", f"{ANN} may not install {TOOL}: no rule of self-service names it; ask an administrator."
    )
    assert there() == []


def test_a_session_is_set_up_once_as_the_user_and_never_as_root() -> None:
    agent(f"install 'demo-session(={FIRST})'")
    for _ in range(2):
        assert "demo-session" not in log_in(ANN), "what goes well says nothing"
    assert lines(ANN) == [f"{FIRST} {ANN}"]
    log_in(BOB)
    assert lines(BOB) == [f"{FIRST} {BOB}"]
    assert driver.on(HOST, f"stat -c %U ~{ANN}/demo-session").strip() == ANN
    driver.on(HOST, "bash -lic true 2>&1")
    said = agent("session-setup", check=False)
    assert "never that of root" in said, said
    assert driver.on(HOST, "ls /root/demo-session 2>/dev/null", check=False) == ""


def test_what_fails_in_a_session_is_shown_and_reported_and_mended() -> None:
    agent(f"install 'demo-session(={SECOND})'")
    for user in (ANN, BOB):
        said = log_in(user)
        assert f"demo-session {SECOND} could not set up your session: broken on purpose" in said, said
        assert "will not report it" not in said, said
    assert lines(ANN) == [f"{FIRST} {ANN}"]
    text = json.dumps(reported())
    assert f"demo-session {SECOND} could not set up sessions of 2 users: broken on purpose." in text, text
    assert ANN not in text, "no name of a user leaves the host"
    known = json.loads(agent("packages"))["sessions"]
    assert known[BOB]["demo-session"] == {"version": SECOND, "reason": "broken on purpose"}
    agent(f"install 'demo-session(={THIRD})'")
    assert "demo-session" not in log_in(ANN)
    assert lines(ANN) == [f"{FIRST} {ANN}", f"{THIRD} {ANN}"]
    assert "could not set up sessions" not in json.dumps(reported())


REPOSITORY = """
# A repository of one program on the container's own disk, then Flatpak by itself: without it, its helper proves nothing.
trap 'test $? = 0 || echo "flatpak cannot work here: $(tail -n 1 /tmp/flatpak.log)" >&3' EXIT
set -e
exec 3>&1 >/tmp/flatpak.log 2>&1
place=/srv/demo-flatpak machine=$(flatpak --default-arch)
mkdir -p $place/app/files/bin $place/app/export $place/runtime/files $place/runtime/usr
printf '#!/bin/sh\\necho hello\\n' > $place/app/files/bin/hello
chmod 755 $place/app/files/bin/hello
runtime="runtime=org.example.Platform/$machine/stable\\nsdk=org.example.Platform/$machine/stable"
printf "[Runtime]\\nname=org.example.Platform\\n$runtime\\n" > $place/runtime/metadata
printf "[Application]\\nname=org.example.Hello\\n$runtime\\ncommand=hello\\n" > $place/app/metadata
flatpak build-export --disable-sandbox --runtime $place/repository $place/runtime stable
flatpak build-export --disable-sandbox $place/repository $place/app stable
flatpak remote-add --system --if-not-exists --no-gpg-verify demo file://$place/repository
flatpak install --system --noninteractive demo org.example.Hello//stable
flatpak uninstall --system --noninteractive org.example.Hello//stable
exec >&3
"""


def test_a_flatpak_comes_and_goes_with_its_package(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Made by `init` from a reference, in a container of its own; skipped where Flatpak itself does not work in one."""
    source = tmp_path / "demo-flatpak"
    reference = "org.example.Hello//stable"
    begun = ["init", str(source), "--flatpak", reference, "--remote", "demo", "--package", "demo-flatpak"]
    assert packager([*begun, "--version", "1-1"]) == 0
    setup = (source / "setup.py").read_text()
    assert setup.count('    install_apt("flatpak")\n') == 1
    first = '    install_apt("flatpak")\n    run(["bash", basedir + "/repository.sh"])\n'
    (source / "setup.py").write_text(setup.replace('    install_apt("flatpak")\n', first))
    (source / "repository.sh").write_text(REPOSITORY)
    capfd.readouterr()
    status = packager(["test", str(source), "--podman", str(driver.PODMAN), "--json"])
    out, said = capfd.readouterr()
    # the line of the script, and not the one that shows what it ran
    lacking = [line for line in said.splitlines() if line.startswith("flatpak cannot work here: ")]
    if lacking:
        pytest.skip(lacking[0])
    told = json.loads(out)
    assert status == 0 and told["passed"], (told, said[-2000:])
    assert [step["step"] for step in told["steps"]] == ["install", "audit", "uninstall"]
    assert told["steps"][1]["answer"] == "OK"
    assert f"+ flatpak uninstall --system --noninteractive {reference}" in said, said[-2000:]
