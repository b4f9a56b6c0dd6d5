# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a repository of its own: attacks that need keys of an estate, and sixty days of sleep while keys change.

The clock of the host is set ahead (faketime), and the repository is signed for the same days, so that the clocks and the
trust of the other hosts are left alone. Agent, web server and overlay are those of the estate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from own_repository import SETUP, Sleeper, gone, nothing_was_done, version
from package_estate import DAY, Party  # found by own_repository
from package_maker import change_control, rewrite
from party_maker import CODE, rsa_key
from tuf.api.metadata import Metadata, Targets, Timestamp


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    yield Sleeper(tmp_path)
    gone()


def test_attack_signers_that_are_revoked_expired_unknown_or_of_the_future(sleeper: Sleeper) -> None:
    estate = sleeper.estate
    past, ended = {"start": estate.now - 30 * DAY}, {"end": estate.now - DAY}
    coming = {"start": estate.now + DAY, "end": estate.now + 30 * DAY}
    revoked = estate.root.issue("left", extended=CODE)
    estate.revoke(revoked)
    for name, signer, code in (
        ("revoked", revoked, "revoked"),
        ("expired", estate.root.issue("ended", extended=CODE, **past, **ended), "expired"),
        ("coming", estate.root.issue("coming", extended=CODE, **coming), "not_yet_valid"),
        ("unknown", Party.root("estate", rsa_key("stranger")).issue("developer", extended=CODE), "untrusted_signer"),
    ):
        said = sleeper.offer(name, signer=signer, days_ago={"expired": 2, "coming": -2}.get(name, 0))
        assert f"Refused ({code})" in said, (name, said)
    nothing_was_done(sleeper)


def test_attack_a_package_that_is_signed_in_part(sleeper: Sleeper) -> None:
    """The manifest without its signature, the control file without its own, and both of them without a manifest."""
    for name, files, code in (
        ("half", {"WAPT/signature.sha256": None}, "unsigned"),
        ("bare", {"WAPT/manifest.sha256": None}, "unsigned"),
        ("lent", {"WAPT/certificate.crt": None}, "unsigned"),
    ):
        said = sleeper.offer(name, partial(rewrite, changes=files))
        assert f"Refused ({code})" in said, (name, said)
    developer = sleeper.estate.developer
    for name, fields, code in (
        ("open", {"signature": None}, "unsigned"),
        ("changed", {"priority": "required"}, "bad_signature"),
    ):
        # the manifest fits to it, and so does the list
        alter = partial(change_control, party=developer, **fields)
        said = sleeper.offer(name, alter, listed_after=True)
        assert f"Refused ({code})" in said, (name, said)
    nothing_was_done(sleeper)


def test_attack_archives_that_fill_a_disk_or_leave_their_folder(sleeper: Sleeper) -> None:
    """Whoever may list packages brings such ones; nothing of them is unpacked."""
    for name, files, code in (
        ("bomb", {"zeros": bytes(200_000_000)}, "oversized"),
        ("traversal", {"../../../etc/evil": b"x"}, "bad_archive"),
        ("absolute", {"/evil": b"x"}, "bad_archive"),
        ("twice", {"SETUP.PY": b"x"}, "bad_archive"),
        ("unlisted", {"more": b"x"}, "altered"),
    ):
        said = sleeper.offer(name, partial(rewrite, changes=files))
        assert f"Refused ({code})" in said, (name, said)
    nothing_was_done(sleeper)


@pytest.mark.parametrize("taken", ["one holder of the top list of two", "no holder of the list of developers"])
def test_attack_the_publisher_and_too_few_holders(sleeper: Sleeper, taken: str) -> None:
    """A thief of the publisher's keys signs a snapshot of lists that too few have signed."""
    holders, public = sleeper.estate.repository.holders, sleeper.estate.repository.public
    sleeper.estate.publish("sleeper", "1.0", SETUP)
    name, thief = ("targets", holders.targets[0]) if "top list" in taken else ("base", holders.snapshot[0])
    newest = max(public.glob(f"metadata/*.{name}.json"), key=lambda path: int(path.name.partition(".")[0]))
    listed: Metadata[Targets] = Metadata.from_file(str(newest))
    listed.signed.version += 1
    listed.sign(thief)
    sleeper.force(name, listed)
    said = sleeper.agent("install sleeper")
    assert "sign" in said and "install begun" not in said, said
    nothing_was_done(sleeper)


def test_attack_fast_forward_ends_with_new_keys(sleeper: Sleeper) -> None:
    """A thief of the publisher's keys signs the highest version there is, so that no honest one is newer."""
    estate = sleeper.estate
    estate.publish("sleeper", "1.0", SETUP)
    (thief,) = estate.repository.holders.timestamp
    stolen: Metadata[Timestamp] = Metadata.from_file(str(estate.repository.public / "metadata" / "timestamp.json"))
    stolen.signed.version = 2**31 - 1
    stolen.sign(thief)
    sleeper.serve(timestamp=stolen.to_bytes())
    sleeper.agent("update")
    estate.publish("sleeper", "2.0", SETUP)
    sleeper.serve()
    said = sleeper.agent("update")
    assert str(2**31 - 1) in said, said
    sleeper.rotate()
    sleeper.serve()
    said = sleeper.agent("install sleeper")
    assert "sleeper 2.0: install finished" in said, said


def test_a_host_that_slept_for_sixty_days_comes_back(sleeper: Sleeper) -> None:
    estate = sleeper.estate
    estate.publish("sleeper", "1.0", SETUP)
    sleeper.serve()
    said = sleeper.agent("install sleeper")
    assert "sleeper 1.0: install finished" in said, said
    for _month in range(3):
        estate.now += timedelta(days=20)
        estate.repository.now = estate.now
        sleeper.rotate()
        estate.revoke()
    # it wakes, and the copy of its site slept as long: nothing new is taken from that
    said = sleeper.agent("upgrade")
    assert "expired" in said or "ended" in said, said
    assert version() == "1.0"
    estate.publish("sleeper", "2.0", SETUP)
    sleeper.serve()
    said = sleeper.agent("upgrade")
    assert "sleeper 2.0: install finished" in said, said
    assert version() == "2.0"
    known = json.loads(sleeper.agent("packages"))
    assert known["metadata"]["root"] == 4, "each of the three new roots was followed"
