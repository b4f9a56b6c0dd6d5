# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade while the host goes down: in a declared time, and what does not fit waits for the next start."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_hooks, packages_platform, packages_rollouts, packages_verbs
from bocage_agent.packages_engine import Engine
from bocage_agent.packages_runner import Runner
from bocage_agent.packages_store import Store
from bocage_agent.packages_time import TimeLeft
from package_fakes import Host, touching


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


def made(host: Host, name: str) -> Path:
    return host.folder / "made" / name


def upgrade(host: Host, left: TimeLeft, after: Callable[[str], None] = lambda step: None) -> bool:
    store = Store.open(host.folder / "state")
    try:
        engine = Engine(
            host.settings, store, host.library, Runner(False), log=host.lines.append, clock=lambda: host.now,
            time_left=left, after=after,
        )  # fmt: skip
        engine.repair()
        return engine.upgrade()
    finally:
        store.close()


def test_time_that_is_left() -> None:
    now = 0.0
    left = TimeLeft(100, lambda: now)
    assert (left.at_most(3600), left.at_most(30), left.is_over()) == (100, 30, False)
    now = 99.9
    assert (left.at_most(3600), left.is_over()) == (1, False)
    now = 100.0
    assert (left.at_most(3600), left.is_over()) == (1, True)
    assert (TimeLeft().at_most(3600), TimeLeft().is_over()) == (3600, False)


def test_what_does_not_fit_into_the_time_waits_and_is_not_in_error(host: Host) -> None:
    now = 0.0

    def pass_time(step: str) -> None:
        nonlocal now
        now += 10 if step == "cleaned" else 0

    for name in ("a", "b", "c"):
        host.library.add(name, "1", touching(made(host, name)))
    host.changes["require"] = ["a", "b", "c"]
    assert upgrade(host, TimeLeft(15, lambda: now), pass_time) is False
    assert host.states() == {"a": ("OK", "1"), "b": ("OK", "1"), "c": ("NEED-INSTALL", None)}
    assert host.lines[-1] == "the time is over: 1 of 3 packages wait for the next start"
    # it was downloaded and accepted, so that the next start needs no network
    assert len(host.cached()) == 1
    assert host.upgrade() is True
    assert host.states()["c"] == ("OK", "1")


def test_no_download_is_begun_when_the_time_is_over(host: Host) -> None:
    host.library.add("a", "1", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    assert upgrade(host, TimeLeft(0)) is False
    assert host.library.accepted == []
    assert host.states() == {"a": ("NEED-INSTALL", None)}


def test_nothing_goes_for_what_has_no_time_to_come(host: Host) -> None:
    host.library.add("a", "1", touching(made(host, "a")))
    host.install("a")
    host.library.add("b", "1", touching(made(host, "b")), conflicts="a")
    host.changes["require"] = ["b"]
    assert upgrade(host, TimeLeft(0)) is False
    assert host.states()["a"][1] == "1"


def test_nothing_is_told_to_begin_when_the_time_is_over(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was noted once is not said again, so that it would be missing where the change does begin."""
    asked: list[list[str]] = []
    monkeypatch.setattr(packages_rollouts, "begin", lambda _store, names: asked.append(sorted(names)))
    host.library.add("a", "1", touching(made(host, "a")))
    host.changes["require"] = ["a"]
    assert upgrade(host, TimeLeft(0)) is False
    assert asked == []
    assert upgrade(host, TimeLeft()) is True
    assert asked == [["a"]]


def test_a_hook_is_cut_off_at_the_end_of_the_time_and_done_again_after_the_start(host: Host) -> None:
    marker = made(host, "slow")
    setup = f"import os, time\ndef install():\n    if not os.path.exists({str(marker)!r}):\n"
    setup += f"        open({str(marker)!r}, 'w').close()\n        time.sleep(60)\n"
    host.library.add("a", "1", setup)
    host.changes["require"] = ["a"]
    assert upgrade(host, TimeLeft(2)) is False
    assert host.states() == {"a": ("ERROR", None)}
    assert host.rows()["a"].reason.startswith("install did not end in ")
    assert host.upgrade() is True
    assert host.states() == {"a": ("OK", "1")}


def test_a_host_that_stays_up_does_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The unit is also stopped when a role changes it."""
    path = host.folder / "packages.json"
    path.write_text(json.dumps(host.document))
    monkeypatch.setattr(packages_platform, "goes_down", lambda: False)
    monkeypatch.setattr(packages_platform, "is_administrator", lambda: True)
    assert packages_verbs.main(["upgrade", "--at-shutdown", "60", "--packages-config", str(path)]) == 0
    assert "This host is not going down; nothing is done." in capfd.readouterr().err
    assert not (host.folder / "state").exists()


def test_a_host_that_goes_down_has_a_limit_and_begins_no_units(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    built: dict[str, Any] = {}
    monkeypatch.setattr("bocage_agent.packages_library.PackageLibrary", lambda *_arguments: host.library)
    monkeypatch.setattr(
        "bocage_agent.packages_engine.Engine", lambda *given, **more: built.update(more, runner=given[3])
    )
    monkeypatch.setattr(packages_platform, "systemd_runs", lambda: True)
    for seconds in (60, False):
        options = argparse.Namespace(config=None, at_shutdown=seconds)
        with packages_verbs._engine(host.settings, options, print, lambda about, done, total: None):
            assert built["runner"]._supervised is not bool(seconds)
            assert built["time_left"].at_most(3600) == (seconds - 1 if seconds else 3600)


def test_users_cannot_ask_for_it() -> None:
    """Who asks through the door gets none of the options of root."""
    options = packages_verbs._options(["packages-door"])
    assert (options.at_shutdown, options.again) == (False, False)


@pytest.mark.parametrize(
    ("state", "down", "begun"),
    [("started", True, False), ("restarted", True, False), ("stopped", True, True), ("restarted", False, True)],
)
def test_services_are_not_begun_on_a_host_that_goes_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, down: bool, begun: bool
) -> None:
    """They are enabled, and begin with the host; systemd would refuse, and the package would have failed."""
    commands: list[str] = []
    helpers = packages_hooks.Helpers(tmp_path, tmp_path, recording=False)
    monkeypatch.setattr(helpers, "run", lambda command: commands.append(" ".join(command)))
    monkeypatch.setattr(packages_hooks, "_goes_down", lambda: down)
    helpers.service("editor", state, enabled=True)
    assert commands[:2] == ["systemctl enable -- editor", "systemctl daemon-reload"]
    assert (len(commands) == 3) is begun
