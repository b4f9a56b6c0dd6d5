# SPDX-License-Identifier: GPL-3.0-or-later
"""By which gateway each LAN is entered, with FRR and without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import collect_routing as module
from bocage_agent.collect_routing import collect_routing
from bocage_core._state.sections import check_sections

ULA = "fd7b:4c1e:90a2"
HUB = f"bocage0\tH\t{ULA}::/48 198.19.1.0/24\n"
SINGLE = f"bocage0\tA\t{ULA}:2::1/128 198.19.2.1/32 198.18.2.0/24 2001:db8:3::/64\n"
LINK = f"bocage0-1-1\tB\t{ULA}:1::1/128 198.18.1.0/24\n"
EXITS = [
    {"prefix": "198.18.2.0/24", "gateway": f"{ULA}:2::1"},
    {"prefix": "2001:db8:3::/64", "gateway": f"{ULA}:2::1"},
]


class Host:
    """Answers as wg(8) and ip(8) do."""

    def __init__(self, allowed_ips: str, *routes: dict[str, Any]) -> None:
        self._allowed_ips, self._routes = allowed_ips, list(routes)

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "wg":
            return 0, self._allowed_ips, ""
        return 0, json.dumps(self._routes if "-4" in command else []), ""


class Bfdd:
    """The daemon of FRR that watches paths."""

    def __init__(self, _path: Path) -> None: ...

    def ask(self, _commands: list[str]) -> list[str]:
        return [json.dumps([{"peer": f"{ULA}:1::1", "status": "up"}, {"peer": f"{ULA}:1::2", "status": "down"}])]

    def close(self) -> None: ...


def section(host: Host, directory: Path) -> dict[str, Any] | None:
    found = collect_routing(host, directory)
    if found is not None:
        check_sections({"routing": found}, "the report")
    return found


def test_a_lan_with_one_gateway_is_entered_without_a_protocol(tmp_path: Path) -> None:
    found = section(Host(HUB + SINGLE), tmp_path / "none")
    assert found == {"session_count": 0, "sessions_up": 0, "sessions": [], "exits": EXITS, "drift": []}


def test_while_keys_rotate_it_is_entered_once(tmp_path: Path) -> None:
    found = section(Host(SINGLE + SINGLE.replace("bocage0", "bocage1")), tmp_path / "none")
    assert found is not None
    assert found["exits"] == EXITS


@pytest.mark.parametrize("peers", ["", HUB, LINK, f"bocage0\tC\t{ULA}:1::9/128 198.19.1.9/32\n"])
def test_a_host_that_enters_no_lan_has_no_section(tmp_path: Path, peers: str) -> None:
    assert section(Host(peers), tmp_path / "none") is None


def test_a_relay_between_hubs_is_no_exit(tmp_path: Path) -> None:
    other_hub = f"bocage0\tK\t{ULA}::2/128 {ULA}:4::/64 198.19.4.0/24\n"
    assert section(Host(other_hub), tmp_path / "none") is None


def test_with_a_protocol_both_kinds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Daemon", Bfdd)
    route = {"dst": "198.18.1.0/24", "via": {"family": "inet6", "host": f"{ULA}:1::1"}}
    alone = {"dst": "198.19.1.7", "gateway": f"{ULA}:1::1"}
    found = section(Host(HUB + SINGLE + LINK, route, alone), tmp_path)
    assert found is not None
    assert found["exits"] == [{"prefix": "198.18.1.0/24", "gateway": f"{ULA}:1::1"}, *EXITS]
    assert (found["session_count"], found["sessions_up"]) == (2, 1)
    assert found["drift"] == [f"The path to {ULA}:1::2 is down."]


def test_without_an_answer_of_frr_single_exits_are_still_told(tmp_path: Path) -> None:
    found = section(Host(SINGLE), tmp_path)
    assert found is not None
    assert found["exits"] == EXITS
    assert found["drift"] == ["FRR does not say which paths live; see the unit frr.service."]
