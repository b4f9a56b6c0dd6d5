# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of segments as data: the files that make them at boot, and what differs on a live host.

Pure: reads nothing and runs nothing. Formats are those of ip-link(8) and bridge(8).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._common.errors import BadInput
from .rules import VXLAN_PORT

# Seconds after which an address that was not heard is forgotten, and how many of them a segment holds at most.
AGEING_SECONDS = 300
MOST_ADDRESSES = 4096
NOWHERE = "00:00:00:00:00:00"
# The DSCP of a guest's packet stands on what carries it, too, where the classes of traffic look for it.
_TOS = ("tos", "inherit")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")


@dataclass(frozen=True, slots=True)
class End:
    """One segment on this host. A gateway's port stays closed: its elector opens it."""

    number: int
    gateway: bool
    bridge: str
    port: str
    local: str
    ends: tuple[str, ...]
    mtu: int
    port_mtu: int
    lan_port: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One command; ``about`` says it in words."""

    about: str
    command: tuple[str, ...]


def ends_from(segments: Sequence[Mapping[str, Any]], lan_interface: str | None) -> list[End]:
    """The segments of the module's options; raises BadInput on what no link could be made from."""
    found: list[End] = []
    for one in segments:
        gateway = one["kind"] == "gateway"
        bridge = (one.get("lan_interface") or lan_interface) if gateway else one.get("bridge")
        if not bridge:
            raise BadInput(
                f"Segment {one['name']} has no LAN interface on this gateway; set gateway_lan_interface, "
                "or lan_interface of the segment in estate_sites."
            )
        for name in (bridge, one["port"], one.get("lan_port") or "x"):
            if not _NAME.fullmatch(name):
                raise BadInput(f"Segment {one['name']} names an interface '{name}', which cannot be one.")
        if any(other.bridge == bridge for other in found):
            raise BadInput(
                f"Segment {one['name']} would join another one on interface {bridge} of this host; "
                "give it a lan_interface of its own in estate_sites."
            )
        try:
            local = str(ipaddress.IPv6Address(one["local"]))
            ends = tuple(sorted(str(ipaddress.IPv6Address(end)) for end in one["ends"]))
        except ValueError as error:
            raise BadInput(f"Segment {one['name']} has an end that is no IPv6 address: {error}.") from error
        found.append(
            End(
                number=int(one["id"]),
                gateway=gateway,
                bridge=bridge,
                port=one["port"],
                local=local,
                ends=ends,
                mtu=int(one["mtu"]),
                port_mtu=int(one.get("port_mtu") or one["mtu"]),
                lan_port=one.get("lan_port") if gateway else None,
            )
        )
    return found


def _bridge_words(end: End) -> list[str]:
    return ["link", "add", "name", end.bridge, "mtu", str(end.mtu), "type", "bridge",
            "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0", "ageing_time", str(AGEING_SECONDS * 100)]  # fmt: skip


def _port_words(end: End) -> list[str]:
    return ["link", "add", "name", end.port, "mtu", str(end.port_mtu), "type", "vxlan", "id", str(end.number),
            "local", end.local, "dstport", str(VXLAN_PORT), "learning", "ageing", str(AGEING_SECONDS),
            "maxaddress", str(MOST_ADDRESSES), *_TOS]  # fmt: skip


def _settings(end: End) -> list[list[str]]:
    """What a port gets once it exists; without an address of its own the host is no machine of the segment."""
    return [
        ["link", "set", "dev", end.port, "addrgenmode", "none"],
        ["link", "set", "dev", end.port, "master", end.bridge],
        *([] if end.gateway else [["link", "set", "dev", name, "up"] for name in (end.bridge, end.port)]),
    ]


def _flood_words(end: End, other: str, verb: str) -> list[str]:
    return ["fdb", verb, NOWHERE, "dev", end.port, "dst", other, "self", "permanent"]


def render_links(ends: Sequence[End]) -> str:
    """The file for ``ip -batch``."""
    lines: list[list[str]] = []
    for end in ends:
        if not end.gateway:
            lines += [_bridge_words(end), ["link", "set", "dev", end.bridge, "addrgenmode", "none"]]
        lines += [_port_words(end), *_settings(end)]
    return "".join(" ".join(line) + "\n" for line in lines)


def render_floods(ends: Sequence[End]) -> str:
    """The file for ``bridge -batch``: where a frame goes whose destination nobody was heard at."""
    lines = [" ".join(_flood_words(end, other, "append")) for end in ends for other in end.ends]
    return "".join(f"{line}\n" for line in lines)


def render_lans(ends: Iterable[End], own: Mapping[str, str]) -> str:
    """The list for ``lan-bridge``: names that a bridge takes over, and what the interface is called then."""
    return "".join(f"{end.bridge} {own[end.bridge]}\n" for end in ends if end.bridge in own)


def render_closing(ends: Iterable[End]) -> str:
    """The file for ``ip -force -batch`` that closes each port of a gateway, when its elector is gone."""
    return "".join(f"link set dev {end.port} down\n" for end in ends if end.gateway)


def made_links(text: str) -> list[str]:
    """Names of the links that a file for ``ip -batch`` makes."""
    return re.findall(r"^link add name (\S+) ", text, re.MULTILINE)


def _info(link: Mapping[str, Any]) -> Mapping[str, Any]:
    data: Mapping[str, Any] = link.get("linkinfo", {}).get("info_data", {})
    return data


def _kind(link: Mapping[str, Any] | None) -> str:
    return str((link or {}).get("linkinfo", {}).get("info_kind", ""))


