# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the inventory beside this file, for pyinfra."""

from __future__ import annotations

from pathlib import Path

import yaml

_HERE = Path(__file__).resolve().parent
_LAB = _HERE.parents[2] / ".lab"
_INVENTORY = yaml.safe_load((_HERE / "inventory/hosts.yml").read_text())

managed = [
    (
        name,
        {
            "ssh_hostname": values["ansible_host"],
            "ssh_user": "root",
            "ssh_key": str(_LAB / "ssh/id_ed25519"),
            "ssh_known_hosts_file": str(_LAB / "ssh/known_hosts_bench"),
            "ssh_strict_host_key_checking": "yes",
            **values,
        },
    )
    for name, values in _INVENTORY["managed"]["hosts"].items()
]
