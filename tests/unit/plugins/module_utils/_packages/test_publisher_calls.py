# SPDX-License-Identifier: GPL-3.0-or-later
"""What a publisher and a copy are asked, and what their answers mean, without either."""

from __future__ import annotations

from typing import Any

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._packages import publisher_calls
from bocage_core._packages.publisher_calls import PROGRAM

OPTIONS: dict[str, Any] = {
    "directory": "/d",
    "keys_directory": "/k",
    "keys_generation": 2,
    "root_first": False,
    "change": "/c",
    "output": "/o",
    "upstream": ["http://a/", "http://b/"],
    "root": "/r",
    "snapshot_days": 7,
    "timestamp_hours": 24,
    "user": "u",
}
LIVES = "--snapshot-days 7 --timestamp-hours 24"
AS_USER = "setpriv --reuid=u --regid=u --clear-groups"


@pytest.mark.parametrize(
    ("command", "plan", "administrator", "expected"),
    [
        ("keys", True, True, f"{PROGRAM} online-keys --json --plan --generation 2 --repository /d /k"),
        ("export", False, True, f"{PROGRAM} export --json --output /o /d"),
        ("publish", False, True, f"{AS_USER} {PROGRAM} commit --json --keys /k {LIVES} /c /d"),
        ("init", True, False, f"{PROGRAM} commit --json --plan --keys /k {LIVES} /c /d"),
        ("refresh", False, True, f"{AS_USER} {PROGRAM} refresh --json --keys /k {LIVES} /d"),
        ("replicate", False, False, f"{PROGRAM} replicate --json --root /r --from http://a/ --from http://b/ /d"),
    ],
)
def test_words(command: str, plan: bool, administrator: bool, expected: str) -> None:
    options = {**OPTIONS, "command": command}
    assert publisher_calls.words(options, plan=plan, administrator=administrator) == expected.split()


def test_a_root_that_comes_first() -> None:
    words = publisher_calls.words({**OPTIONS, "command": "publish", "root_first": True}, plan=True, administrator=False)
    assert words[-3:] == ["--root-first", "/c", "/d"]


def test_keys_that_come_and_go_are_told() -> None:
    document = {"changed": True, "made": [], "removed": ["snapshot.key"]}
    assert publisher_calls.steps("keys", document) == ["remove snapshot.key, which no root names any more"]


@pytest.mark.parametrize(("command", "needed"), [(one, name) for one, (name,) in publisher_calls.NEEDED.items()])
def test_what_is_needed(command: str, needed: str) -> None:
    with pytest.raises(BadInput, match=f"The command {command} needs the option {needed}"):
        publisher_calls.words({**OPTIONS, "command": command, needed: None}, plan=False, administrator=True)


def entry(role: str, kind: str, state: str, signed_by: str = "holders") -> dict[str, Any]:
    return {"role": role, "kind": kind, "state": state, "expires": "2026-11-20T00:00:00Z", "signed_by": signed_by}


def test_who_has_to_sign_what_ends() -> None:
    expiries = [
        entry("base", "metadata", "expired"),
        entry("crl/estate.crl", "crl", "expired"),
        entry("crl/cut.crl", "unreadable", "expired"),
        entry("Ann (12ab)", "certificate", "expired"),
        entry("crl", "metadata", "alert"),
        entry("root", "metadata", "alert"),
        entry("crl/other.crl", "crl", "alert"),
        entry("Ben (34cd)", "certificate", "alert"),
        entry("snapshot", "metadata", "alert", "publisher"),
        entry("targets", "metadata", "renew"),
    ]
    at = "at 2026-11-20T00:00:00Z"
    over, soon = publisher_calls.ending({"expiries": expiries})
    assert over == [
        f"the list base ended {at} and has to be signed by its holders",
        f"the list of revoked certificates crl/estate.crl ended {at}, and a new one has to be published",
        "the file crl/cut.crl cannot be used by any host; publish a good one in its place",
    ]
    assert soon == [
        f"the certificate Ann (12ab) ended {at}, and what it signed has to be signed with a new one",
        f"the list crl ends {at} and has to be signed by its holders before",
        f"the root ends {at} and has to be signed by its holders before",
        f"the list of revoked certificates crl/other.crl ends {at}, and a new one has to be published before",
        f"the certificate Ben (34cd) ends {at}, and what it signed has to be signed with a new one before",
    ]
    assert publisher_calls.ending({}) == ([], [])
