# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the firewall that is taken back unless somebody confirms it, on a pretended host and with the real nft."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bocage_core._common.atomic import write_file
from bocage_core._common.errors import BocageError
from bocage_core._gateway import confirm as module
from bocage_core._gateway.confirm import TIMER, Paths, apply_pending, confirm, differs, live_digest, read_state
from bocage_core._gateway.ruleset import policy_from, render
from network_namespace import NetworkNamespace, need

Answer = tuple[int, str, str]
TAKEN_BACK = "The firewall change was already taken back on this host, because no new connection confirmed it in time."


def ruleset(port: int) -> str:
    return render(
        policy_from(
            {
                "mesh_interface": "bocage0",
                "mesh_ports": [port],
                "management_prefixes": ["198.51.100.192/28"],
                "overlay_sources": ["fd7b:4c1e:90a2::/48"],
            }
        )
    )


OLD, NEW = ruleset(51820), ruleset(51821)


class FakeNft:
    """Keeps the text of our table; a file replaces it as a whole or takes it away."""

    def __init__(self) -> None:
        self.table: str | None = None

    def __call__(self, command: list[str]) -> Answer:
        if "list" in command:
            return (0, self.table, "") if self.table is not None else (1, "", "Error: No such file or directory\n")
        text = Path(command[-1]).read_text()
        if "nonsense" in text:
            return 1, "", "syntax error, unexpected string\n"
        if "--check" not in command:
            rest = text[text.index("delete table inet bocage\n") :].removeprefix("delete table inet bocage\n")
            self.table = rest or None
        return 0, "", ""


class Host:
    """nft in one of two ways, and systemd's timer in the hand of the test."""

    def __init__(self, nft: Callable[[list[str]], Answer]) -> None:
        self.nft = nft
        self.timer: list[str] | None = None
        self.commands: list[list[str]] = []
        self.fail_at: str | None = None
        self.when_stopped: Callable[[], None] = lambda: None

    def __call__(self, command: list[str]) -> Answer:
        self.commands.append(command)
        words = " ".join(command)
        if self.fail_at is not None and self.fail_at in words:
            return 1, "", "it failed\n"
        match command[0]:
            case "nft":
                return self.nft(command)
            case "sh":
                return self._script(command[1])
            case "systemd-run":
                if self.timer is not None:
                    return 1, "", "Unit was already loaded\n"
                self.timer = command
            case "systemctl":
                if command[1] == "stop":
                    self.when_stopped()
                    self.timer = None
        return 0, "", ""

    def _script(self, path: str) -> Answer:
        """`revert.sh`, word for word but for where its nft runs."""
        script = Path(path).read_text().splitlines()
        assert script[0].startswith("# Managed by Bocage")
        load, _and, remove = script[1].partition(" && ")
        assert load.startswith("nft -f '") and remove.startswith("rm -f '")
        answer = self.nft(["nft", "--file", load.split("'")[1]])
        if answer[0] == 0:
            subprocess.run(["sh", "-c", remove], check=True)
        return answer

    def time_out(self) -> None:
        assert self.timer is not None
        program = self.timer[-2:]
        self.timer = None
        assert program[0] == "/bin/sh"
        assert self._script(program[1])[0] == 0

    def count(self, word: str) -> int:
        return len([command for command in self.commands if word in command])


@pytest.fixture(scope="module")
def namespace() -> Iterator[NetworkNamespace]:
    need("nft")
    with NetworkNamespace() as made:
        made.must("nft", "add", "table", "inet", "others")
        yield made


@pytest.fixture(params=["pretended", "real"])
def host(request: pytest.FixtureRequest) -> Host:
    if request.param == "pretended":
        return Host(FakeNft())
    real: NetworkNamespace = request.getfixturevalue("namespace")
    real.run(["nft", "delete", "table", "inet", "bocage"])
    return Host(real.run)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "nftables")


def converge(host: Host, paths: Paths, text: str) -> None:
    confirm(paths, apply_pending(paths, text, host, 30), host)


def test_from_nothing_to_confirmed(host: Host, paths: Paths) -> None:
    assert differs(paths, OLD, host)
    token = apply_pending(paths, OLD, host, 30)
    assert host.timer is not None
    assert host.timer == [
        "systemd-run", "--quiet", f"--unit={TIMER}", "--on-active=30s", "--timer-property=AccuracySec=100ms",
        "/bin/sh", str(paths.revert),
    ]  # fmt: skip
    assert not paths.active.exists(), "a boot before the confirmation loads nothing of it"
    assert differs(paths, OLD, host)
    confirm(paths, token, host)
    assert (paths.active.read_text(), paths.pending.exists(), host.timer) == (OLD, False, None)
    assert not differs(paths, OLD, host)
    assert differs(paths, NEW, host)


