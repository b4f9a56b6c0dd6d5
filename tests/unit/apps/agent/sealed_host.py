# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose files, packages and units are a test's own, and a controller that seals it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bocage_agent import seal_writing, seals
from bocage_agent.commands import Finish, shared
from bocage_agent.seal_store import SealStore
from bocage_agent.settings import Settings, read_settings
from bocage_core._common import dsse, timestamps
from bocage_core._seals import desired as digests
from bocage_core._seals import documents
from bocage_core._seals.documents import Desired
from bocage_core._seals.items import merge

# The times of files that no test has touched: long enough ago for a hint.
LONG_AGO = 1_700_000_000
PARTS = {"variable mesh_mtu": "0" * 64, "file tasks/main.yml": "1" * 64}
STATUS = """\
Package: nftables
Status: install ok installed
Architecture: amd64
Version: 1.0.6-2
Depends: libnft1 (= 1.0.6-2), awk | gawk, libgone | mail-agent
Pre-Depends: libc6
Conffiles:
 /etc/nftables.conf 0123456789abcdef
 /etc/old.conf 0123456789abcdef obsolete
Description: text
 Version: no field but a part of the text

Package: libnft1
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 1.0.6-2
Depends: libc6

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Depends: libnft1

Package: mawk
Status: install ok triggers-pending
Architecture: amd64
Version: 1.3
Provides: awk

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: broken
Status: install ok half-configured
Architecture: amd64
Version: 1

Package: other
Status: install ok installed
Architecture: amd64
Version: 3
"""
LISTS = {
    "nftables": "/.\n/usr\n/usr/sbin\n/usr/sbin/nft\n/etc\n/etc/nftables.conf\n/usr/share/doc/gone\n",
    "libnft1:amd64": "/.\n/usr\n/usr/lib\n/usr/lib/libnft.so.1\n/usr/lib/libnft.so.1.1\n",
    "libc6": "/.\n/usr/lib/libc.so.6\n",
    "mawk": "/.\n/usr/bin/mawk\n",
    "other": "/.\n/usr/bin/other\n",
}


@dataclass
class Unit:
    """What systemd says of a unit."""

    active: str = "active"
    enabled: str = "enabled"
    reload: str = "no"
    load: str = "loaded"


