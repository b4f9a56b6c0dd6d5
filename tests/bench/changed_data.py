# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand hosts that reported what they were sealed with, most of them as desired: an inventory and its reports.

Those that changed can be reached; the names of all others lead nowhere, so a run that contacts one of them fails.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bocage_core._common import canonical, dsse, timestamps
from bocage_core._seals import desired
from bocage_core._state import enrolment as enrolments
from bocage_core._state import report as reports
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.report import Report

SITES = 10
GATEWAYS_OF_A_SITE = 2
Plan = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By host and role: the digest `base` and the names of `facts`."""


class Changed:
    """`count` hosts in `folder`, of which as many changed as `reachable` has addresses."""

    def __init__(self, folder: Path, count: int, reachable: list[str], lab: Path) -> None:
        self.folder, self.count, self.lab = folder, count, lab
        self.now = timestamps.now()
        self.estate_key, self.seal_key = dsse.generate_private_key(), dsse.generate_private_key()
        self.keys = {name: dsse.generate_private_key() for name in map(self.name, range(count))}
        step = count // len(reachable)
        # gateways and others, on all sites
        self.changed = {self.name(place * step + place % step): one for place, one in enumerate(reachable)}
        self.inventory = folder / "inventory"
        self.trust = self.inventory / "trust"
        self.secret = folder / "secret"

    def name(self, number: int) -> str:
        return f"host{number:04d}"

    def write(self) -> None:
        """The inventory and who its hosts are; nobody has reported yet."""
        for folder in (
            self.trust / "enrolments",
            self.inventory / "group_vars/all",
            self.secret,
            self.folder / "reports",
        ):
            folder.mkdir(parents=True)
        (self.secret / "seal.key").write_bytes(self.seal_key)
        (self.secret / "seal.key").chmod(0o600)
        for name, key in (("enrolment.pub", self.estate_key), ("seal.pub", self.seal_key)):
            (self.trust / name).write_bytes(dsse.public_key_to_pem(dsse.public_key_of(key)))
        (self.trust / "registry-ca.pem").write_text("of no registry\n")
        for number in range(self.count):
            envelope = enrolments.sign(self._enrolment(number), self.estate_key)
            (self.trust / f"enrolments/{self.name(number)}.json").write_text(json.dumps(envelope))
        (self.inventory / "group_vars/all/estate.yml").write_text(json.dumps(self._variables()))
        (self.inventory / "hosts.json").write_text(json.dumps(self._hosts()))
        options = {
            "plugin": "bocage.fleet.estate", "reports": "../reports", "cache_directory": "../cache",
            "fresh_seconds": 43200, "stale_seconds": 50000, "strict": True,
        }  # fmt: skip
        (self.inventory / "reported.estate.yml").write_text(json.dumps(options))

    def report(self, plan: Plan) -> None:
        """All hosts report the seals that the plan desires, but those that changed report one of another digest."""
        rows = [
            {
                "host_id": self._host_id(number),
                "report": reports.sign(self._report(number, plan[self.name(number)]), self.keys[self.name(number)]),
                "received_at": timestamps.write(self.now),
            }
            for number in range(self.count)
        ]
        (self.folder / "reports/page.json").write_text(json.dumps({"hosts": rows}))

    def _place(self, number: int) -> tuple[int, int]:
        """Site, 0 for that of the hub, and index there."""
        return (0, 1) if number == 0 else (1 + (number - 1) % SITES, 1 + (number - 1) // SITES)

    def _group(self, number: int) -> str:
        site, index = self._place(number)
        if site == 0:
            return "hubs"
        return "gateways" if index <= GATEWAYS_OF_A_SITE else "hypervisors"

    def _site(self, number: int) -> str:
        return f"site{self._place(number)[0]}"

    def _host_id(self, number: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name(number)))

    def _variables(self) -> dict[str, Any]:
        sites: dict[str, Any] = {"site0": {"index": 0}}
        for site in range(1, SITES + 1):
            sites[f"site{site}"] = {
                "index": site,
                "tenant": "acme",
                "lan_prefixes": [f"10.{site}.0.0/22"],
                "overlay_ipv4_prefix": f"10.{128 + site}.0.0/22",
            }
        return {
            "estate_name": "thousand",
            "estate_domain": "thousand.internal",
            "estate_ula_prefix": "fd42:b0ca:9e20::/48",
            "estate_tenants": {"acme": {}},
            "estate_sites": sites,
            "firewall_management_prefixes": ["198.18.3.1/32"],
            "trust_secret_directory": str(self.secret),
            "ansible_host": "{{ inventory_hostname }}.invalid",
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.lab / "ssh/id_ed25519"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.lab}/ssh/known_hosts_bench -o GlobalKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def _hosts(self) -> dict[str, Any]:
        groups: dict[str, Any] = {name: {"hosts": {}} for name in ("hubs", "gateways", "hypervisors")}
        groups["gateways"]["vars"] = {"gateway_lan_interface": "lan0"}
        for number in range(self.count):
            name, (site, index) = self.name(number), self._place(number)
            values: dict[str, Any] = {"host_site": self._site(number), "host_index": index}
            if self._group(number) == "hubs":
                values["mesh_endpoint"] = "203.0.113.1"
            else:
                values["mesh_lan_endpoint"] = f"10.{site}.{index // 250}.{index % 250 + 1}"
            if name in self.changed:
                values["ansible_host"] = self.changed[name]
            groups[self._group(number)]["hosts"][name] = values
        return {"managed": {"children": groups}}

    def _enrolment(self, number: int) -> Enrolment:
        return Enrolment(
            kind="enrolment",
            host_id=self._host_id(number),
            name=self.name(number),
            tenant=None if self._group(number) == "hubs" else "acme",
            site=self._site(number),
            generation=1,
            report_key=dsse.public_key_of(self.keys[self.name(number)]),
            mesh_key=base64.b64encode(hashlib.sha256(f"key {number}".encode()).digest()).decode(),
            issued_at=self.now - timedelta(days=1),
            not_after=self.now + timedelta(days=365),
        )

    def _report(self, number: int, plan: Mapping[str, Mapping[str, Any]]) -> Report:
        report = Report(
            host_id=self._host_id(number),
            generation=1,
            counter=number + 1,
            issued_at=self.now,
            boot_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"boot {number}")),
            previous=hashlib.sha256(str(number).encode()).hexdigest(),
            sections={"seals": {role: self._seal(number, one) for role, one in plan.items()}},
        )
        return replace(report, digest=canonical.digest(report.to_payload()))

    def _seal(self, number: int, plan: Mapping[str, Any]) -> dict[str, Any]:
        facts = dict.fromkeys(plan["facts"], "as it was")
        digest = desired.full_digest(plan["base"], facts)
        if self.name(number) in self.changed:
            digest = hashlib.sha256(digest.encode()).hexdigest()
        return {
            "status": "intact",
            "digest": digest,
            "base": plan["base"],
            "facts": facts,
            "counter": 1,
            "sealed_at": timestamps.write(self.now),
            "findings": [],
        }
