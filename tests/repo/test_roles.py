# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says what it takes, with one source of truth for its defaults, and a playbook uses it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import tree
import yaml

ROLES = tree.roles()
# Roles that no playbook uses: they are done inside of others, whose seals speak of them.
PARTS = {"app"}


def test_there_are_roles() -> None:
    assert len(ROLES) > 5


def options_of(role: str) -> dict[str, Any]:
    specs = yaml.safe_load(tree.read(f"roles/{role}/meta/argument_specs.yml"))["argument_specs"]
    return {name: option for entry in specs.values() for name, option in (entry.get("options") or {}).items()}


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_spec(role: str) -> None:
    """Keys and values; what has no default in the spec has none at all."""
    path = f"roles/{role}/defaults/main.yml"
    defaults = (yaml.safe_load(tree.read(path)) or {}) if path in tree.tracked() else {}
    specified = {name: option["default"] for name, option in options_of(role).items() if "default" in option}
    assert defaults == specified


@pytest.mark.parametrize("role", ROLES)
def test_options_carry_the_role_in_their_names_and_are_described(role: str) -> None:
    for name, option in options_of(role).items():
        assert name.startswith(f"{role}_")
        assert option.get("type"), name
        assert option.get("description"), name
        assert not (option.get("required") and "default" in option), name
        if option["type"] == "list":
            assert option.get("elements"), name


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_described(role: str) -> None:
    specs = yaml.safe_load(tree.read(f"roles/{role}/meta/argument_specs.yml"))["argument_specs"]
    assert specs
    for name, entry in specs.items():
        assert f"roles/{role}/tasks/{name}.yml" in tree.tracked()
        assert entry["short_description"]
        assert entry["description"]


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_used(role: str) -> None:
    """By the role's own files or a playbook that plans with it; what nothing reads is a promise that is not kept."""
    readers = tuple(f"roles/{role}/{folder}/" for folder in ("tasks", "templates", "handlers"))
    own = "\n".join(tree.read(name) for name in tree.tracked() if name.startswith((*readers, "playbooks/")))
    unused = [name for name in options_of(role) if not re.search(rf"\b{name}\b", own)]
    assert unused == []


@pytest.mark.parametrize("role", ROLES)
def test_a_playbook_uses_it(role: str) -> None:
    folders = ("roles/",) if role in PARTS else ("playbooks/",)
    users = [tree.read(name) for name in tree.tracked() if name.startswith(folders) and name.endswith(".yml")]
    assert any(re.search(rf"\bbocage\.fleet\.{role}$", text, re.MULTILINE) for text in users)


@pytest.mark.parametrize("role", ROLES)
def test_it_depends_on_no_other_role(role: str) -> None:
    """Playbooks wire roles together; a role that needs something of another's is handed it. It may import a part."""
    for name in tree.tracked():
        if name.startswith(f"roles/{role}/") and name.endswith(".yml"):
            assert "include_role:" not in tree.read(name), name
            imported = re.findall(r"import_role:\n\s+name: (\S+)", tree.read(name))
            assert len(imported) == tree.read(name).count("import_role:"), name
            assert {one.removeprefix("bocage.fleet.") for one in imported} <= PARTS - {role}, name
        if name == f"roles/{role}/meta/main.yml":
            assert not yaml.safe_load(tree.read(name)).get("dependencies")


@pytest.mark.parametrize("role", ROLES)
def test_it_has_a_readme(role: str) -> None:
    assert f"roles/{role}/README.md" in tree.tracked()
