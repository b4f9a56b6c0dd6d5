# SPDX-License-Identifier: GPL-3.0-or-later
"""From entries to places; what is unclear changes nothing and is told in a sentence."""

from __future__ import annotations

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._packages import directory
from bocage_core._packages.directory import Entry, Place, Places
from hypothesis import given
from hypothesis import strategies as st

LYON, DESKS = "OU=Lyon,DC=x", "OU=Desks,OU=Lyon,DC=x"
OLD = Place(("OU=Old,DC=x",), ("Old group",))


def computer(name: str, above: str = DESKS, *groups: str) -> Entry:
    return Entry(f"CN={name},{above}", (name,), member_of=groups)


def group(name: str, *members: str, of: tuple[str, ...] = (), below: str = "OU=Groups,DC=x") -> Entry:
    return Entry(dn(name, below), (name,), members, of)


def dn(name: str, below: str = "OU=Groups,DC=x") -> str:
    return f"CN={name},{below}"


def plan(*entries: Entry, groups: tuple[Entry, ...] | None = None, before: dict[str, Place] | None = None) -> Places:
    return directory.plan({"desk1": "DESK1", "gw1": "gw1"}, entries, groups, before or {})


def test_units_and_groups_of_a_host() -> None:
    desk = computer("desk1", DESKS, dn("By its own word"))
    found = plan(
        desk, groups=(group("By its own word"), group("By members", desk.dn.lower()), group("Of others", dn("x")))
    )
    assert found == Places({"desk1": Place((LYON, DESKS), ("By its own word", "By members"))}, ())


def test_groups_in_groups_both_ways() -> None:
    desk = computer("desk1", LYON, dn("a"), dn("outside", "OU=elsewhere,DC=x"))
    found = plan(desk, groups=(group("a"), group("b", dn("a"), of=(dn("c"),)), group("c")))
    assert found == Places({"desk1": Place((LYON,), ("a", "b", "c"))}, ())


def test_a_group_in_itself_is_told_once_and_ends() -> None:
    desk = computer("desk1", LYON, dn("b"))
    found = plan(desk, groups=(group("a", dn("c")), group("b", dn("a")), group("c", dn("b")), group("d", dn("d"))))
    assert found.hosts["desk1"].profiles == ("a", "b", "c")
    assert found.problems == ("Groups are members of one another: a, b, c.", "Groups are members of one another: d.")


def test_groups_are_followed_to_a_limit() -> None:
    nested = tuple(group(f"g{number:02}", dn(f"g{number - 1:02}")) for number in range(1, 30))
    found = plan(computer("desk1", LYON, dn("g00")), groups=(group("g00"), *nested))
    assert found.hosts["desk1"].profiles == tuple(f"g{number:02}" for number in range(directory.MAX_DEPTH))
    assert found.problems == ("Groups of desk1 are nested in more than 16 levels; the others are left out.",)


def test_a_host_that_is_there_twice_keeps_what_it_had() -> None:
    entries = computer("desk1", LYON), computer("desk1", DESKS)
    found = plan(*entries, before={"desk1": OLD})
    assert found.hosts == {"desk1": OLD}
    assert found.problems == (
        "desk1 keeps what it had: the directory has it 2 times, as CN=desk1,OU=Desks,OU=Lyon,DC=x and CN=desk1,OU=Lyon,DC=x.",
    )
    assert plan(*entries).hosts == {}


def test_a_name_that_cannot_be_read_keeps_what_was() -> None:
    broken = Entry("no name at all", ("desk1",))
    found = plan(broken, before={"desk1": OLD})
    assert found.hosts == {"desk1": OLD}
    assert found.problems == ("desk1 keeps what it had: 'no name at all' is no distinguished name.",)


def test_a_group_that_cannot_be_read_keeps_what_was() -> None:
    before = {"desk1": Place((LYON,), ("a", "b"))}
    broken = Entry("?", ("a",)), Entry(dn("b"), ("b", "c"))
    found = plan(computer("desk1", LYON), groups=broken, before=before)
    assert found.hosts == before
    assert found.problems == (
        "A group is left as it was: '?' is no distinguished name.",
        "The group CN=b,OU=Groups,DC=x has 2 names and is left as it was.",
    )


