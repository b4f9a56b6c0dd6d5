# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation says what is so: generated pages are fresh, tests and files that it names exist."""

from __future__ import annotations

import re
import subprocess

import pytest
import tree
import yaml

PAGES = [name for name in tree.tracked() if name.endswith(".md")]


def test_nothing_generated_is_stale() -> None:
    """The reference and the roles' tables of variables; `make docs` writes them."""
    done = subprocess.run(["docs/build.sh", "--check"], cwd=tree.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    folder = (tree.ROOT / name).parent
    assert [target for target in tree.links(tree.read(name)) if not (folder / target).exists()] == []


@pytest.mark.parametrize(
    "name", [one for one in PAGES if one.startswith("docs/") or one in ("README.md", "CONTRIBUTING.md")]
)
def test_files_that_pages_name_exist(name: str) -> None:
    """Words in code style that begin with a folder of the tree."""
    folders = "|".join(sorted({one.split("/")[0] for one in tree.tracked() if "/" in one and not one.startswith(".")}))
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", tree.read(name))
    # what is built, and the estate that the operators' guide makes
    made = ("build/", "inventories/acme")
    missing = [one for one in named if not (tree.ROOT / one).exists() and not one.startswith(made)]
    assert missing == []


@pytest.mark.parametrize("page", ["docs/threats.md", "docs/tuf-conformance.md"])
def test_pages_name_tests_that_exist(page: str) -> None:
    """Tests are named as file::function."""
    named = re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", tree.read(page))
    assert len(named) > 20
    missing = [f"{path}::{test}" for path, test in named if f"def {test}(" not in tree.read(path)]
    assert missing == []


NAMED_THREATS = {
    *("rollback", "freeze", "mix-and-match", "omission", "wrong software under a right name", "arbitrary installation"),
    *("endless data", "slow retrieval", "key compromise below the threshold", "revoked and expired signer"),
    *("fast-forward", "replay of an action", "altered action", "forged inventory", "poisoned cache or mirror"),
    *("archive bombs and traversal", "unsigned metadata keys injected"),
}


def table(page: str, title: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    lines = page.partition(f"\n| {title} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_named_threat_says_who_makes_it_and_what_is_at_stake() -> None:
    """By one test in the lab each; no attacker and no asset is named that no threat has."""
    page = tree.read("docs/threats.md")
    attackers, assets = ({row[0] for row in table(page, title)} for title in ("attacker", "asset"))
    rows = table(page, "threat")
    assert {row[0] for row in rows} == NAMED_THREATS and len(rows) == len(NAMED_THREATS)
    assert {one for row in rows for one in row[1].split(", ")} == attackers
    assert {one for row in rows for one in row[2].split(", ")} == assets
    assert [row for row in rows if not re.fullmatch(r"`tests/estate/test_\w+\.py::test_attack_\w+`", row[3])] == []


def test_every_attack_that_is_tested_is_told() -> None:
    attacks = {
        (name, test)
        for name in tree.tracked()
        if name.startswith("tests/") and "/repo/" not in name and name.endswith(".py")
        for test in re.findall(r"^def (test_attack_\w+)\(", tree.read(name), re.MULTILINE)
    }
    told = tree.read("docs/threats.md")
    assert sorted(f"{name}::{test}" for name, test in attacks if f"::{test}`" not in told) == []


def test_decisions_are_numbered_and_listed() -> None:
    numbers = sorted(one for one in tree.tracked() if re.match(r"docs/decisions/\d{4}-", one))
    assert [one.split("/")[-1][:4] for one in numbers] == [f"{n:04d}" for n in range(1, len(numbers) + 1)]
    index = tree.read("docs/decisions/README.md")
    assert [one for one in numbers if one.split("/")[-1] not in index] == []


def test_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", tree.read("Makefile"), re.MULTILINE))
    for name in PAGES:
        assert set(re.findall(r"`make ([a-z][a-z-]*)", tree.read(name))) <= targets, name


def test_playbooks_that_pages_run_exist() -> None:
    for name in PAGES:
        for playbook in re.findall(r"\bplaybooks/[a-z_]+\.yml", tree.read(name)):
            assert playbook in tree.tracked(), f"{name}: {playbook}"


def test_changelog_fragments() -> None:
    subprocess.run(["antsibull-changelog", "lint"], cwd=tree.ROOT, capture_output=True, check=True)
    fragments = [one for one in tree.tracked() if one.startswith("changelogs/fragments/")]
    config = yaml.safe_load(tree.read("changelogs/config.yaml"))
    sections = {section for section, _title in config["sections"]} | {"release_summary", "trivial"}
    for name in fragments:
        assert set(yaml.safe_load(tree.read(name))) <= sections, name
