# SPDX-License-Identifier: GPL-3.0-or-later
"""`bocage-package show`: what a package says and holds."""

from __future__ import annotations

from argparse import Namespace

from .answers import Answer, plain
from .contents import SETUP, read, signer_of

_SIGNING = ("signature", "signed_attributes", "signer", "signer_fingerprint")


def show(options: Namespace) -> Answer:
    contents = read(options.file)
    signer = signer_of(contents)
    document = {
        "file": str(options.file),
        "control": dict(contents.control.fields),
        "signer": signer,
        "has_setup": any(name.lower() == SETUP for name in contents.files),
        "files": [{"path": name, "sha256": digest} for name, digest in contents.files.items()],
    }
    lines = [
        f"{key:<18}: {plain(value)}"
        for key, value in contents.control.fields.items()
        if value != "" and key not in _SIGNING
    ]
    if signer is None:
        lines.append("signed by         : nobody")
    else:
        until = signer["not_after"][:10]
        right = "may execute" if signer["code_signing"] else "may not execute"
        lines.append(f"signed by         : {plain(signer['name'])}, until {until}, {right}; not verified, see verify")
        lines.append(f"fingerprint       : {signer['fingerprint']}")
    lines.append(f"files             : {len(contents.files)}")
    lines += [f"  {digest[:12]}  {plain(name)}" for name, digest in contents.files.items()]
    return Answer(document, lines)
