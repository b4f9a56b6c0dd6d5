# SPDX-License-Identifier: GPL-3.0-or-later
"""Pre-shared keys: who makes them, and that nobody but the other end opens their box."""

from __future__ import annotations

import base64
import os

import pytest
from bocage_core._common.errors import BocageError
from bocage_core._mesh import psk
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def mesh_key() -> tuple[str, str]:
    private = X25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode(), base64.b64encode(public).decode()


def test_one_end_makes_it_and_both_agree_which() -> None:
    names = [f"host{number}" for number in range(40)]
    makers = [psk.maker(one, other) for one in names for other in names if one < other]
    assert makers == [psk.maker(other, one) for one in names for other in names if one < other]
    assert max(makers.count(name) for name in names) < 35, "the work is shared"


def test_the_other_end_opens_the_box() -> None:
    private, public = mesh_key()
    key = psk.new_key()
    assert psk.open_box(psk.close_box(key, 1, "hub", "home", public), 1, "hub", "home", private) == key
    assert psk.new_key() != key
    assert len(base64.b64decode(key)) == 32


def test_attack_a_box_of_another_pair_epoch_or_reader() -> None:
    private, public = mesh_key()
    box = psk.close_box(psk.new_key(), 1, "hub", "home", public)
    broken = base64.b64encode(base64.b64decode(box)[:-1] + os.urandom(1) + b"x").decode()
    for given in (
        (box, 2, "hub", "home", private),
        (box, 1, "gw", "home", private),
        (box, 1, "hub", "gw", private),
        (box, 1, "hub", "home", mesh_key()[0]),
        (broken, 1, "hub", "home", private),
        ("no box", 1, "hub", "home", private),
    ):
        with pytest.raises(BocageError) as refused:
            psk.open_box(*given)
        assert str(refused.value) == (
            f"The pre-shared key from {given[2]} is not for {given[3]} in epoch {given[1]}; run"
            " playbooks/rotate_keys.yml again."
        )
        assert private not in str(refused.value)


def test_fingerprints_compare_and_tell_nothing_across_pairs_and_epochs() -> None:
    key = psk.new_key()
    assert psk.fingerprint(key, 1, "a", "b") == psk.fingerprint(key, 1, "b", "a")
    assert (
        len({psk.fingerprint(key, 1, "a", "b"), psk.fingerprint(key, 2, "a", "b"), psk.fingerprint(key, 1, "a", "c")})
        == 3
    )
    with pytest.raises(BocageError) as refused:
        psk.fingerprint("short", 1, "a", "b")
    assert str(refused.value) == "The pre-shared key is no key of 32 bytes in base64."
