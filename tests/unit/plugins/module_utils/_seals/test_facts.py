# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._seals import facts

LINKS = [
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
    {
        "ifname": "eth1",
        "addr_info": [
            {"local": "198.18.1.2", "prefixlen": 24, "scope": "global"},
            {"local": "2001:db8:2::2", "prefixlen": 64, "scope": "global"},
            {"local": "2001:db8:2::ab12", "prefixlen": 64, "scope": "global", "temporary": True},
            {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
        ],
    },
]


class FakeIp:
    def __init__(self, status: int = 0) -> None:
        self.status, self.calls = status, 0

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        assert command[0] == "ip"
        self.calls += 1
        return self.status, json.dumps(LINKS), "no permission"


def test_facts_are_those_of_this_host(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").write_text('NAME="Debian"\nID=debian\nVERSION_ID="12"\n\n# comment\n')
    run = FakeIp()
    assert facts.gather(["kernel", "machine", "python", "distribution"], run, tmp_path) == {
        "distribution": "debian 12",
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "python": platform.python_version(),
    }
    assert run.calls == 0, "nothing is run that is not needed"
    assert facts.gather(["distribution"], run, tmp_path / "none") == {"distribution": "unknown"}


def test_addresses_are_asked_for_once() -> None:
    run = FakeIp()
    assert facts.gather(["addresses:eth1", "addresses:lo", "addresses:eth7"], run) == {
        "addresses:eth1": ["198.18.1.2/24", "2001:db8:2::2/64"],
        "addresses:eth7": [],
        "addresses:lo": [],
    }
    assert run.calls == 1
    with pytest.raises(BocageError, match="cannot be read: no permission"):
        facts.gather(["addresses:eth1"], FakeIp(1))


@pytest.mark.parametrize("name", ["uptime", "kernel:x", "addresses", "addresses:", "addresses:-x", "addresses:a/b", ""])
def test_other_names_are_no_facts(name: str) -> None:
    with pytest.raises(BadInput, match="a role can declare kernel, machine, distribution, python, addresses:"):
        facts.gather([name], FakeIp())
