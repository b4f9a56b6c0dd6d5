# SPDX-License-Identifier: GPL-3.0-or-later
"""One segment on this gateway: hears, decides, opens or closes its port, and tells switches where machines are."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable
from typing import Any

from bocage_core._segments import wire
from bocage_core._segments.election import Election, Fitness, Times
from bocage_core._segments.fitness import Steadiness, Watch, fitness

from .links import Links, listener
from .settings import SegmentSettings, Settings

# Announcements are lost, and hosts wake up: after how many seconds of being active they are sent.
ANNOUNCE_AT = (0.0, 0.1, 1.0, 5.0, 20.0, 60.0)
# After how long a way that was lost counts again.
STEADY_SECONDS = 5.0
_REMEMBER_SECONDS = 10.0


class Segment:
    """Holds the sockets of one segment; the loop calls it with each beat and each packet."""

    def __init__(self, settings: Settings, own: SegmentSettings, links: Links, key: bytes, now: float) -> None:
        self.own = own
        self._settings = settings
        self._links = links
        self._key = key
        times = Times(settings.beat, settings.dead, settings.doubt)
        self.election = Election(settings.name, own.rank, now, times)
        patience = settings.dead + settings.beat
        self._lan = Watch(frozenset(own.lan_targets), patience)
        self._overlay = Watch(frozenset(own.overlay_targets), patience)
        self._lan_steady, self._overlay_steady = Steadiness(STEADY_SECONDS), Steadiness(STEADY_SECONDS)
        self._rival = False
        self._keys: dict[str, bytes] = {}
        self._counts: dict[str, int] = {}
        self._count = 0
        self._since = now
        self._announced = len(ANNOUNCE_AT)
        self._macs: dict[tuple[str, str], float] = {}
        self._number: int | None = None
        self.socket: socket.socket | None = None

    def close(self) -> None:
        """Shut the port, whatever happens afterwards."""
        with contextlib.suppress(OSError):
            self._links.set_open(self.own.port, False)

    def reopen(self) -> bool:
        """Listen on the bridge as it is now; whether the socket is another one."""
        number = self._links.number(self.own.bridge)
        if number == self._number and self.socket is not None:
            return False
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        self._number = number
        if number is not None:
            self.socket = listener(self.own.bridge)
        return True

    # What comes in.

    def hear_lan(self, now: float) -> None:
        while self.socket is not None:
            try:
                data = self.socket.recv(2048)[14:]
            except OSError:
                return
            beat = wire.decode(data)
            if beat is None or beat.segment != self.own.number or beat.message.sender not in self.own.peers:
                continue
            sender = beat.message.sender
            key = self._keys.get(sender)
            # before the first beat over the overlay nobody can tell, and a beat that may be true is heeded
            if key is not None and not (wire.genuine(data, key) and beat.count > self._counts.get(sender, 0)):
                continue
            self._take(now, beat)

    def hear_overlay(self, now: float, data: bytes, address: str) -> None:
        beat = wire.decode(data)
        if beat is None or self.own.peers.get(beat.message.sender) != address:
            return
        if beat.key is not None:
            self._keys[beat.message.sender] = beat.key
            self._counts[beat.message.sender] = 0
        self._take(now, beat)

    def _take(self, now: float, beat: wire.Beat) -> None:
        sender = beat.message.sender
        if beat.count < self._counts.get(sender, 0):
            # the same beat comes twice, and by one way later
            return
        self._counts[sender] = beat.count
        self.election.hear(now, beat.message)
        for side, macs in (("lan", beat.lan_macs), ("far", beat.far_macs)):
            for mac in macs:
                self._macs[side, mac] = now

    def answered(self, now: float, target: str) -> None:
        self._lan.answer(now, target)
        self._overlay.answer(now, target)

    def targets(self) -> Iterable[str]:
        return (*self.own.lan_targets, *self.own.overlay_targets)

    # What goes out.

    def decide(self, now: float, drained: bool, log: Callable[[str], None]) -> bool:
        """One step of the election, and the port as it wants it; whether anything changed."""
        was = self.election.active
        active = self.election.tick(now, self._fitness(now, drained))
        moved = self._links.set_open(self.own.port, active)
        rival = any(peer.active for peer in self.election.peers().values())
        if active and self._rival and not rival:
            # while two were active, everybody may have learned the way by the other one
            self._since, self._announced = now, 0
        self._rival = rival
        if active != was:
            self._since = now
            self._announced = 0
            log(f"segment {self.own.name}: {'active' if active else 'standby'}, term {self.election.term}")
        elif moved:
            log(
                f"segment {self.own.name}: port {self.own.port} was {'closed' if active else 'opened'} by somebody else"
            )
        return active != was

    def _fitness(self, now: float, drained: bool) -> Fitness:
        carrier = self._links.carrier(self.own.lan_port)
        answered = carrier and self._lan.good(now)
        # one that has no other beside it serves what may be a silent LAN
        hearing = carrier and (
            answered
            or not self.own.peers
            or self._links.hears(self.own.bridge, self.own.lan_port, self._settings.dead + self._settings.beat)
        )
        lan = self._lan_steady.update(now, answered)
        overlay = self._overlay_steady.update(now, self._overlay.good(now))
        return fitness(lan, overlay, drained, hearing)

    def beats(self, now_ns: int, resigned: bool = False) -> tuple[bytes, bytes]:
        """The present beat for the LAN and for the overlay."""
        self._count = max(self._count + 1, now_ns)
        said = self.election.resign() if resigned else self.election.message()
        lan = wire.Beat(self.own.number, said, self._count)
        overlay = wire.Beat(self.own.number, said, self._count, key=self._key)
        return wire.encode(lan, self._key), wire.encode(overlay, self._key)

    def learned_beats(self, now_ns: int) -> Iterable[bytes]:
        """What the active one learned, for those who may take over."""
        learned = self._links.learned(self.own.bridge, (self.own.lan_port, self.own.port))
        for lan, far in wire.packets_of(learned[self.own.lan_port], learned[self.own.port]):
            self._count = max(self._count + 1, now_ns)
            beat = wire.Beat(self.own.number, self.election.message(), self._count, None, lan, far)
            yield wire.encode(beat, self._key)

    def send_lan(self, opened: socket.socket, payload: bytes) -> None:
        self._send(opened, self.own.lan_port, wire.frame(self._links.address(self.own.lan_port), payload))

    @staticmethod
    def _send(opened: socket.socket, port: str, data: bytes) -> None:
        # a port that is gone or down carries nothing, and the election goes on without
        with contextlib.suppress(OSError):
            opened.sendto(data, (port, 0))

    def announce(self, now: float, opened: socket.socket) -> None:
        """Show the LAN's machines to the overlay and the overlay's to the LAN, once at each of some times."""
        if not self.election.active or self._announced >= len(ANNOUNCE_AT):
            return
        if now - self._since < ANNOUNCE_AT[self._announced]:
            return
        self._announced += 1
        learned = self._links.learned(self.own.bridge, (self.own.lan_port, self.own.port))
        # told by the one that was active last; what is older than that is gone
        newest = max(self._macs.values(), default=0.0)
        told = [one for one, at in self._macs.items() if newest - at < _REMEMBER_SECONDS]
        lan = {*learned[self.own.lan_port], *(mac for side, mac in told if side == "lan")}
        far = {*learned[self.own.port], *(mac for side, mac in told if side == "far")} - lan
        own = {self._links.address(self.own.bridge).hex()}
        for macs, port in ((lan | own, self.own.port), (far - own, self.own.lan_port)):
            for mac in sorted(macs):
                self._send(opened, port, wire.announcement(mac))

    def status(self, now: float) -> dict[str, Any]:
        election = self.election
        return {
            "active": election.active,
            "fitness": election.fitness.name.lower(),
            "term": election.term,
            "seconds": round(now - self._since, 1),
            "peers": {
                name: {"active": said.active, "fitness": said.fitness.name.lower(), "term": said.term}
                for name, said in sorted(election.peers().items())
            },
            "lan": dict(sorted(self._lan.answering(now).items())),
            "overlay": dict(sorted(self._overlay.answering(now).items())),
        }
