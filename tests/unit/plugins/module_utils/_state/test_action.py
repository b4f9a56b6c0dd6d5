# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of an action, who may ask for what, and when."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._state import action as actions
from bocage_core._state import poll as polls
from bocage_core._state.action import VERBS, Action, Policy
from bocage_core._state.poll import Poll
from hypothesis import given, settings
from hypothesis import strategies as st

HOST = "4be0643f-1d98-573b-97cd-ca98a65347dd"


@pytest.fixture
def action(signed_estate: Any) -> Action:
    made: Action = signed_estate.action(signed_estate.host(), signed_estate.host("gw2"))
    return made


def refused(payload: bytes) -> str:
    with pytest.raises(Refused) as error:
        Action.from_payload(payload)
    assert error.value.code == "malformed"
    return str(error.value)


def test_an_action_is_read_as_it_was_made(action: Action) -> None:
    assert Action.from_payload(action.to_payload()) == action
    assert (action.not_after - action.issued_at).total_seconds() == 60
    assert action.digest == canonical.digest(action.to_payload())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host_ids": []}, "The action needs the ids of its hosts, each once and in order."),
        ({"host_ids": [HOST, HOST]}, "each once and in order"),
        ({"host_ids": [HOST.upper()]}, "unusable text in the list host_ids"),
        ({"host_ids": [HOST] * 501}, "a list of at most 500 texts in host_ids"),
        ({"verb": "rm -rf"}, "no usable text in verb"),
        ({"role": "Root"}, "no usable text in role"),
        ({"nonce": "1"}, "no usable text in nonce"),
        ({"schema": 2}, "an integer from 1 to 1 in schema"),
        ({"arguments": {"packages": ["vim"]}}, "The arguments of update in the action has unknown fields: packages."),
        ({"verb": "install"}, "The arguments of install in the action lacks packages."),
        ({"verb": "install", "arguments": {"packages": []}}, "asks for install and names no package"),
        ({"verb": "install", "arguments": {"packages": ["--force"]}}, "unusable text in the list packages"),
        ({"verb": "install", "arguments": {"packages": ["a\nb"]}}, "unusable text in the list packages"),
        ({"verb": "remove", "arguments": {"packages": "vim"}}, "a list of at most 50 texts in packages"),
        ({"not_after": "2026-11-22T10:01:01Z"}, "The action does not end within 60 seconds after it was issued."),
        ({"not_after": "2026-11-22T10:00:00Z"}, "does not end within 60 seconds"),
        ({"not_after": "soon"}, "not a UTC time"),
        ({"colour": 1}, "unknown fields: colour"),
    ],
)
def test_what_is_wrong_is_said(action: Action, changes: dict[str, Any], message: str) -> None:
    document = json.loads(action.to_payload())
    document |= {"issued_at": "2026-11-22T10:00:00Z", "not_after": "2026-11-22T10:01:00Z"}
    assert message in refused(canonical.dumps({**document, **changes}))


def test_another_spelling_is_refused(action: Action) -> None:
    assert "not in canonical form" in refused(json.dumps(json.loads(action.to_payload()), indent=1).encode())


def test_a_verb_of_a_later_release_is_read_and_not_permitted(action: Action, signed_estate: Any) -> None:
    later = replace(action, verb="teleport", arguments={"where": "moon"})
    raw = signed_estate.sign_action(later)
    policy = replace(signed_estate.policy, roles={"operator": frozenset({"teleport"})})
    found, key = actions.verify(raw, policy.keys)
    with pytest.raises(Refused, match="This release of the agent does not know the verb teleport"):
        policy.check(found, key)


WORDS = st.sampled_from(["schema", "host_ids", "verb", "payload", "signatures", "keyid", "x"])


@given(
    st.binary(max_size=50) | st.dictionaries(WORDS, st.none() | st.integers() | st.lists(WORDS, max_size=2), max_size=4)
)
@settings(max_examples=30, deadline=None)
def test_nothing_that_is_read_is_a_crash(value: Any) -> None:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    for read in (Action.from_payload, Poll.from_payload, lambda one: actions.verify(one, {})):
        with pytest.raises(Refused):
            read(raw)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"verb": "reboot"}, "There is no verb reboot; hosts can be asked for audit, clean,"),
        ({"verb": "install", "arguments": {}}, "lacks packages. Nothing was sent."),
        ({"valid_seconds": 61}, "does not end within 60 seconds after it was issued. Nothing was sent."),
        ({"host_ids": []}, "needs the ids of its hosts"),
    ],
)
def test_what_hosts_would_refuse_is_not_made(signed_estate: Any, words: dict[str, Any], message: str) -> None:
    given = {"host_ids": [HOST], "verb": "update", "arguments": {}, "role": "operator", **words}
    host_ids, verb, arguments, role = (given.pop(name) for name in ("host_ids", "verb", "arguments", "role"))
    with pytest.raises(BadInput) as error:
        actions.make(host_ids, verb, arguments, role, now=signed_estate.now, random=os.urandom, **given)
    assert message in str(error.value)


