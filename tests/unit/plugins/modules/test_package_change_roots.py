# SPDX-License-Identifier: GPL-3.0-or-later
"""A new root reaches the publisher, with new holders and new keys; a publisher does not go back behind it."""

from __future__ import annotations

import json
import shutil
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bocage.fleet.plugins.module_utils._common import timestamps
from ansible_collections.bocage.fleet.plugins.module_utils._common.refused import Refused
from ansible_collections.bocage.fleet.plugins.module_utils._packages import change_plan, estate_roots
from ansible_collections.bocage.fleet.plugins.module_utils._packages.repository_replica import replicate
from ansible_collections.bocage.fleet.plugins.modules import package_change
from publishing_estate import Estate

NEW = ("root-4", "root-5", "root-6")
FORMER = ("root-1", "root-2")


class Published:
    """An estate with a repository, and a reader that knows its first root alone."""

    def __init__(self, estate: Estate, call_module: Any) -> None:
        self.estate, self.call_module = estate, call_module
        self.public = estate.folder / "repository" / "public"
        self.first = (estate.trust / "root.json").read_bytes()
        self.change(exported=None)
        estate.commit()

    def change(self, **more: Any) -> dict[str, Any]:
        options = self.estate.options(**{"exported": None, **more})
        if "exported" not in more:
            options["exported"] = self.estate.exported()
        answer: dict[str, Any] = self.call_module(package_change, **options)
        return answer

    def rollout(self, text: str = "{}") -> list[dict[str, str]]:
        file = self.estate.folder / "x.json"
        file.write_text(text)
        return [{"path": "rollouts/x.json", "file": str(file)}]

    def served(self) -> list[str]:
        return sorted(path.name for path in (self.public / "metadata").glob("*.root.json"))

    def read(self, root: bytes | None = None) -> None:
        """By a reader that has slept since the first root, or begins with another one."""
        folder = self.estate.folder / "reader"
        shutil.rmtree(folder, ignore_errors=True)
        replicate(str(self.public), folder, root or self.first)

    def signed_by(self, role: str) -> int:
        newest = max((self.public / "metadata").glob(f"*{role}.json"), key=lambda path: path.stat().st_mtime_ns)
        return len(json.loads(newest.read_text())["signatures"])


@pytest.fixture
def published(tmp_path: Path, capsys: pytest.CaptureFixture[str], call_module: Any) -> Published:
    return Published(Estate(tmp_path, capsys, targets=2), call_module)


def test_four_calls_for_new_holders_of_the_root(published: Published) -> None:
    estate = published.estate
    estate.make_keys(*NEW)
    estate.ceremony(*FORMER, holders=NEW)
    predicted = published.change(check=True, files=published.rollout())
    assert predicted["steps"] == ["take the next root"] and predicted["again"]
    assert not (estate.trust / "roots" / "served").exists()
    done = published.change(files=published.rollout())
    assert done["steps"] == predicted["steps"] and done["missing_signatures"] == {}
    assert estate.commit()["changed"]
    assert published.served() == ["1.root.json", "2.root.json"]
    rest = published.change(files=published.rollout())
    assert rest["steps"] == ["publish rollouts/x.json"] and not rest["again"]
    estate.commit()
    for check in (True, False):
        again = published.change(check=check, files=published.rollout())
        assert (again["changed"], again["steps"]) == (False, [])
    published.read()
    published.read((estate.trust / "root.json").read_bytes())


def test_new_holders_of_the_top_list_sign_it_beside_the_former_ones(published: Published) -> None:
    estate = published.estate
    estate.make_keys("targets-3", "targets-4")
    estate.holders = ["targets-3", "targets-4"]
    estate.ceremony()
    kept = estate.folder / "kept"
    shutil.copytree(estate.secret, kept)
    for name in ("targets-2", "targets-4"):
        (estate.secret / f"{name}.key").unlink()
    lacking = published.change()
    assert lacking["missing_signatures"] == {"targets": 2}, "one for each root"
    for name in ("targets-2", "targets-4"):
        shutil.copy(kept / f"{name}.key", estate.secret)
    done = published.change()
    assert done["steps"] == ["sign targets anew", "take the next root"] and done["lists"] == ["targets"]
    estate.commit()
    assert published.signed_by("targets") == 4
    published.read()
    # from now on the former ones count for nothing, and are not asked
    for name in ("targets-1", "targets-2"):
        (estate.secret / f"{name}.key").unlink()
        estate.public(name).unlink()
    delegated = published.change(delegations=["rollouts", "crl"])
    assert delegated["steps"] == ["delegate to rollouts, crl"] and delegated["missing_signatures"] == {}
    estate.commit()
    assert published.signed_by("targets") == 2
    published.read()


