# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of users: set up once for each version, never root's, and what fails is shown and reported."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import main as agent_main
from bocage_agent import packages_door, packages_session, packages_sessions, packages_verbs
from bocage_agent.packages_report import section
from bocage_agent.packages_session import Failure, environment, set_up
from bocage_core._common.errors import BocageError
from bocage_core._state.inventory_drift import package_drift
from bocage_core._state.sections import check_sections
from package_fakes import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "made").mkdir()
    return Host(tmp_path)


def test_sessions_are_set_up_once_for_each_version(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    setup = "import os\ndef install():\n    pass\ndef session_setup():\n"
    setup += "    with open(os.environ['HOME'] + '/mark', 'a') as stream:\n        stream.write(control['version'])\n"
    host.library.add("a", "1", setup)
    host.install("a")
    sessions, lines = host.folder / "state" / "sessions", []
    for nothing in ([], None):
        assert set_up(sessions, home, 20, lines.append) == nothing
    assert (home / "mark").read_text() == "1"
    host.library.add("a", "2", setup)
    host.upgrade()
    with (home / ".local/state/bocage/session-setup.lock").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert set_up(sessions, home, 20, lines.append) is None, "another session does it"
    assert set_up(sessions, home, 20, lines.append) == []
    assert (home / "mark").read_text() == "12"
    host.library.add("a", "3", setup.replace("with open", "error('broken')\n    with open"))
    host.upgrade()
    for _ in range(2):
        assert set_up(sessions, home, 20, lines.append) == [Failure("a", "3", "broken")]
    assert lines[-1] == "a 3: session-setup failed: broken"
    assert [oct(one.stat().st_mode & 0o777) for one in (sessions, sessions / "a")] == ["0o755", "0o755"]
    host.remove("a")
    assert set_up(sessions, home, 20, lines.append) is None


def test_hooks_reach_the_desktop_and_the_bus_of_their_own_user(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, runtime = tmp_path / "home", tmp_path / "run"
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-of-user"))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/tmp/of-somebody-else")
    monkeypatch.setattr(packages_session, "_RUNTIME", runtime)
    own = runtime / str(os.getuid())
    own.mkdir(parents=True)
    setup = "import json, os\ndef install():\n    pass\ndef session_setup():\n"
    setup += f"    with open({str(tmp_path / 'seen')!r}, 'w') as stream:\n        json.dump(dict(os.environ), stream)\n"
    host.library.add("a", "1", setup)
    host.install("a")
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(own / "bus"))
        assert set_up(host.folder / "state" / "sessions", home, 20, lambda text: None) == []
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["XDG_RUNTIME_DIR"] == str(own)
    assert seen["DBUS_SESSION_BUS_ADDRESS"] == f"unix:path={own / 'bus'}"
    assert seen["WAYLAND_DISPLAY"] == "wayland-7" and "DISPLAY" not in seen


def test_a_bus_that_is_not_the_users_own_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment({"SECRET": "x"}, tmp_path) == {}
    own = tmp_path / str(os.getuid())
    own.mkdir()
    (own / "bus").symlink_to(tmp_path / "other")
    assert environment({}, tmp_path) == {"XDG_RUNTIME_DIR": str(own)}
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    (tmp_path / str(other)).mkdir()
    assert environment({}, tmp_path) == {}


def test_nothing_is_set_up_where_it_cannot_be_remembered(host: Host, tmp_path: Path) -> None:
    host.library.add("a", "1", "def session_setup():\n    pass\n")
    host.install("a")
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(BocageError, match=r"cannot be written: .*; nothing was set up"):
        set_up(host.folder / "state" / "sessions", tmp_path / "home", 20, print)


def test_root_has_no_session(capfd: Any) -> None:
    assert agent_main.main(["session-setup"]) == 1
    assert "session-setup sets up a user's own account, and never that of root" in capfd.readouterr().err


def broken_session(host: Host) -> Path:
    host.library.add("a", "1", "def session_setup():\n    error('broken')\n")
    host.install("a")
    return host.folder / "state"


def test_a_user_sees_what_failed_and_the_host_is_told(
    host: Host, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_session(host)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(packages_verbs.platform, "is_root", lambda: False)
    shown: list[str] = []
    monkeypatch.setattr(packages_verbs.platform, "show", lambda title, text: shown.append(text))
    told: list[Any] = []
    monkeypatch.setattr(packages_door, "ask", lambda *asked, failures: told.append(failures) or 0)
    config = tmp_path / "packages.json"
    config.write_text(json.dumps(host.document))
    for _ in range(2):
        assert agent_main.main(["session-setup", "--quiet", "--packages-config", str(config)]) == 1
    assert capfd.readouterr().err == "a 1 could not set up your session: broken\n" * 2
    assert shown == ["a 1 could not set up your session: broken"] * 2
    assert told == [[{"package": "a", "version": "1", "reason": "broken"}]] * 2
    host.library.add("a", "2", "def session_setup():\n    pass\n")
    host.upgrade()
    for _ in range(2):
        assert agent_main.main(["session-setup", "--quiet", "--packages-config", str(config)]) == 0
    assert told[2:] == [[]], "told once that it is well now"


def test_what_failed_in_sessions_is_reported_without_names(host: Host) -> None:
    state = broken_session(host)
    good = {"package": "a", "version": "1", "reason": "broken"}
    for name in ("ann", "bob"):
        packages_sessions.note(state, name, [good, {**good, "package": "b"}, {**good, "version": "0"}])
    found = section(state)
    assert found is not None
    assert found["sessions"] == [{"package": "a", "users": 2, "version": "1", "reason": "broken"}]
    check_sections({"packages": found}, "a report")
    assert package_drift(found) == ["a 1 could not set up sessions of 2 users: broken."]
    packages_sessions.note(state, "ann", [])
    found = section(state)
    assert found is not None and found["sessions"][0]["users"] == 1
    host.remove("a")
    found = section(state)
    assert found is not None and found["sessions"] == []


@pytest.mark.parametrize(
    "failures",
    [
        [1],
        [{}],
        [{"package": "a", "version": "1", "reason": 1}],
        [{"package": "a", "version": "1", "reason": "x", "more": 1}],
        [{"package": "a", "version": "1", "reason": "x"}] * 51,
    ],
)
def test_a_user_tells_of_sessions_in_one_form(host: Host, failures: list[Any]) -> None:
    state = broken_session(host)
    with pytest.raises(BocageError):
        packages_sessions.note(state, "ann", failures)
    found = section(state)
    assert found is not None and found["sessions"] == []


@pytest.mark.parametrize("reason", ["\x1b[2J", "\u202e", "x" * 5000, "a\nb", " ", "\ud800"])
def test_attack_words_of_a_user_that_would_spoil_the_report(host: Host, reason: str) -> None:
    state = broken_session(host)
    with contextlib.suppress(BocageError):
        packages_sessions.note(state, "ann", [{"package": "a", "version": "1", "reason": reason}])
    found = section(state)
    assert found is not None
    check_sections({"packages": found}, "a report")
    assert len(json.dumps(found)) < 4096
    json.dumps(found, ensure_ascii=False).encode()
