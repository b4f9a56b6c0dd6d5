# SPDX-License-Identifier: GPL-3.0-or-later
"""What a segment must be: prove.py PODMAN PREFIX. Says each thing that was seen, and fails at the first that is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

from segment_lab import GATEWAYS, HYPERVISOR, SERVER, TARGET, Lab, steady, wait

BROADCASTS = 100
GUEST = """
ip netns delete guest1001 2>/dev/null && sleep 0.2
set -eu
ip netns add guest1001
ip link add gst1001 mtu {mtu} type veth peer name eth0 mtu {mtu} netns guest1001
ip link set gst1001 master seg1001 up
ip -n guest1001 link set lo up
ip -n guest1001 link set eth0 up
printf '%s\\n' '#!/bin/sh' '[ "$1" != bound ] || ip address replace "$ip/$mask" dev "$interface"' > /run/guest-dhcp
chmod 755 /run/guest-dhcp
ip netns exec guest1001 udhcpc -i eth0 -n -q -f -s /run/guest-dhcp -t 10 -T 1
"""
# A frame from nowhere to everybody, in VXLAN: as whoever on the LAN could send it to a gateway.
FORGED = """
import socket
inner = b"\\xff" * 6 + b"\\x02\\0\\0\\0\\xde\\xad" + b"\\x08\\x06" + bytes(46)
packet = bytes([8, 0, 0, 0]) + (1001).to_bytes(3, "big") + b"\\0" + inner
for target in ("198.18.91.21", "198.18.91.22", "2001:db8:91::21", "2001:db8:91::22"):
    kind = socket.AF_INET6 if ":" in target else socket.AF_INET
    for _each in range(20):
        socket.socket(kind, socket.SOCK_DGRAM).sendto(packet, (target, 4789))
