# SPDX-License-Identifier: GPL-3.0-or-later
"""A token with keys, for every test that signs with one: SoftHSM reads its configuration once for a process."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bocage_core._packages.tokens import Token

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234-secret"


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """A token with an RSA-3072 key (developer, 1) and a P-256 key (root, 2)."""
    if not (shutil.which("softhsm2-util") and Path(SOFTHSM).exists() and importlib.util.find_spec("pkcs11")):
        pytest.skip("softhsm2 and python-pkcs11 are not both installed")
    import pkcs11
    import pkcs11.util.ec

    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        command = ["softhsm2-util", "--init-token", "--free", "--label", "estate", "--so-pin", PIN, "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        with pkcs11.lib(SOFTHSM).get_token(token_label="estate").open(rw=True, user_pin=PIN) as session:
            session.generate_keypair(pkcs11.KeyType.RSA, 3072, store=True, label="developer", id=b"\x01")
            curve = pkcs11.util.ec.encode_named_curve_parameters("secp256r1")
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
            )
            parameters.generate_keypair(store=True, label="root", id=b"\x02")
        yield Token(SOFTHSM, "estate")


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    path.write_text(f"{PIN}\n")
    path.chmod(0o600)
    return path
