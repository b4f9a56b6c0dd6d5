# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of settings of the kernel, as sysctl.d(5) writes them."""

from __future__ import annotations

_SWAPPED = str.maketrans("./", "/.")


def setting_path(key: str) -> str:
    """Where the kernel keeps a setting, below /proc/sys.

    The first separator decides: after a slash all stand as they are, after a dot each dot is a slash and each slash a
    dot, as in the name of the interface eth0.1.
    """
    first = next((character for character in key if character in "./"), "/")
    return key if first == "/" else key.translate(_SWAPPED)
