# SPDX-License-Identifier: GPL-3.0-or-later
"""A real repository in a folder, with real signatures of both kinds, and hosts that use it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bocage_core._packages import repository_keys, repository_publish, repository_root
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.control import Control
from bocage_core._packages.repository import new_change, publish, retire
from bocage_core._packages.repository_edit import add_file
from bocage_core._packages.repository_refresh import OnlineKeys
from bocage_core._packages.signing import build_package
from bocage_core._packages.target_custom import from_control
from bocage_core._packages.control import render_control
from cryptography.hazmat.primitives.serialization import Encoding

sys.path.append(str(Path(__file__).parents[2] / "plugins" / "module_utils" / "_packages"))

from party_maker import CODE, Party
