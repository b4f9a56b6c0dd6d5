# SPDX-License-Identifier: GPL-3.0-or-later
"""All that WAPT's own code judged, through the command line: what is graded is what programs call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from packager_calls import ROOT, VECTORS, Call

AT = "2026-11-21T12:00:00Z"
# Where our verdict is not WAPT's: (package, store) or a package in all stores, with the reason.
STRICTER = {
    ("by-expired-ca", "root+weird"): "the authority has expired; WAPT does not look at it",
    "h-dep-with-setup-case": "setup.py in another case is executed on systems that ignore case",
    "h-none-installed": "the control file's signature is bad; WAPT looks at the manifest's alone",
    "h-trailing-space": "the control file's signature is bad; WAPT looks at the manifest's alone",
}
# Entries of an index that WAPT accepts and we don't, by case.
STRICTER_INDEX = {
    "unknown-key": ({"tis-app=1.2.3-4"}, "the entry carries a key that nobody signed"),
}


def document(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trust for each store that the vectors name."""
    folder = tmp_path_factory.mktemp("stores")
    wanted = {**document("packages")["trust_stores"], "index": document("index")["trust"], "claims": ["root-ca"]}
    for name, certificates in wanted.items():
        (folder / name).mkdir()
        for one in certificates:
            shutil.copy(VECTORS / "certs" / f"{one}.crt", folder / name)
    return folder


PACKAGES = [
    (package, store, verdict["package"] == "accept")
    for package, stores in document("packages")["verdicts"].items()
    for store, verdict in stores.items()
]


@pytest.mark.parametrize(("package", "store", "accepted"), PACKAGES)
def test_verify(stores: Path, call: Call, package: str, store: str, accepted: bool) -> None:
    status, answer = call("verify", "--trust", stores / store, "--at", AT, VECTORS / "packages" / f"{package}.wapt")
    if accepted and (package in STRICTER or (package, store) in STRICTER):
        accepted = False
    assert answer["accepted"] is accepted, answer
    assert status == (0 if accepted else 1)
    assert isinstance(answer["reason"], str)
    assert answer["reason"].endswith(".")


