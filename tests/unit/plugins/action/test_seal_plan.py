# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of digests: from variables of hosts and of plays; who has to be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible._internal._templating._engine import TemplateEngine
from ansible.template import trust_as_template
from ansible_collections.bocage.fleet.plugins.action.seal_plan import ActionModule
from ansible_collections.bocage.fleet.plugins.module_utils._common import dsse, timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired


class HostVars(dict[str, Any]):
    def raw_get(self, host: str) -> dict[str, Any]:
        values: dict[str, Any] = self[host]
        return values


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "seal.key"
    path.write_bytes(dsse.generate_private_key())
    return path


def task_vars(**more: Any) -> dict[str, Any]:
    shared = {"sealed_roles": ["host", "gateway"], "gateway_lan_interface": "lan0"}
    hosts = {name: {"inventory_hostname": name, **shared} for name in ("gw1", "gw2")}
    hosts["gw2"]["gateway_lan_interface"] = trust_as_template("{{ inventory_hostname }}-lan")
    return {"hostvars": HostVars(hosts), **more}


def plan(make_action: Any, key_file: Path, values: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    action = make_action(ActionModule, hosts=["gw1", "gw2"], key_file=str(key_file), **more)
    result: dict[str, Any] = action.run(task_vars=values or task_vars())
    result["shown"] = [call.args[0] for call in action._display.display.call_args_list]
    return result


def test_each_host_has_digests_of_its_own_values(make_action: Any, key_file: Path) -> None:
    result = plan(make_action, key_file)
    assert result["sealing"] and result["changed"] is False
    assert {host: list(roles) for host, roles in result["hosts"].items()} == {
        "gw1": ["host", "gateway"],
        "gw2": ["host", "gateway"],
    }
    one, other = result["hosts"]["gw1"], result["hosts"]["gw2"]
    assert one["host"] == other["host"] and one["gateway"]["base"] != other["gateway"]["base"]
    assert other["gateway"]["facts"] == ["machine", "python", "addresses:gw2-lan"]
    assert set(result["content"]) == {"host", "gateway"}
    assert result["contact"] == ["gw1", "gw2"] == result["ansible_facts"]["bocage_contact"]
    assert plan(make_action, key_file)["hosts"] == result["hosts"]


def test_the_playbook_of_one_domain_needs_the_variables_of_its_roles_alone(make_action: Any, key_file: Path) -> None:
    values = task_vars()
    values["hostvars"]["gw2"]["host_packages"] = trust_as_template("{{ nowhere }}")
    result = plan(make_action, key_file, values, roles=["gateway"])
    assert {host: list(roles) for host, roles in result["hosts"].items()} == {"gw1": ["gateway"], "gw2": ["gateway"]}


def test_what_plays_hand_to_roles_counts(make_action: Any, key_file: Path, tmp_path: Path) -> None:
    given = tmp_path / "vars" / "given.yml"
    given.parent.mkdir()
    given.write_text("host_packages: [one]\n")
    before = plan(make_action, key_file)["hosts"]["gw1"]["host"]["base"]
    values = task_vars(host_packages=["one"])
    assert plan(make_action, key_file, values)["hosts"]["gw1"]["host"]["base"] == before, "not named in a file"
    after = plan(make_action, key_file, values, variables_file=str(given))["hosts"]["gw1"]["host"]["base"]
    assert after != before


def test_only_hosts_whose_reports_differ_are_contacted(make_action: Any, key_file: Path) -> None:
    values = task_vars()
    first = plan(make_action, key_file, values)["hosts"]["gw1"]
    seals = {
        role: {
            "status": "intact",
            "digest": desired.full_digest(one["base"], {}),
            "facts": {},
            "sealed_at": timestamps.write(timestamps.now()),
            "findings": [],
        }
        for role, one in first.items()
    }
    values["hostvars"]["gw1"]["reported"] = {"state": "fresh", "seals": seals}
    result = plan(make_action, key_file, values, converge="changed")
    assert result["contact"] == ["gw2"] == result["ansible_facts"]["bocage_contact"]
    assert list(result["hosts"]) == ["gw2"]
    assert result["shown"] == ["gw2: its state is unknown"]
    values["hostvars"]["gw1"]["host_packages"] = ["another"]
    assert plan(make_action, key_file, values, converge="changed")["contact"] == ["gw1", "gw2"]


def test_a_template_is_compiled_once_however_many_hosts(
    make_action: Any, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_one = TemplateEngine._compile_template

    def counted(engine: TemplateEngine, template: str, options: Any) -> Any:
        compiled.append(str(template))
        return compile_one(engine, template, options)

    monkeypatch.setattr(TemplateEngine, "_compile_template", counted)
    values = task_vars()
    for host in ("gw1", "gw2"):
        values["hostvars"][host]["gateway_lan_interface"] = trust_as_template("{{ inventory_hostname }}-lan")
    result = plan(make_action, key_file, values)
    assert result["hosts"]["gw1"]["gateway"]["facts"] == ["machine", "python", "addresses:gw1-lan"]
    assert result["hosts"]["gw2"]["gateway"]["facts"] == ["machine", "python", "addresses:gw2-lan"]
    assert sorted(compiled) == sorted(set(compiled))


def test_without_a_key_everything_runs_everywhere(make_action: Any, tmp_path: Path) -> None:
    result = plan(make_action, tmp_path / "absent.key", converge="changed")
    assert (result["sealing"], result["contact"]) == (False, ["gw1", "gw2"])
    assert result["hosts"]["gw1"] == {"host": {}, "gateway": {}}
    assert "there is no seal key" in result["reason"]


def test_what_cannot_be_resolved_fails_in_one_sentence(make_action: Any, key_file: Path) -> None:
    values = task_vars()
    values["hostvars"]["gw2"]["host_packages"] = trust_as_template("{{ nowhere }}")
    result = plan(make_action, key_file, values)
    assert result["failed"]
    assert result["msg"].startswith("Host gw2: The variable host_packages of the role host cannot be resolved")


def test_roles_of_further_folders_can_be_sealed(make_action: Any, key_file: Path, tmp_path: Path) -> None:
    for name, content in (
        ("tasks/main.yml", "[]"),
        ("meta/argument_specs.yml", "argument_specs: {main: {options: {}}}"),
    ):
        (tmp_path / "roles/own" / name).parent.mkdir(parents=True)
        (tmp_path / "roles/own" / name).write_text(content)
    values = task_vars()
    for host in ("gw1", "gw2"):
        values["hostvars"][host]["sealed_roles"] = ["host", "own"]
    assert "has no role own" in plan(make_action, key_file, values)["msg"]
    result = plan(make_action, key_file, values, role_folders=[str(tmp_path / "roles")])
    assert list(result["hosts"]["gw1"]) == ["host", "own"]
    assert set(result["content"]["own"]) == {"file tasks/main.yml", "file meta/argument_specs.yml"}
