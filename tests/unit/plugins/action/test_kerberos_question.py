# SPDX-License-Identifier: GPL-3.0-or-later
"""The action kerberos_question: a new question each time, and nothing secret for a machine that has proven nothing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.action.kerberos_question import ActionModule
from ansible_collections.bocage.fleet.plugins.module_utils._state.registration import NONCE

CONNECTION: dict[str, Any] = {"host": "192.0.2.1", "host_key_checking": False, "ssh_args": "-o ControlMaster=auto"}


@pytest.fixture
def ask(make_action: Any) -> Any:
    def call(become: str | None = None, transport: str = "ssh", **change: Any) -> dict[str, Any]:
        action = make_action(ActionModule)
        options = {**CONNECTION, **change}
        action._connection.transport = transport
        action._connection.get_option = options.get
        action._connection.become.get_option = {"become_pass": become}.get
        result: dict[str, Any] = action.run(None, {"inventory_hostname": "desk1"})
        return result

    return call


def test_each_question_is_another(ask: Any) -> None:
    first, second = ask(), ask()
    assert NONCE.fullmatch(first["nonce"]) and NONCE.fullmatch(second["nonce"])
    assert first["nonce"] != second["nonce"]
    assert not first["changed"] and not first["pinned"]
    assert (first["known_hosts_name"], ask(port=2222)["known_hosts_name"]) == ("192.0.2.1", "[192.0.2.1]:2222")


def test_ssh_does_nothing_by_its_own_configuration(ask: Any) -> None:
    given = ask()["ssh_args"]
    # the first word on an option counts
    assert given.startswith("-o PasswordAuthentication=no ") and given.endswith("-o ControlMaster=auto")
    for option in ("ForwardAgent=no", "GSSAPIDelegateCredentials=no", "UserKnownHostsFile=/dev/null"):
        assert f"-o {option}" in given
    assert ask(ssh_args=None)["ssh_args"].endswith("LogLevel=ERROR")


def test_with_pinned_keys_all_stays_as_it_is(ask: Any) -> None:
    known = ask(host_key_checking=True, become="secret", password="secret", ssh_common_args="-A")
    assert (known["pinned"], known["ssh_args"]) == (True, "")
    assert ask(transport="local", become="secret")["pinned"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"become": "secret"}, "The password for becoming root would go to desk1, which has proven nothing yet"),
        ({"password": "secret"}, "A password for SSH would go to desk1, which has proven nothing yet"),
        ({"ssh_extra_args": "-o A=b -A"}, "The arguments of SSH forward an agent, a screen or a ticket to desk1"),
        ({"ssh_common_args": "-tK"}, "The arguments of SSH forward an agent"),
        ({"host": "a,b"}, "The address 'a,b' cannot stand in a file of known hosts; correct ansible_host."),
    ],
)
def test_attack_a_machine_that_waits_for_secrets_gets_none(ask: Any, change: dict[str, Any], words: str) -> None:
    result = ask(**change)
    assert result["failed"] and result["msg"].startswith(words)
    assert "secret" not in str(result)
    assert "nonce" not in result
