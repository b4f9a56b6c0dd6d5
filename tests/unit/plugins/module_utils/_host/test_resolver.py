# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._host.resolver import ensure_link

SERVERS, DOMAINS = ["fd7b:4c1e:90a2:0::1", "192.0.2.1"], ["~demo.internal"]


class FakeResolver:
    def __init__(self, interface: str | None = "bocage0") -> None:
        self.interface = interface
        self.values: dict[str, list[str]] = {"dns": [], "domain": []}
        self.sets: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        program, what, interface, *words = command
        assert program == "resolvectl"
        if interface != self.interface:
            return 1, "", f'Failed to resolve interface "{interface}": No such device\n'
        if not words:
            return 0, f"Link 5 ({interface}): {' '.join(self.values[what])}\n", ""
        self.sets.append(command)
        self.values[what] = [word for word in words if word]
        return 0, "", ""


def test_four_calls() -> None:
    resolver = FakeResolver()
    predicted = ensure_link("bocage0", SERVERS, DOMAINS, resolver, True)
    assert predicted["changed"] and resolver.sets == []
    done = ensure_link("bocage0", SERVERS, DOMAINS, resolver, False)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert done["diff"]["after"] == "dns: fd7b:4c1e:90a2::1 192.0.2.1\ndomain: ~demo.internal\n"
    assert resolver.values == {"dns": ["fd7b:4c1e:90a2::1", "192.0.2.1"], "domain": DOMAINS}
    for check in (True, False):
        assert not ensure_link("bocage0", SERVERS, DOMAINS, resolver, check)["changed"]
    assert len(resolver.sets) == 2


def test_only_what_differs_is_set_and_nothing_takes_it_away() -> None:
    resolver = FakeResolver()
    resolver.values = {"dns": ["192.0.2.9"], "domain": DOMAINS}
    done = ensure_link("bocage0", [], DOMAINS, resolver, False)
    assert resolver.sets == [["resolvectl", "dns", "bocage0", ""]]
    assert done["found"] == {"dns": ["192.0.2.9"], "domain": DOMAINS}


def test_an_interface_that_is_not_there_yet() -> None:
    resolver = FakeResolver(None)
    predicted = ensure_link("bocage0", SERVERS, DOMAINS, resolver, True)
    assert (predicted["changed"], predicted["found"]) == (True, None)
    with pytest.raises(BocageError, match=r"^The resolver does not know the interface bocage0; start systemd-resolved"):
        ensure_link("bocage0", SERVERS, DOMAINS, resolver, False)


@pytest.mark.parametrize("name", ["", "--help"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadInput, match="is no name of an interface"):
        ensure_link(name, SERVERS, DOMAINS, FakeResolver(), False)
