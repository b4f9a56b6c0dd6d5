# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module and plugin is documented, says what it does to the world, and has a test that names it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import tree

MODULES = tree.plugins("modules")
ACTIONS = tree.plugins("action")
OTHERS = tree.plugins("inventory", "filter", "lookup", "callback")
# An option means the same in the spec and in the documentation.
SAME = ("type", "required", "default", "choices", "elements")


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 5
    assert len(ACTIONS) > 2
    assert {Path(name).parent.name for name in OTHERS} >= {"inventory", "filter", "callback"}


@pytest.mark.parametrize("name", MODULES + OTHERS)
def test_documented(name: str) -> None:
    found = tree.document(name, "DOCUMENTATION")
    assert found["module" if name in MODULES else "name"] == Path(name).stem
    assert found["short_description"][:1].isupper()
    assert not found["short_description"].endswith(".")
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(found["version_added"]))
    assert found["author"]
    assert found["description"]
    if "/callback/" not in name:
        assert any(tree.documents(name, "EXAMPLES")), "no example"
    if name in MODULES or "/filter/" in name:
        assert tree.document(name, "RETURN"), "nothing is said of what it returns"


@pytest.mark.parametrize("name", MODULES)
def test_attributes(name: str) -> None:
    attributes = tree.document(name, "DOCUMENTATION")["attributes"]
    for one in ("check_mode", "diff_mode", "idempotent"):
        assert attributes[one]["support"] in ("full", "partial", "none"), one


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_has_a_documented_module(name: str) -> None:
    assert f"plugins/modules/{Path(name).name}" in MODULES


@pytest.mark.parametrize("name", [one for one in OTHERS if "/filter/" in one])
def test_a_file_of_a_filter_has_that_filter_alone(name: str) -> None:
    (method,) = [
        node for node in ast.walk(tree.tree_of(name)) if isinstance(node, ast.FunctionDef) and node.name == "filters"
    ]
    (given,) = [node.value for node in ast.walk(method) if isinstance(node, ast.Return)]
    assert isinstance(given, ast.Dict)
    assert [ast.literal_eval(key) for key in given.keys if key is not None] == [Path(name).stem]


def spec_of(name: str) -> dict[str, Any] | None:
    """The argument spec that a module or action gives to Ansible; None where there is none."""
    for node in ast.walk(tree.tree_of(name)):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "argument_spec"]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "validate_argument_spec":
                given += node.args[:1]
            if given:
                found: dict[str, Any] = tree.value(name, given[0])
                return found
    return None


def differences(spec: dict[str, Any], options: dict[str, Any], place: str) -> list[str]:
    found = [f"{place}{one}: only in the spec" for one in spec.keys() - options.keys()]
    found += [f"{place}{one}: only in the documentation" for one in options.keys() - spec.keys()]
    for one in spec.keys() & options.keys():
        for key in SAME:
            fallback = {"type": "str", "required": False}.get(key)
            if spec[one].get(key, fallback) != options[one].get(key, fallback):
                found.append(f"{place}{one}: {key} is {spec[one].get(key)!r} or {options[one].get(key)!r}")
        found += differences(spec[one].get("options") or {}, options[one].get("suboptions") or {}, f"{place}{one}.")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_options_are_those_of_the_spec(name: str) -> None:
    """Names, types, defaults, choices; of a module that is only documentation, the spec is its action's."""
    action = f"plugins/action/{Path(name).name}"
    spec = spec_of(name)
    if spec is None and action in ACTIONS:
        spec = spec_of(action)
    assert spec is not None, "no argument spec"
    options = tree.document(name, "DOCUMENTATION").get("options") or {}
    assert differences(spec, options, "") == []


@pytest.mark.parametrize("name", sorted({Path(one).stem for one in MODULES + ACTIONS + OTHERS}))
def test_a_test_names_it(name: str) -> None:
    assert re.search(rf"\b{name}\b", tree.tested_text()), f"no unit test and no scenario speaks of {name}"


def test_action_groups_name_modules_that_exist() -> None:
    groups = tree.yaml.safe_load(tree.read("meta/runtime.yml"))["action_groups"]
    known = {Path(name).stem for name in MODULES}
    assert {one for members in groups.values() for one in members} <= known
