# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of planning the overlay of up to 25,000 hosts, fifty a site, beside writing the same plans to the disk.

Every host is planned and all plans are held at once, as a play for the whole
estate does. Bytes are those of a plan as JSON, which is what travels to a host.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bocage_core._common.collector import without_collector
from bocage_core._common.estate import Estate
from bocage_core._mesh.peers import MeshPlanner
from figures import figure

SIZES = (1_000, 5_000, 25_000)
HOSTS_PER_SITE = 50
SITES_PER_TENANT = 10
SITES_PER_HUB = 100
GATEWAYS_PER_SITE = 2


def key_of(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def variables(hosts: int, sites: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """An estate as its inventory has it: two gateways a site, nine in ten of the others behind NAT on the site's LAN."""
    written: dict[str, dict[str, Any]] = {"core": {"index": 0}}
    members: dict[str, dict[str, Any]] = {}
    hubs = max(1, sites // SITES_PER_HUB)
    for number in range(hubs):
        members[f"hub{number}"] = {
            "host_site": "core", "host_index": number + 1, "roles": ["hubs"], "mesh_endpoint": f"203.0.113.{number + 1}"
        }  # fmt: skip
    for number in range(1, sites):
        high, low = divmod(number, 256)
        written[f"site{number}"] = {
            "index": number,
            "tenant": f"tenant{number // SITES_PER_TENANT}",
            "lan_prefixes": [f"10.{high}.{low}.0/24", f"2001:db8:{number:x}::/64"],
            "overlay_ipv4_prefix": f"10.{128 + high}.{low}.0/24",
            "hub": f"hub{number % hubs}",
        }
    for number in range(hosts - hubs):
        site, place = 1 + number % (sites - 1), 1 + number // (sites - 1)
        high, low = divmod(site, 256)
        host: dict[str, Any] = {"host_site": f"site{site}", "host_index": place, "roles": ["hypervisors"]}
        if place <= GATEWAYS_PER_SITE:
            host.update(roles=["gateways"], mesh_endpoint=f"100.{64 + high}.{low}.{place}")
        if place % 10:
            host["mesh_lan_endpoint"] = f"10.{high}.{low}.{place}"
        members[f"host{number}"] = host
    for name, values in members.items():
        values["public_key"] = key_of(name)
    estate = {
        "estate_name": "bench", "estate_domain": "bench.internal", "estate_ula_prefix": "fd7b:4c1e:90a2::/48",
        "estate_sites": written,
    }  # fmt: skip
    return estate, members


def write(plans: Mapping[str, Any], path: Path) -> tuple[int, float, float]:
    """Bytes of all plans, seconds to make them of the plans, and seconds to write them until they are on the disk."""
    size, making, writing = 0, 0.0, 0.0
    with path.open("wb") as stream:
        for plan in plans.values():
            started = time.perf_counter()
            content = json.dumps(plan, separators=(",", ":")).encode()
            made = time.perf_counter()
            stream.write(content)
            writing += time.perf_counter() - made
            making += made - started
            size += len(content)
        started = time.perf_counter()
        stream.flush()
        os.fsync(stream.fileno())
    return size, making, writing + time.perf_counter() - started


def measure(count: int, rounds: int) -> None:
    label = f"mesh.plan.{count}"
    estate_vars, hosts = variables(count, count // HOSTS_PER_SITE + 1)
    planned, busy, made, written = [], [], [], []
    size, counters = 0, {}
    with tempfile.TemporaryDirectory(prefix="bocage-bench-") as folder:
        for _unused in range(rounds):
            started, processor = time.perf_counter(), time.process_time()
            planner = MeshPlanner(Estate.from_vars(estate_vars, hosts))
            # as in a play
            with without_collector():
                plans = {name: planner.host(name) for name in hosts}
            planned.append(time.perf_counter() - started)
            busy.append(time.process_time() - processor)
            size, making, writing = write(plans, Path(folder) / "plans")
            made.append(making)
            written.append(writing)
            counters = {
                "peers": sum(len(plan["peers"]) + len(plan["links"]) for plan in plans.values()),
                "links": sum(len(plan["links"]) for plan in plans.values()),
                "routes": sum(len(plan["routes"]) for plan in plans.values()),
                "largest_peer_list": max(len(plan["peers"]) for plan in plans.values()),
            }
            del planner, plans
    disk = statistics.median(written)
    figure(f"{label}.seconds", statistics.median(planned), "s", baseline=disk)
    # what is left of the seconds where other work shares the machine
    figure(f"{label}.processor_seconds", statistics.median(busy), "s")
    figure(f"{label}.json_seconds", statistics.median(made), "s", baseline=disk)
    # of the whole process: the inventory's variables, the planner and all plans at once
    figure(f"{label}.mb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")
    figure(f"{label}.bytes_per_host", size // len(hosts), "bytes")
    for name, value in counters.items():
        figure(f"{label}.{name}", value, name if name in ("routes", "links") else "peers")
