# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bocage.fleet.plugins.module_utils._mesh import keys
from ansible_collections.bocage.fleet.plugins.modules import mesh_key

PRIVATE = "cHJpdmF0ZSBrZXkgb2YgdGhlIGZha2UgaG9zdCAxMjM="
PUBLIC = "cHVibGljIGtleSBvZiB0aGUgZmFrZSBob3N0IDEyMzQ="


class FakeWg:
    """wg(8) with one key, which it takes on standard input alone."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.installed = True
        self.makes_keys = True

    def run_command(self, _module: Any, command: list[str], data: str | None = None) -> tuple[int, str, str]:
        self.commands.append(command)
        if command == ["wg", "genkey"]:
            return (0, f"{PRIVATE}\n", "") if self.makes_keys else (1, "", "getrandom: no such call\n")
        assert command == ["wg", "pubkey"], "an argument would show in the process list"
        known = data is not None and data.strip() == PRIVATE
        return (0, f"{PUBLIC}\n", "") if known else (1, "", f"wg: Key is not the correct length: {data}\n")

    def get_bin_path(self, _module: Any, name: str) -> str | None:
        return f"/usr/bin/{name}" if self.installed else None


@pytest.fixture
def wg(monkeypatch: pytest.MonkeyPatch) -> FakeWg:
    fake = FakeWg()
    monkeypatch.setattr(AnsibleModule, "run_command", lambda *given, **more: fake.run_command(*given, **more))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *given: fake.get_bin_path(*given))
    # whoever runs the tests, in the place of root
    monkeypatch.setattr(keys, "OWNER", os.getuid())
    return fake


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mesh/private.key"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_four_calls(call_module: Any, wg: FakeWg, path: Path) -> None:
    predicted = call_module(mesh_key, check=True, path=str(path))
    assert (predicted["changed"], predicted["public_key"], wg.commands) == (True, None, [])
    assert not path.parent.exists()
    done = call_module(mesh_key, path=str(path))
    assert (done["changed"], done["public_key"]) == (True, PUBLIC)
    assert (path.read_text().strip(), mode(path), mode(path.parent)) == (PRIVATE, 0o600, 0o700)
    for check in (True, False):
        again = call_module(mesh_key, check=check, path=str(path))
        assert (again["changed"], again["public_key"]) == (False, PUBLIC)


def test_the_private_key_is_in_no_result_diff_or_command(call_module: Any, wg: FakeWg, path: Path) -> None:
    results = [call_module(mesh_key, diff=True, path=str(path)) for _unused in range(2)]
    path.chmod(0o644)
    results.append(call_module(mesh_key, diff=True, path=str(path)))
    assert PRIVATE not in json.dumps(results)
    assert results[0]["diff"] == {"before": "", "after": f"{path}: a new key\n"}
    assert PRIVATE not in json.dumps(wg.commands)
    path.write_text(f"{PRIVATE}{PRIVATE}")
    assert PRIVATE not in json.dumps(call_module(mesh_key, path=str(path)))


def test_a_key_that_others_can_read_is_closed(call_module: Any, wg: FakeWg, path: Path) -> None:
    call_module(mesh_key, path=str(path))
    path.chmod(0o640)
    predicted = call_module(mesh_key, check=True, path=str(path))
    assert (predicted["changed"], mode(path)) == (True, 0o640)
    done = call_module(mesh_key, diff=True, path=str(path))
    assert (done["changed"], done["public_key"], mode(path)) == (True, PUBLIC, 0o600)
    assert done["diff"] == {"before": f"{path}: readable by others\n", "after": f"{path}: mode 0600, owner root\n"}
    assert not call_module(mesh_key, path=str(path))["changed"]


@pytest.mark.parametrize("content", [b"no key\n", b"", b"\xff\xfe\x00"])
def test_a_file_that_holds_no_key_is_named_and_left(call_module: Any, wg: FakeWg, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    assert call_module(mesh_key, path=str(path))["msg"] == (
        f"The file {path} does not hold a WireGuard key; restore it, or move it away and enrol the host again."
    )
    assert path.read_bytes() == content


def test_without_wg_only_check_mode_goes_on(call_module: Any, wg: FakeWg, path: Path) -> None:
    wg.installed = False
    predicted = call_module(mesh_key, check=True, path=str(path))
    assert (predicted["changed"], predicted["public_key"]) == (True, None)
    assert call_module(mesh_key, path=str(path))["msg"] == (
        "The command wg is missing on this host; install the package wireguard-tools."
    )


def test_a_key_that_cannot_be_made_is_told(call_module: Any, wg: FakeWg, path: Path) -> None:
    wg.makes_keys = False
    assert call_module(mesh_key, path=str(path))["msg"] == "'wg genkey' failed on this host: getrandom: no such call"
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_told(call_module: Any, wg: FakeWg, tmp_path: Path) -> None:
    (tmp_path / "mesh").write_text("")
    assert "mesh" in call_module(mesh_key, path=str(tmp_path / "mesh/private.key"))["msg"]
