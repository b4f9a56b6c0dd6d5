# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the options of every role of the collection from their argument specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError


def read_role_options(roles: Path) -> dict[str, Any]:
    """All options of all entry points of all roles below a folder, by name."""
    options: dict[str, Any] = {}
    for spec in sorted(roles.glob("*/meta/argument_specs.y*ml")):
        try:
            document = yaml.safe_load(spec.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise AnsibleError(f"The argument spec {spec} cannot be read: {error}") from error
        for entry_point in (document.get("argument_specs") or {}).values():
            options.update(entry_point.get("options") or {})
    return options