@dataclass
class SealedHost:
    """Change its root, its units and its answers, and see what its seals notice."""

    folder: Path
    host: Any
    controller: bytes = field(default_factory=dsse.generate_private_key)
    units: dict[str, Unit] = field(default_factory=dict)
    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("etc", "usr/sbin", "usr/lib", "usr/bin", "var/lib/dpkg/info"):
            (self.root / name).mkdir(parents=True)
        self.put("/etc/x.conf", "secret")
        self.put("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nshop:x:990:980::/srv/shop:/bin/false\n")
        self.put("/etc/group", "root:x:0:\nshop:x:980:\nadm:x:4:shop,syslog\n")
        self.put("/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
        self.put("/var/lib/dpkg/status", STATUS)
        for name, files in LISTS.items():
            self.put(f"/var/lib/dpkg/info/{name}.list", files)
        for name in ("/usr/sbin/nft", "/etc/nftables.conf", "/usr/lib/libnft.so.1.1", "/usr/lib/libc.so.6",
                     "/usr/bin/mawk", "/usr/bin/other"):  # fmt: skip
            self.put(name, name)
        (self.root / "usr/lib/libnft.so.1").symlink_to("libnft.so.1.1")
        (self.folder / "report.key").write_bytes(self.host.report_private)
        (self.folder / "enrolment.json").write_bytes(self.host.enrolment_bytes)
        (self.folder / "seal.pub").write_bytes(dsse.public_key_to_pem(dsse.public_key_of(self.controller)))
        document = {
            "registry_url": "https://registry.demo.internal",
            "ca_file": str(self.folder / "ca.pem"),
            "key_file": str(self.folder / "report.key"),
            "enrolment_file": str(self.folder / "enrolment.json"),
            "state_directory": str(self.folder / "state"),
            "mesh_interface": None,
            "seals_directory": str(self.folder / "seals"),
            "seal_public_key_file": str(self.folder / "seal.pub"),
        }
        self.config.write_text(json.dumps(document))

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def config(self) -> Path:
        return self.folder / "agent.json"

    @property
    def settings(self) -> Settings:
        return read_settings(self.config)

    @property
    def store(self) -> SealStore:
        return SealStore(self.folder / "seals")

    @property
    def name(self) -> str:
        return str(self.host.enrolment.name)

    @property
    def host_id(self) -> str:
        return str(self.host.enrolment.host_id)

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def put(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file that looks as if it had been there for long."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    def start(self, command: list[str]) -> Finish:
        """A program of this host; what no test gave an answer to is not installed."""
        words = " ".join(command)
        self.ran.append(words)
        if words.startswith("systemctl show "):
            found = [self.units.get(name, Unit("inactive", "", "no", "not-found")) for name in command[4:]]
            blocks = [
                f"LoadState={one.load}\nActiveState={one.active}\nUnitFileState={one.enabled}\n"
                f"NeedDaemonReload={one.reload}\n"
                for one in found
            ]
            return lambda: (0, "\n".join(blocks), "")
        return lambda: self.answers.get(words, (127, "", f"{command[0]} is not installed"))

    def machine(self) -> seals.Machine:
        return seals.Machine(shared(self.start), str(self.root))

    def base(self, role: str) -> str:
        return digests.base_digest(role, PARTS)

    def desired(self, role: str, items: Iterable[dict[str, Any]], **changes: Any) -> Desired:
        statement = Desired(
            host=self.name,
            host_id=self.host_id,
            role=role,
            base=self.base(role),
            parts=digests.short_parts(PARTS),
            facts={"distribution": "debian 12"},
            items=merge(items),
            issued_at=timestamps.now(),
        )
        return replace(statement, **changes)

    def signed(self, role: str, items: Iterable[dict[str, Any]], **changes: Any) -> dict[str, Any]:
        return documents.sign_desired(self.desired(role, items, **changes), self.controller)

    def write(self, **envelopes: Any) -> dict[str, Any]:
        return seal_writing.write(self.settings, {"seals": envelopes}, self.machine())

    def seal(self, *items: dict[str, Any], role: str = "mesh") -> None:
        """A seal of a role over these items; the host must agree."""
        assert self.write(**{role: self.signed(role, items)}) == {"sealed": [role], "refused": {}}

    def check(self, *roles: str, **request: Any) -> dict[str, Any]:
        expected = {role: self.base(role) for role in roles or ("mesh",)}
        return seals.check(self.settings, {"expected": expected, **request}, self.machine())

    def findings(self, role: str = "mesh") -> list[str]:
        """What is wrong with a seal; it is broken exactly where something is."""
        answer = self.check(role)["seals"][role]
        assert answer["status"] == ("broken" if answer["findings"] else "intact"), answer
        found: list[str] = answer["findings"]
        return found

    def seal_file(self, role: str = "mesh") -> Path:
        return self.folder / "seals" / f"{role}.json"


def file(name: str, state: str = "file") -> dict[str, Any]:
    return {"kind": "file", "name": name, "state": state}


def package(name: str, state: str = "present") -> dict[str, Any]:
    return {"kind": "package", "name": name, "state": state}


def unit(name: str, enabled: bool | None = True, active: bool | None = True) -> dict[str, Any]:
    return {"kind": "unit", "name": name, "enabled": enabled, "active": active}


def probe(name: str) -> dict[str, Any]:
    return {"kind": "probe", "name": name}


def account(name: str, state: str = "present") -> dict[str, Any]:
    return {"kind": "account", "name": name, "state": state}
