# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of the command line: exit codes, one sentence for bad input, JSON where it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from bocage_core._common.errors import BadInput, BocageError
from bocage_core._common.refused import Refused
from bocage_packager import main as program
from bocage_packager.answers import moment, plain
from packager_calls import ROOT, Call, Say


@pytest.mark.parametrize(("first", "second", "result"), [("1.0-1", "1.0-2", -1), ("1", "1.0.0", 0), ("10-1", "9-1", 1)])
def test_compare_versions(call: Call, first: str, second: str, result: int) -> None:
    assert call("compare-versions", first, second) == (0, {"result": result})


def test_compare_versions_for_people(say: Say) -> None:
    assert say("compare-versions", "1.0-1", "1.0-2") == (0, "-1\n", "")


def test_a_version_that_is_none_is_bad_input(call: Call, say: Say) -> None:
    status, document = call("compare-versions", "1.0", "1.0-rc1")
    assert status == 2
    assert "1.0-rc1" in document["error"]
    status, output, error = say("compare-versions", "1.0", "1.0-rc1")
    assert (status, output) == (2, "")
    assert error == f"bocage-package: {document['error']}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "The following arguments are required: VERB; see bocage-package --help."),
        (
            ["compare-versions", "1"],
            "The following arguments are required: B; see bocage-package compare-versions --help.",
        ),
        (["verify", "a.wapt"], "The following arguments are required: --trust; see bocage-package verify --help."),
        (["compare-versions", "1", "2", "--jso"], "Unrecognized arguments: --jso; see bocage-package --help."),
    ],
)
def test_usage_is_one_sentence(say: Say, arguments: list[str], sentence: str) -> None:
    assert say(*arguments) == (2, "", f"bocage-package: {sentence}\n")


def test_an_unknown_verb(say: Say) -> None:
    status, output, error = say("veryfy")
    assert (status, output) == (2, "")
    assert error.startswith("bocage-package: Argument VERB: invalid choice: 'veryfy'")
    assert error.count("\n") == 1


def test_json_may_stand_before_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--json", "compare-versions", "1", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == {"result": -1}


def test_usage_as_json_is_a_verdict_where_one_is_read(call: Call) -> None:
    status, document = call("verify", "a.wapt")
    assert status == 2
    assert document["accepted"] is False
    assert document["reason"] == document["error"]


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--help"])
    assert ended.value.code == 0
    assert "2  usage or bad input" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInput("No."), 2),
        (Refused("malformed", "No."), 1),
        (BocageError("No."), 3),
        (FileNotFoundError(2, "No such file or directory", "x"), 2),
        (OSError(28, "No space left on device", "x"), 3),
        (RuntimeError("surprise"), 3),
    ],
)
def test_each_failure_is_one_sentence(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fails(_options: object) -> None:
        raise error

    monkeypatch.setattr(program, "_answer", fails)
    found, document = call("show", "x")
    assert found == status
    assert document["error"].endswith((".", "surprise"))


def test_words_of_strangers_do_not_control_the_terminal() -> None:
    assert plain("a\x1b[2J\u202eb\nc") == "a\\x1b[2J\\u202eb\\nc"


@pytest.mark.parametrize(
    "text", ["2026-11-21T12:00:00", "2026-11-21T12:00:00Z", "2026-11-21T13:00:00+01:00", "2026-11-21 12:00:00"]
)
def test_times(text: str) -> None:
    assert moment(text).isoformat() == "2026-11-21T12:00:00+00:00"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+23:00"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(BadInput, match="is not a time such as"):
        moment(text)


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "bocage_packager", "compare-versions", "1.10", "1.9", "--json"]
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"result": 1}\n', "")


def test_a_terminal_that_knows_no_such_letters() -> None:
    command = [sys.executable, "-m", "bocage_packager", "compare-versions", "1", "\u00e9\u4e16"]
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


def test_a_short_call_loads_no_cryptography() -> None:
    code = (
        "import sys; from bocage_packager.main import main; main(['compare-versions', '1', '2']);"
        " sys.exit([one for one in ('cryptography', 'tuf', 'httpx', 'securesystemslib') if one in sys.modules] != [])"
    )
    environment = {"PYTHONPATH": str(ROOT / "build" / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