"""


def need(good: bool, text: str) -> None:
    print(f"{'good' if good else 'NOT GOOD'}: {text}", flush=True)
    if not good:
        raise SystemExit(1)


def guest(command: str) -> str:
    return f"ip netns exec guest1001 {command}"


def mac(lab: Lab, host: str, name: str, where: str = "") -> str:
    return re.findall(r"link/ether (\S+)", lab.run(host, f"{where} ip link show dev {name}".strip()))[0]


def counted(lab: Lab, host: str, name: str) -> int:
    return int(lab.run(host, f"cat /sys/class/net/{name}/statistics/rx_packets"))


def plain_machine(lab: Lab) -> None:
    size = re.findall(r"mtu (\d+)", lab.run(HYPERVISOR, "ip link show dev seg1001"))[0]
    lab.run(HYPERVISOR, GUEST.format(mtu=size))
    addresses = lab.run(HYPERVISOR, guest("ip -brief address show dev eth0"))
    need("198.18.91.1" in addresses, f"a guest has its address from the LAN's DHCP server, with MTU {size}")
    own = mac(lab, SERVER, "office0")
    lab.run(HYPERVISOR, guest(f"ping -c 3 -i 0.2 -W 2 {TARGET}"))
    need(own in lab.run(HYPERVISOR, guest("ip neigh show")), "it sees the server's own hardware address")
    page = lab.run(HYPERVISOR, guest(f"curl --silent --max-time 10 http://{TARGET}/"))
    need("Business server" in page, "it reads the server's page")
    lab.run(SERVER, "sysctl -q net.ipv6.conf.office0.disable_ipv6=0")
    local = re.findall(r"(fe80::\S+)/64", lab.run(SERVER, "ip -6 address show dev office0 scope link"))[0]
    answer = lab.run(HYPERVISOR, guest(f"ping -6 -c 3 -i 0.2 -W 2 {local}%eth0"), check=False)
    need(" 0% packet loss" in answer, "it reaches the server's link-local IPv6 address")
    for gateway, address in zip(GATEWAYS, ("198.18.91.21", "198.18.91.22"), strict=True):
        answer = lab.run(HYPERVISOR, guest(f"ping -c 3 -i 0.2 -W 2 {address}"), check=False)
        need(" 0% packet loss" in answer, f"it reaches {gateway} on the LAN, whichever is active")
    answer = lab.run(SERVER, f"ping -M do -c 2 -i 0.2 -W 1 -s 1472 {guest_address(lab)} 2>&1", check=False)
    need(f"mtu = {size}" in answer or f"mtu={size}" in answer, f"who sends too much to it is told the MTU {size}")


def guest_address(lab: Lab) -> str:
    return re.findall(r"(198\.18\.91\.\d+)/24", lab.run(HYPERVISOR, guest("ip -brief address show dev eth0")))[0]


def voice_is_seen_outside(lab: Lab) -> None:
    """The classes of traffic look at the header of VXLAN; the answer to a ping has the DSCP of the question."""
    (active,) = lab.active()
    for host in (active, HYPERVISOR):
        lab.run(host, "nft 'table inet seen { chain c { type filter hook input priority -10; "
                      "udp dport 4789 ip6 dscp ef counter; }; }'")  # fmt: skip
    lab.run(HYPERVISOR, guest(f"ping -Q 0xb8 -c 20 -i 0.05 -W 2 {TARGET}"))
    for host in (active, HYPERVISOR):
        found = re.findall(r"counter packets (\d+)", lab.run(host, "nft list table inet seen"))
        lab.run(host, "nft delete table inet seen")
        need(
            int(found[0]) >= 20, f"of 20 packets with DSCP EF in the segment {found[0]} came to {host} with it outside"
        )


def closed_outside(lab: Lab) -> None:
    (active,) = lab.active()
    seen = "bridge fdb show | grep -c 02:00:00:00:de:ad"
    lab.run(SERVER, f"/usr/bin/python3 -c '{FORGED}'")
    time.sleep(0.5)
    found = [int(lab.run(host, seen, check=False) or 0) for host in (*GATEWAYS, HYPERVISOR)]
    need(found == [0, 0, 0], f"VXLAN from the LAN reaches neither {active} nor anybody behind it")


def no_loop(lab: Lab) -> None:
    def broadcasts(what: str, most: int) -> None:
        before = counted(lab, HYPERVISOR, "vx1001")
        lab.run(HYPERVISOR, guest(f"ping -b -q -c {BROADCASTS} -i 0.01 198.18.91.255"), check=False)
        lab.run(SERVER, f"ping -b -q -c {BROADCASTS} -i 0.01 198.18.91.255", check=False)
        time.sleep(1)
        came = counted(lab, HYPERVISOR, "vx1001") - before
        need(
            came <= most, f"{what}: of {BROADCASTS} broadcasts from each side {came} frames came to the guest's bridge"
        )
        before = counted(lab, HYPERVISOR, "vx1001")
        time.sleep(2)
        rest = counted(lab, HYPERVISOR, "vx1001") - before
        need(rest <= 20, f"{what}: afterwards it is quiet ({rest} frames in 2 s)")

    broadcasts("one active gateway", 2 * BROADCASTS)
    for host in GATEWAYS:
        lab.run(host, "printf 'table netdev split {\\n chain c { type filter hook ingress device lan1001 priority -500; "
                      "ether type 0x88b5 drop; }\\n}\\n' | nft -f -")  # fmt: skip
    time.sleep(3)
    need(len(lab.active()) == 1, "beats of the LAN lost: still one active gateway, by the overlay")
    for host in GATEWAYS:
        lab.run(host, "printf 'table inet split {\\n chain c { type filter hook input priority -10; udp dport 14789 drop; "
                      "}\\n}\\n' | nft -f -")  # fmt: skip
    wait("a split election", lambda: len(lab.active()) == 2)
    broadcasts("a split election with two active gateways", 5 * BROADCASTS)
    for host in GATEWAYS:
        lab.run(host, "nft delete table netdev split; nft delete table inet split")
    wait("one active gateway", lambda: steady(lab))
    need(len(lab.active()) == 1, "they hear each other again: one active gateway")


def reboot(lab: Lab, podman: str, prefix: str) -> None:
    """Each gateway once; the port is closed from the first moment on."""
    for host in GATEWAYS:
        subprocess.run([podman, "restart", "--time", "5", prefix + host], check=True, capture_output=True)
        most = 0
        until = time.time() + 180
        while time.time() < until and not (most and steady(lab)):
            most = max(most, len(lab.active()))
        need(most == 1 and steady(lab), f"{host} was rebooted: never two active gateways, and the segment is as before")
    # containers get new links
    lab.run(HYPERVISOR, guest(f"ping -c 3 -i 0.2 -W 5 {TARGET}"))


def main(podman: str, prefix: str) -> None:
    lab = Lab(podman, prefix)
    wait("a steady segment", lambda: steady(lab), 60)
    need(len(lab.active()) == 1, f"one gateway is active: {lab.active()[0]}")
    plain_machine(lab)
    voice_is_seen_outside(lab)
    closed_outside(lab)
    no_loop(lab)
    reboot(lab, podman, prefix)
    print(json.dumps({"status": {host: lab.status(host) for host in GATEWAYS}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
