# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bocage_core._state.enrolment import Enrolment
from bocage_core._state.floors import Floor, Floors
from bocage_core._state.inventory_enrolments import NOBODY, Identity, Offers, identify
from bocage_core._state.trust import Trust


def identity(
    estate: Any, here: Enrolment | None, *offered: Enrolment, floors: Floors | None = None, **more: Any
) -> Identity:
    trust = Trust(estate.public, {} if here is None else {here.name: here}, floors)
    offers = Offers()
    for one in offered:
        offers.add(one)
    return identify(["gw1"], trust, offers, more.pop("now", estate.now + timedelta(hours=1)), **more)["gw1"]


def later(one: Enrolment, **changes: Any) -> Enrolment:
    return replace(one, **{"issued_at": one.issued_at + timedelta(minutes=1), **changes})


def test_nobody(signed_estate: Any) -> None:
    assert identity(signed_estate, None) is NOBODY


def test_the_checkout_and_the_source_agree(signed_estate: Any) -> None:
    one = signed_estate.host().enrolment
    assert identity(signed_estate, one, one) == Identity(one, (one,))
    assert identity(signed_estate, None, one) == Identity(one, (one,))


def test_a_later_document_of_the_source_counts(signed_estate: Any) -> None:
    host = signed_estate.host()
    moved = later(host.enrolment, site="remote")
    assert identity(signed_estate, host.enrolment, moved).current == moved
    following = replace(host.successor().enrolment, issued_at=signed_estate.now + timedelta(minutes=2))
    # The registry keeps the newest only, so the renewal between is not always there.
    assert identity(signed_estate, moved, following).current == following
    found = identity(signed_estate, host.enrolment, following, moved)
    assert found.current == following and set(found.generations) == {host.enrolment, moved, following}


def test_an_older_document_of_the_source_does_not(signed_estate: Any) -> None:
    host = signed_estate.host()
    following = host.successor().enrolment
    assert identity(signed_estate, following, host.enrolment) == Identity(following, (host.enrolment, following))


def test_a_revocation_that_the_checkout_lacks_counts(signed_estate: Any) -> None:
    one = signed_estate.host().enrolment
    found = identity(signed_estate, one, later(one, kind="revocation"))
    assert found.distrust == "The enrolment of gw1 was revoked."


def test_a_revocation_of_an_earlier_generation_does_not(signed_estate: Any) -> None:
    host = signed_estate.host()
    following = host.successor().enrolment
    found = identity(signed_estate, following, later(host.enrolment, kind="revocation"))
    assert found.current == following and found.distrust is None


def test_a_predecessor_of_the_name_cannot_be_brought_back(signed_estate: Any) -> None:
    current = signed_estate.host().enrolment
    before = signed_estate.host(issued_at=signed_estate.now - timedelta(days=300)).enrolment
    for offered in (before, later(signed_estate.host().enrolment, kind="revocation")):
        assert identity(signed_estate, current, offered).current == current
        assert identity(signed_estate, current, offered).distrust is None


def test_a_name_of_a_revoked_host_is_free(signed_estate: Any) -> None:
    gone = later(signed_estate.host().enrolment, kind="revocation")
    new = later(signed_estate.host().enrolment)
    assert identity(signed_estate, gone, new).current == new


def test_two_hosts_with_one_name_are_for_the_key_holder_to_settle(signed_estate: Any) -> None:
    one, other = signed_estate.host().enrolment, later(signed_estate.host().enrolment)
    assert "belongs to the host" in str(identity(signed_estate, one, other).distrust)


def test_floors_and_the_list_of_the_revoked(signed_estate: Any) -> None:
    one = signed_estate.host().enrolment
    assert identity(signed_estate, one, floors=Floors(signed_estate.now, {one.host_id: Floor(1, 9)})).distrust is None
    low = identity(signed_estate, None, one, floors=Floors(signed_estate.now, {one.host_id: Floor(2, 0)}))
    assert "generation 2 was seen before" in str(low.distrust)
    listed = Floors(signed_estate.now, {}, frozenset({one.host_id}))
    assert "list of the revoked" in str(identity(signed_estate, one, floors=listed).distrust)


def test_an_end(signed_estate: Any) -> None:
    one = signed_estate.host().enrolment
    assert "renew it" in str(identity(signed_estate, one, now=one.not_after + timedelta(days=1)).distrust)


def test_the_past_knows_nothing_of_later_documents(signed_estate: Any) -> None:
    one = signed_estate.host().enrolment
    gone = later(one, kind="revocation")
    floors = Floors(signed_estate.now + timedelta(days=1), {}, frozenset({one.host_id}))
    found = identity(signed_estate, gone, one, now=one.issued_at, past=True, floors=floors)
    assert found == Identity(one, (one,))
    assert identity(signed_estate, one, now=one.issued_at - timedelta(seconds=1), past=True) is NOBODY


def test_a_damaged_file_is_not_replaced_by_what_a_source_says(signed_estate: Any) -> None:
    one = signed_estate.host().enrolment
    offers = Offers()
    offers.add(one)
    trust = Trust(signed_estate.public, {}, None, {"gw1": "The file is damaged."})
    assert identify(["gw1"], trust, offers, signed_estate.now)["gw1"] == Identity(distrust="The file is damaged.")
