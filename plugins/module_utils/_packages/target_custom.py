# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a target of the repository says of the package in it (`custom`, TUF specification 4.5).

The same words as in the package's control file, so that a host can decide without the package, and compare them with
the control file once it has it. Fields that are empty are left out of the JSON: with 10,000 packages they were a third
of all bytes. Which delegation signed a target, and whether what it signs may execute, is not said here: a signer could
say it of itself. It stands in the delegation (see repository_roles).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

from .._common.errors import BadInput
from .._common.fields import SHA256
from .._common.refused import Refused

_REQUIRED = ("package", "version", "control_sha256")
# No byte that controls a terminal or turns the direction of writing: these words are printed.
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,4096}")


@dataclass(frozen=True, slots=True)
class Custom:
    """One package as the repository describes it; every field is the text of the control file, "" where it has none."""

    package: str
    version: str
    control_sha256: str
    """SHA-256 of the raw bytes of WAPT/control, in hexadecimal."""
    architecture: str = ""
    locale: str = ""
    maturity: str = ""
    target_os: str = ""
    depends: str = ""
    conflicts: str = ""

    def to_dict(self) -> dict[str, str]:
        """The object that is signed."""
        return {name: value for name, value in zip(FIELDS, astuple(self), strict=True) if value}


FIELDS = tuple(one.name for one in fields(Custom))
COMPARED = tuple(name for name in FIELDS if name != "control_sha256")


def from_control(control: Mapping[str, object], control_raw: bytes) -> Custom:
    """What a publisher says of a package: `control` by the names of the control file's fields, and its raw bytes.

    Raises BadInput when the control file names no package or version, or a field cannot be carried.
    """
    words = {name: _word(control.get(name)) for name in COMPARED}
    found = {**words, "control_sha256": hashlib.sha256(control_raw).hexdigest()}
    try:
        return parse({name: value for name, value in found.items() if value}, f"the package {words['package']!r}")
    except Refused as error:
        raise BadInput(f"{error} Correct its control file.") from error


def parse(value: object, what: str) -> Custom:
    """A description out of signed metadata. Raises Refused (malformed); names that we do not know are ignored."""
    return Custom(**check(value, what))


def check(value: object, what: str) -> dict[str, Any]:
    """The words of a usable description, as `parse` reads them. Raises Refused."""
    if not isinstance(value, dict):
        raise Refused("malformed", f"The description of {what} is not an object.")
    # most are empty
    words: dict[str, Any] = {name: word for name in FIELDS if (word := value.get(name, "")) != ""}
    for name, word in words.items():
        if not isinstance(word, str) or not _TEXT.fullmatch(word):
            raise Refused("malformed", f"The description of {what} has no usable text in {name}.")
    for name in _REQUIRED:
        if name not in words:
            raise Refused("malformed", f"The description of {what} lacks {name}.")
    if not SHA256.fullmatch(words["control_sha256"]):
        raise Refused("malformed", f"The description of {what} has no SHA-256 in control_sha256.")
    return words


def differences(custom: Custom, control: Mapping[str, object], control_raw: bytes) -> list[str]:
    """The fields in which a package's control file is not what the repository said, in their order."""
    wrong = [name for name in COMPARED if _word(control.get(name)) != getattr(custom, name)]
    if hashlib.sha256(control_raw).hexdigest() != custom.control_sha256:
        wrong.append("control_sha256")
    return wrong


def _word(value: object) -> str:
    return "" if value is None else str(value)