def test_the_largest_action_is_small_enough(signed_estate: Any) -> None:
    ids = [f"4be0643f-1d98-573b-97cd-{number:012x}" for number in range(actions.MAX_HOSTS)]
    packages = [f"{'p' * 120}-{number}" for number in range(actions.MAX_PACKAGES)]
    action = actions.make(ids, "install", {"packages": packages}, "operator", now=signed_estate.now, random=os.urandom)
    assert len(signed_estate.sign_action(action)) <= actions.MAX_ACTION_BYTES


def test_who_may_ask_for_what(signed_estate: Any, action: Action) -> None:
    policy: Policy = signed_estate.policy
    key = signed_estate.action_key
    policy.check(action, key)
    for changes, message in (
        ({"role": "deployer"}, "The key anna may not act as deployer on this host."),
        ({"verb": "install"}, "The role operator may not ask this host for install."),
        ({"role": "king"}, "The key anna may not act as king on this host."),
    ):
        with pytest.raises(Refused) as error:
            policy.check(replace(action, **changes), key)
        assert (error.value.code, str(error.value)) == ("not_permitted", message)


def test_a_policy_is_read(signed_estate: Any) -> None:
    public = base64.b64encode(signed_estate.action_key.public).decode()
    document = {"keys": {"anna": {"public_key": public, "roles": ["operator"]}}, "roles": {"operator": ["update"]}}
    policy = Policy.from_document(document)
    (key,) = policy.keys.values()
    assert (key, policy.roles) == (signed_estate.action_key, {"operator": frozenset({"update"})})
    twice = {**document, "keys": {**document["keys"], "bert": {"public_key": public, "roles": []}}}
    for wrong, message in (
        (twice, "one key under two names"),
        ({"keys": {}}, "lacks roles"),
        ({**document, "keys": {"a/b": document["keys"]["anna"]}}, "a key of an unusable name"),
        ({**document, "roles": {"../x": []}}, "a role of an unusable name"),
        ({**document, "roles": {"operator": ["rm -rf"]}}, "unusable text in the list operator"),
        ([], "is not an object"),
    ):
        with pytest.raises(Refused, match=message):
            Policy.from_document(wrong)


def test_attack_another_document_of_the_estate_offered_as_an_action(signed_estate: Any) -> None:
    """The same key over the same bytes, as another kind of document."""
    keys = signed_estate.policy.keys
    payload = signed_estate.action(signed_estate.host()).to_payload()
    envelope = dsse.sign(payload, "application/vnd.bocage.report+json", signed_estate.action_private)
    with pytest.raises(Refused) as error:
        actions.verify(json.dumps(envelope).encode(), keys)
    assert error.value.code == "wrong_type"


def test_attack_the_name_of_a_key_beside_a_signature_of_another(signed_estate: Any, action: Action) -> None:
    envelope = actions.sign(action, dsse.generate_private_key())
    envelope["signatures"][0]["keyid"] = dsse.key_id(signed_estate.action_key.public)
    with pytest.raises(Refused) as error:
        actions.verify(json.dumps(envelope).encode(), signed_estate.policy.keys)
    assert error.value.code == "bad_signature"


def test_a_good_signature_counts_beside_a_bad_one(signed_estate: Any, action: Action) -> None:
    other = dsse.generate_private_key()
    key = signed_estate.action_key
    keys = {
        **signed_estate.policy.keys,
        dsse.key_id(dsse.public_key_of(other)): replace(key, name="bert", public=dsse.public_key_of(other)),
    }
    envelope = actions.sign(action, signed_estate.action_private)
    bad = {"keyid": dsse.key_id(dsse.public_key_of(other)), "sig": envelope["signatures"][0]["sig"]}
    envelope["signatures"].insert(0, bad)
    assert actions.verify(json.dumps(envelope).encode(), keys) == (action, key)


@pytest.mark.parametrize(
    ("seconds", "code"), [(-31, "wrong_clock"), (-30, None), (0, None), (60, None), (61, "expired"), (3e7, "expired")]
)
def test_an_action_is_for_now(action: Action, seconds: float, code: str | None) -> None:
    now = action.issued_at + timedelta(seconds=seconds)
    if code is None:
        actions.check_clock(action, now)
        return
    with pytest.raises(Refused) as error:
        actions.check_clock(action, now)
    assert error.value.code == code
    assert "one of the clocks is wrong" in str(error.value)


def test_a_host_proves_that_it_asks(signed_estate: Any) -> None:
    host = signed_estate.host()
    poll = Poll(host.enrolment.host_id, 1)
    header = polls.header(poll, host.report_private)
    assert polls.verify(header, host.enrolment.report_key) == poll
    with pytest.raises(Refused):
        polls.verify(header, signed_estate.host("gw2").enrolment.report_key)


def test_each_verb_has_a_time() -> None:
    assert {"update", "upgrade", "install", "remove", "report", "audit"} <= VERBS.keys()
    assert all(0 < verb.seconds <= 7200 for verb in VERBS.values())
