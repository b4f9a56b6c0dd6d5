# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-agent gateway-health`: looks after a gateway several times a second and acts on it; run by its own unit.

What it finds goes to FRR as metrics, to keepalived by two files, to the other gateways of the site over the path
between them, and to a file for everybody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from bocage_core._common import atomic
from bocage_core._common.errors import BadInput
from bocage_core._common.icmp import version_of
from bocage_core._gateway.health import Seen, Sibling, State, Verdict, judge
from bocage_core._gateway.places import DRAIN_FILE, HEALTH_FILE, RUN_DIRECTORY

from .gateway_probe import FRR_DIRECTORY, Daemon, Echo, paths_up

SETTINGS = Path("/etc/bocage/gateway/health.json")
# Kernel documentation, networking/ip-sysctl.
FORWARDING = {4: Path("/proc/sys/net/ipv4/ip_forward"), 6: Path("/proc/sys/net/ipv6/conf/all/forwarding")}
HEARTBEAT_PORT = 3790
# keepalived adds it to the priority; below every other gateway that does well
DOUBT_PENALTY = -120
# FRR may have read its files again and forgotten
SAY_AGAIN_SECONDS = 5.0


class Health:
    """One gateway. ``settings`` are those of the role gateway's template health.json."""

    def __init__(self, settings: dict[str, Any]) -> None:
        try:
            self._address: str = settings["address"]
            self._siblings: dict[str, str] = dict(settings["siblings"])
            self._interval = settings["interval_milliseconds"] / 1000
            self._silence = self._interval * settings["multiplier"]
            self._rise: float = settings["rise_seconds"]
            self._echo = Echo(settings["targets"], settings["lan_interface"])
            self._forwarding = [FORWARDING[version] for version in {version_of(one) for one in settings["targets"]}]
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"The settings {SETTINGS} cannot be used: {error!r}; run playbooks/gateways.yml.") from error
        self._paths, self._routes = Daemon(FRR_DIRECTORY / "bfdd.vty"), Daemon(FRR_DIRECTORY / "bgpd.vty")
        self._state = State(since=time.monotonic())
        self._heard: dict[str, Sibling] = {}
        self._hosts = 0
        self._looked_at: float | None = None
        # metric of the LAN and penalty between gateways, and what FRR was last told
        self._wanted: tuple[int, int] | None = None
        self._changed = asyncio.Event()
        self._said: tuple[int, int] | None = None
        self._said_at = 0.0
        self._written: dict[str, str] = {}
        self._heart = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._heart.setblocking(False)
        self._heart.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._heart.bind((self._address, HEARTBEAT_PORT))
        loop.add_reader(self._heart, self._hear)
        for opened in self._echo.sockets:
            loop.add_reader(opened, self._echo.take, opened)
        # FRR may take its time; whoever waits for it would seem silent to the other gateways
        # gathered and not grouped: what one of them raises comes out as it is, and main has a sentence for it
        await asyncio.gather(self._watch_paths(), self._speak(), self._watch())

    async def _watch(self) -> None:
        # a task that nobody holds may be collected before it ends
        sharing: set[asyncio.Task[None]] = set()
        while True:
            started = time.monotonic()
            if self._look(started):
                verdict = self._judge()
                if verdict.state.good_since is not None and self._state.good_since is None:
                    # what went by the others meanwhile must be known here before anything comes here
                    task = asyncio.create_task(_share_connections())
                    sharing.add(task)
                    task.add_done_callback(sharing.discard)
                self._act(verdict)
            await asyncio.sleep(max(0.01, started + self._interval - time.monotonic()))

    async def _watch_paths(self) -> None:
        while True:
            await asyncio.to_thread(self._count_paths)
            await asyncio.sleep(self._interval)

    async def _speak(self) -> None:
        while True:
            self._changed.clear()
            await asyncio.to_thread(self._announce)
            with contextlib.suppress(TimeoutError):
                pause = self._interval if self._said is None else SAY_AGAIN_SECONDS
                # not wait_for, which in Python 3.11 may lose the word to end where the wait is over at the same time
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    def _look(self, now: float) -> bool:
        """Ask the targets; False where the gateway itself was held up, so that nobody's silence means anything."""
        late = self._looked_at is not None and now - self._looked_at > self._silence
        self._looked_at = now
        self._echo.send()
        return not late

    def _count_paths(self) -> None:
        try:
            (answer,) = self._paths.ask(["show bfd peers brief json"])
            self._hosts = paths_up(answer, frozenset(self._siblings))
        except OSError:
            self._hosts = 0

    def _hear(self) -> None:
        while True:
            try:
                raw, sender = self._heart.recvfrom(2048)
            except OSError:
                return
            name = self._siblings.get(sender[0])
            if name is None:
                continue
            # whatever is no heartbeat is left, also a number without end and JSON that is nested too deeply
            with contextlib.suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                said = json.loads(raw)
                self._heard[name] = Sibling(
                    heard_at=time.monotonic(),
                    healthy=said["healthy"] is True,
                    drained=said["drained"] is True,
                    hosts=int(said["hosts"]),
                )

    def _judge(self) -> Verdict:
        seen = Seen(
            now=time.monotonic(),
            answered_at=self._echo.answered_at,
            hosts=self._hosts,
            siblings=self._heard,
            drained=DRAIN_FILE.exists(),
            # of the families that the LAN's targets have
            forwards=all(path.read_text().strip() != "0" for path in self._forwarding),
        )
        return judge(seen, self._state, self._silence, self._rise)

    def _act(self, verdict: Verdict) -> None:
        changed = verdict.state.healthy != self._state.healthy
        self._state = verdict.state
        said = {"healthy": verdict.state.healthy, "drained": verdict.drained, "hosts": self._hosts}
        for address in self._siblings:
            with contextlib.suppress(OSError):
                self._heart.sendto(json.dumps(said).encode(), (address, HEARTBEAT_PORT))
        self._write("release", "1\n" if verdict.release else "0\n")
        self._write("doubt", f"{DOUBT_PENALTY if verdict.doubt else 0}\n")
        if (wanted := (verdict.metric, verdict.penalty)) != self._wanted:
            self._wanted = wanted
            self._changed.set()
        now = time.monotonic()
        shown = {
            "healthy": verdict.state.healthy,
            "drained": verdict.drained,
            "lan": verdict.lan,
            "wan": verdict.wan,
            "hosts": self._hosts,
            "targets": {target: now - at <= self._silence for target, at in sorted(self._echo.answered_at.items())},
            "siblings": {
                name: {"healthy": one.healthy, "drained": one.drained, "hosts": one.hosts}
                for name, one in sorted(self._heard.items())
                if now - one.heard_at <= self._silence
            },
            "released": verdict.release,
        }
        self._write(HEALTH_FILE.name, json.dumps(shown, sort_keys=True) + "\n", since=True)
        if changed:
            words = "does well" if verdict.state.healthy else "does not do well"
            print(f"This gateway {words}: LAN {verdict.lan}, paths to hosts {verdict.wan}.", file=sys.stderr)

    def _announce(self) -> None:
        wanted = self._wanted
        if wanted is None or (wanted == self._said and time.monotonic() - self._said_at < SAY_AGAIN_SECONDS):
            return
        metric, penalty = wanted
        commands = ["configure terminal"]
        for name, value in (("lan", str(metric)), ("to-sibling", f"+{penalty}")):
            for place in (10, 11):
                commands += [f"route-map {name} permit {place}", f"set metric {value}", "exit"]
        commands += ["end"]
        if wanted != self._said:
            # at once, and not when a timer of FRR looks for changes
            commands += [f"clear bgp {family} unicast * soft out" for family in ("ipv4", "ipv6")]
        try:
            self._routes.ask(commands)
        except OSError as error:
            if self._said is not None:
                print(f"FRR does not take what this gateway announces: {error}", file=sys.stderr)
            self._said = None
            return
        self._said, self._said_at = wanted, time.monotonic()

    def _write(self, name: str, content: str, since: bool = False) -> None:
        """A file in the run directory, where it changed; with ``since`` it says from when on it holds."""
        if self._written.get(name) == content:
            return
        self._written[name] = content
        if since:
            content = json.dumps({**json.loads(content), "since": int(time.time())}, sort_keys=True) + "\n"
        path = RUN_DIRECTORY / name
        if since:
            atomic.write_file(path, content.encode(), 0o644)
        else:
            # keepalived watches this very file
            path.write_text(content)


async def _share_connections() -> None:
    """Ask the partner for what it knows of connections; without a partner there is no program to ask."""
    with contextlib.suppress(OSError):
        process = await asyncio.create_subprocess_exec(
            "conntrackd", "-n", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()


def main() -> int:
    try:
        settings = json.loads(atomic.read_bounded(SETTINGS, 65536))
        asyncio.run(Health(settings).run())
    except (OSError, ValueError, BadInput) as error:
        print(f"bocage-agent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0
