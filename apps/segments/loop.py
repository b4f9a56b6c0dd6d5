# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop: a beat every tenth of a second, and packets in between."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import selectors
import signal
import socket
import time
from pathlib import Path
from types import FrameType

from bocage_core._common.atomic import write_file

from .echo import IPV6_FREEBIND, Echo
from .links import Links, notify, sender
from .segment import Segment
from .settings import Settings

_LEARNED_EVERY, _STATUS_EVERY = 1.0, 2.0


def own_key(path: Path) -> bytes:
    """The key of this host's beats; made once, and kept for those who know it."""
    try:
        return bytes.fromhex(path.read_text())
    except (OSError, ValueError):
        key = os.urandom(16)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, key.hex().encode(), 0o600)
        return key


class Loop:
    """Runs until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._links = Links()
        self._raw = sender()
        self._echo = Echo(settings.address)
        self._selector = selectors.DefaultSelector()
        self._stopped = False
        now = time.monotonic()
        key = own_key(settings.key_file)
        self._segments = [Segment(settings, own, self._links, key, now) for own in settings.segments]
        for segment in self._segments:
            segment.close()
        self._udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._udp.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        self._udp.bind((settings.address, settings.udp_port))
        for opened in (self._udp, *self._echo.sockets()):
            self._selector.register(opened, selectors.EVENT_READ, None)
        self._learned_at = self._status_at = 0.0

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopped = True

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        notify("READY=1")
        due = time.monotonic()
        try:
            while not self._stopped:
                self._beat(time.monotonic())
                # a beat that was missed is not made up for
                due = max(due + self._settings.beat, time.monotonic())
                while not self._stopped and (left := due - time.monotonic()) > 0:
                    self._receive(left)
        finally:
            for segment in self._segments:
                segment.close()
            for segment in self._segments:
                self._tell(segment, resigned=True)

    def _receive(self, seconds: float) -> None:
        urgent = False
        for key, _events in self._selector.select(seconds):
            now = time.monotonic()
            if isinstance(key.data, Segment):
                before = key.data.election.peers()
                key.data.hear_lan(now)
                urgent = urgent or _less_active(before, key.data)
            elif key.fileobj is self._udp:
                urgent = self._hear_overlay(now) or urgent
            elif isinstance(key.fileobj, socket.socket):
                for target in self._echo.answers(key.fileobj):
                    for segment in self._segments:
                        segment.answered(now, target)
        if urgent:
            # the active one stood down: not a beat is to be waited for
            self._decide(time.monotonic())

    def _hear_overlay(self, now: float) -> bool:
        urgent = False
        while True:
            try:
                data, address = self._udp.recvfrom(4096)
            except OSError:
                return urgent
            sender_address = str(ipaddress.ip_address(address[0].partition("%")[0]))
            for segment in self._segments:
                before = segment.election.peers()
                segment.hear_overlay(now, data, sender_address)
                urgent = urgent or _less_active(before, segment)

    def _beat(self, now: float) -> None:
        for segment in self._segments:
            old = segment.socket
            if segment.reopen():
                if old is not None:
                    with contextlib.suppress(KeyError, ValueError):
                        self._selector.unregister(old)
                if segment.socket is not None:
                    self._selector.register(segment.socket, selectors.EVENT_READ, segment)
        self._decide(now)
        self._echo.ask({target for segment in self._segments for target in segment.targets()})
        if now - self._learned_at >= _LEARNED_EVERY:
            self._learned_at = now
            for segment in self._segments:
                if segment.election.active:
                    for payload in segment.learned_beats(time.time_ns()):
                        segment.send_lan(self._raw, payload)
                        self._send_overlay(segment, payload)
        if now - self._status_at >= _STATUS_EVERY:
            self._write_status(now)
        notify("WATCHDOG=1")

    def _decide(self, now: float) -> None:
        drained = self._settings.drain_file.exists()
        changed = False
        for segment in self._segments:
            # a link that is gone is no reason to leave the other segments alone
            with contextlib.suppress(OSError):
                changed = segment.decide(now, drained, _log) or changed
            self._tell(segment)
            segment.announce(now, self._raw)
        if changed:
            self._write_status(now)

    def _tell(self, segment: Segment, resigned: bool = False) -> None:
        lan, overlay = segment.beats(time.time_ns(), resigned)
        segment.send_lan(self._raw, lan)
        self._send_overlay(segment, overlay)

    def _send_overlay(self, segment: Segment, payload: bytes) -> None:
        for address in segment.own.peers.values():
            with contextlib.suppress(OSError):
                self._udp.sendto(payload, (address, self._settings.udp_port))

    def _write_status(self, now: float) -> None:
        self._status_at = now
        text = json.dumps({segment.own.name: segment.status(now) for segment in self._segments}, indent=1)
        path = self._settings.status_file
        # on a file system of memory: no need to flush it
        new = path.with_name(f".{path.name}.new")
        new.write_text(text + "\n")
        new.replace(path)


def _less_active(before: object, segment: Segment) -> bool:
    """Whether a peer that was active just said that it is no more, or a better one asks for its place."""
    return bool(segment.election.peers() != before)


def _log(text: str) -> None:
    print(text, flush=True)
