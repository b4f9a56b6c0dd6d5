# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaks everything that a role made, one thing at a time, and asks after each whether its seal noticed.

What to break is the difference of the host's state before and after the role; the manifest of the seal is never
read. After each break the host is put back and sealed again with the controller's statement of before.

    break_everything.py ROLE BEFORE.json AFTER.json
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

AGENT = "/opt/bocage/agent/current/bin/bocage-agent"
# Of the files that a package or a program brought, this many are broken; all others are broken without exception.
FILES_OF_A_PACKAGE = 6
# What no task made, but the scripts of a package when it was installed; docs/seals.md says that it is not covered.
MADE_BY_SCRIPTS = (
    "/etc/rc0.d/", "/etc/rc1.d/", "/etc/rc2.d/", "/etc/rc3.d/", "/etc/rc4.d/", "/etc/rc5.d/", "/etc/rc6.d/",
    "/etc/rcS.d/", "/etc/nginx/modules-enabled/", "/var/lib/nginx/", "/var/www", "dnsmasq",
)  # fmt: skip
# Programs that this test, the connection or the agent runs by, and what cannot be put back.
NEEDED = ("python3", "libc6", "libpython3", "libssl3", "openssl", "dpkg", "systemd")


class Break(NamedTuple):
    what: str
    do: Callable[[], None]
    undo: Callable[[], None]


def sh(*command: str) -> Callable[[], None]:
    def run() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"this test could not run {' '.join(command)}: {done.stderr}")

    return run


