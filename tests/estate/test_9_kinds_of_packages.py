# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that gets all by its own package: groups, policies, what cannot be had together and what is not there at all.

The host has a repository of its own, with all keys of it; agent, web server and overlay are those of the estate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import driver
import pytest
from own_repository import Sleeper, gone

OWN = "desk1.demo.example"
POLICY = "/etc/apt/preferences.d/bocage"
SETUP = "def install():\n    write('/opt/sleeper/' + control['package'], control['version'])\n"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    made = Sleeper(tmp_path, host_package=OWN, site="lyon")
    yield made
    made.agent("remove no-kernels")
    assert driver.on("desk1", f"cat {POLICY} 2>/dev/null", check=False) == ""
    gone()


def states(sleeper: Sleeper) -> dict[str, tuple[str, str | None]]:
    """State and version by package."""
    rows = json.loads(sleeper.agent("packages"))["packages"]
    return {name: (row["state"], row["version"]) for name, row in rows.items()}


def there() -> dict[str, str]:
    """What packages with a program have left on the host."""
    said = driver.on("desk1", "cd /opt/sleeper 2>/dev/null && grep -H . *", check=False)
    return dict(line.split(":", 1) for line in said.splitlines())


def candidate(package: str) -> str:
    """The version that apt would install."""
    (line,) = [one for one in driver.on("desk1", f"apt-cache policy {package}").splitlines() if "Candidate:" in one]
    return line.split()[1]


def own(sleeper: Sleeper, version: str, depends: str, site: str = "lyon") -> None:
    sleeper.estate.publish(OWN, version, section="host", depends=depends, path=f"host/{site}/{OWN}_{version}.wapt")


def test_a_host_gets_what_its_package_names_and_loses_what_it_names_no_more(sleeper: Sleeper) -> None:
    publish = sleeper.estate.publish
    for name in ("editor", "fonts"):
        publish(name, "1.0", SETUP)
    publish("writers", "1", section="group", depends="editor,fonts")
    forbidden = {"files": {"policy.json": '{"forbid": ["linux-image-*"]}'}}
    publish("no-kernels", "1", section="policy", **forbidden)
    own(sleeper, "1", "writers,no-kernels")
    sleeper.serve()
    said = sleeper.agent("upgrade")
    expected = {"editor": "1.0", "fonts": "1.0", "writers": "1", "no-kernels": "1", OWN: "1"}
    assert states(sleeper) == {name: ("OK", version) for name, version in expected.items()}, said
    assert there() == {"editor": "1.0", "fonts": "1.0"}
    assert candidate("linux-image-amd64") == "(none)"
    assert candidate("bash") != "(none)"
    # somebody else's site lists a package of the same name, and it is not this host's
    own(sleeper, "9", "", site="paris")
    own(sleeper, "2", "no-kernels")
    sleeper.serve()
    said = sleeper.agent("upgrade")
    found = states(sleeper)
    assert found[OWN] == ("OK", "2"), said
    assert "writers" not in found or found["writers"][1] is None, "a group goes with what asked for it"
    assert there() == {"editor": "1.0", "fonts": "1.0"}, "software stays"
    own(sleeper, "3", "")
    sleeper.serve()
    sleeper.agent("upgrade")
    assert candidate("linux-image-amd64") != "(none)", "what it forbade is allowed again"


def test_what_cannot_be_had_is_told_and_changes_nothing(sleeper: Sleeper) -> None:
    """Something that is not there, two that conflict; two that need each other are no mistake."""
    publish = sleeper.estate.publish
    publish("lonely", "1.0", SETUP, depends="never-there(>=2)")
    publish("left", "1.0", SETUP, depends="right")
    publish("right", "1.0", SETUP, depends="left")
    publish("cat", "1.0", SETUP, conflicts="dog")
    publish("dog", "1.0", SETUP)
    own(sleeper, "1", "left,cat")
    sleeper.serve()
    said = sleeper.agent("upgrade")
    before = {"left": "1.0", "right": "1.0", "cat": "1.0"}
    assert there() == before, said
    for version, more, words in (
        ("2", "lonely", "lonely 1.0 needs never-there (>= 2)"),
        ("3", "dog", "cat 1.0 conflicts with dog"),
    ):
        own(sleeper, version, f"left,cat,{more}")
        sleeper.serve()
        said = sleeper.agent("upgrade")
        assert words in said and "Traceback" not in said, said
        assert words in json.loads(sleeper.agent("packages"))["packages"][OWN]["reason"]
        told = sleeper.agent(f"install {more}")
        assert words in told and "install begun" not in told, told
        assert there() == before, "what is there stays"
