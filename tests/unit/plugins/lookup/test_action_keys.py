# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.bocage.fleet.plugins.lookup.action_keys import LookupModule
from bocage_core._common import dsse


def found(folder: Path) -> Any:
    lookup = LookupModule()
    lookup._load_name = "bocage.fleet.action_keys"
    lookup.set_options = lambda **_options: None
    return lookup.run([str(folder)])[0]


def test_action_keys_of_a_trust_folder(tmp_path: Path, signed_estate: Any) -> None:
    assert found(tmp_path) == {}
    (tmp_path / "actions").mkdir()
    public = signed_estate.action_key.public
    (tmp_path / "actions/anna.pub").write_bytes(dsse.public_key_to_pem(public))
    assert found(tmp_path) == {"anna": base64.b64encode(public).decode()}


def test_a_file_that_is_no_key_is_named(tmp_path: Path, signed_estate: Any) -> None:
    (tmp_path / "actions").mkdir()
    path = tmp_path / "actions/anna.pub"
    path.write_text("ssh-ed25519 AAAA")
    with pytest.raises(AnsibleError, match=r"actions/anna.pub: The public key cannot be read as PEM"):
        found(tmp_path)
    path.write_bytes(dsse.public_key_to_pem(signed_estate.action_key.public))
    shutil.copy(path, tmp_path / "actions/bert.pub")
    with pytest.raises(AnsibleError, match=r"The key in .*bert.pub is there under another name, too"):
        found(tmp_path)
    (tmp_path / "actions/bert.pub").rename(tmp_path / "actions/b t.pub")
    with pytest.raises(AnsibleError, match="has a name that no key can have"):
        found(tmp_path)
