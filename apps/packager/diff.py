# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package diff`: what differs between two packages, as whoever imports or approves one wants to see it."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .answers import GOOD, REFUSED, Answer, plain
from .contents import CONTROL, SETUP, Contents, read, signer_of

# Signing anew changes these, and the signer is compared by itself.
_OF_SIGNING = ("signature", "signature_date", "signed_attributes", "signer", "signer_fingerprint")
_MOST_LINES = 2000


def diff(options: Namespace) -> Answer:
    document, lines = difference(read(options.old), read(options.new))
    return Answer(document, lines, GOOD if document["same"] else REFUSED)


def difference(old: Contents, new: Contents) -> tuple[dict[str, Any], list[str]]:
    """For programs and for people; the lines are never empty."""
    before, after = old.control.fields, new.control.fields
    control = {
        key: [before.get(key), after.get(key)]
        for key in sorted(before.keys() | after.keys())
        if key not in _OF_SIGNING and before.get(key) != after.get(key)
    }
    files = {
        "added": sorted(new.files.keys() - old.files.keys()),
        "removed": sorted(old.files.keys() - new.files.keys()),
        # control was compared key by key
        "changed": sorted(
            name
            for name in old.files.keys() & new.files.keys()
            if name != CONTROL and old.files[name] != new.files[name]
        ),
    }
    one, other = signer_of(old), signer_of(new)
    signers = [None if signer is None else f"{signer['name']} {signer['fingerprint']}" for signer in (one, other)]
    setup = list(islice(_setup(old, new), _MOST_LINES))
    same = not control and not any(files.values()) and signers[0] == signers[1]
    document = {
        "same": same,
        "control": control,
        "files": files,
        "signer": signers if signers[0] != signers[1] else None,
        "setup": setup,
    }
    lines = [f"{key}: {_value(values[0])} -> {_value(values[1])}" for key, values in control.items()]
    if signers[0] != signers[1]:
        lines.append(f"signer: {_value(signers[0])} -> {_value(signers[1])}")
    marks = {"added": "+", "removed": "-", "changed": "~"}
    lines += [f"{marks[kind]} {plain(name)}" for kind, names in files.items() for name in names]
    lines += [plain(line) for line in setup]
    return document, lines or ["The same."]


def _setup(old: Contents, new: Contents) -> Iterator[str]:
    return difflib.unified_diff(
        old.setup.splitlines(), new.setup.splitlines(), f"old/{SETUP}", f"new/{SETUP}", lineterm=""
    )


def _value(value: object) -> str:
    return "nothing" if value is None else f"'{plain(value)}'"