def test_a_holder_of_both_roots_signs_once(published: Published) -> None:
    estate = published.estate
    estate.make_keys("targets-3")
    estate.holders = ["targets-1", "targets-3"]
    estate.ceremony()
    for name in ("targets-1", "targets-2", "targets-3"):
        shutil.move(estate.secret / f"{name}.key", estate.folder)
    assert published.change()["missing_signatures"] == {"targets": 3}
    shutil.move(estate.folder / "targets-1.key", estate.secret)
    assert published.change()["missing_signatures"] == {"targets": 2}


def test_holders_who_are_apart_sign_for_both_roots(published: Published) -> None:
    estate = published.estate
    estate.make_keys("targets-3", "targets-4")
    estate.holders = ["targets-3", "targets-4"]
    estate.ceremony()
    for name in ("targets-2", "targets-4"):
        shutil.move(estate.secret / f"{name}.key", estate.folder)
    waits = estate.folder / "unfinished.change"
    begun = published.change(unfinished=str(waits))
    assert begun["missing_signatures"] == {"targets": 2}
    assert "--root roots/1.root.json" in begun["next_step"]
    for name, lacking in (("targets-2", {"targets": 1}), ("targets-4", {})):
        signed = estate.packager(
            "sign-change", waits, "--role", "targets", "--key", estate.folder / f"{name}.key",
            "--passphrase-file", estate.folder / "passphrase", "--root", estate.trust / "roots" / "1.root.json",
        )  # fmt: skip
        assert signed["missing_signatures"] == lacking
    taken = published.change(signed=str(waits))
    assert taken["steps"] == ["take the next root", "sign targets anew"] and taken["missing_signatures"] == {}
    estate.commit()
    published.read()


def test_new_keys_of_the_publisher_sign_beside_the_old_ones_which_then_go(published: Published) -> None:
    estate = published.estate
    online = estate.folder / "online"
    estate.ceremony(generation=2)
    assert sorted(path.name for path in online.glob("*.key")) == [
        "snapshot-2.key", "snapshot.key", "timestamp-2.key", "timestamp.key",
    ]  # fmt: skip
    assert not estate.online_keys(2)["changed"], "the old ones sign what is served"
    assert published.change()["steps"] == ["take the next root"]
    estate.commit()
    assert (published.signed_by("timestamp"), published.signed_by("snapshot")) == (2, 2)
    published.read()
    assert estate.online_keys(2)["removed"] == ["snapshot.key", "timestamp.key"]
    assert sorted(path.name for path in online.iterdir()) == [
        "snapshot-2.key", "snapshot-2.pub", "timestamp-2.key", "timestamp-2.pub",
    ]  # fmt: skip
    published.change(files=published.rollout())
    estate.commit()
    assert published.signed_by("timestamp") == 1
    published.read()
    assert estate.packager("check-keys", estate.folder / "repository")["clean"]


def test_keys_of_the_publisher_that_are_lost(published: Published) -> None:
    """A rebuilt publisher has its repository from a copy, and no key."""
    estate = published.estate
    shutil.rmtree(estate.folder / "online")
    estate.ceremony(generation=2)
    assert published.change()["steps"] == ["take the next root"]
    with pytest.raises(AssertionError, match="while keys are rotated the old and the new ones"):
        estate.commit()
    assert estate.packager(
        "commit", "--plan", "--root-first", estate.folder / "signed.change", "--keys", estate.folder / "online",
        estate.folder / "repository",
    )["changed"]  # fmt: skip
    assert estate.commit("--root-first")["changed"]
    published.read()