def test_verify_in_a_process_of_its_own(stores: Path) -> None:
    command = [sys.executable, "-m", "bocage_packager", "verify", "--trust", str(stores / "root"), "--at", AT, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build" / "src")}
    found = {}
    for name in ("ok-dev", "m-sig-bitflip"):
        file = str(VECTORS / "packages" / f"{name}.wapt")
        done = subprocess.run([*command, file], capture_output=True, text=True, check=False, env=environment)
        found[name] = (done.returncode, json.loads(done.stdout)["accepted"], done.stderr)
    assert found == {"ok-dev": (0, True, ""), "m-sig-bitflip": (1, False, "")}


@pytest.mark.parametrize(("case", "verdicts"), document("index")["verdicts"].items())
def test_verify_index(stores: Path, call: Call, case: str, verdicts: dict[str, list[str]]) -> None:
    command = ("verify-index", "--trust", stores / "index", "--at", AT, VECTORS / "index" / case / "Packages")
    status, answer = call(*command)
    refused, _reason = STRICTER_INDEX.get(case, (set(), ""))
    discarded = sorted({*verdicts["discarded"], *refused})
    assert answer["accepted_entries"] == sorted(set(verdicts["accepted"]) - refused)
    assert answer["discarded_entries"] == discarded
    assert answer["accepted"] is (not discarded)
    assert status == (1 if discarded else 0)


@pytest.mark.parametrize("case", ["filename-swapped", "size-changed", "md5-changed"])
def test_verify_index_compares_what_nobody_signed_with_the_packages(
    stores: Path, call: Call, tmp_path: Path, case: str
) -> None:
    """WAPT takes name, size and MD5 of an entry from whoever serves the index; here the packages beside it decide."""
    for path in (VECTORS / "packages").iterdir():
        shutil.copy(path, tmp_path)
    found = {}
    for one in ("good", case):
        shutil.copy(VECTORS / "index" / one / "Packages", tmp_path)
        _status, answer = call("verify-index", "--trust", stores / "index", "--at", AT, tmp_path / "Packages")
        found[one] = set(answer["discarded_entries"])
    assert found[case] - found["good"] == {"tis-app=1.2.3-4"}


CLAIMS = document("claims")


@pytest.mark.parametrize("name", CLAIMS["claims"])
def test_verify_action(stores: Path, call: Call, tmp_path: Path, name: str) -> None:
    path = tmp_path / "action.json"
    path.write_text(json.dumps(CLAIMS["claims"][name]))
    start = datetime.fromisoformat(CLAIMS["t0"])
    for claim, offset, max_age, verified in CLAIMS["rows"]:
        if claim != name:
            continue
        moment = (start + timedelta(seconds=offset)).isoformat()
        command = ("verify-action", "--trust", stores / "claims", path, "--at", moment, "--max-age", max_age)
        status, answer = call(*command)
        accepted = not isinstance(verified, dict)
        assert (status, answer["accepted"]) == (0 if accepted else 1, accepted), (offset, answer)
        assert not accepted or answer["signer"] == verified


def test_an_action_that_carries_what_nobody_signed_is_refused(stores: Path, call: Call, tmp_path: Path) -> None:
    """WAPT hands such keys to whoever carries the action out."""
    path = tmp_path / "action.json"
    path.write_text(json.dumps({**CLAIMS["claims"]["ok"], "notify_user": True}))
    status, answer = call("verify-action", "--trust", stores / "claims", path, "--at", CLAIMS["t0"])
    assert (status, answer["accepted"]) == (1, False)
    assert "nobody signed: notify_user" in answer["reason"]


@pytest.mark.parametrize("verb", ["verify", "verify-index", "verify-action"])
def test_what_is_not_there_is_bad_input_and_not_accepted(stores: Path, call: Call, tmp_path: Path, verb: str) -> None:
    for trust, file in (
        (stores / "root", tmp_path / "none"),
        (tmp_path / "none", VECTORS / "packages" / "ok-dev.wapt"),
    ):
        status, answer = call(verb, "--trust", trust, "--at", AT, file)
        assert (status, answer["accepted"]) == (2, False)
        assert answer["reason"] == answer["error"]
        assert str(tmp_path / "none") in answer["reason"]


@pytest.mark.parametrize("verb", ["verify", "verify-index", "verify-action"])
def test_noise_is_refused(stores: Path, call: Call, tmp_path: Path, verb: str) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 8)
    status, answer = call(verb, "--trust", stores / "root", "--at", AT, tmp_path / "noise")
    assert (status, answer["accepted"]) == (1, False)


@pytest.mark.parametrize("at", ["0001-01-01", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_no_time_is_too_strange(stores: Path, call: Call, at: str) -> None:
    status, answer = call("verify", "--trust", stores / "root", "--at", at, VECTORS / "packages" / "ok-dev.wapt")
    assert (status, answer["accepted"]) == (1, False), answer


@pytest.mark.parametrize("verb", ["verify", "verify-index", "verify-action"])
def test_a_pipe_is_not_waited_for(stores: Path, call: Call, tmp_path: Path, verb: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    status, answer = call(verb, "--trust", stores / "root", "--at", AT, tmp_path / "pipe")
    assert (status, answer["accepted"]) == (2, False)
    assert answer["reason"].endswith("it is not a file.")


def test_no_trust_accepts_nothing(call: Call, tmp_path: Path) -> None:
    status, answer = call("verify", "--trust", tmp_path, "--at", AT, VECTORS / "packages" / "ok-dev.wapt")
    assert (status, answer["accepted"]) == (1, False)


ROWS = document("versions")["rows"]


def test_compare_versions(call: Call) -> None:
    """As WAPT compares for requests, where it takes both as versions; refused is what its syntax refuses."""
    syntax = document("versions")["syntax"]
    for first, second, result, _other in ROWS:
        status, answer = call("compare-versions", first, second)
        refused = [one for one in (first, second) if "error" in syntax.get(one, {}) or isinstance(result, dict)]
        if "error" in answer:
            assert status == 2, (first, second)
            assert refused or not _plain(first, second), (first, second, answer)
        else:
            assert (status, answer) == (0, {"result": result}), (first, second)


def _plain(*versions: str) -> bool:
    return all(one.replace("-", ".", 1).replace(".", "").isdigit() for one in versions)
