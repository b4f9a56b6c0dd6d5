# SPDX-License-Identifier: GPL-3.0-or-later
"""A key on a token is named by a URI; signing with one is tested beside the library."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_packager import make


def test_a_uri_asks_for_the_token_and_not_for_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setattr(make.tokens, "package_signer", lambda *given: asked.append(given))
    key = Path("pkcs11:token=estate;object=developer?module-path=/usr/lib/softhsm/libsofthsm2.so")
    options = Namespace(key=key, certificate=tmp_path / "alice.crt", passphrase_file=tmp_path / "pin")
    make._signer(options)
    assert asked == [(str(key), tmp_path / "alice.crt", tmp_path / "pin")]
    options.passphrase_file = None
    with pytest.raises(BadInput, match="The PIN of the token is needed; give --passphrase-file"):
        make._signer(options)