def both(*steps: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        for step in steps:
            step()

    return run


def ask(verb: str, question: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [AGENT, "seals", verb], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoAnswer(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class NoAnswer(Exception):
    """The agent does not run; the controller then runs every role."""


def owners() -> dict[str, str]:
    """The package of each file that came with one; /bin and /lib are links to the same below /usr."""
    found = {}
    for listed in Path("/var/lib/dpkg/info").glob("*.list"):
        for line in listed.read_text().splitlines():
            path = Path(line)
            if not path.is_dir():
                found[str(path.parent.resolve() / path.name)] = listed.stem.partition(":")[0]
    return found


def file_breaks(name: str, before: list[Any] | None, after: list[Any] | None) -> Iterator[Break]:
    path = Path(name)
    if after is None:
        if before is not None and before[0] == "file":
            yield Break(f"{path} is there again", lambda: path.touch(), path.unlink)
        return
    if after[0] == "link":
        target = after[1]
        yield Break(f"{path} leads elsewhere", lambda: lead(path, "/elsewhere"), lambda: lead(path, target))
        return
    mode, uid, gid = after[1:4]
    yield Break(f"{path} has another mode", lambda: path.chmod(mode ^ 0o002), lambda: path.chmod(mode))
    yield Break(f"{path} has another owner", lambda: os.chown(path, 65534, gid), lambda: back(path, mode, uid, gid))
    if after[0] != "file":
        return
    kept = Path(f"{path}.kept-by-the-test")

    def alter() -> None:
        # another file in its place, because a program that runs cannot be written to
        rename(path, kept)
        path.write_bytes(kept.read_bytes() + b"\n# altered\n")
        back(path, mode, uid, gid)

    yield Break(f"{path} is altered", alter, lambda: rename(kept, path))
    yield Break(f"{path} is gone", lambda: rename(path, kept), lambda: rename(kept, path))


def lead(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def rename(path: Path, target: Path) -> None:
    path.rename(target)


def back(path: Path, mode: int, uid: int, gid: int) -> None:
    os.chown(path, uid, gid)
    path.chmod(mode)


def package_breaks(name: str, _before: Any, _after: Any) -> Iterator[Break]:
    if name.startswith(NEEDED):
        return
    # as it is on the disk, and put back from it, so that the test needs no network
    status = Path("/var/lib/dpkg/status")
    kept = Path("/root/status.kept-by-the-test")

    def forget() -> None:
        shutil.copy2(status, kept)
        text = kept.read_text().split("\n\n")
        status.write_text("\n\n".join(one for one in text if not one.startswith(f"Package: {name}\n")))

    def other_version() -> None:
        shutil.copy2(status, kept)
        text = kept.read_text().split("\n\n")
        status.write_text(
            "\n\n".join(
                one.replace("\nVersion: ", "\nVersion: 99:") if one.startswith(f"Package: {name}\n") else one
                for one in text
            )
        )

    yield Break(f"the package {name} is removed", forget, lambda: rename(kept, status))
    if name in asked_for():
        yield Break(f"the package {name} has another version", other_version, lambda: rename(kept, status))


def asked_for() -> set[str]:
    """Packages that were installed because somebody named them; what they need may be upgraded beside them."""
    text = Path("/var/lib/apt/extended_states")
    automatic = set()
    for paragraph in text.read_text().split("\n\n") if text.exists() else []:
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if fields.get("Auto-Installed") == "1":
            automatic.add(fields["Package"])
    lines = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\n"], capture_output=True, text=True, check=True
    ).stdout
    return set(lines.split()) - automatic


def enabled_breaks(name: str, before: Any, _after: Any) -> Iterator[Break]:
    on, off = sh("systemctl", "enable", "--quiet", name), sh("systemctl", "disable", "--quiet", name)
    yield Break(f"{name} is enabled", on, off) if before else Break(f"{name} is disabled", off, on)


def active_breaks(name: str, before: Any, _after: Any) -> Iterator[Break]:
    start, stop = sh("systemctl", "start", name), sh("systemctl", "stop", name)
    yield Break(f"{name} is started", start, stop) if before else Break(f"{name} is stopped", stop, start)


def account_breaks(name: str, _before: Any, after: Any) -> Iterator[Break]:
    shell = after[-1]
    yield Break(
        f"the account {name} has another shell",
        sh("usermod", "--shell", "/bin/sh", name),
        sh("usermod", "--shell", shell, name),
    )


def link_breaks(name: str, _before: Any, after: Any) -> Iterator[Break]:
    yield Break(
        f"the link {name} has another MTU",
        sh("ip", "link", "set", "dev", name, "mtu", "1300"),
        sh("ip", "link", "set", "dev", name, "mtu", str(after[0])),
    )


def address_breaks(name: str, _before: Any, _after: Any) -> Iterator[Break]:
    interface, address = name.split()
    yield Break(
        f"the address {name} is gone",
        sh("ip", "address", "delete", address, "dev", interface),
        both(
            sh("ip", "address", "add", address, "dev", interface),
            sh("systemctl", "restart", f"bocage-mesh@{interface}"),
        ),
    )


def route_breaks(name: str, _before: Any, _after: Any) -> Iterator[Break]:
    family, *route = name.split()
    words = [word for word in route if word not in ("linkdown", "pref", "medium")]
    yield Break(
        f"the route {' '.join(route)} is gone",
        sh("ip", family, "route", "delete", *words),
        sh("ip", family, "route", "add", *words),
    )


def peer_breaks(name: str, _before: Any, after: Any) -> Iterator[Break]:
    interface, key = name.split()
    give = sh("wg", "set", interface, "peer", key, "allowed-ips", ",".join(after))
    take = sh("wg", "set", interface, "peer", key, "allowed-ips", ",".join(after[1:]))
    yield Break(f"the peer {key} has fewer prefixes", take, give)
    yield Break(
        f"the peer {key} is gone",
        sh("wg", "set", interface, "peer", key, "remove"),
        sh("systemctl", "restart", f"bocage-mesh@{interface}"),
    )


def table_breaks(name: str, _before: Any, _after: Any) -> Iterator[Break]:
    load = sh("nft", "-f", "/etc/bocage/nftables/active.nft")
    words = name.split()
    yield Break(f"the table {name} is gone", sh("nft", "delete", "table", *words), load)
    yield Break(f"the table {name} has one more chain", sh("nft", "add", "chain", *words, "more"), load)


def setting_breaks(name: str, before: Any, after: Any) -> Iterator[Break]:
    if before is not None:
        yield Break(f"{name} is {before}", lambda: write(name, before), lambda: write(name, after))


def write(path: str, value: str) -> None:
    Path(path).write_text(value)


BREAKERS: dict[str, Callable[[str, Any, Any], Iterator[Break]]] = {
    "file": file_breaks,
    "package": package_breaks,
    "enabled": enabled_breaks,
    "active": active_breaks,
    "account": account_breaks,
    "link": link_breaks,
    "address": address_breaks,
    "route": route_breaks,
    "peer": peer_breaks,
    "table": table_breaks,
    "setting": setting_breaks,
}


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    return {
        category: sorted(
            name
            for name in before[category].keys() | after[category].keys()
            if before[category].get(name) != after[category].get(name)
        )
        for category in after
    }


def chosen(names: list[str]) -> tuple[list[str], int]:
    """All files that tasks made, and some of each package and program; how many were left out."""
    packages = owners()
    own: list[str] = []
    brought: dict[str, list[str]] = {}
    for name in names:
        parts = Path(name).parts
        if name in packages:
            if not packages[name].startswith(NEEDED) and not Path(name).is_dir():
                brought.setdefault(packages[name], []).append(name)
        elif parts[1:3] == ("opt", "bocage") and len(parts) > 5:
            brought.setdefault("/".join(parts[:5]), []).append(name)
        else:
            own.append(name)
    dice = random.Random(1)  # noqa: S311 the same choice each time
    some = [one for found in brought.values() for one in dice.sample(found, min(len(found), FILES_OF_A_PACKAGE))]
    return own + some, len(names) - len(own) - len(some)


def main() -> None:
    role, before_file, after_file = sys.argv[1:]
    before, after = (json.loads(Path(name).read_text()) for name in (before_file, after_file))
    found = differences(before, after)
    found["file"], left_out = chosen(found["file"])
    seal = Path(f"/var/lib/bocage/seals/{role}.json")
    statement = json.loads(seal.read_text())["desired"]
    question = {
        "expected": {role: base_of(statement)},
        "parts": False,
        "facts": [],
        "drop": False,
        "max_age_seconds": None,
    }

    def status() -> str:
        try:
            answer: str = ask("check", question)["seals"][role]["status"]
        except (NoAnswer, PermissionError, FileNotFoundError):
            return "no answer"
        return answer

    if status() != "intact":
        raise SystemExit(f"the seal of {role} does not hold before anything was broken: {ask('check', question)}")
    missed, tried, by_scripts = [], 0, []
    for category, names in found.items():
        for name in names:
            if name.startswith(MADE_BY_SCRIPTS) and category in ("file", "account"):
                by_scripts.append(name)
                continue
            for broken in BREAKERS[category](name, before[category].get(name), after[category].get(name)):
                tried += 1
                broken.do()
                noticed = status()
                broken.undo()
                if found["active"]:
                    # what needs a unit was stopped with it
                    sh("systemctl", "start", *(unit for unit in found["active"] if unit in after["active"]))()
                if noticed not in ("broken", "no answer"):
                    missed.append(broken.what)
                answer = ask("write", {"seals": {role: statement}})
                if answer["sealed"] != [role]:
                    raise SystemExit(f"after '{broken.what}' was put back: {answer['refused']}")
    print(
        json.dumps(
            {"role": role, "tried": tried, "missed": missed, "files_left_out": left_out, "made_by_scripts": by_scripts}
        )
    )


def base_of(envelope: dict[str, Any]) -> str:
    import base64

    base: str = json.loads(base64.b64decode(envelope["payload"]))["base"]
    return base


if __name__ == "__main__":
    main()