def test_keys_of_the_top_list_that_are_lost(published: Published) -> None:
    estate = published.estate
    estate.make_keys("targets-3", "targets-4")
    estate.holders = ["targets-3", "targets-4"]
    estate.ceremony()
    (estate.secret / "targets-1.key").unlink()
    assert published.change()["missing_signatures"] == {"targets": 1}
    assert published.change(root_first=True)["missing_signatures"] == {}
    with pytest.raises(AssertionError):
        estate.commit()
    estate.commit("--root-first")
    published.read()


def test_attack_a_top_list_of_too_few_that_comes_with_no_root(published: Published) -> None:
    """Leave to take a root without the keys before it is no leave for lists."""
    estate = published.estate
    (estate.secret / "targets-1.key").unlink()
    assert published.change(delegations=["rollouts", "crl"])["missing_signatures"] == {"targets": 1}
    for words in (("--root-first",), ("--plan", "--root-first")):
        with pytest.raises(AssertionError, match="targets"):
            estate.commit(*words)
    published.read()


def test_each_root_is_served_in_turn(published: Published) -> None:
    estate = published.estate
    estate.ceremony()
    estate.ceremony()
    for number in (2, 3):
        assert published.change(files=published.rollout())["steps"] == ["take the next root"]
        estate.commit()
        assert published.served()[-1] == f"{number}.root.json"
    assert published.change(files=published.rollout())["steps"] == ["publish rollouts/x.json"]
    assert (estate.trust / "roots" / "served").read_text() == "3\n"
    published.read()


def test_a_root_that_waits_also_where_the_one_before_has_ended(published: Published, tmp_path: Path) -> None:
    """Nobody published for a year: hosts took nothing any more, and the next root ends that."""
    estate = published.estate
    estate.ceremony(days=1, now=timestamps.now() - timedelta(hours=23))
    published.change()
    estate.commit()
    estate.ceremony()
    known, later = estate_roots.read(estate.trust), timestamps.now() + timedelta(hours=2)
    exported = Path(estate.exported())
    (tmp_path / "work").mkdir()
    copy = change_plan.take_exported(exported, tmp_path / "work", known, later)
    assert copy.root_bytes() == known.by_version[2]
    (tmp_path / "again").mkdir()
    with pytest.raises(Refused, match="expired"):
        change_plan.take_exported(
            exported, tmp_path / "again", estate_roots.EstateRoots({2: known.by_version[2]}), later
        )


def test_attack_a_publisher_that_goes_back_is_not_believed(published: Published) -> None:
    """Whoever has the keys of a root that was replaced shows the machine with the new keys nothing to sign."""
    estate = published.estate
    before = Path(estate.exported()).read_bytes()
    estate.ceremony()
    published.change()
    estate.commit()
    published.change()
    old = estate.folder / "old.tar"
    old.write_bytes(before)
    failed = published.change(exported=str(old))
    assert failed["msg"] == (
        "The publisher serves the root 1, and it has served the root 2 before; look who changed its repository, and"
        " restore it from a copy."
    )


def test_an_export_without_a_root(published: Published) -> None:
    empty = published.estate.folder / "empty.tar"
    tarfile.open(empty, "w").close()
    assert published.change(exported=str(empty))["msg"] == ("What the publisher exported has no root; export it again.")


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("roots/1.root.json", None, "roots/1.root.json of the trust folder is missing; restore it"),
        ("roots/2.root.json", None, "roots/2.root.json of the trust folder is missing; restore it"),
        ("roots/served", "two", "roots/served is not the number of a root; restore it"),
        ("root.json", "{}", "root"),
    ],
)
def test_a_trust_folder_that_lacks_something(published: Published, path: str, text: str | None, sentence: str) -> None:
    published.estate.ceremony()
    published.estate.ceremony()
    file = published.estate.trust / path
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    failed = published.change()
    assert sentence in failed["msg"] and "Traceback" not in failed["msg"]


def test_what_others_signed_brings_a_root_of_the_estate(published: Published) -> None:
    estate = published.estate
    estate.ceremony()
    published.change()
    signed = estate.folder / "signed"
    shutil.copy(estate.folder / "signed.change", signed)
    assert published.change(signed=str(signed))["steps"] == ["take the next root"]
    estate.commit()
    assert not published.change(signed=str(signed))["changed"], "it was taken in"
    estate.ceremony()
    published.change()
    estate.commit()
    assert "its list root is not the next one" in published.change(signed=str(signed))["msg"]
