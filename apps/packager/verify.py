# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that judge: `verify`, `verify-index`, `verify-action` and `compare-versions`."""

from __future__ import annotations

from argparse import Namespace

from .answers import Answer


def compare_versions(options: Namespace) -> Answer:
    from bocage_core._packages.versions import compare

    result = compare(options.a, options.b)
    return Answer({"result": result}, [str(result)])
