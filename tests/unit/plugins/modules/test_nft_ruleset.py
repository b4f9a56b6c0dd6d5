# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half: apply with a token, confirm with it. Reverting is tested in test_confirm.py of the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.modules import nft_ruleset


class FakeHost:
    """A host with nft and systemd that obey."""

    def __init__(self) -> None:
        self.table: str | None = None
        self.timers = 0

    def run_command(self, _module: Any, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "systemd-run":
            self.timers += 1
        elif command[0] == "nft" and "list" in command:
            return (0, self.table, "") if self.table is not None else (1, "", "No such file or directory")
        elif command[0] == "nft" and "--check" not in command:
            self.table = Path(command[-1]).read_text()
        return 0, "", ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *given: fake.run_command(*given))
    return fake


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return {
        "management_prefixes": ["198.51.100.192/28"],
        "overlay_sources": ["fd7b:4c1e:90a2::/48"],
        "directory": str(tmp_path / "nftables"),
    }


def test_four_calls(call_module: Any, host: FakeHost, options: dict[str, Any]) -> None:
    predicted = call_module(nft_ruleset, check=True, diff=True, **options)
    assert (predicted["changed"], predicted["token"], host.table) == (True, "", None)
    assert not Path(options["directory"]).exists()
    done = call_module(nft_ruleset, diff=True, **options)
    assert done["changed"] and done["token"]
    assert predicted["diff"] == done["diff"]
    assert (done["diff"]["before"], done["diff"]["after"]) == ("", done["ruleset"])
    confirmed = call_module(nft_ruleset, phase="confirm", token=done["token"], **options)
    assert confirmed["changed"]
    for check in (True, False):
        again = call_module(nft_ruleset, check=check, **options)
        assert (again["changed"], again["token"], again["ruleset"]) == (False, "", done["ruleset"])
    assert host.timers == 1


def test_a_table_that_was_altered_on_the_host_is_repaired_and_told(
    call_module: Any, host: FakeHost, options: dict[str, Any]
) -> None:
    first = call_module(nft_ruleset, **options)
    call_module(nft_ruleset, phase="confirm", token=first["token"], **options)
    host.table = "something else"
    done = call_module(nft_ruleset, diff=True, **options)
    assert done["changed"]
    assert done["diff"]["before"] == first["ruleset"] + "# the live table was altered on the host\n"


def test_without_seconds_the_change_is_confirmed_at_once(
    call_module: Any, host: FakeHost, options: dict[str, Any]
) -> None:
    options["confirm_seconds"] = 0
    assert call_module(nft_ruleset, **options)["changed"]
    assert not call_module(nft_ruleset, **options)["changed"]
    assert host.timers == 0


def test_a_token_of_nothing_is_refused(call_module: Any, host: FakeHost, options: dict[str, Any]) -> None:
    refused = call_module(nft_ruleset, phase="confirm", token="0123", **options)
    assert refused["msg"] == (
        "The firewall change was already taken back on this host, because no new connection confirmed it in time."
    )


def test_what_cannot_be_used_is_named_and_nothing_is_loaded(
    call_module: Any, host: FakeHost, options: dict[str, Any]
) -> None:
    options["management_prefixes"] = ["somewhere"]
    refused = call_module(nft_ruleset, **options)
    assert refused["msg"].startswith("The firewall cannot use a prefix of management_prefixes: 'somewhere' does not")
    assert host.table is None


def test_all_of_a_plan_is_taken(call_module: Any, host: FakeHost, options: dict[str, Any]) -> None:
    done = call_module(
        nft_ruleset,
        **options,
        services=[{"name": "names", "protocol": "udp", "port": 53}],
        relays=[{"name": "acme", "prefixes": ["fd7b:4c1e:90a2:1::/64"], "destinations": ["2001:db8:2::/64"]}],
        exits={"sources": ["fd7b:4c1e:90a2:1::/64"], "destinations": ["2001:db8:2::/64"]},
        lan_interface="lan0",
        translation="none",
        translation_ipv6="floating",
        floating_addresses=["2001:db8:2::251"],
        sibling_addresses=["198.18.1.22"],
        sibling_interfaces=["bocage0-1-2"],
        untracked_ports=[4784],
    )
    for part in (
        'udp dport 53 accept comment "names"',
        'comment "tenant acme"',
        'comment "into the LAN"',
        "snat ip6 to 2001:db8:2::251",
        'ip saddr { 198.18.1.22/32 } meta l4proto 112 accept comment "floating addresses"',
        'iifname { "bocage0-1-2" }',
        "udp dport { 4784 } notrack",
    ):
        assert part in done["ruleset"], part
    assert "masquerade" not in done["ruleset"]


def test_a_floating_address_that_is_missing_is_told(call_module: Any, host: FakeHost, options: dict[str, Any]) -> None:
    refused = call_module(
        nft_ruleset,
        **options,
        exits={"sources": ["fd7b:4c1e:90a2:1::/64"], "destinations": ["2001:db8:2::/64"]},
        lan_interface="lan0",
        translation_ipv6="floating",
    )
    assert refused["msg"].startswith("This gateway has gateway_translation_ipv6 floating but no IPv6 address among")
    assert host.table is None
