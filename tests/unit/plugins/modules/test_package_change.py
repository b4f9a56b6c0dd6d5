# SPDX-License-Identifier: GPL-3.0-or-later
"""A change is made beside the keys, taken in by the publisher, and made once."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.errors import BocageError
from ansible_collections.bocage.fleet.plugins.module_utils._common.refused import Refused
from ansible_collections.bocage.fleet.plugins.module_utils._common.rollout import State
from ansible_collections.bocage.fleet.plugins.module_utils._packages import (
    estate_roots,
    rollout_document,
    rollout_repository,
)
from ansible_collections.bocage.fleet.plugins.modules import package_change
from publishing_estate import PASSPHRASE, Estate


@pytest.fixture
def estate(tmp_path: Path, capsys: pytest.CaptureFixture[str], call_module: Any) -> Estate:
    """An estate whose repository was begun."""
    made = Estate(tmp_path, capsys)
    assert not made.packager("export", "--output", tmp_path / "x", tmp_path / "repository")["exists"]
    begun = call_module(package_change, **made.options())
    assert begun["steps"] == ["begin a repository with rollouts"]
    assert made.commit()["new"]
    return made


def test_four_calls(estate: Estate, call_module: Any, tmp_path: Path) -> None:
    (tmp_path / "editor.json").write_text("{}")
    files = [{"path": "rollouts/editor.json", "file": str(tmp_path / "editor.json")}]
    (tmp_path / "signed.change").unlink()
    options = estate.options(exported=estate.exported(), files=files)
    predicted = call_module(package_change, check=True, diff=True, **options)
    assert predicted["changed"] and predicted["diff"]["after"] == "publish rollouts/editor.json\n"
    assert not (tmp_path / "signed.change").exists()
    done = call_module(package_change, **options)
    assert done["steps"] == predicted["steps"] and done["lists"] == ["rollouts"] and done["bytes"] == 2
    assert PASSPHRASE not in str(done)
    assert estate.commit()["files"] == 1
    for check in (True, False):
        again = call_module(package_change, check=check, **estate.options(exported=estate.exported(), files=files))
        assert (again["changed"], again["steps"]) == (False, [])
    retired = estate.options(exported=estate.exported(), retired=["rollouts/editor.json", "rollouts/never.json"])
    assert call_module(package_change, **retired)["steps"] == ["retire rollouts/editor.json"]
    estate.commit()
    assert not call_module(package_change, **{**retired, "exported": estate.exported()})["changed"]


def test_delegations_follow_what_is_declared(estate: Estate, call_module: Any) -> None:
    options = estate.options(exported=estate.exported(), delegations=["rollouts", "crl"])
    assert call_module(package_change, **options)["steps"] == ["delegate to rollouts, crl"]
    assert sorted(estate.commit()["lists"]) == ["crl", "targets"]
    assert not call_module(package_change, **{**options, "exported": estate.exported()})["changed"]


def test_who_has_not_the_key_is_told_which(estate: Estate, call_module: Any, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    (estate.secret / "rollouts.key").unlink()
    files = [{"path": "rollouts/x.json", "file": str(tmp_path / "x.json")}]
    failed = call_module(package_change, **estate.options(exported=estate.exported(), files=files))
    assert failed["msg"] == "No key of the delegation rollouts was given, which has to sign this change."


def test_a_publisher_that_lies_is_not_believed(estate: Estate, call_module: Any, tmp_path: Path) -> None:
    exported = Path(estate.exported())
    raw = exported.read_bytes()
    exported.write_bytes(raw.replace(b'"targets": {}', b'"targets": []').replace(b'"targets":{}', b'"targets":[]'))
    assert exported.read_bytes() != raw
    failed = call_module(package_change, **estate.options(exported=str(exported)))
    assert "Traceback" not in failed["msg"] and failed["msg"]
    exported.write_bytes(raw[:700])
    assert "cannot be read" in call_module(package_change, **estate.options(exported=str(exported)))["msg"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"delegations": ["everything"]}, "cannot be read: No such file or directory"),
        ({"passphrase_file": "/nonexistent"}, "The passphrase file /nonexistent cannot be read"),
        ({"trust_directory": "/nonexistent"}, "The root of packages /nonexistent/root.json cannot be read"),
        ({"files": [{"path": "etc/passwd", "file": "/etc/hostname"}]}, "is not the path of a target"),
        ({"files": [{"path": "rollouts/x", "file": "/nonexistent"}]}, "The file /nonexistent cannot be read"),
        ({"packages": [{"file": "/nonexistent.wapt"}]}, "/nonexistent.wapt"),
        ({"files": [{"path": "base/x_1.wapt", "file": "/etc/hostname"}]}, "give /etc/hostname among the packages"),
    ],
)
def test_what_cannot_be(estate: Estate, call_module: Any, changes: dict[str, Any], sentence: str) -> None:
    failed = call_module(package_change, **{**estate.options(exported=estate.exported()), **changes})
    assert sentence in failed["msg"]


def test_rollouts_come_with_what_is_exported_and_are_believed_by_their_hash(
    estate: Estate, call_module: Any, tmp_path: Path
) -> None:
    definition = {"name": "editor-2", "salt": "s", "rings": [{"name": "all", "share_percent": 100}]}
    document = rollout_document.RolloutDocument({**definition, "expires": "2030-01-01T00:00:00Z"}, State(), {}, {}, ())
    (tmp_path / "editor-2.json").write_bytes(rollout_document.render(document))
    files = [{"path": "rollouts/editor-2.json", "file": str(tmp_path / "editor-2.json")}]
    call_module(package_change, **estate.options(exported=estate.exported(), files=files))
    estate.commit()
    archive, known = Path(estate.exported()), estate_roots.read(estate.trust)

    def read(name: str) -> rollout_repository.Repository:
        (tmp_path / name).mkdir()
        return rollout_repository.read_exported(archive, tmp_path / name, known, timestamps.now())

    assert read("good").rollouts == {"editor-2": document}
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace(b'"salt":"s"', b'"salt":"t"'))
    with pytest.raises(Refused, match=r"The rollout rollouts/editor-2\.json is not the one that is listed"):
        read("altered")
    archive.write_bytes(raw)
    with tarfile.open(archive, "a") as opened:
        opened.add(tmp_path / "editor-2.json", f"targets/base/{'a' * 64}.editor-2.json")
    with pytest.raises(BocageError, match="holds more than metadata"):
        read("elsewhere")
