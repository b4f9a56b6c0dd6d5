# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a package's file, as WAPT makes it.

`<package>.wapt` for the package of a host, otherwise `<package>_<version>[_arch][_maturity][_locales].wapt` without
parts that are empty or `all`. A package whose name no file should have, as that of an organisational unit, is named by
the MD5 of its name: this is a name and no proof of anything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from .._common.errors import BadInput

MAX_BYTES = 255
_PART = re.compile(r"[\w.+~-]+")
_MD5 = re.compile(r"[0-9a-f]{32}")


def file_name(fields: Mapping[str, str | int], md5sum: str = "") -> str:
    """The file name of the package with these fields of its control file; `md5sum` of the file becomes a part of it.

    A host's package never has that part. Raises BadInput.
    """
    package, version = str(fields.get("package", "")), str(fields.get("version", ""))
    if not package:
        raise BadInput("A package without a name has no file name; give its control file a package.")
    if md5sum and not _MD5.fullmatch(md5sum):
        raise BadInput(f"The MD5 {md5sum[:40]!a} of {_shown(package)} is not one; give its 32 hexadecimal digits.")
    name = package if _is_plain(package) else hashlib.md5(package.encode(), usedforsecurity=False).hexdigest()
    parts = [name]
    if fields.get("section") != "host":
        if not version:
            raise BadInput(f"The package {_shown(package)} has no version; give its control file one.")
        tail = (version, *(_joined(fields.get(key, "")) for key in ("architecture", "maturity", "locale")), md5sum)
        parts += [part for part in tail if part and part != "all"]
    if not all(_PART.fullmatch(part) for part in parts):
        raise BadInput(
            f"The package {_shown(package)} cannot be a file: its version, architecture, maturity and locale may have"
            " letters, digits and . _ + ~ - only."
        )
    result = "_".join(parts) + ".wapt"
    if len(result.encode()) > MAX_BYTES:
        raise BadInput(f"The file name of the package {_shown(package)} has over {MAX_BYTES} bytes; shorten its name.")
    return result


def _is_plain(package: str) -> bool:
    return all(one.isalnum() or one in "-_." for one in package)


def _joined(value: str | int) -> str:
    """A list with commas as one part of a name."""
    return "-".join(part.strip() for part in str(value).split(",") if part.strip())


def _shown(package: str) -> str:
    return ascii(package[:60])[1:-1]
