# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to a sealed file, folder or account is told."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bocage_agent.observe_files import Files
from sealed_host import SealedHost, account, file

CONF = "/etc/x.conf"


def replace_by_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved").name)


def edit_and_set_the_time_back(path: Path) -> None:
    before = path.stat()
    path.write_text("Secret")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda path: path.write_text("other"), f"{CONF} was altered on the host."),
        (edit_and_set_the_time_back, f"{CONF} was altered on the host."),
        (lambda path: path.chmod(0o777), f"{CONF} has the mode 0777 instead of 0644."),
        (lambda path: path.chmod(0o4644), f"{CONF} has the mode 4644 instead of 0644."),
        (lambda path: path.unlink(), f"{CONF} was removed on the host."),
        (lambda path: (path.unlink(), path.mkdir()), f"{CONF} is a folder instead of a file."),
        (replace_by_link, f"{CONF} is a link instead of a file."),
        (lambda path: (path.unlink(), os.mkfifo(path)), f"{CONF} is neither file, folder nor link instead of a file."),
        (lambda path: path.parent.rename(path.parent.with_name("moved")), f"{CONF} was removed on the host."),
    ],
)
def test_a_sealed_file_is_watched(sealed: SealedHost, change: Callable[[Path], object], finding: str) -> None:
    sealed.seal(file(CONF))
    assert sealed.findings() == []
    change(sealed.path(CONF))
    if not sealed.path("/etc/os-release").exists():
        (sealed.root / "etc").mkdir(exist_ok=True)
        sealed.put("/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
    assert sealed.findings() == [finding]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_sealed_file_is_watched(sealed: SealedHost) -> None:
    sealed.seal(file(CONF))
    os.chown(sealed.path(CONF), 12, 34)
    assert sealed.findings() == [
        f"{CONF} belongs to the user 12 instead of 0.",
        f"{CONF} belongs to the group 34 instead of 0.",
    ]


def test_a_file_that_is_only_touched_is_not_altered(sealed: SealedHost) -> None:
    sealed.seal(file(CONF))
    os.utime(sealed.path(CONF))
    assert sealed.findings() == []


def test_absence_is_sealed_too(sealed: SealedHost) -> None:
    sealed.seal(file("/etc/gone", "absent"))
    sealed.put("/etc/gone", "")
    assert sealed.findings() == ["/etc/gone exists, but the role removed it."]


def test_a_folder_is_watched_but_not_what_is_in_it(sealed: SealedHost) -> None:
    sealed.path("/etc/d").mkdir(mode=0o700)
    sealed.seal(file("/etc/d", "directory"))
    sealed.put("/etc/d/new", "")
    assert sealed.findings() == []
    sealed.path("/etc/d").chmod(0o755)
    assert sealed.findings() == ["/etc/d has the mode 0755 instead of 0700."]


def test_a_link_is_watched(sealed: SealedHost) -> None:
    link = sealed.path("/etc/current")
    link.symlink_to("a")
    sealed.seal(file("/etc/current", "link"))
    link.unlink()
    link.symlink_to("b")
    assert sealed.findings() == ["/etc/current leads to b instead of a."]


def test_what_a_task_wrote_through_a_link_is_watched(sealed: SealedHost) -> None:
    link = sealed.path("/etc/through")
    link.symlink_to("x.conf")
    sealed.seal(file("/etc/through"))
    sealed.put(CONF, "other")
    assert sealed.findings() == ["what /etc/through leads to was altered on the host."]
    sealed.path(CONF).unlink()
    assert sealed.findings() == ["what /etc/through leads to was altered on the host."]


def test_a_hint_spares_reading_and_nothing_else(sealed: SealedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed.seal(file(CONF))
    read: list[str] = []
    content = Files._content
    monkeypatch.setattr(Files, "_content", lambda self, path: read.append(path) or content(self, path))
    assert sealed.findings() == []
    assert read == []
    os.utime(sealed.path(CONF))
    assert sealed.findings() == []
    assert read == [str(sealed.path(CONF))]


def test_a_file_written_a_moment_ago_gets_no_hint(tmp_path: Path) -> None:
    """The kernel's clock has ticks; what follows in the same one would look as if nothing had happened."""
    files = Files(str(tmp_path), b"k")
    (tmp_path / "x").write_text("1")
    observed, hint = files.file("/x", "file")
    assert (observed["state"], hint) == ("file", None)
    time.sleep(0.05)
    assert files.file("/x", "file")[1] is not None


def test_content_is_digested_with_a_key_of_the_host(sealed: SealedHost) -> None:
    sealed.seal(file(CONF))
    plain = hashlib.sha256(b"secret").hexdigest()
    one, other = (Files(str(sealed.root), key).file(CONF, "file")[0]["digest"] for key in (b"1", b"2"))
    assert len({plain, one, other}) == 3
    assert plain not in sealed.seal_file().read_text()
    assert (sealed.folder / "seals" / "key").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_looked_at_is_said(sealed: SealedHost) -> None:
    loop = sealed.path("/etc/loop")
    loop.symlink_to("loop")
    observed, _hint = Files(str(sealed.root), b"k").file("/etc/loop/x", "file")
    assert observed == {"error": "/etc/loop/x cannot be looked at: Too many levels of symbolic links."}


@pytest.mark.parametrize(
    ("change", "notices"),
    [
        (lambda top: (top / "a" / "new").write_text(""), True),
        (lambda top: (top / "a" / "one").write_text("2"), True),
        (lambda top: (top / "a" / "one").chmod(0o600), True),
        (lambda top: (top / "a" / "one").rename(top / "a" / "two"), True),
        (lambda top: (top / "a" / "one").unlink(), True),
        (lambda top: (top / "a").chmod(0o700), True),
        (lambda top: top.chmod(0o700), True),
        (lambda top: ((top / "link").unlink(), (top / "link").symlink_to("b")), True),
        (lambda top: (top / "__pycache__" / "one.pyc").write_text("2"), False),
        (lambda top: (top / "a" / "__pycache__").mkdir(), False),
        (lambda top: (top / "a" / "one").read_text(), False),
    ],
)
def test_a_sealed_folder_is_watched_to_its_depth(
    sealed: SealedHost, change: Callable[[Path], object], notices: bool
) -> None:
    top = sealed.path("/opt/program")
    sealed.put("/opt/program/a/one", "1")
    sealed.put("/opt/program/__pycache__/one.pyc", "1")
    (top / "link").symlink_to("a")
    sealed.seal({"kind": "tree", "name": "/opt/program"})
    assert sealed.findings() == []
    change(top)
    assert sealed.findings() == (["files in /opt/program were altered on the host."] if notices else [])


def test_a_folder_that_is_gone_is_said(sealed: SealedHost) -> None:
    top = sealed.path("/opt/program")
    top.mkdir(parents=True)
    sealed.seal({"kind": "tree", "name": "/opt/program"})
    top.rename(top.with_name("moved"))
    assert sealed.findings() == ["/opt/program was removed."]
    top.symlink_to("moved")
    assert sealed.findings() == ["/opt/program was removed."]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("shop:x:990:980::/srv/shop:/bin/false\n", "", "the account shop does not exist."),
        ("/bin/false", "/bin/bash", "the account shop has the shell /bin/bash instead of /bin/false."),
        ("/srv/shop", "/tmp", "the account shop has the home /tmp instead of /srv/shop."),
        ("990", "0", "the account shop has the number 0 instead of 990."),
        ("980::", "0::", "the account shop has the group 0 instead of 980."),
    ],
)
def test_an_account_is_watched(sealed: SealedHost, old: str, new: str, finding: str) -> None:
    sealed.seal(account("shop"), account("nobody", "absent"))
    accounts = sealed.path("/etc/passwd")
    accounts.write_text(accounts.read_text().replace(old, new))
    assert sealed.findings() == [finding]


def test_the_groups_of_an_account_are_watched(sealed: SealedHost) -> None:
    sealed.seal(account("shop"), account("intruder", "absent"))
    sealed.put("/etc/group", "root:x:0:shop\nadm:x:4:shop\n")
    assert sealed.findings() == ["the account shop is in the groups adm, root instead of adm."]
    sealed.put("/etc/group", "adm:x:4:shop\n")
    with sealed.path("/etc/passwd").open("a") as accounts:
        accounts.write("intruder:x:0:0::/:/bin/sh\n")
    assert sealed.findings() == ["the account intruder exists, but the role removed it."]


def test_a_seal_holds_numbers_and_texts_only(sealed: SealedHost) -> None:
    sealed.seal(file(CONF), account("shop"))
    assert json.loads(sealed.seal_file().read_text()).keys() == {"desired", "observed"}