@pytest.mark.parametrize("names", [(), ("b", "c")])
def test_a_group_without_one_name_takes_nothing_away(names: tuple[str, ...]) -> None:
    """Neither what it was to its members, nor the groups that it is in."""
    desk = computer("desk1", LYON)
    groups = Entry(dn("b"), names, (desk.dn,)), group("above", dn("b"))
    found = plan(desk, groups=groups, before={"desk1": Place((LYON,), ("above", "was called so"))})
    assert found.hosts["desk1"].profiles == ("above", "was called so")
    assert found.problems == (f"The group CN=b,OU=Groups,DC=x has {len(names)} names and is left as it was.",)
    assert plan(desk, groups=groups).hosts["desk1"].profiles == ("above",)


@pytest.mark.parametrize("names", [(), ("Other",)])
def test_a_group_that_is_there_twice_under_other_names_changes_nothing(names: tuple[str, ...]) -> None:
    """No directory should answer so; whichever comes last must not decide."""
    twice = Entry(dn("Pilots"), names, members=(computer("desk1").dn,))
    for groups in ((group("Pilots"), twice), (twice, group("Pilots"))):
        found = plan(computer("desk1"), groups=groups, before={"desk1": Place((), ("Pilots",))})
        assert found.hosts["desk1"].profiles == ("Pilots",)
        assert any("is there 2 times under several names and is left as it was" in one for one in found.problems)


def test_a_membership_that_cannot_be_read_is_left_out() -> None:
    found = plan(computer("desk1", LYON, "?"), groups=(group("a", "!", computer("desk1", LYON).dn),))
    assert found.hosts["desk1"].profiles == ("a",)
    assert found.problems == (
        "A membership of the group CN=a,OU=Groups,DC=x is left out: '!' is no distinguished name.",
        "A membership of CN=desk1,OU=Lyon,DC=x is left out: '?' is no distinguished name.",
    )


@pytest.mark.parametrize("had", [(), ("Editors",)])
def test_attack_a_second_group_of_a_name_changes_nothing(had: tuple[str, ...]) -> None:
    """Neither does its maker get others the profile, nor does he take it away from who has it."""
    desk = computer("desk1", LYON, dn("Editors", "OU=Mine,DC=x"))
    both = group("Editors"), group("Editors", below="OU=Mine,DC=x")
    found = plan(desk, groups=both, before={"desk1": Place((LYON,), had)})
    assert found.hosts["desk1"].profiles == had
    assert found.problems == ("Several groups are called Editors; nothing changes by them.",)


def test_a_group_that_no_package_can_be_called_as() -> None:
    found = plan(computer("desk1", LYON, dn("a")), groups=(Entry(dn("a"), ("{{ a }}",)),))
    assert found.hosts["desk1"].profiles == ()
    assert found.problems == ("No package can be called {{ a }}; the members of this group have nothing by it.",)


def test_computers_that_are_no_hosts_are_told_in_one_sentence() -> None:
    found = plan(*(computer(f"pc{number:02}") for number in range(12)), Entry("CN=nameless,DC=x", ()))
    assert found.hosts == {}
    assert found.problems == (
        "Of the directory's computers are no hosts of the estate: CN=nameless,DC=x, pc00, pc01, pc02, pc03, pc04, pc05, pc06,"
        " pc07, pc08 and 3 more.",
    )


@pytest.mark.parametrize("before", [{}, {"desk1": OLD}])
def test_a_computer_that_names_two_hosts_changes_neither(before: dict[str, Place]) -> None:
    found = plan(Entry("CN=desk1,OU=Lyon,DC=x", ("desk1", "gw1")), before=before)
    assert found.hosts == before
    assert found.problems == (
        "The computer CN=desk1,OU=Lyon,DC=x names several hosts, which keep what they had: desk1, gw1.",
    )


