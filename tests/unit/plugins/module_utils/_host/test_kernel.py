# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._host import kernel
from bocage_core._host.kernel import ensure_settings

SETTINGS = {"net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "4096 131072 6291456", "net/ipv4/conf/lan.5/forwarding": "1"}


class Kernel:
    def __init__(self, folder: Path) -> None:
        self.live, self.folder = folder / "live", folder / "etc"
        self.folder.mkdir()
        for name, value in {
            "net/ipv4/ip_forward": "0\n",
            "net/ipv4/tcp_rmem": "4096\t131072\t6291456\n",
            "net/ipv4/conf/lan.5/forwarding": "0\n",
        }.items():
            path = self.live / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value)

    def ensure(self, settings: dict[str, Any], check: bool = False) -> dict[str, Any]:
        return ensure_settings("60-demo", settings, check, self.folder, self.live)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    # whoever runs the tests, in the place of root
    monkeypatch.setattr(kernel, "OWNER", str(os.getuid()))
    return Kernel(tmp_path)


def test_four_calls(host: Kernel) -> None:
    predicted = host.ensure(SETTINGS, check=True)
    assert predicted["changed"] and list(host.folder.iterdir()) == []
    done = host.ensure(SETTINGS)
    assert done == predicted
    assert Path(done["path"]).read_text() == (
        "# Managed by Bocage\nnet.ipv4.ip_forward = 1\nnet.ipv4.tcp_rmem = 4096 131072 6291456\n"
        "net/ipv4/conf/lan.5/forwarding = 1\n"
    )
    assert (host.live / "net/ipv4/ip_forward").read_text() == "1\n"
    assert (host.live / "net/ipv4/tcp_rmem").read_text() == "4096\t131072\t6291456\n", "what is so is not set"
    assert done["diff"][1]["before"] == "net.ipv4.ip_forward = 0\nnet/ipv4/conf/lan.5/forwarding = 0\n"
    for check in (True, False):
        assert host.ensure(SETTINGS, check) == {"changed": False, "path": done["path"], "diff": []}


def test_an_altered_live_setting_and_an_altered_file_are_put_right(host: Kernel) -> None:
    done = host.ensure(SETTINGS)
    (host.live / "net/ipv4/ip_forward").write_text("0\n")
    (diff,) = host.ensure(SETTINGS)["diff"]
    assert (diff["before"], diff["after"]) == ("net.ipv4.ip_forward = 0\n", "net.ipv4.ip_forward = 1\n")
    Path(done["path"]).chmod(0o666)
    assert host.ensure(SETTINGS)["changed"] and not host.ensure(SETTINGS)["changed"]


def test_a_setting_that_the_kernel_has_not(host: Kernel) -> None:
    missing = {"net.ipv4.none": 1}
    assert host.ensure(missing, check=True)["changed"]
    with pytest.raises(BocageError, match=r"^The kernel of this host has no setting net.ipv4.none: No such file"):
        host.ensure(missing)


def test_a_kernel_that_keeps_its_own_value(host: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_set", lambda *_given: None)
    with pytest.raises(BocageError, match=r"^The kernel keeps net.ipv4.ip_forward at 0 instead of 1.$"):
        host.ensure({"net.ipv4.ip_forward": 1})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"net.ipv4.ip_forward": True}, "needs a number or a line of text"),
        ({"net.ipv4.ip_forward": "1\nkernel.x = 2"}, "needs a number or a line of text"),
        ({"../etc/passwd": 1}, "is no name of a setting"),
        ({"net/../../etc": 1}, "is no name of a setting"),
        ({"forwarding": 1}, "is no name of a setting"),
    ],
)
def test_settings_that_are_none(host: Kernel, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        host.ensure(settings)
    with pytest.raises(BadInput, match="cannot be the name of a file"):
        ensure_settings("../x", {}, True)
