# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that `init` writes: one template for each type of package, and setup.py for each kind of source."""

from __future__ import annotations

import json

from .drafts import Draft

_HEAD = '''"""{title}

`bocage-package` and docs/packager.md tell what is at hand here: run, copy, write, mkdir, remove, install_apt,
install_flatpak, service, basedir, control. What they do is noted, and is undone at removal by itself.
"""
'''
_BASE = '''

def install():
    """Bring the software to this host; an exception is a failed installation."""
    print("Installing", control["package"], control["version"])
    # install_apt("hello")
    # copy("files/example.conf", "/etc/example.conf")


def uninstall():
    """Undo what install did by other means than the functions above; may be left out."""


def session_setup():
    """Settings of a user, at the first session after an installation; runs as that user. May be left out."""


def audit():
    """On a schedule: "OK", "WARNING" or "ERROR", as the software is found. May be left out."""
    return "OK"


def update_package():
    """For its author: fetch a newer version into this folder. Never runs on a host; may be left out."""
'''
_DEB = """

def install():
    install_apt({file!r})


def audit():
    state = run(["dpkg-query", "--show", "--showformat=${{db:Status-Abbrev}}", {name!r}], accept=(0, 1))
    return "OK" if state.startswith("ii") else "ERROR"
"""
_APPIMAGE = '''
PROGRAM = {program!r}
LAUNCHER = """#!/bin/sh
exec {program} "$@"
"""


def install():
    mkdir({folder!r})
    copy({file!r}, PROGRAM, mode=0o755)
    write({launcher!r}, LAUNCHER, mode=0o755)


def audit():
    return "OK" if isfile(PROGRAM) else "ERROR"
'''
_FLATPAK = """
REFERENCE = {reference!r}


def install():
    install_apt("flatpak")
{remote_add}    install_flatpak(REFERENCE, remote={remote!r})


def audit():
    found = run(["flatpak", "list", "--system", "--app", "--columns=application"])
    return "OK" if {application!r} in found.split() else "ERROR"
"""
_REMOTE_ADD = '    run(["flatpak", "remote-add", "--system", "--if-not-exists", {remote!r}, {url!r}])\n'
_FOLDER = """
TARGET = {target!r}


def install():
    mkdir(TARGET)
    copy("files", TARGET)


def audit():
    return "OK" if isdir(TARGET) else "ERROR"
"""
_AGENT = '''

def install():
    """Put it beside the agent that runs; it is tried when this run is over, and stays once it has reported."""
    update_agent()


def uninstall():
    """The agent stays, and the role agent looks after it again."""
    release_agent()
'''
_DESCRIPTIONS = {
    "base": "Software: say in a line what it is for",
    "group": "What hosts of this group have: list it in depends",
    "host": "What this host has: list it in depends",
    "unit": "What hosts of this organisational unit have: list it in depends",
    "profile": "What hosts of this directory group have: list it in depends",
    "selfservice": "Who may install what without an administrator",
    "policy": "Which updates of the operating system are allowed",
}
_RULES = {"example-users": ["example-app", "example-office-*"]}
_UPDATES = {"forbid": ["example-program", "example-series-*"]}


def of_type(section: str, package: str, version: str) -> Draft:
    """An empty package of a type."""
    texts: dict[str, str] = {}
    if section == "selfservice":
        texts["selfservice.json"] = json.dumps(_RULES, indent=2) + "\n"
    elif section == "policy":
        texts["policy.json"] = json.dumps(_UPDATES, indent=2) + "\n"
    setup = _HEAD.format(title=f"{package}: what its hooks do.") + _BASE if section == "base" else ""
    return Draft(
        package,
        version,
        section,
        target_os="linux" if section == "base" else "all",
        description=_DESCRIPTIONS[section],
        setup=setup,
        texts=texts,
    )


def agent() -> str:
    return _HEAD.format(title="The agent of the estate, which hosts try and keep or put back.") + _AGENT


def deb(name: str, file: str) -> str:
    return _HEAD.format(title=f"{name}, as the Debian package beside this file.") + _DEB.format(file=file, name=name)


def appimage(name: str, file: str) -> str:
    folder = f"/opt/{name}"
    values = {"program": f"{folder}/{name}.AppImage", "folder": folder, "launcher": f"/usr/local/bin/{name}"}
    return _HEAD.format(title=f"{name}, as an AppImage.") + _APPIMAGE.format(file=file, **values)


def flatpak(application: str, reference: str, remote: str, url: str) -> str:
    add = _REMOTE_ADD.format(remote=remote, url=url) if url else ""
    values = {"application": application, "reference": reference, "remote": remote, "remote_add": add}
    return _HEAD.format(title=f"{application}, as a Flatpak.") + _FLATPAK.format(**values)


def folder(name: str, target: str) -> str:
    return _HEAD.format(title=f"{name}: the files of the folder files.") + _FOLDER.format(target=target)
