# SPDX-License-Identifier: GPL-3.0-or-later
"""The twenty resources of roles/bench20, for pyinfra: pyinfra hosts.py deploy.py."""

from __future__ import annotations

from pathlib import Path

from pyinfra import host
from pyinfra.operations import apt, files, systemd

_ROLE = Path(__file__).resolve().parent / "roles/bench20"
_OWNED = {"user": "root", "group": "root"}

for path in ("/etc/bench20", "/etc/bench20/conf.d", "/var/lib/bench20"):
    files.directory(name=f"Make {path}", path=path, mode="755", **_OWNED)

for package in ("curl", "ca-certificates"):
    apt.packages(name=f"Install {package}", packages=[package])

for section in ("server", "client", "limits", "logging", "cache", "peers"):
    files.template(
        name=f"Write {section}.conf",
        src=str(_ROLE / "templates/etc/bench20/conf.d/setting.conf.j2"),
        dest=f"/etc/bench20/conf.d/{section}.conf",
        mode="644",
        **_OWNED,
        bench20_section=section,
        bench20_workers=4,
        bench20_host=host.name,
        bench20_index=host.data.host_index,
        bench20_address=host.data.ansible_host,
    )

for file in ("banner", "motd", "allow", "deny", "map", "zones"):
    files.put(name=f"Place {file}", src=str(_ROLE / "files" / file), dest=f"/etc/bench20/{file}", mode="644", **_OWNED)

for unit in ("ssh", "systemd-resolved", "nftables"):
    systemd.service(name=f"Run {unit}", service=f"{unit}.service", running=True, enabled=True)
