# SPDX-License-Identifier: GPL-3.0-or-later
"""What policies let apt do, by the word of apt itself, which reads two repositories in folders."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bocage_agent.packages_policy import preferences

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="apt is not installed")
RELEASES = {
    "stable": "Suite: stable\nCodename: bookworm\n",
    "backports": "Suite: stable-backports\nCodename: bookworm-backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n",
    "experimental": "Suite: experimental\nCodename: rc-buggy\nNotAutomatic: yes\n",
}
VERSIONS = {"stable": "1.0", "backports": "2.0", "experimental": "3.0"}


class Apt:
    """Asked with folders of its own, so that nothing of this machine counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("lists/partial", "archives/partial", "preferences"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        sources = []
        for release, words in RELEASES.items():
            place = folder / release
            place.mkdir()
            stanza = "Package: {}\nVersion: {}\nArchitecture: all\nFilename: ./{}.deb\nSize: 1\nDescription: x\n\n"
            packages = "".join(stanza.format(name, VERSIONS[release], name) for name in ("tool", "other"))
            (place / "Packages").write_text(packages)
            digest = hashlib.sha256(packages.encode()).hexdigest()
            date = "Date: Sat, 21 Nov 2026 12:00:00 UTC\n"
            (place / "Release").write_text(f"{words}{date}SHA256:\n {digest} {len(packages)} Packages\n")
            sources.append(f"deb [trusted=yes] file://{place} ./\n")
        (folder / "sources.list").write_text("".join(sources))
        self.run("apt-get", "--quiet", "update")

    def run(self, program: str, *arguments: str) -> str:
        options = {
            "Dir::Etc::SourceList": self.folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": self.folder / "preferences",
            "Dir::State": self.folder,
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder,
            "APT::Sandbox::User": "",
        }
        given = [f"--option={name}={value}" for name, value in options.items()]
        done = subprocess.run([program, *given, *arguments], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def candidate(self, package: str, *policies: Mapping[str, Any]) -> str:
        """The version that apt would install; "" where it would install none."""
        (self.folder / "preferences" / "bocage").write_text(preferences(policies))
        found = re.search(r"Candidate: (\S+)", self.run("apt-cache", "policy", package))
        assert found is not None
        return "" if found[1] == "(none)" else found[1]


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> Apt:
    return Apt(tmp_path_factory.mktemp("apt"))


def test_without_a_policy_apt_does_what_it_does(apt: Apt) -> None:
    assert (apt.candidate("tool"), apt.candidate("other")) == ("1.0", "1.0")


def test_what_is_forbidden_is_not_installed(apt: Apt) -> None:
    policy = {"forbid": ["tool"]}
    assert (apt.candidate("tool", policy), apt.candidate("other", policy)) == ("", "1.0")


def test_only_what_is_allowed_is_installed_and_from_where_it_was_before(apt: Apt) -> None:
    policy = {"only": ["to*"]}
    assert (apt.candidate("tool", policy), apt.candidate("other", policy)) == ("1.0", "")


def test_what_one_policy_forbids_no_other_allows(apt: Apt) -> None:
    assert apt.candidate("tool", {"only": ["tool", "other"]}, {"forbid": ["tool"]}) == ""
    assert apt.candidate("other", {"only": ["tool", "other"]}, {"forbid": ["tool"]}) == "1.0"
