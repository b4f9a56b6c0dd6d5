# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own expressions: what they see, what they make, and how often they are compiled."""

from __future__ import annotations

from typing import Any

import pytest
from ansible._internal._templating._jinja_bits import AnsibleEnvironment
from ansible.errors import AnsibleError


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that Jinja compiles."""
    found: list[str] = []
    compile_source = AnsibleEnvironment.compile

    def count(self: Any, source: Any, *arguments: Any, **options: Any) -> Any:
        found.append(str(source))
        return compile_source(self, source, *arguments, **options)

    monkeypatch.setattr(AnsibleEnvironment, "compile", count)
    return found


def test_expressions_see_what_is_desired_and_what_is_reported(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes())
    loaded = folder.load(
        reports="reports",
        compose={"kernel": "reported.sections.system.kernel"},
        groups={"on_lyon": "host_site == 'lyon'", "of_test": "estate_name == 'test'", "known": "kernel is defined"},
        keyed_groups=[
            {"key": "reported.state", "prefix": "is"},
            {"key": "host_site", "prefix": "site", "parent_group": "sites"},
        ],
    )
    assert loaded.inventory.hosts["gw1"].vars["kernel"] == "6.1.0"
    assert "kernel" not in loaded.inventory.hosts["gw2"].vars
    assert loaded.group("on_lyon") == ["gw1", "gw2"] and loaded.group("known") == ["gw1"]
    assert loaded.group("of_test") == loaded.group("sites") == ["gw1", "gw2", "hub1"]
    assert loaded.group("is_fresh") == ["gw1"] and loaded.group("site_core") == ["hub1"]


@pytest.mark.parametrize("count", [3, 40])
def test_each_expression_is_compiled_once_however_many_hosts(folder: Any, compiled: list[str], count: int) -> None:
    for number in range(3, count):
        folder.hosts[f"extra{number}"] = {"host_site": "lyon", "host_index": number + 100}
    loaded = folder.load(
        compose={"one": "host_index + 1", "two": "one | default(0) | int"},
        groups={"low": "host_index < 3", "lyon": "host_site == 'lyon'"},
        keyed_groups=[{"key": "host_site", "prefix": "site"}],
    )
    assert sorted(set(compiled)) == sorted(compiled), "nothing is compiled twice"
    assert len(compiled) == 5, "one for each expression of the configuration"
    assert len(loaded.group("site_lyon")) == count - 1


def test_variables_that_are_templates_are_compiled_once_each(folder: Any, compiled: list[str]) -> None:
    for host in folder.hosts.values():
        host["label"] = "{{ host_site }}-{{ host_index }}"
    loaded = folder.load(compose={"copied": "label"})
    assert [loaded.inventory.hosts[name].vars["copied"] for name in ("hub1", "gw2")] == ["core-1", "lyon-2"]
    assert sum("host_site }}-{{" in one for one in compiled) <= 1


def test_an_expression_that_fails(folder: Any) -> None:
    config = {"compose": {"x": "nothing.here"}, "keyed_groups": [{"key": "nothing.here"}], "groups": {"g": "nothing"}}
    loaded = folder.load(**config)
    assert "x" not in loaded.inventory.hosts["gw1"].vars and "g" not in loaded.inventory.groups
    folder.pin()
    with pytest.raises(AnsibleError, match="Could not set x for host"):
        folder.load_strictly(**config, strict=True)


def test_no_expression_is_left_patched(folder: Any) -> None:
    from ansible._internal._templating._engine import TemplateEngine
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar
    from ansible_collections.bocage.fleet.plugins.plugin_utils.expressions import compiled_once

    templar = Templar(DataLoader())
    with pytest.raises(RuntimeError), compiled_once(templar):
        assert "_compile_expression" in vars(templar._engine)
        raise RuntimeError
    assert "_compile_expression" not in vars(templar._engine)
    assert templar._engine._compile_expression.__func__ is TemplateEngine._compile_expression


def test_files_of_hosts_are_read_only_where_it_is_asked_for(folder: Any) -> None:
    (folder.path / "host_vars").mkdir()
    (folder.path / "host_vars/gw1.yml").write_text("colour: red\n")
    (folder.path / "group_vars").mkdir()
    (folder.path / "group_vars/managed.yml").write_text("shade: dark\n")
    config = {"groups": {"red": "colour is defined and shade == 'dark'"}}
    assert "red" not in folder.load(**config).inventory.groups
    assert folder.load(**config, use_vars_plugins=True).group("red") == ["gw1"]
