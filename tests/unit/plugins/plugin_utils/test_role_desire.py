# SPDX-License-Identifier: GPL-3.0-or-later
"""Any change of a variable of a role's spec, or of a file of the role, changes its digest; nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.bocage.fleet.plugins.plugin_utils import role_content, role_desire
from ansible_collections.bocage.fleet.plugins.plugin_utils.role_content import role_content as content_of
from ansible_collections.bocage.fleet.plugins.plugin_utils.role_desire import Desire, desire_of, read_role_spec

ROOT = Path(__file__).resolve().parents[4]
ROLES = ("host", "mesh", "names", "gateway", "firewall", "registry", "agent")
KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def no_memory() -> None:
    for cached in (content_of, role_content._imports, read_role_spec):
        cached.cache_clear()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of the collection that roles are made of, free to be changed."""
    root: Path = tmp_path_factory.mktemp("collection")
    for name in ("roles", "plugins", "apps", "requirements"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def variables_of(folder: Path) -> dict[str, Any]:
    """Enough of a host for every role: what plays and inventory hand in."""
    trust = folder / "trust"
    (trust / "enrolments").mkdir(parents=True, exist_ok=True)
    for name in ("enrolments/gw1.json", "enrolment.pub", "registry-ca.pem", "seal.pub"):
        (trust / name).write_text(name)
    return {
        "inventory_hostname": "gw1",
        "inventory_dir": str(folder),
        "estate_domain": "demo.internal",
        "gateway_lan_interface": "lyon0",
        "firewall_management_prefixes": ["198.51.100.0/28"],
        "registry_ca_key_file": "/nowhere/ca.key",
    }


def desire(root: Path, role: str, variables: Mapping[str, Any], key: bytes = KEY) -> Desire:
    templar = Templar(loader=DataLoader(), variables=dict(variables))

    def template(value: object, local: Mapping[str, Any]) -> Any:
        templar.available_variables = {**local, **variables}
        return templar.template(value)

    return desire_of(read_role_spec(root, role, key), variables, template, key, Path("/"))


def options_of(role: str) -> dict[str, Any]:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    options: dict[str, Any] = spec["argument_specs"]["main"].get("options") or {}
    return options


def controller_only(role: str) -> set[str]:
    path = ROOT / "roles" / role / "meta" / "seal.yml"
    return set(yaml.safe_load(path.read_text()).get("controller_only", [])) if path.exists() else set()


@pytest.mark.parametrize("role", ROLES)
def test_each_variable_of_the_spec_changes_the_digest(role: str, tmp_path: Path) -> None:
    variables = variables_of(tmp_path)
    before = desire(ROOT, role, variables).base
    assert desire(ROOT, role, variables).base == before
    options = options_of(role).keys() - controller_only(role)
    for option in options:
        for value in ("another", "", "1", 1, True, None, ["another"], {"another": 1}):
            after = desire(ROOT, role, {**variables, option: value}).base
            if value != variables.get(option, read_role_spec(ROOT, role, KEY).defaults.get(option)):
                assert after != before, f"{option}: {value!r}"


@pytest.mark.parametrize("role", ROLES)
def test_variables_of_nobody_change_nothing(role: str, tmp_path: Path) -> None:
    variables = variables_of(tmp_path)
    before = desire(ROOT, role, variables).base
    read = set(options_of(role)) | set(read_role_spec(ROOT, role, KEY).options)
    others = {name for other in ROLES for name in options_of(other)} - read
    assert len(others) > 10
    # what another variable of the role refers to is no stranger
    strangers = others - {"estate_domain", "gateway_lan_interface"}
    assert desire(ROOT, role, {**variables, **dict.fromkeys(strangers, "another"), "unheard_of": 1}).base == before


@pytest.mark.parametrize("role", ROLES)
def test_each_file_of_the_role_changes_the_digest(role: str, copy: Path, tmp_path: Path) -> None:
    variables = variables_of(tmp_path)
    before = desire(copy, role, variables).base
    files = [path for path in (copy / "roles" / role).rglob("*") if path.is_file()]
    assert len(files) > 2
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\n# another line\n")
        for cached in (content_of, read_role_spec):
            cached.cache_clear()
        assert desire(copy, role, variables).base != before, path
        path.write_bytes(content)
    for cached in (content_of, read_role_spec):
        cached.cache_clear()
    assert desire(copy, role, variables).base == before
    added = copy / "roles" / role / "templates" / "etc" / "new.j2"
    added.parent.mkdir(parents=True, exist_ok=True)
    added.write_text("new")
    content_of.cache_clear()
    read_role_spec.cache_clear()
    assert desire(copy, role, variables).base != before
    added.unlink()


@pytest.mark.parametrize("role", ROLES)
def test_files_of_other_roles_and_plugins_that_it_does_not_call_change_nothing(
    role: str, copy: Path, tmp_path: Path
) -> None:
    variables = variables_of(tmp_path)
    before = desire(copy, role, variables).base
    own = content_of(copy, role)
    called = {copy / "plugins" / f"{part.partition(' ')[2]}" for part in own.parts if part.startswith("library ")}
    called |= {copy / "plugins" / f"{part.partition(' ')[2]}.py" for part in own.parts if part.startswith("plugin ")}
    programs = {"registry": "registry", "agent": "agent", "gateway": "agent"}.get(role)
    changed = {}
    for path in sorted((copy / "roles").rglob("*")) + sorted((copy / "plugins").rglob("*.py")):
        if (
            not path.is_file()
            or path.relative_to(copy / "roles" if "roles" in path.parts else copy).parts[0] in own.roles
        ):
            continue
        # a program holds the whole library
        if path in called or (programs and "module_utils" in path.parts):
            continue
        changed[path] = path.read_bytes()
        path.write_bytes(changed[path] + b"\n# another line\n")
    content_of.cache_clear()
    role_content._imports.cache_clear()
    read_role_spec.cache_clear()
    after = desire(copy, role, variables).base
    for path, content in changed.items():
        path.write_bytes(content)
    assert len(changed) > 40
    assert after == before


def test_a_module_that_the_role_calls_and_what_it_imports_belong_to_it(copy: Path, tmp_path: Path) -> None:
    variables = variables_of(tmp_path)
    before = desire(copy, "mesh", variables).base
    for name in ("modules/mesh_interfaces.py", "module_utils/_mesh/interface.py", "module_utils/_common/atomic.py"):
        path = copy / "plugins" / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n# another line\n")
        content_of.cache_clear()
        read_role_spec.cache_clear()
        assert desire(copy, "mesh", variables).base != before, name
        path.write_bytes(content)
    content_of.cache_clear()
    read_role_spec.cache_clear()
    assert desire(copy, "mesh", variables).base == before


@pytest.mark.parametrize("name", ["enrolments/gw1.json", "enrolment.pub", "registry-ca.pem", "seal.pub"])
def test_what_lies_in_an_input_file_changes_the_digest_and_where_it_lies_does_not(name: str, tmp_path: Path) -> None:
    variables = variables_of(tmp_path / "one")
    before = desire(ROOT, "agent", variables).base
    assert desire(ROOT, "agent", variables_of(tmp_path / "other")).base == before
    (tmp_path / "one" / "trust" / name).write_text("another")
    assert desire(ROOT, "agent", variables).base != before


def test_a_program_is_an_input(copy: Path, tmp_path: Path) -> None:
    variables = variables_of(tmp_path)
    before = {role: desire(copy, role, variables).base for role in ("agent", "registry", "host")}
    path = copy / "apps" / "agent" / "main.py"
    content = path.read_bytes()
    path.write_bytes(content + b"\n# another line\n")
    read_role_spec.cache_clear()
    after = {role: desire(copy, role, variables).base for role in before}
    path.write_bytes(content)
    assert {role for role in before if before[role] != after[role]} == {"agent"}


def test_another_key_gives_other_digests_and_no_value_is_in_a_plan(tmp_path: Path) -> None:
    variables = {**variables_of(tmp_path), "mesh_interface_name": "a-word-that-is-secret"}
    one, other = (desire(ROOT, "mesh", variables, key) for key in (KEY, bytes(32)))
    assert one.base != other.base
    assert all(one.parts[name] != other.parts[name] for name in one.parts)
    assert "a-word-that-is-secret" not in repr(one)


def test_facts_are_named_for_the_host(tmp_path: Path) -> None:
    assert desire(ROOT, "gateway", variables_of(tmp_path)).facts == ("machine", "python", "addresses:lyon0")


def test_what_cannot_be_resolved_is_told(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="The variable mesh_mtu of the role mesh cannot be resolved"):
        desire(ROOT, "mesh", {**variables_of(tmp_path), "mesh_mtu": trust_as_template("{{ nowhere }}")})
    (tmp_path / "trust" / "seal.pub").unlink(missing_ok=True)
    variables = variables_of(tmp_path)
    (tmp_path / "trust" / "seal.pub").unlink()
    with pytest.raises(AnsibleError, match=r"seal\.pub, which the role agent places, cannot be read"):
        desire(ROOT, "agent", variables)
    with pytest.raises(AnsibleError, match="has no role nobody"):
        role_desire.read_role_spec(ROOT, "nobody", KEY)


def test_roles_of_further_folders_are_digested_alike(tmp_path: Path) -> None:
    """Those that they import by a bare name, and code of the collection that they call, are part of them."""
    own, helper = tmp_path / "roles" / "own", tmp_path / "roles" / "helper"
    for folder in (own, helper):
        for name in ("tasks", "meta", "defaults"):
            (folder / name).mkdir(parents=True)
    (own / "tasks/main.yml").write_text(
        "- ansible.builtin.import_role:\n    name: helper\n- bocage.fleet.config_files:\n    files: []\n"
    )
    (own / "meta/argument_specs.yml").write_text("argument_specs: {main: {options: {own_size: {type: int}}}}\n")
    (own / "defaults/main.yml").write_text("own_size: 4\n")
    (helper / "tasks/main.yml").write_text("[]\n")
    (helper / "meta/argument_specs.yml").write_text("argument_specs: {main: {options: {}}}\n")
    further = (tmp_path / "roles",)
    before = read_role_spec(ROOT, "own", KEY, further)
    assert before.options == ("own_size",) and before.defaults == {"own_size": 4}
    assert {"file tasks/main.yml", "file helper/tasks/main.yml", "plugin modules/config_files"} <= before.content.keys()
    (helper / "tasks/main.yml").write_text("[{ansible.builtin.meta: noop}]\n")
    for cached in (content_of, read_role_spec):
        cached.cache_clear()
    after = read_role_spec(ROOT, "own", KEY, further)
    assert {name for name in after.content if after.content[name] != before.content[name]} == {
        "file helper/tasks/main.yml"
    }
    with pytest.raises(AnsibleError, match=f"has no role nobody, nor has {tmp_path}/roles"):
        read_role_spec(ROOT, "nobody", KEY, further)


def test_a_role_of_the_collection_is_never_taken_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mesh" / "tasks").mkdir(parents=True)
    (tmp_path / "mesh" / "tasks/main.yml").write_text("[]\n")
    assert read_role_spec(ROOT, "mesh", KEY, (tmp_path,)) == read_role_spec(ROOT, "mesh", KEY)
