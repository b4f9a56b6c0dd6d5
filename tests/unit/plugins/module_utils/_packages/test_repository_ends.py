# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends of a repository: when somebody is told, in which words, and the file that tells the agent of the host."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_core._common.refused import Refused
from bocage_core._packages import index, repository_edit, repository_ends, repository_expiry
from bocage_core._packages.repository_ends import End
from bocage_core._packages.repository_refresh import refresh
from cryptography.hazmat.primitives.serialization import Encoding
from party_maker import CODE, Party
from signed_repository import NOW, SignedRepository

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ENDS = [
    repository_ends.of_metadata("root", 3, NOW + 365 * DAY),
    repository_ends.of_metadata("timestamp", 9, NOW + DAY),
    repository_ends.of_crl("crl/estate.crl", NOW, NOW + 30 * DAY),
    repository_ends.of_certificate("Ann (12ab)", NOW, NOW + 300 * DAY),
    repository_ends.unreadable("crl/cut.crl"),
]


@pytest.mark.parametrize(
    ("end", "renew", "alert"),
    [
        (repository_ends.of_metadata("root", 1, NOW), 90 * DAY, 60 * DAY),
        (repository_ends.of_metadata("snapshot", 1, NOW), 5 * DAY, 4 * DAY),
        (repository_ends.of_metadata("timestamp", 1, NOW), 18 * HOUR, 12 * HOUR),
        (repository_ends.of_metadata("targets", 1, NOW), 14 * DAY, 10 * DAY),
        (repository_ends.of_metadata("host-paris", 1, NOW), 14 * DAY, 10 * DAY),
        (repository_ends.of_crl("crl/a.crl", NOW - 365 * DAY, NOW), 60 * DAY, 10 * DAY),
        (repository_ends.of_crl("crl/a.crl", NOW - 6 * DAY, NOW), 2 * DAY, 2 * DAY),
        (repository_ends.of_certificate("Ann", NOW - 365 * DAY, NOW), 60 * DAY, 30 * DAY),
        (repository_ends.of_certificate("Ann", NOW - 3 * DAY, NOW), DAY, DAY),
        (repository_ends.of_certificate("Ann", NOW + DAY, NOW), 0 * DAY, 0 * DAY),
    ],
)
def test_how_long_before_somebody_is_told(end: End, renew: timedelta, alert: timedelta) -> None:
    assert (end.ends_at, end.ends_at - end.renew_at, end.ends_at - end.alert_at) == (NOW, renew, alert)
    second = timedelta(seconds=1)
    assert repository_ends.state_of(end, NOW - renew - second) == "good"
    assert repository_ends.state_of(end, NOW - second) == ("alert" if alert else "good")
    assert repository_ends.state_of(end, NOW) == "expired"
    if alert:
        assert repository_ends.state_of(end, NOW - alert) == "alert"
        assert repository_ends.state_of(end, NOW - alert - second) == ("renew" if renew > alert else "good")


def test_the_most_urgent_comes_first_and_is_said() -> None:
    found = repository_ends.judged(ENDS, NOW + 21 * DAY)
    assert [one["role"] for one in found] == ["crl/cut.crl", "timestamp", "crl/estate.crl", "Ann (12ab)", "root"]
    assert [one["state"] for one in found] == ["expired", "expired", "alert", "good", "good"]
    assert [repository_ends.stops_hosts(one) for one in found] == [True, True, False, False, False]
    assert repository_ends.sentence(found[1]) == (
        "the timestamp ended at 2026-11-22T12:00:00Z and has to be signed by the publisher"
    )
    assert not repository_ends.stops_hosts({"state": "expired", "kind": "certificate"})


def test_a_list_of_revoked_certificates_without_an_end_is_taken_by_no_host() -> None:
    assert repository_ends.of_crl("crl/a.crl", NOW, None) == repository_ends.unreadable("crl/a.crl")


def test_what_is_written_is_what_is_read() -> None:
    raw = repository_ends.render(ENDS)
    assert raw == repository_ends.render(reversed(ENDS))
    assert sorted(repository_ends.parse(raw, "it"), key=lambda one: one.name) == sorted(ENDS, key=lambda one: one.name)
    many = [replace(ENDS[0], name=f"bin-{number}") for number in range(3000)]
    assert len(repository_ends.parse(repository_ends.render(many), "it")) == repository_ends.MAX_ENDS
    assert len(repository_ends.render(many)) < repository_ends.MAX_BYTES


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "letter"}, "is of an unknown kind"),
        ({"signed_by": "nobody"}, "to be signed by nobody who is known"),
        ({"name": "\x1b[2J"}, "has no usable text in name"),
        ({"version": True}, "needs an integer"),
        ({"ends_at": "soon"}, "is not a UTC time"),
        ({"more": 1}, "has unknown fields: more"),
    ],
)
def test_an_end_that_nobody_writes_is_refused(changes: dict[str, Any], sentence: str) -> None:
    document = json.loads(repository_ends.render(ENDS))
    document["ends"][0] |= changes
    with pytest.raises(Refused, match=sentence):
        repository_ends.parse(json.dumps(document).encode(), "the file x")


