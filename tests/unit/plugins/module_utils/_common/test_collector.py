# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector comes back as it was."""

from __future__ import annotations

import gc

import pytest
from bocage_core._common.collector import without_collector


def test_it_comes_back_also_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="no"), without_collector():
        assert not gc.isenabled()
        raise ValueError("no")
    assert gc.isenabled()


def test_it_stays_off_where_somebody_else_took_it_off() -> None:
    with without_collector():
        with without_collector():
            pass
        assert not gc.isenabled()
