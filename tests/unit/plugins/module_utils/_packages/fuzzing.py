# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is tried: a few examples each, so that all tests of packages stay a matter of seconds.

`BOCAGE_FUZZ_EXAMPLES=5000` tries more.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

few = settings(
    max_examples=int(os.environ.get("BOCAGE_FUZZ_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