def test_a_host_that_left_the_directory_loses_its_place_and_it_is_told() -> None:
    found = plan(computer("gw1", LYON), before={"desk1": OLD})
    assert found.hosts == {"gw1": Place((LYON,))}
    assert found.problems == ("desk1 is no longer in the directory and loses its units and profiles.",)


def test_a_directory_that_shows_nothing_takes_nothing_away() -> None:
    with pytest.raises(BadInput, match="The directory shows no computer there; check the base and the rights"):
        plan(before={"desk1": OLD})


@pytest.mark.parametrize("names", [(), ("a description",)])
def test_a_wrong_attribute_takes_nothing_away(names: tuple[str, ...]) -> None:
    """As with a word that is misspelt in the inventory, or where the attribute may not be read."""
    entry = Entry("CN=desk1,OU=Lyon,DC=x", names)
    with pytest.raises(BadInput, match="None of the directory's computers is a host of the estate any more; check dir"):
        plan(entry, before={"desk1": OLD})
    assert plan(entry).hosts == {}


def test_groups_that_nobody_shows_take_nothing_away() -> None:
    before = {"desk1": OLD}
    with pytest.raises(BadInput, match="The directory shows no group any more; check directory_groups_base"):
        plan(computer("desk1", LYON), groups=(), before=before)
    assert plan(computer("desk1", LYON), groups=(), before={"desk1": Place((LYON,))}).hosts["desk1"].profiles == ()
    # whoever asks for no groups any more wants none
    assert plan(computer("desk1", LYON), before=before).hosts == {"desk1": Place((LYON,))}


def test_two_hosts_of_one_name() -> None:
    with pytest.raises(BadInput, match="The hosts a and b are both called PC in the directory; set directory_name"):
        directory.plan({"a": "pc", "b": "PC"}, [computer("pc")], [], {})


def test_more_groups_than_a_host_reads() -> None:
    many = tuple(group(f"g{number}", computer("desk1").dn) for number in range(300))
    found = plan(computer("desk1"), groups=many, before={"desk1": OLD})
    assert found.hosts == {"desk1": OLD}
    assert found.problems == ("desk1 keeps what it had: it is in more than 256 units or groups.",)


def test_what_was_found_is_read_again() -> None:
    found = plan(computer("desk1", LYON, dn("a")), groups=(group("a"),))
    assert directory.read_places({host: one.to_plain() for host, one in found.hosts.items()}) == found.hosts
    for wrong in ([], {"a": {}}, {"a": {"units": ["{{ x }}"], "profiles": []}}, {"a": {"units": [], "profiles": [1]}}):
        with pytest.raises(BocageError, match=r"(?i)what was read from the directory before"):
            directory.read_places(wrong)


_NAMES = st.sampled_from(["a", "b", "c", "desk1", "gw1"])
_DNS = st.one_of(_NAMES.map(dn), st.sampled_from([computer("desk1").dn, computer("gw1", LYON).dn]), st.text(max_size=8))
_ENTRIES = st.lists(
    st.builds(
        Entry,
        _DNS,
        st.lists(_NAMES, max_size=2).map(tuple),
        st.lists(_DNS, max_size=4).map(tuple),
        st.lists(_DNS, max_size=4).map(tuple),
    ),
    max_size=6,
)


@given(_ENTRIES, _ENTRIES, st.randoms())
def test_any_directory_gives_places_and_the_order_of_its_answers_does_not_count(
    computers: list[Entry], groups: list[Entry], chance: object
) -> None:
    hosts = {"desk1": "desk1", "gw1": "gw1"}
    before = {"desk1": OLD}
    try:
        found = directory.plan(hosts, computers, groups, before)
    except BadInput:
        with pytest.raises(BadInput):
            directory.plan(hosts, computers[::-1], groups[::-1], before)
        return
    assert directory.read_places({host: one.to_plain() for host, one in found.hosts.items()}) == found.hosts
    again = directory.plan(hosts, computers[::-1], groups[::-1], before)
    assert again.hosts == found.hosts
