# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts have to do for their pairs."""

from __future__ import annotations

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._mesh import pairs, psk
from bocage_core._mesh.epochs import Epochs
from test_epochs import PEERS, PLAN, hosts, state

NAMES = ["me", *PEERS]


def plans() -> dict[str, dict[str, object]]:
    made = {"me": {"mesh": PLAN | Epochs(state(), hosts()).interfaces("me", PLAN, 51820)}}
    for name, address in PEERS.items():
        made[name] = {"mesh": {"addresses": [f"{address}/128"], "peers": [{"name": "me"}]}}
    return made


def test_one_end_of_each_pair_makes_its_key() -> None:
    made = pairs.to_make(plans(), Epochs(state(), hosts()), 1, NAMES)
    for peer in PEERS:
        first, second = sorted(("me", peer), key=lambda name: name != psk.maker("me", peer))
        assert made[first][second] == f"{second}1"
        assert first not in made[second]


def test_pairs_with_a_host_that_sleeps_wait() -> None:
    made = pairs.to_make(plans(), Epochs(state(), hosts("home")), 1, NAMES)
    assert not any("home" in peers for peers in made.values())
    made = pairs.to_make(plans(), Epochs(state(), hosts()), 1, [name for name in NAMES if name != "home"])
    assert not any("home" in peers for peers in made.values())


def test_boxes_go_to_their_receivers() -> None:
    assert pairs.to_deliver({"a": {"b": "ab", "c": "ac"}, "b": {"c": "bc"}}) == {
        "b": {"a": "ab"},
        "c": {"a": "ac", "b": "bc"},
    }


def test_both_ends_must_have_the_same() -> None:
    pairs.check_agreement({"a": {"b": "1", "gone": "5"}, "b": {"a": "1"}})
    with pytest.raises(BocageError) as refused:
        pairs.check_agreement({"a": {"b": "1"}, "b": {"a": "2"}})
    assert str(refused.value) == "Hosts a and b have different pre-shared keys; run playbooks/rotate_keys.yml again."


def test_peers_of_the_run_are_proven_on_the_new_interface() -> None:
    (one,) = pairs.to_prove(plans(), Epochs(state(), hosts()), 1, ["me", "hub"])["me"]
    assert one == {"name": "bocage1", "peers": [{"name": "hub", "public_key": "hub1", "address": "fd00:0:0::1"}]}


def test_interfaces_of_classes_are_not_proven_because_nothing_can_be_sent_there() -> None:
    voice = {**PLAN, "links": [{**PLAN, "name": "bocage0v1", "listen_port": 51826, "addresses": [], "routes": []}]}
    given = plans() | {"me": {"mesh": voice | Epochs(state(), hosts()).interfaces("me", voice, 51820)}}
    assert "bocage1v1" in [one["name"] for one in given["me"]["mesh"]["interfaces"]]  # type: ignore[index]
    proven = pairs.to_prove(given, Epochs(state(), hosts()), 1, NAMES)["me"]
    assert [one["name"] for one in proven] == ["bocage1"]
