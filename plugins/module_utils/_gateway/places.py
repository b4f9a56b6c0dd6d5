# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a gateway says on its own disk how it is; templates of the roles gateway and segments name the same places."""

from __future__ import annotations

from pathlib import Path

# It exists as long as the gateway is to serve nobody, also over a reboot; what it says is for people.
DRAIN_FILE = Path("/etc/bocage/gateway/drain")
# Written by bocage-gateway-health.
RUN_DIRECTORY = Path("/run/bocage/gateway")
HEALTH_FILE = RUN_DIRECTORY / "health.json"
