# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a packet takes to the peers of this host and back, for the section `mesh`.

Measured anew for each report, unlike the sizes of packets: what was remembered would say nothing of a change since.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bocage_core._mesh.echo import Echo, round_trips

from .collect_mtu import known_paths

# The same ones each time, so that one report can be compared with the next.
MOST_PEERS = 16
_TIMEOUT_SECONDS = 0.5

Probe = Callable[[Sequence[str]], Mapping[str, float]]


def probe(addresses: Sequence[str]) -> Mapping[str, float]:
    with Echo(_TIMEOUT_SECONDS) as echo:
        return round_trips(echo, addresses)


def collect_round_trip(mesh_directory: Path, state_directory: Path, prober: Probe = probe) -> int | None:
    """The median over peers, in microseconds; None where none answers.

    Peers that were silent when their path was measured last are not waited for.
    """
    paths, known = known_paths(mesh_directory, state_directory)
    answering = [path["address"] for path in paths if known[path["address"]].get("size")]
    found = prober(answering[:MOST_PEERS]) if answering else {}
    return round(statistics.median(found.values()) * 1_000_000) if found else None
