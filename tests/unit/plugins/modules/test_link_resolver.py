# SPDX-License-Identifier: GPL-3.0-or-later
"""The module link_resolver as Ansible calls it; comparing is tested in test_resolver.py of the library."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.modules import link_resolver

OPTIONS = {"interface": "bocage0", "servers": ["fd7b::1"], "domains": ["~demo.internal"]}


class FakeHost:
    def __init__(self) -> None:
        self.installed = True
        self.values: dict[str, str] = {}

    def run_command(self, _module: Any, command: list[str]) -> tuple[int, str, str]:
        _program, what, _interface, *words = command
        if words:
            self.values[what] = " ".join(words)
        return 0, f"Link 5 (bocage0): {self.values.get(what, '')}\n", ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *given: fake.run_command(*given))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *given: given[1] if fake.installed else None)
    return fake


def test_four_calls(call_module: Any, host: FakeHost) -> None:
    assert call_module(link_resolver, check=True, **OPTIONS)["changed"] and host.values == {}
    done = call_module(link_resolver, diff=True, **OPTIONS)
    assert done["changed"] and host.values == {"dns": "fd7b::1", "domain": "~demo.internal"}
    assert done["diff"]["before"] == "dns: \ndomain: \n"
    for check in (True, False):
        assert not call_module(link_resolver, check=check, **OPTIONS)["changed"]
    # as after a restart of the resolver
    host.values.clear()
    assert call_module(link_resolver, **OPTIONS)["changed"]


def test_a_resolver_that_is_not_installed(call_module: Any, host: FakeHost) -> None:
    host.installed = False
    assert call_module(link_resolver, check=True, **OPTIONS)["changed"]
    assert call_module(link_resolver, **OPTIONS)["msg"] == (
        "The command resolvectl is missing on this host; install the package systemd-resolved."
    )