def is_bridge(link: Mapping[str, Any] | None) -> bool:
    return _kind(link) == "bridge"


def _is_same_port(link: Mapping[str, Any], end: End) -> bool:
    """Whether a live VXLAN link has all that cannot be changed while it exists."""
    info = _info(link)
    return (
        _kind(link) == "vxlan"
        and info.get("id") == end.number
        and info.get("local6") == end.local
        and info.get("port") == VXLAN_PORT
        and info.get("learning") is True
        and info.get("ageing") == AGEING_SECONDS
        and info.get("limit") == MOST_ADDRESSES
    )


def _inherits(link: Mapping[str, Any]) -> bool:
    # ip-link writes it as a number in JSON, and leaves out 0
    return _info(link).get("tos") in ("0x1", "inherit")


def _is_same_bridge(link: Mapping[str, Any]) -> bool:
    info = _info(link)
    wanted = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0, "ageing_time": AGEING_SECONDS * 100}
    return all(info.get(name) == value for name, value in wanted.items())


def _ip(words: Sequence[str], about: str) -> Action:
    return Action(about, ("ip", *words))


def plan_links(
    ends: Sequence[End],
    live: Mapping[str, Mapping[str, Any]],
    floods: Mapping[str, frozenset[str]],
    before: Iterable[str],
) -> list[Action]:
    """What brings the live links to the desired ones and touches nothing else.

    ``live`` are all links by name, ``floods`` the ends that each port floods to, ``before`` the links that an earlier
    run made. The bridge of a gateway is its LAN's and is there already.
    """
    wanted = {name for end in ends for name in ((end.port,) if end.gateway else (end.port, end.bridge))}
    actions = [
        _ip(["link", "delete", "dev", name], f"remove {name}") for name in sorted(set(before) - wanted) if name in live
    ]
    for end in ends:
        if not end.gateway:
            actions += _plan_bridge(end, live.get(end.bridge))
        actions += _plan_port(end, live.get(end.port), floods.get(end.port, frozenset()))
    return actions


def _plan_bridge(end: End, link: Mapping[str, Any] | None) -> list[Action]:
    if link is None:
        return [
            _ip(_bridge_words(end), f"make bridge {end.bridge}"),
            _ip(["link", "set", "dev", end.bridge, "addrgenmode", "none"], f"leave {end.bridge} without an address"),
            _ip(["link", "set", "dev", end.bridge, "up"], f"bring {end.bridge} up"),
        ]
    actions = []
    if not is_bridge(link):
        raise BadInput(f"The interface {end.bridge} of this host is no bridge; give the segment another id.")
    if not _is_same_bridge(link):
        words = ["link", "set", "dev", end.bridge, "type", "bridge"]
        # first, since a bridge with a spanning tree refuses such delays
        actions.append(_ip([*words, "stp_state", "0"], f"take the spanning tree off {end.bridge}"))
        actions.append(_ip([*words, *_bridge_words(end)[10:]], f"set {end.bridge} anew"))
    if link.get("mtu") != end.mtu:
        actions.append(
            _ip(["link", "set", "dev", end.bridge, "mtu", str(end.mtu)], f"set MTU {end.mtu} on {end.bridge}")
        )
    if link.get("inet6_addr_gen_mode") != "none":
        words = ["link", "set", "dev", end.bridge, "addrgenmode", "none"]
        actions.append(_ip(words, f"leave {end.bridge} without an address"))
    if "UP" not in link.get("flags", ()):
        actions.append(_ip(["link", "set", "dev", end.bridge, "up"], f"bring {end.bridge} up"))
    return actions


def _plan_port(end: End, link: Mapping[str, Any] | None, floods: frozenset[str]) -> list[Action]:
    actions: list[Action] = []
    if link is not None and not _is_same_port(link, end):
        actions.append(_ip(["link", "delete", "dev", end.port], f"remove {end.port}, which is another one"))
        link = None
    if link is None:
        floods = frozenset()
        actions.append(_ip(_port_words(end), f"make {end.port}"))
        actions += [_ip(words, f"set {' '.join(words[3:])} on {words[3]}") for words in _settings(end)]
    else:
        if link.get("mtu") != end.port_mtu:
            words = ["link", "set", "dev", end.port, "mtu", str(end.port_mtu)]
            actions.append(_ip(words, f"set MTU {end.port_mtu} on {end.port}"))
        if link.get("inet6_addr_gen_mode") != "none":
            actions.append(_ip(_settings(end)[0], f"leave {end.port} without an address"))
        if link.get("master") != end.bridge:
            actions.append(_ip(_settings(end)[1], f"put {end.port} into {end.bridge}"))
        if not _inherits(link):
            # of all that makes a VXLAN link this alone may change while it carries frames
            words = ["link", "set", "dev", end.port, "type", "vxlan", "id", str(end.number), *_TOS]
            actions.append(_ip(words, f"let {end.port} carry the DSCP of its frames"))
        if not end.gateway and "UP" not in link.get("flags", ()):
            actions.append(_ip(["link", "set", "dev", end.port, "up"], f"bring {end.port} up"))
    for other in sorted(floods - set(end.ends)):
        actions.append(Action(f"{end.port} leaves {other}", ("bridge", *_flood_words(end, other, "del"))))
    for other in sorted(set(end.ends) - floods):
        actions.append(Action(f"{end.port} reaches {other}", ("bridge", *_flood_words(end, other, "append"))))
    return actions
