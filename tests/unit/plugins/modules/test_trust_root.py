# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.modules import trust_root
from bocage_core._common import dsse
from bocage_core._state.trust import read_action_keys


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {
        "trust_directory": str(tmp_path / "inventory/trust"),
        "key_file": str(tmp_path / "keys/enrolment.key"),
    }


def test_four_calls(call_module: Any, options: dict[str, str]) -> None:
    key, public = Path(options["key_file"]), Path(options["trust_directory"], "enrolment.pub")
    predicted = call_module(trust_root, check=True, **options)
    assert (predicted["changed"], predicted["key_id"]) == (True, None)
    assert not key.exists() and not public.exists()
    done = call_module(trust_root, diff=True, **options)
    assert done["changed"] and "a new private key" in done["diff"]["after"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert dsse.public_key_from_pem(public.read_bytes()) == dsse.public_key_of(key.read_bytes())
    assert done["key_id"] == dsse.key_id(dsse.public_key_of(key.read_bytes()))
    assert key.read_text().splitlines()[1] not in str(done)
    for check in (True, False):
        again = call_module(trust_root, check=check, **options)
        assert (again["changed"], again["key_id"]) == (False, done["key_id"])


def test_the_public_half_of_a_key_that_was_brought_is_pinned(call_module: Any, options: dict[str, str]) -> None:
    key = Path(options["key_file"])
    key.parent.mkdir()
    key.write_bytes(dsse.generate_private_key())
    key.chmod(0o644)
    assert call_module(trust_root, **options)["changed"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not call_module(trust_root, **options)["changed"]


def test_a_pinned_key_is_not_replaced(call_module: Any, options: dict[str, str]) -> None:
    call_module(trust_root, **options)
    public = Path(options["trust_directory"], "enrolment.pub")
    pinned = public.read_bytes()
    key = Path(options["key_file"])
    key.write_bytes(dsse.generate_private_key())
    assert "pins another key" in call_module(trust_root, **options)["msg"]
    key.unlink()
    assert "bring the key from its holder" in call_module(trust_root, **options)["msg"]
    assert not key.exists() and public.read_bytes() == pinned


def test_the_private_key_stays_out_of_the_inventory(call_module: Any, options: dict[str, str]) -> None:
    inside = str(Path(options["trust_directory"]).parent / "keys/enrolment.key")
    result = call_module(trust_root, **{**options, "key_file": inside})
    assert result["failed"] and "keep it elsewhere" in result["msg"]


def test_a_key_of_another_kind_is_named_without_its_bytes(call_module: Any, options: dict[str, str]) -> None:
    key = Path(options["key_file"])
    key.parent.mkdir()
    key.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    message = call_module(trust_root, **options)["msg"]
    assert str(key) in message and "c2VjcmV0" not in message


def test_the_key_of_seals_is_another_and_beside_it(call_module: Any, options: dict[str, str]) -> None:
    call_module(trust_root, **options)
    first = Path(options["trust_directory"], "enrolment.pub").read_bytes()
    key = Path(options["key_file"]).with_name("seal.key")
    seal = {**options, "purpose": "seal", "key_file": str(key)}
    done = call_module(trust_root, **seal)
    public = Path(options["trust_directory"], "seal.pub")
    assert done["path"] == str(public) and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert dsse.public_key_from_pem(public.read_bytes()) == dsse.public_key_of(key.read_bytes())
    assert Path(options["trust_directory"], "enrolment.pub").read_bytes() == first != public.read_bytes()
    assert not call_module(trust_root, **seal)["changed"]
    key.unlink()
    assert "bring the key from its holder" in call_module(trust_root, **seal)["msg"]


def test_a_missing_library_is_named(call_module: Any, options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_root, "MISSING_LIBRARY", "securesystemslib")
    assert "(securesystemslib)" in call_module(trust_root, **options)["msg"]


def test_each_operator_has_a_key_of_his_own_for_actions(call_module: Any, options: dict[str, str]) -> None:
    folder = Path(options["trust_directory"])
    for name in ("estate", "anna"):
        done = call_module(
            trust_root, purpose="action", name=name, **{**options, "key_file": f"{options['key_file']}.{name}"}
        )
        assert done["path"] == str(folder / "actions" / f"{name}.pub")
    assert set(read_action_keys(folder)) == {"estate", "anna"}
    wrong = call_module(trust_root, purpose="action", name="../enrolment", **options)
    assert wrong["msg"] == "The name '../enrolment' cannot be that of a key: letters, digits, dots and hyphens only."
