# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half: contents are made here, and the host is called once."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.loader import action_loader
from ansible_collections.bocage.fleet.plugins.action.config_files import MODULE, ActionModule

TEMPLATE = """\
{# left out #}
# {{ ansible_managed | default('nobody') }}
{% set names = ['a', 'b'] %}
{% for name in names %}
  {{ name }} = {{ number }}
{% endfor %}
{% include 'part.j2' %}
back\\slash
"""


@pytest.fixture
def role(tmp_path: Path) -> Path:
    for folder in ("templates/etc", "files"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "templates/etc/a.conf.j2").write_text(TEMPLATE)
    (tmp_path / "templates/part.j2").write_text("part {{ number }}\n")
    (tmp_path / "files/plain").write_text("{{ no template }}\n")
    return tmp_path


def made(make_action: Any, role: Path, remote: Any, *files: Any, **more: Any) -> Any:
    action = make_action(ActionModule, remote, files=list(files), **more)
    action._task.get_search_path = Mock(return_value=[str(role)])
    action._loader.set_basedir(str(role))
    return action


def variables(role: Path, **more: Any) -> dict[str, Any]:
    return {"ansible_search_path": [str(role)], "number": 5, **more}


def test_all_contents_go_in_one_call(make_action: Any, make_remote: Any, role: Path) -> None:
    remote = make_remote({"changed": True, "changed_paths": ["/etc/a.conf"]})
    action = made(
        make_action, role, remote,
        {"path": "/etc/d", "state": "directory", "mode": "0700"},
        {"path": "/etc/a.conf", "template": "etc/a.conf.j2", "owner": None, "validate": "test %s"},
        {"path": "/etc/plain", "source": "plain"},
        {"path": "/etc/absolute", "source": str(role / "files/plain")},
        {"path": "/etc/text", "content": "text\n"},
        {"path": "/etc/data", "content": {"a": 1}},
    )  # fmt: skip
    result = action.run(task_vars=variables(role))
    assert result["changed_paths"] == ["/etc/a.conf"]
    (asked,) = remote.asked
    assert asked == {
        "module": MODULE,
        "files": [
            {"path": "/etc/d", "state": "directory", "mode": "0700"},
            {
                "path": "/etc/a.conf",
                "content": "# Ansible managed\n  a = 5\n  b = 5\npart 5back\\slash\n",
                "validate": "test %s",
            },
            {"path": "/etc/plain", "content": "{{ no template }}\n"},
            {"path": "/etc/absolute", "content": "{{ no template }}\n"},
            {"path": "/etc/text", "content": "text\n"},
            {"path": "/etc/data", "content": '{"a": 1}'},
        ],
    }


def test_a_template_renders_as_with_the_action_template(make_action: Any, make_remote: Any, role: Path) -> None:
    remote = make_remote({})
    ours = made(make_action, role, remote, {"path": "/etc/a.conf", "template": "etc/a.conf.j2"})
    ours.run(task_vars=variables(role))

    theirs = make_action(action_loader.get("ansible.builtin.template", class_only=True), make_remote({}))
    theirs._task.args = {"src": "etc/a.conf.j2", "dest": "/etc/a.conf"}
    theirs._task.copy = Mock(return_value=Mock(args={}))
    theirs._task.get_search_path = Mock(return_value=[str(role)])
    theirs._loader.set_basedir(str(role))
    theirs._make_tmp_path = theirs._remove_tmp_path = Mock()
    rendered: list[str] = []

    def copied(_name: str, task: Any, **_more: Any) -> Any:
        rendered.append(Path(task.args["src"]).read_text())
        return Mock(run=Mock(return_value={}))

    theirs._shared_loader_obj.action_loader.get = copied
    theirs.run(task_vars=variables(role))
    assert rendered == [remote.asked[0]["files"][0]["content"]]


def test_the_word_of_the_inventory_on_who_manages(make_action: Any, make_remote: Any, role: Path) -> None:
    remote = make_remote({})
    action = made(make_action, role, remote, {"path": "/etc/a.conf", "template": "etc/a.conf.j2"})
    action.run(task_vars=variables(role, ansible_managed="Ours"))
    assert remote.asked[0]["files"][0]["content"].startswith("# Ours\n")


def test_contents_are_not_told_twice(make_action: Any, make_remote: Any, role: Path) -> None:
    sent = {"module_args": {"files": [{"path": "/etc/a", "content": "long\n", "state": "file"}]}}
    action = made(make_action, role, make_remote({"invocation": sent}), {"path": "/etc/a", "content": "long\n"})
    assert action.run(task_vars=variables(role))["invocation"] == {"module_args": {"files": [{"path": "/etc/a"}]}}


def test_a_failure_of_the_host_is_passed_on(make_action: Any, make_remote: Any, role: Path) -> None:
    action = made(make_action, role, make_remote({"failed": True, "msg": "no space"}), {"path": "/a", "content": ""})
    result = action.run(task_vars=variables(role))
    assert (result["failed"], result["msg"]) == (True, "no space")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"path": "/etc/a", "template": "none.j2"},
            "The template none.j2, which makes /etc/a, is not on the controller, neither there nor in templates/ of the role.",
        ),
        (
            {"path": "/etc/a", "source": "/nowhere/a"},
            "The file /nowhere/a, which should be /etc/a on the host, is not on the controller, neither there nor in files/ of"
            " the role.",
        ),
        (
            {"path": "/etc/a", "source": "plain", "content": "x"},
            "The entry /etc/a has content and source; give it one of them.",
        ),
        ("/etc/a", "The option files must be a list of mappings, one for each path."),
    ],
)
def test_what_cannot_be_made_is_told_before_the_host_is_asked(
    make_action: Any, make_remote: Any, role: Path, given: Any, message: str
) -> None:
    remote = make_remote()
    with pytest.raises(AnsibleActionFail) as refused:
        made(make_action, role, remote, given).run(task_vars=variables(role))
    assert str(refused.value) == message
    assert remote.asked == []


def test_a_template_that_cannot_be_rendered_is_named(make_action: Any, make_remote: Any, role: Path) -> None:
    action = made(make_action, role, make_remote(), {"path": "/etc/a", "template": "etc/a.conf.j2"})
    with pytest.raises(AnsibleActionFail, match=r"a\.conf\.j2, which makes /etc/a, cannot be rendered: .*'number'"):
        action.run(task_vars={"ansible_search_path": [str(role)]})


def test_a_file_that_is_no_text_is_named(make_action: Any, make_remote: Any, role: Path) -> None:
    (role / "files/binary").write_bytes(b"\xff\x00")
    action = made(make_action, role, make_remote(), {"path": "/etc/a", "source": "binary"})
    with pytest.raises(AnsibleActionFail, match=r"is no text; send it with ansible.builtin.copy"):
        action.run(task_vars=variables(role))
