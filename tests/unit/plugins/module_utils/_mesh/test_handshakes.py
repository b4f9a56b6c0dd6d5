# SPDX-License-Identifier: GPL-3.0-or-later
"""Proofs need both: a handshake, and an answer to what went through the interface."""

from __future__ import annotations

from bocage_core._mesh.handshakes import prove

INTERFACES = [
    {"name": "bocage1", "peers": [
        {"name": "hub", "public_key": "H", "address": "fd00::1"},
        {"name": "gw", "public_key": "G", "address": "fd00::2"},
        {"name": "home", "public_key": "O", "address": "fd00::3"},
    ]}
]  # fmt: skip


class FakeEcho:
    """The hub answers at once, the gateway when asked again, home never."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, interface: str, address: str) -> None:
        self.sent.append((interface, address))

    def answers(self, _seconds: float) -> set[tuple[str, str]]:
        found = {("bocage1", "fd00::1"), ("bocage1", "fd00::99")}
        return found | ({("bocage1", "fd00::2")} if self.sent.count(("bocage1", "fd00::2")) > 1 else set())

    def close(self) -> None: ...


def run(command: list[str]) -> tuple[int, str, str]:
    assert command == ["wg", "show", "bocage1", "latest-handshakes"]
    return 0, "H\t1795327752\nG\t0\nO\t1795327752\n", ""


def test_each_peer_is_asked_until_it_answers() -> None:
    echo = FakeEcho()
    proofs = prove(INTERFACES, 0.05, run, echo)
    assert proofs == {
        "hub": {"handshake": True, "answer": True},
        "gw": {"handshake": False, "answer": True},
        "home": {"handshake": True, "answer": False},
    }
    assert echo.sent.count(("bocage1", "fd00::1")) == 1
    assert echo.sent.count(("bocage1", "fd00::2")) == 2


def test_an_interface_that_is_not_there_proves_nothing() -> None:
    proofs = prove(INTERFACES, 0, lambda _command: (1, "", "no such device"), FakeEcho())
    assert not any(proof["handshake"] or proof["answer"] for proof in proofs.values())
