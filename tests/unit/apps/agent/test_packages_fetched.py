# SPDX-License-Identifier: GPL-3.0-or-later
"""From where packages came: sums of two days, and a share where there is something to share."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import packages_report
from bocage_agent.packages_fetched import added, section
from bocage_agent.packages_ports import Taken
from bocage_core._common.errors import BocageError
from bocage_core._state.sections import check_sections
from hypothesis import given
from hypothesis import strategies as st
from package_estate import Estate, RealHost
from package_fakes import Host, touching

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SITE, ELSEWHERE = Taken(300, 3, 0, 0, True), Taken(0, 0, 100, 1, True)
NOTHING = {"site_bytes": 0, "site_requests": 0, "elsewhere_bytes": 0, "elsewhere_requests": 0}


def test_sums_and_share() -> None:
    fact = added(added(None, SITE, NOON), ELSEWHERE, NOON + timedelta(hours=1))
    assert section(fact, NOON + timedelta(hours=2)) == {
        "since": "2026-11-21T00:00:00Z",
        "site_bytes": 300,
        "site_requests": 3,
        "elsewhere_bytes": 100,
        "elsewhere_requests": 1,
        "site_percent": 75,
    }


def test_the_day_before_counts_and_no_other() -> None:
    fact = added(None, SITE, NOON)
    tomorrow = added(fact, ELSEWHERE, NOON + timedelta(days=1))
    assert section(tomorrow, NOON + timedelta(days=1))["site_percent"] == 75
    # by itself also where nothing is fetched any more
    assert section(tomorrow, NOON + timedelta(days=2))["site_percent"] == 0
    assert section(tomorrow, NOON + timedelta(days=3)) == {"since": "2026-11-24T00:00:00Z", **NOTHING}
    assert section(added(fact, ELSEWHERE, NOON + timedelta(days=2)), NOON + timedelta(days=2))["site_bytes"] == 0


def test_days_are_those_of_utc() -> None:
    east = datetime.fromisoformat("2026-11-23T01:00:00+09:00")
    assert added(None, SITE, east)["day"] == "2026-11-22"


def test_there_is_no_share_of_nothing_and_none_without_a_copy() -> None:
    assert section(None, NOON) == {"since": "2026-11-21T00:00:00Z", **NOTHING}
    assert section(added(None, Taken(site_has_copy=True), NOON), NOON) == section(None, NOON)
    away = added(None, Taken(0, 0, 100, 1), NOON)
    assert section(away, NOON)["elsewhere_bytes"] == 100 and "site_percent" not in section(away, NOON)


def test_all_of_it_is_all_of_it() -> None:
    nearly = added(None, Taken(999_999, 1, 1, 1, True), NOON)
    assert section(nearly, NOON)["site_percent"] == 99
    assert section(added(None, SITE, NOON), NOON)["site_percent"] == 100


def test_a_clock_that_was_ahead_leaves_nothing_behind() -> None:
    fact = added(None, SITE, NOON + timedelta(days=365))
    assert section(fact, NOON) == section(None, NOON)
    assert section(added(fact, ELSEWHERE, NOON), NOON)["site_bytes"] == 0


@given(st.lists(st.tuples(st.integers(0, 3 * 86400), st.integers(0, 1000), st.integers(0, 1000)), max_size=20))
def test_it_is_the_sum_of_what_came_since_it_says(events: list[tuple[int, int, int]]) -> None:
    fact, moment, came = None, NOON, []
    for seconds, site, elsewhere in events:
        moment += timedelta(seconds=seconds)
        fact = added(fact, Taken(site, 1, elsewhere, 1, True), moment)
        came.append((moment, site, elsewhere))
    found = section(fact, moment)
    since = datetime.fromisoformat(found["since"])
    counted = [one for one in came if one[0] >= since]
    assert (found["site_bytes"], found["elsewhere_bytes"]) == (
        sum(one[1] for one in counted),
        sum(one[2] for one in counted),
    )
    assert timedelta(days=1) <= moment - since < timedelta(days=2)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def told(host: Host) -> dict[str, Any]:
    found = packages_report.section(host.folder / "state", host.now)
    check_sections({"packages": found}, "the report")
    assert found is not None
    fetched: dict[str, Any] = found["fetched"]
    return fetched


def test_each_run_adds_what_it_fetched_and_the_report_tells(host: Host) -> None:
    host.library.add("editor", "1", touching(host.folder / "made"))
    host.library.came = SITE
    host.update()
    assert told(host)["site_percent"] == 100
    host.library.came = ELSEWHERE
    assert host.install("editor") is True
    assert (told(host)["site_bytes"], told(host)["elsewhere_bytes"], told(host)["site_percent"]) == (300, 100, 75)
    host.later(days=2)
    assert "site_percent" not in told(host)


def test_what_a_package_brought_is_kept_with_its_record(host: Host) -> None:
    host.library.add("editor", "1", touching(host.folder / "made"))
    host.changes["require"] = ["editor"]
    real = host.library.download

    def download(*given: Any) -> None:
        real(*given)
        host.library.came = SITE

    host.library.download = download  # type: ignore[method-assign]
    assert host.upgrade(download_only=True) is True
    assert told(host)["site_requests"] == 3


def test_a_repository_that_does_not_answer_changes_nothing(host: Host) -> None:
    host.library.came = SITE
    host.update()
    host.library.problem = BocageError("It is not believed.")
    with pytest.raises(BocageError, match="not believed"):
        host.update()
    assert told(host)["site_bytes"] == 300


class AtASite:
    """A real host of lyon, which asks the copy of its site first, and then the publisher."""

    def __init__(self, folder: Path) -> None:
        self.estate = Estate(folder)
        # what no packing makes smaller
        filler = os.urandom(40_000).hex()
        self.estate.publish("editor", "1", touching(folder / "made"), files={"filler": filler})
        self.publisher, self.copy = self.estate.repository.public, folder / "copy"
        shutil.copytree(self.publisher, self.copy)
        replicas = [
            # as people write them, with or without a slash at the end
            {"url": self.copy.as_uri(), "site": "lyon"},
            {"url": self.publisher.as_uri() + "/", "site": "bergen", "priority": 10},
        ]
        self.host = RealHost(folder, estate=self.estate, changes={"site": "lyon"})
        self.host.changes["replicas"] = replicas

    def published(self) -> bytes:
        (package,) = (self.publisher / "targets" / "base").glob("*.editor_1.wapt")
        return package.read_bytes()


@pytest.fixture
def lyon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AtASite:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return AtASite(tmp_path)


def test_all_of_it_comes_from_the_copy_of_the_site(lyon: AtASite) -> None:
    assert lyon.host.install("editor") is True
    (package,) = (lyon.copy / "targets" / "base").glob("*.editor_1.wapt")
    found = told(lyon.host)
    assert found["site_percent"] == 100 and found["elsewhere_requests"] == 0
    assert found["site_bytes"] > package.stat().st_size and found["site_requests"] > 4
    before = found["site_requests"]
    assert lyon.host.upgrade() is True
    assert told(lyon.host)["site_requests"] > before, "what is new is asked for again, and the package is not"
    assert told(lyon.host)["site_bytes"] - found["site_bytes"] < 40_000


def test_a_copy_that_is_away_is_a_miss(lyon: AtASite) -> None:
    lyon.copy.rename(lyon.host.folder / "gone")
    assert lyon.host.install("editor") is True
    found = told(lyon.host)
    assert (found["site_bytes"], found["site_requests"], found["site_percent"]) == (0, 0, 0)
    assert found["elsewhere_bytes"] > 40_000


def test_what_a_poisoned_copy_sent_does_not_count_for_it(lyon: AtASite) -> None:
    (package,) = (lyon.copy / "targets" / "base").glob("*.editor_1.wapt")
    package.write_bytes(bytes(package.stat().st_size))
    assert lyon.host.install("editor") is True
    found = told(lyon.host)
    assert found["elsewhere_bytes"] == len(lyon.published()) and found["elsewhere_requests"] == 1
    assert 0 < found["site_bytes"] < 40_000, "its metadata is good"


def test_a_host_of_another_site_or_of_none_has_no_share(lyon: AtASite) -> None:
    for site in ("oslo", ""):
        lyon.host.changes["site"] = site
        lyon.host.update()
        assert "site_percent" not in told(lyon.host)
        assert told(lyon.host)["elsewhere_requests"] > 0
