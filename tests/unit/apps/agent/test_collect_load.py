# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and flows of a gateway, and a report that readers accept with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_agent.collect_load import collect_load
from bocage_core._common.refused import Refused
from bocage_core._state.sections import check_sections

HANDSHAKES = "bocage0\tA\t1000\nbocage0\tB\t821\nbocage0\tC\t820\nbocage0\tD\t0\nbocage0v1\tA\t990\n"
SECTION = {"lan_interface": "eth1", "forwarding": True, "ruleset_digest": None, "drift": []}
ULA = "fd7b:4c1e:90a2"
PREFIXES = {
    "A": f"{ULA}:1::a/128 198.19.1.10/32",
    "B": f"{ULA}:2::b/128 2001:db8:2::/64",
    "C": f"{ULA}:2::c/128",
    "D": f"{ULA}:2::d/128",
}


def allowed(prefixes: dict[str, str], interface: str = "bocage0") -> str:
    """As `wg show all allowed-ips` prints it."""
    return "".join(f"{interface}\t{key}\t{ranges}\n" for key, ranges in prefixes.items())


def load(folder: Path, handshakes: str = HANDSHAKES, prefixes: str | None = None, status: int = 0) -> dict[str, Any]:
    answers = {"latest-handshakes": handshakes, "allowed-ips": allowed(PREFIXES) if prefixes is None else prefixes}
    found = collect_load(lambda command: (status, answers[command[3]], ""), 1000, folder)
    check_sections({"gateway": {**SECTION, **found}}, "the report")
    return found


@pytest.fixture
def netfilter(tmp_path: Path) -> Path:
    (tmp_path / "nf_conntrack_count").write_text("17\n")
    (tmp_path / "nf_conntrack_max").write_text("65536\n")
    return tmp_path


def test_clients_and_flows(netfilter: Path) -> None:
    assert load(netfilter) == {"clients": 2, "conntrack_count": 17, "conntrack_max": 65536}


def test_what_cannot_be_read_is_left_out(netfilter: Path) -> None:
    (netfilter / "nf_conntrack_max").unlink()
    assert load(netfilter) == {"clients": 2}
    assert load(netfilter / "none", status=1) == {}


def test_while_keys_rotate_a_host_is_one_client(netfilter: Path) -> None:
    both = HANDSHAKES + "bocage1\tA1\t995\nbocage1\tC1\t995\n"
    new = {"A1": PREFIXES["A"], "C1": PREFIXES["C"]}
    assert load(netfilter, both, allowed(PREFIXES) + allowed(new, "bocage1"))["clients"] == 3


@pytest.mark.parametrize(
    "relay",
    [
        pytest.param(f"{ULA}::/48 198.19.1.0/24", id="the hub of this gateway"),
        pytest.param(f"{ULA}::2/128 {ULA}:3::/64", id="another hub"),
        pytest.param(f"{ULA}:1::2/128 198.19.1.2/32 {ULA}:1::/64 198.19.1.0/24", id="a gateway of the same site"),
        pytest.param("(none)", id="a peer without addresses"),
    ],
)
def test_who_relays_is_no_client(netfilter: Path, relay: str) -> None:
    heard = HANDSHAKES + "bocage0-1-2\tS\t999\n"
    assert load(netfilter, heard, allowed(PREFIXES) + allowed({"S": relay}, "bocage0-1-2"))["clients"] == 2


def test_figures_that_are_none_are_refused() -> None:
    with pytest.raises(Refused, match="needs an integer"):
        check_sections({"gateway": {**SECTION, "clients": "many"}}, "the report")
