# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway needs before another one can take over from it, in the words of everybody who misses it."""

from __future__ import annotations


def no_lan_endpoint(gateway: str) -> str:
    return (
        f"Gateway {gateway} has no mesh_lan_endpoint, by which the gateways of its site agree on floating addresses; give it "
        "one, or take gateway_floating_addresses away."
    )


def no_floating_address(subject: str, option: str, version: int) -> str:
    """`option` is the one that asks for an address of this version of IP."""
    return (
        f"{subject} has {option} floating but no IPv{version} address among its gateway_floating_addresses; give it one, or "
        "choose masquerade or none."
    )
