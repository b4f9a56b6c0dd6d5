# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import downgrades
from bocage_core._packages.downgrades import Ticket
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from package_maker import HOST
from party_maker import AT, DAY

KEY = dsse.generate_private_key()
PUBLIC = dsse.public_key_of(KEY)
TICKET = Ticket("tis-app", "1.2-3", (HOST,), AT + DAY)


def test_a_ticket_goes_and_comes() -> None:
    raw = json.dumps(downgrades.sign(TICKET, KEY)).encode()
    assert downgrades.verify_bytes(raw, [PUBLIC]) == TICKET
    assert downgrades.verify_bytes(raw, [dsse.public_key_of(dsse.generate_private_key()), PUBLIC]) == TICKET
    assert downgrades.why_not("tis-app", "1.2-3", HOST, [raw], [PUBLIC], AT) == ""


@pytest.mark.parametrize(
    ("ticket", "message"),
    [
        (replace(TICKET, package=""), "names no package or no host"),
        (replace(TICKET, hosts=()), "names no package or no host"),
        (replace(TICKET, hosts=("*",)), "unusable text in the list hosts"),
        (replace(TICKET, version="new"), "names no usable version"),
    ],
)
def test_tickets_that_no_host_would_take(ticket: Ticket, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        downgrades.sign(ticket, KEY)


def test_attack_another_document_offered_as_a_downgrade_ticket() -> None:
    other = json.dumps(dsse.sign(TICKET.to_payload(), "application/vnd.bocage.report+json", KEY)).encode()
    with pytest.raises(Refused) as caught:
        downgrades.verify_bytes(other, [PUBLIC])
    assert caught.value.code == "wrong_type"


@pytest.mark.parametrize("change", [{"schema": 2}, {"more": 1}, {"expires": "never"}, {"hosts": "all"}, {"version": 1}])
def test_payloads_that_are_signed_and_wrong(change: dict[str, Any]) -> None:
    payload = canonical.dumps({**json.loads(TICKET.to_payload()), **change})
    raw = json.dumps(dsse.sign(payload, downgrades.PAYLOAD_TYPE, KEY)).encode()
    with pytest.raises(Refused) as caught:
        downgrades.verify_bytes(raw, [PUBLIC])
    assert caught.value.code == "malformed"


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda data: b'{"payload":"' + data + b'"}')))
@few
def test_garbage_is_no_ticket(raw: bytes) -> None:
    assert downgrades.why_not("tis-app", "1.2-3", HOST, [raw], [PUBLIC], AT)
