# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules called as Ansible calls them, by their main function with arguments on standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

# what tests of this folder share, and makers of packages
_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), *(str(_HERE.parent / "module_utils" / name) for name in ("", "_packages"))]

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call_module(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(module: ModuleType, *, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) == bool(ended.value.code)
        return result

    return call
