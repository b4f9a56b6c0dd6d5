# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/reference/, a page for each plugin, from what ansible-doc says of them.

python3 docs/reference.py [--check]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from markup import COLLECTION, NOTICE, ROOT, option_table, paragraphs, settle, text

FOLDER = ROOT / "docs" / "reference"
KINDS = {
    "module": "Modules",
    "inventory": "Inventory",
    "filter": "Filters",
    "lookup": "Lookups",
    "callback": "Callbacks",
}


def documentation() -> dict[str, dict[str, Any]]:
    """All documentation by kind and name."""
    command = ["ansible-doc", "--metadata-dump", COLLECTION.rstrip(".")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"The documentation of the plugins cannot be read:\n{done.stderr.strip()}")
    found = json.loads(done.stdout)["all"]
    return {kind: found[kind] for kind in KINDS if found.get(kind)}


def pages(name: str) -> str | None:
    """The page of a plugin, seen from another one's."""
    short = name.rpartition(".")[2]
    for kind in KINDS:
        if (ROOT / "plugins" / {"module": "modules"}.get(kind, kind) / f"{short}.py").exists():
            return f"{kind}_{short}.md"
    return None


def returned(values: dict[str, Any]) -> list[str]:
    lines = ["| value | type | returned | meaning |", "| --- | --- | --- | --- |"]
    for name, value in values.items():
        words = " ".join(text(one, pages) for one in paragraphs(value.get("description"))).replace("|", "\\|")
        lines.append(f"| `{name}` | {value.get('type', '')} | {value.get('returned', '')} | {words} |")
    return lines


def page(kind: str, full_name: str, described: dict[str, Any]) -> str:
    document = described["doc"]
    lines = [NOTICE + f"# {full_name}", "", f"{text(document['short_description'], pages)}.", ""]
    lines += [f"- {text(one, pages)}" for one in paragraphs(document.get("description"))]
    if document.get("requirements"):
        lines += ["", "Needs: " + ", ".join(text(one) for one in document["requirements"]) + "."]
    if document.get("options"):
        lines += ["", "## Options", "", *option_table(document["options"], pages)]
    if document.get("attributes"):
        lines += ["", "## Attributes", "", "| attribute | support |", "| --- | --- |"]
        for name, attribute in sorted(document["attributes"].items()):
            details = "; ".join(text(one) for one in paragraphs(attribute.get("details")))
            support = attribute.get("support") or attribute.get("platforms") or ""
            lines.append(f"| `{name}` | {support}{f'; {details}' if details else ''} |")
    if described.get("examples"):
        lines += ["", "## Examples", "", "```yaml", described["examples"].strip(), "```"]
    values = described.get("return")
    if values:
        lines += ["", "## Returns", "", *returned(values if isinstance(values, dict) else yaml.safe_load(values))]
    return "\n".join([*lines, ""])


def index(found: dict[str, dict[str, Any]]) -> str:
    lines = [NOTICE + "# Reference", "", "Everything here is generated from the specs in the code.", ""]
    for kind, title in KINDS.items():
        if kind not in found:
            continue
        lines += [f"## {title}", ""]
        for name, described in sorted(found[kind].items()):
            short = name.removeprefix(COLLECTION)
            lines.append(f"- [{short}]({kind}_{short}.md): {text(described['doc']['short_description'], pages)}")
        lines.append("")
    lines += ["## Roles", ""]
    for spec in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        role = spec.parent.parent.name
        entry = next(iter(yaml.safe_load(spec.read_text())["argument_specs"].values()))
        lines.append(f"- [{role}](../../roles/{role}/README.md): {text(entry['short_description'])}")
    return "\n".join([*lines, ""])


def main() -> int:
    found = documentation()
    wanted: dict[Path, str] = {FOLDER / "README.md": index(found)}
    for kind, plugins in found.items():
        for name, described in plugins.items():
            wanted[FOLDER / f"{kind}_{name.removeprefix(COLLECTION)}.md"] = page(kind, name, described)
    return settle(wanted, "--check" in sys.argv[1:], set(FOLDER.glob("*.md")))


if __name__ == "__main__":
    sys.exit(main())
