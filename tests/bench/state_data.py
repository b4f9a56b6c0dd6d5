# SPDX-License-Identifier: GPL-3.0-or-later
"""A large estate with real keys: what the inventory wants, and a registry's database that holds what hosts reported.

Everything but the keys and signatures follows from the number of a host, so two runs measure the same work.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bocage_core._common import canonical, dsse, timestamps
from bocage_core._state import enrolment as enrolments
from bocage_core._state import report as reports
from bocage_core._state.enrolment import Enrolment
from bocage_core._state.report import Report
from bocage_registry.database import Database
from bocage_registry.tables import hosts, state
from sqlalchemy import insert, update

HOSTS_OF_A_SITE = 50
TOKEN = "reader of the benchmark"
# Of a hundred hosts so many are silent for long, or differ from what is wanted.
SILENT, DRIFTED = 7, 3


@dataclass
class Estate:
    """The estate's own key, and its hosts in the order of their numbers."""

    count: int
    now: datetime
    private: bytes

    @classmethod
    def make(cls, count: int) -> Estate:
        return cls(count, timestamps.now(), dsse.generate_private_key())

    @property
    def public(self) -> bytes:
        return dsse.public_key_of(self.private)

    def name(self, number: int) -> str:
        return f"host{number:05d}"

    def place(self, number: int) -> tuple[str, int]:
        """Site and index of a host."""
        return f"site{number // HOSTS_OF_A_SITE:03d}", number % HOSTS_OF_A_SITE + 1

    def signed(self) -> Iterator[tuple[Enrolment, bytes, bytes]]:
        """Each host's enrolment, its envelope and that of its report."""
        for number in range(self.count):
            private = dsse.generate_private_key()
            enrolment = Enrolment(
                kind="enrolment",
                host_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name(number))),
                name=self.name(number),
                tenant="acme",
                site=self.place(number)[0],
                generation=1,
                report_key=dsse.public_key_of(private),
                mesh_key=_key(number),
                issued_at=self.now - timedelta(days=1),
                not_after=self.now + timedelta(days=365),
            )
            envelope = json.dumps(enrolments.sign(enrolment, self.private)).encode()
            yield enrolment, envelope, json.dumps(reports.sign(self._report(number, enrolment), private)).encode()

    def _report(self, number: int, enrolment: Enrolment) -> Report:
        age = timedelta(days=1) if number % 100 < SILENT else timedelta()
        report = Report(
            host_id=enrolment.host_id,
            generation=1,
            counter=number + 1,
            issued_at=self.now - age,
            boot_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"boot {number}")),
            previous=hashlib.sha256(str(number).encode()).hexdigest(),
            sections={"system": self._system(number), "mesh": self._mesh(number), "seals": self._seals(number)},
        )
        return replace(report, digest=canonical.digest(report.to_payload()))

    def _system(self, number: int) -> dict[str, Any]:
        return {
            "hostname": self.name(number),
            "os": "Debian GNU/Linux 12 (bookworm)",
            "kernel": "6.1.0-28-amd64",
            "uptime_seconds": 86400 + number,
            "memory_total_bytes": 8 * 2**30,
            "cpu_count": 4,
            "agent_version": "0.1.0",
        }

    def _seals(self, number: int) -> dict[str, Any]:
        """What a host without further duties has: five roles, and sometimes one that was tampered with."""
        broken = number % 100 >= 100 - DRIFTED
        return {
            role: {
                "status": "broken" if broken and role == "names" else "intact",
                "digest": hashlib.sha256(f"digest {role} {number}".encode()).hexdigest(),
                "base": hashlib.sha256(f"base {role} {number}".encode()).hexdigest(),
                "facts": {"kernel": "6.1.0-28-amd64"} if role == "mesh" else {},
                "counter": number % 50 + 1,
                "sealed_at": timestamps.write(self.now - timedelta(days=1)),
                "findings": ["bocage-names.service is not running."] if broken and role == "names" else [],
            }
            for role in ("agent", "firewall", "host", "mesh", "names")
        }

    def _mesh(self, number: int) -> dict[str, Any]:
        site, index = self.place(number)
        peers = [
            {
                "public_key": _key(peer),
                "endpoint": f"198.51.100.{peer % 250 + 1}:51820",
                "allowed_ips": ["fd7b:4c1e:90a2::/48", "198.18.0.0/15"],
                "latest_handshake": int(self.now.timestamp()) - number % 120,
                "rx_bytes": number * 1000,
                "tx_bytes": number * 900,
            }
            for peer in (100_000, 100_001)
        ]
        return {
            "interface": "bocage0",
            "backend": "kernel",
            "public_key": _key(number),
            "listen_port": 51820,
            "mtu": 1420,
            "addresses": [f"fd7b:4c1e:90a2:{int(site[4:]) + 1:x}::{index:x}/128"],
            "config_digest": hashlib.sha256(f"configuration {number}".encode()).hexdigest(),
            "drift": ["The peer hub1 is missing."] if number % 100 >= 100 - DRIFTED else [],
            "peer_count": len(peers),
            "peers": peers,
        }


def write_desired(estate: Estate, folder: Path) -> None:
    """The inventory that wants these hosts, as a program writes it: JSON, which YAML's parser need not read."""
    (folder / "group_vars/all").mkdir(parents=True)
    sites = {estate.place(number)[0] for number in range(0, estate.count, HOSTS_OF_A_SITE)}
    variables = {
        "estate_name": "bench",
        "estate_domain": "bench.internal",
        "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_tenants": {"acme": {}},
        "estate_sites": {site: {"index": int(site[4:]) + 1, "tenant": "acme"} for site in sorted(sites)},
    }
    (folder / "group_vars/all/estate.yml").write_text(json.dumps(variables))
    wanted = {
        estate.name(number): {"host_site": estate.place(number)[0], "host_index": estate.place(number)[1]}
        for number in range(estate.count)
    }
    (folder / "hosts.json").write_text(json.dumps({"all": {"children": {"managed": {"hosts": wanted}}}}))


def fill_registry(estate: Estate, database_file: Path) -> Path:
    """A registry's database as if every host had posted its enrolment and its report; returns its settings file."""
    public = database_file.with_name("enrolment.pub")
    public.write_bytes(dsse.public_key_to_pem(estate.public))
    url = f"sqlite:///{database_file}"
    database = Database(url)
    rows = [
        {
            "host_id": enrolment.host_id,
            "name": enrolment.name,
            "tenant": enrolment.tenant,
            "generation": 1,
            "report_key_id": dsse.key_id(enrolment.report_key),
            "revoked": False,
            "enrolment": envelope,
            "change": number,
            "report": report,
            "report_generation": 1,
            "report_counter": number,
            "received_at": int(estate.now.timestamp()),
        }
        for number, (enrolment, envelope, report) in enumerate(estate.signed(), start=1)
    ]
    with database.writing() as (connection, _change):
        connection.execute(insert(hosts), rows)
        connection.execute(update(state).values(change=len(rows)))
    database.close()
    configuration = {
        "database_url": url,
        "enrolment_public_key_file": str(public),
        "readers": [{"name": "bench", "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "tenant": None}],
        "history_seconds": 86400,
        "clock_skew_seconds": 300,
    }
    settings_file = database_file.with_suffix(".json")
    settings_file.write_text(json.dumps(configuration))
    return settings_file


def _key(number: int) -> str:
    return base64.b64encode(hashlib.sha256(f"key {number}".encode()).digest()).decode()