@pytest.mark.parametrize("document", [[], {"format": 1}, {"format": 2, "ends": []}, {"format": 1, "ends": {}}])
def test_a_file_of_another_form_is_refused(document: Any) -> None:
    with pytest.raises(Refused):
        repository_ends.parse(json.dumps(document).encode(), "the file x")


@pytest.fixture
def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignedRepository:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return SignedRepository(tmp_path)


def with_crl(signed: SignedRepository, party: Party, days: int) -> None:
    crl = party.crl(start=NOW - DAY, end=NOW + days * DAY)
    path = signed.folder / "estate.crl"
    path.write_bytes(crl.public_bytes(Encoding.DER))
    signed.add(repository_edit.add_file("crl/estate.crl", path))


def of_kind(signed: SignedRepository, kind: str, now: Any, authorities: Path | None = None) -> dict[str, str]:
    found = repository_ends.judged(repository_expiry.read_ends(signed.store, authorities), now)
    return {one["role"]: one["state"] for one in found if one["kind"] == kind}


def test_the_end_of_a_list_of_revoked_certificates_is_told(signed: SignedRepository) -> None:
    with_crl(signed, Party.root("estate"), 29)
    assert of_kind(signed, "crl", NOW) == {"crl/estate.crl": "good"}
    assert of_kind(signed, "crl", NOW + 20 * DAY) == {"crl/estate.crl": "alert"}
    assert of_kind(signed, "crl", NOW + 29 * DAY) == {"crl/estate.crl": "expired"}


def test_a_list_that_no_host_can_read_is_told(signed: SignedRepository) -> None:
    signed.publish("crl/cut.crl", "base/a_1.wapt")
    assert of_kind(signed, "unreadable", NOW) == {"crl/cut.crl": "expired"}


def test_the_ends_of_signers_and_authorities_are_told(signed: SignedRepository, tmp_path: Path) -> None:
    root = Party.root("estate", start=NOW - 300 * DAY, end=NOW + 300 * DAY)
    ann = root.issue("ann", extended=CODE, start=NOW - 335 * DAY, end=NOW + 25 * DAY)
    (signed.public / "wapt").mkdir(exist_ok=True)
    (signed.public / "wapt" / "Packages").write_bytes(index.write_index([], [ann.certificate]))
    (tmp_path / "authorities.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    found = of_kind(signed, "certificate", NOW, tmp_path / "authorities.pem")
    assert {name.partition(" (")[0]: state for name, state in found.items()} == {"estate": "good", "ann": "alert"}
    found = of_kind(signed, "certificate", NOW + 290 * DAY, tmp_path / "authorities.pem")
    assert {name.partition(" (")[0]: state for name, state in found.items()} == {"estate": "alert", "ann": "expired"}
    assert of_kind(signed, "certificate", NOW, tmp_path / "nothing.pem").keys() == {
        name for name in found if name.startswith("ann")
    }
    (tmp_path / "authorities.pem").write_text("-----BEGIN nothing")
    assert of_kind(signed, "unreadable", NOW, tmp_path / "authorities.pem") == {"authorities.pem": "expired"}


def test_ends_are_noted_for_the_agent_and_written_only_where_they_are_others(signed: SignedRepository) -> None:
    with_crl(signed, Party.root("estate"), 29)
    done = refresh(signed.path, signed.holders.online, NOW)
    path = signed.path / "ends.json"
    assert path.stat().st_mode & 0o777 == 0o644
    noted = repository_ends.parse(path.read_bytes(), "it")
    assert {one.name for one in noted} == {one["role"] for one in done["expiries"]} >= {"crl/estate.crl", "root", "crl"}
    before = path.stat()
    refresh(signed.path, signed.holders.online, NOW + HOUR)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    refresh(signed.path, signed.holders.online, NOW + 3 * DAY)
    assert path.stat().st_ino != before.st_ino
    assert [one.name for one in signed.path.iterdir() if one.name.startswith(".ends")] == []
