# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role should make of a host, as digests: its content, each variable of its spec, its further inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible_collections.bocage.fleet.plugins.module_utils._common import archive
from ansible_collections.bocage.fleet.plugins.module_utils._seals import desired
from ansible_collections.bocage.fleet.plugins.plugin_utils.role_content import role_content

Template = Callable[[object, Mapping[str, Any]], Any]
"""Resolves a value with variables beside those of the host."""

_INPUTS = {"facts", "files", "apps", "controller_only"}


@dataclass(frozen=True)
class RoleSpec:
    """What is the same for all hosts."""

    role: str
    content: dict[str, str]
    """Digests of the role's content, by part."""
    options: tuple[str, ...]
    defaults: dict[str, Any]
    facts: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Desire:
    base: str
    parts: dict[str, str]
    """Only what depends on the host; the content is in RoleSpec."""
    facts: tuple[str, ...]


@lru_cache(maxsize=64)
def read_role_spec(root: Path, role: str, key: bytes, further: tuple[Path, ...] = ()) -> RoleSpec:
    """A role of the collection at `root`, or of the folders `further`, with digests keyed by `key`.

    Raises AnsibleError where it cannot be read.
    """
    content = role_content(root, role, further)
    parts = {name: desired.part_digest(key, value) for name, value in content.parts.items()}
    options: list[str] = []
    defaults: dict[str, Any] = {}
    inputs: dict[str, Any] = {"facts": [], "files": {}, "apps": [], "controller_only": []}
    for name, folder in content.roles.items():
        spec = _load(folder / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options") or {}
        defaults = {**_load(folder / "defaults" / "main.yml"), **defaults}
        declared = _load(folder / "meta" / "seal.yml")
        if unknown := set(declared) - _INPUTS:
            raise AnsibleError(f"The file {folder}/meta/seal.yml has the unknown entry {min(unknown)}.")
        for entry, value in declared.items():
            inputs[entry] = {**inputs[entry], **value} if entry == "files" else [*inputs[entry], *value]
        # what an import hands in is written in the importing role, whose files are content
        options += [one for one in spec if name == role or not spec[one].get("required")]
    for app in inputs["apps"]:
        made = archive.digest(archive.packages_of(root, app), (root / "requirements" / f"{app}.txt").read_bytes(), "")
        parts[f"input program {app}"] = desired.part_digest(key, made)
    return RoleSpec(
        role=role,
        content=parts,
        options=tuple(sorted(set(options) - set(inputs["controller_only"]))),
        defaults=defaults,
        facts=tuple(inputs["facts"]),
        files=inputs["files"],
    )


def desire_of(spec: RoleSpec, variables: Mapping[str, Any], template: Template, key: bytes, folder: Path) -> Desire:
    """What `spec` should make of the host that `variables` belong to; relative paths of inputs are below `folder`.

    Raises AnsibleError where a variable cannot be resolved or an input cannot be read.
    """
    local = {name: value for name, value in spec.defaults.items() if name not in variables}
    parts: dict[str, str] = {}
    for name in spec.options:
        if name not in variables and name not in local:
            # left out where it is optional, refused by the role itself where it is not
            continue
        value = variables[name] if name in variables else local[name]
        try:
            resolved = template(value, local)
        except AnsibleUndefinedVariable as error:
            raise AnsibleError(f"The variable {name} of the role {spec.role} cannot be resolved: {error}") from error
        parts[f"variable {name}"] = desired.part_digest(key, resolved)
    for name, path in spec.files.items():
        place = folder / str(template(path, local))
        try:
            parts[f"input {name}"] = desired.part_digest(key, place.read_bytes())
        except OSError as error:
            raise AnsibleError(
                f"The file {place}, which the role {spec.role} places, cannot be read: {error.strerror}."
            ) from error
    facts = tuple(str(template(name, local)) for name in spec.facts)
    return Desire(desired.base_digest(spec.role, {**spec.content, **parts}), parts, facts)


def _load(path: Path) -> dict[str, Any]:
    """A file of a role, whose texts may be templates; nothing where it does not exist."""
    if not path.is_file():
        return {}
    return DataLoader().load_from_file(str(path), cache="none", unsafe=True, trusted_as_template=True) or {}
