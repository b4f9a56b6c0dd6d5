# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of roles, as their argument specs say."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.bocage.fleet.plugins.plugin_utils.role_options import read_role_options


def write_spec(roles: Path, role: str, text: str) -> None:
    folder = roles / role / "meta"
    folder.mkdir(parents=True)
    (folder / "argument_specs.yml").write_text(text)


def test_all_options_of_all_entry_points(tmp_path: Path) -> None:
    write_spec(
        tmp_path,
        "mesh",
        "argument_specs: {main: {options: {mesh_port: {type: int}}}, stop: {options: {mesh_seconds: {type: int}}}}",
    )
    write_spec(tmp_path, "empty", "argument_specs: {main: {short_description: nothing to set}}")
    assert read_role_options(tmp_path) == {"mesh_port": {"type": "int"}, "mesh_seconds": {"type": "int"}}


def test_a_spec_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_spec(tmp_path, "mesh", "argument_specs: [")
    with pytest.raises(AnsibleError, match=r"The argument spec .*mesh/meta/argument_specs.yml cannot be read: "):
        read_role_options(tmp_path)