def test_a_change_that_nobody_confirms_is_taken_back(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    before = live_digest(host)
    token = apply_pending(paths, NEW, host, 30)
    assert live_digest(host) != before
    host.time_out()
    assert live_digest(host) == before
    assert (paths.active.read_text(), paths.pending.exists()) == (OLD, False)
    with pytest.raises(BocageError) as refused:
        confirm(paths, token, host)
    assert str(refused.value) == TAKEN_BACK
    assert not differs(paths, OLD, host)


def test_the_first_change_of_all_is_taken_back_to_no_table(host: Host, paths: Paths) -> None:
    apply_pending(paths, OLD, host, 30)
    assert live_digest(host) is not None
    host.time_out()
    assert live_digest(host) is None


def test_the_next_run_takes_back_what_an_interrupted_one_left(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    before = live_digest(host)
    apply_pending(paths, NEW, host, 30)
    token = apply_pending(paths, ruleset(4000), host, 30)
    assert paths.previous.read_text().count("51820"), "the way back leads to what was confirmed, not to what was tried"
    host.time_out()
    assert live_digest(host) == before
    with pytest.raises(BocageError):
        confirm(paths, token, host)


def test_a_timer_that_fires_while_the_change_is_confirmed_wins(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    before = live_digest(host)
    token = apply_pending(paths, NEW, host, 30)
    host.when_stopped = host.time_out
    with pytest.raises(BocageError) as refused:
        confirm(paths, token, host)
    assert str(refused.value) == TAKEN_BACK
    assert (live_digest(host), paths.active.read_text()) == (before, OLD)
    assert not differs(paths, OLD, host)
    assert differs(paths, NEW, host)


def test_a_revert_that_was_stopped_half_way_is_not_confirmed(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    token = apply_pending(paths, NEW, host, 30)
    # the table is back, and the file is not gone yet
    assert host.nft(["nft", "--file", str(paths.previous)])[0] == 0
    with pytest.raises(BocageError):
        confirm(paths, token, host)
    assert differs(paths, NEW, host)
    host.when_stopped = lambda: None
    converge(host, paths, NEW)
    assert not differs(paths, NEW, host)


def test_only_the_change_that_waits_is_confirmed(host: Host, paths: Paths) -> None:
    token = apply_pending(paths, OLD, host, 30)
    with pytest.raises(BocageError):
        confirm(paths, "0123456789abcdef", host)
    assert host.timer is not None, "the change still waits"
    confirm(paths, token, host)


def test_a_table_that_was_altered_or_flushed_on_the_host_differs(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    paths.pending.write_text(NEW)
    assert host.nft(["nft", "--file", str(paths.pending)])[0] == 0
    paths.pending.unlink()
    assert differs(paths, OLD, host)
    converge(host, paths, OLD)
    assert not differs(paths, OLD, host)
    paths.active.write_text(NEW)
    assert differs(paths, OLD, host)


def test_a_ruleset_that_nft_refuses_changes_nothing(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    before = live_digest(host)
    with pytest.raises(BocageError) as refused:
        apply_pending(paths, OLD.replace("drop", "nonsense", 1), host, 30)
    assert str(refused.value).startswith("nft refuses the planned ruleset, and nothing was changed: ")
    assert "syntax error" in str(refused.value)
    assert (live_digest(host), paths.pending.exists(), host.timer) == (before, False, None)
    assert not differs(paths, OLD, host)


def test_without_a_timer_nothing_is_loaded(host: Host, paths: Paths) -> None:
    converge(host, paths, OLD)
    before = live_digest(host)
    host.fail_at = "systemd-run"
    with pytest.raises(BocageError) as refused:
        apply_pending(paths, NEW, host, 30)
    assert str(refused.value) == (
        "The timer that takes a firewall change back could not be started, and nothing was changed: it failed"
    )
    host.fail_at = None
    assert live_digest(host) == before
    converge(host, paths, NEW)


def test_a_ruleset_that_does_not_load_is_told(host: Host, paths: Paths) -> None:
    host.fail_at = "nft --file"
    with pytest.raises(BocageError, match="nft could not load the planned ruleset: it failed"):
        apply_pending(paths, NEW, host, 30)


def test_a_revert_that_fails_stops_the_next_change(host: Host, paths: Paths) -> None:
    apply_pending(paths, OLD, host, 30)
    host.fail_at = "revert.sh"
    with pytest.raises(BocageError) as refused:
        apply_pending(paths, NEW, host, 30)
    assert str(refused.value) == (
        "The unconfirmed firewall change of an earlier run could not be taken back: it failed"
    )


def test_no_confirmation_is_asked_for_with_zero_seconds(host: Host, paths: Paths) -> None:
    token = apply_pending(paths, OLD, host, 0)
    assert host.count("systemd-run") == 0
    confirm(paths, token, host)
    assert not differs(paths, OLD, host)


@pytest.mark.parametrize("number", range(4))
def test_an_interruption_at_any_file_is_finished_by_the_next_run(
    paths: Paths, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(FakeNft())
    left = [number]

    def interrupted(path: Path, data: bytes, mode: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write_file(path, data, mode)

    monkeypatch.setattr(module, "write_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        apply_pending(paths, NEW, host, 30)
    monkeypatch.undo()
    # the timer fires, or a boot makes it forget
    host.timer = None
    converge(host, paths, NEW)
    assert not differs(paths, NEW, host)


def test_notes_that_cannot_be_read_cost_one_application(paths: Paths) -> None:
    host = Host(FakeNft())
    converge(host, paths, OLD)
    paths.state.write_text("{")
    assert read_state(paths) == {}
    assert differs(paths, OLD, host)
    converge(host, paths, OLD)
    assert set(json.loads(paths.state.read_text())) == {"live_digest"}


def test_tables_of_others_stay(namespace: NetworkNamespace, paths: Paths) -> None:
    host = Host(namespace.run)
    converge(host, paths, OLD)
    apply_pending(paths, NEW, host, 30)
    host.time_out()
    assert "table inet others" in namespace.must("nft", "list", "tables")
