# SPDX-License-Identifier: GPL-3.0-or-later
"""`publish`: from signed packages to what hosts find in a repository, in two places and in one."""

from __future__ import annotations

from pathlib import Path

import pytest
from bocage_core._common import timestamps
from bocage_core._packages import repository_keys, repository_root
from bocage_core._packages import repository_roles as roles
from bocage_core._packages.change_archive import write_change
from bocage_core._packages.repository import new_change
from bocage_core._packages.repository_publish import listing
from packager_calls import Call, Developer, Say

NAMES = ("root-1", "root-2", "root-3", "targets", "base", "hosts")


class Estate:
    """A repository with lists for software and for a site's hosts, and the keys of these lists elsewhere."""

    def __init__(self, folder: Path, call: Call) -> None:
        self.repository, self.online, self.folder = folder / "repository", folder / "online", folder
        _status, answer = call("online-keys", self.online)
        online = {role: repository_keys.read_public_key(text.encode()) for role, text in answer["public"].items()}
        for name in NAMES:
            repository_keys.generate_key_file(folder / f"{name}.key", b"a passphrase")
        (folder / "passphrase").write_text("a passphrase\n")
        keys = {name: repository_keys.load_signer(folder / f"{name}.key", b"a passphrase") for name in NAMES}
        holders = repository_root.holders
        plan = repository_root.RootPlan(
            holders([keys[name].public_key for name in NAMES[:3]], 2),
            holders([keys["targets"].public_key]),
            holders([online["snapshot"]]),
            holders([online["timestamp"]]),
        )
        now = timestamps.now()
        root = repository_keys.sign(repository_root.draft(plan, None, now), [keys["root-1"], keys["root-2"]], "root")
        delegations = [
            roles.Delegation("base", ("base/*",), (keys["base"].public_key,), may_execute=True),
            roles.Delegation("host-paris", ("host/paris/*",), (keys["hosts"].public_key,)),
        ]
        signers = {"targets": [keys["targets"]], "base": [keys["base"]], "host-paris": [keys["hosts"]]}
        write_change(new_change(root, delegations, signers, now), folder / "first.change")
        assert call("commit", folder / "first.change", "--keys", self.online, self.repository)[0] == 0


@pytest.fixture
def estate(tmp_path: Path, call: Call) -> Estate:
    (tmp_path / "estate").mkdir()
    return Estate(tmp_path / "estate", call)


@pytest.fixture
def package(tmp_path: Path, call: Call, developer: Developer) -> Path:
    assert call("init", tmp_path / "thing", "--version", "1.2-3")[0] == 0
    return developer.sign(call, tmp_path / "thing")


def options(estate: Estate, developer: Developer, role: str = "base", key: str = "base") -> tuple[object, ...]:
    named = (f"{role}={estate.folder / f'{key}.key'}", "--passphrase-file", estate.folder / "passphrase")
    return ("--repository", estate.repository, "--trust", developer.trust, "--key", *named)


def test_prepared_here_and_taken_in_there(
    estate: Estate, package: Path, call: Call, developer: Developer, tmp_path: Path
) -> None:
    change = tmp_path / "x.change"
    status, answer = call("publish", package, *options(estate, developer), "--output", change)
    assert (status, answer["targets"], answer["published"]) == (0, ["base/thing_1.2-3_PROD.wapt"], False)
    assert answer["missing_signatures"] == {}
    assert listing(estate.repository) == {}, "nothing is published before it is taken in"
    status, answer = call("commit", change, "--keys", estate.online, estate.repository)
    assert (status, answer["files"]) == (0, 1)
    found = listing(estate.repository)["base/thing_1.2-3_PROD.wapt"]
    assert (found["custom"]["package"], found["custom"]["version"], found["role"]) == ("thing", "1.2-3", "base")
    plain = estate.repository / "public" / "wapt"
    assert (plain / package.name).read_bytes() == package.read_bytes()
    status, verdict = call("verify-index", "--trust", developer.trust, plain / "Packages")
    assert (status, verdict["accepted_entries"]) == (0, ["thing=1.2-3"])


def test_published_at_once_and_retired(estate: Estate, package: Path, call: Call, developer: Developer) -> None:
    at_once = (*options(estate, developer), "--online-keys", estate.online)
    status, answer = call("publish", package, *at_once)
    assert (status, answer["published"], answer["lists"]) == (0, True, ["base"])
    status, answer = call("publish", "--retire", answer["targets"][0], *at_once)
    assert (status, answer["retired"]) == (0, ["base/thing_1.2-3_PROD.wapt"])
    assert listing(estate.repository) == {}
    index = estate.repository / "public" / "wapt" / "Packages"
    assert call("verify-index", "--trust", developer.trust, index)[1]["entries"] == []


def test_packages_of_hosts_need_their_site(estate: Estate, call: Call, developer: Developer, tmp_path: Path) -> None:
    call("init", tmp_path / "pc1", "--template", "host", "--package", "pc1.paris.example")
    path = developer.sign(call, tmp_path / "pc1")
    at_once = (*options(estate, developer, "host-paris", "hosts"), "--online-keys", estate.online)
    status, answer = call("publish", path, *at_once)
    assert (status, answer["error"]) == (
        2,
        "pc1.paris.example=1-1 is the package of a host; give --site with the site of the host.",
    )
    status, answer = call("publish", path, *at_once, "--site", "paris")
    assert (status, answer["targets"]) == (0, ["host/paris/pc1.paris.example.wapt"])


def test_what_hosts_refuse_is_not_published(
    estate: Estate, package: Path, call: Call, developer: Developer, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    command = [*options(estate, developer), "--online-keys", estate.online]
    command[command.index("--trust") + 1] = tmp_path / "empty"
    status, answer = call("publish", package, *command)
    assert status == 1
    assert listing(estate.repository) == {}
    assert answer["error"].endswith(".")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "There is nothing to publish; give packages, or --retire with the paths of targets."),
        (["PACKAGE", "--key", "base"], "--key base is not ROLE=FILE, as in base=base.key."),
        (["PACKAGE", "PACKAGE"], "PACKAGE is the second package for base/thing_1.2-3_PROD.wapt; publish one of them."),
    ],
)
def test_bad_input(
    estate: Estate, package: Path, call: Call, developer: Developer, arguments: list[str], sentence: str
) -> None:
    given = [one.replace("PACKAGE", str(package)) for one in arguments]
    status, answer = call("publish", *given, *options(estate, developer), "--online-keys", estate.online)
    assert (status, answer["error"]) == (2, sentence.replace("PACKAGE", str(package)))
    assert listing(estate.repository) == {}


def test_the_key_of_another_list_publishes_nothing(
    estate: Estate, package: Path, call: Call, developer: Developer
) -> None:
    status, _answer = call(
        "publish", package, *options(estate, developer, "base", "hosts"), "--online-keys", estate.online
    )
    assert status == 1
    assert listing(estate.repository) == {}


def test_what_the_next_holder_has_to_sign_is_told(
    estate: Estate, package: Path, call: Call, say: Say, developer: Developer, tmp_path: Path
) -> None:
    command = ("publish", package, *options(estate, developer, "base", "hosts"), "--output", tmp_path / "x.change")
    assert call(*command)[1]["missing_signatures"] == {"base": 1}
    assert say(*command)[1].endswith("lacks 1 signature of base; let the next holder add one with sign-change.\n")
