# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients and flows of a gateway, and a report that readers accept with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bocage_agent.collect_load import collect_load
from bocage_core._common.refused import Refused
from bocage_core._state.sections import check_sections

HANDSHAKES = "bocage0\tA\t1000\nbocage0\tB\t821\nbocage0\tC\t820\nbocage0\tD\t0\nbocage0-1-1\tA\t990\n"
SECTION = {"lan_interface": "eth1", "forwarding": True, "ruleset_digest": None, "drift": []}


def load(folder: Path, answer: tuple[int, str, str] = (0, HANDSHAKES, "")) -> dict[str, Any]:
    found = collect_load(lambda _: answer, 1000, folder)
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
    assert load(netfilter / "none", (1, "", "wg: no such program")) == {}


def test_figures_that_are_none_are_refused() -> None:
    with pytest.raises(Refused, match="needs an integer"):
        check_sections({"gateway": {**SECTION, "clients": "many"}}, "the report")
