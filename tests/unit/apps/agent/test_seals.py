# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check answers, and every seal that it must not believe."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bocage_agent import seals
from bocage_agent.observe import OBSERVER
from bocage_core._common import canonical, dsse, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.refused import Refused
from bocage_core._seals import desired as digests
from bocage_core._seals import documents
from bocage_core._state.sections import check_sections
from sealed_host import PARTS, SealedHost, file, package

CONF = "/etc/x.conf"


@pytest.fixture
def one(sealed: SealedHost) -> SealedHost:
    """A host with one intact seal, of the role mesh."""
    sealed.seal(file(CONF))
    return sealed


def verdict(sealed: SealedHost, role: str = "mesh", **request: Any) -> tuple[str, list[str]]:
    answer = sealed.check(role, **request)["seals"][role]
    return answer["status"], answer["findings"]


def change_half(sealed: SealedHost, half: str, **changes: Any) -> None:
    """Edit a half of the seal, and sign the observation again as root on the host could."""
    document = json.loads(sealed.seal_file().read_text())
    payload = json.loads(dsse.unverified_payload(document[half]))
    payload.update(changes)
    raw = canonical.dumps(payload)
    if half == "observed":
        document[half] = dsse.sign(raw, documents.OBSERVED_TYPE, sealed.host.report_private)
    else:
        document[half]["payload"] = base64.b64encode(raw).decode()
    sealed.seal_file().write_text(json.dumps(document))


def test_an_intact_seal(one: SealedHost) -> None:
    answer = one.check("mesh", "names", facts=["distribution"])
    assert answer["host_id"] == one.host_id
    assert answer["facts"] == {"distribution": "debian 12"}
    full = digests.full_digest(one.base("mesh"), {"distribution": "debian 12"})
    assert answer["seals"] == {
        "mesh": {"status": "intact", "findings": [], "digest": full, "parts": None},
        "names": {"status": "missing", "findings": [], "digest": None, "parts": None},
    }


def test_only_what_is_expected_is_looked_at(one: SealedHost) -> None:
    one.seal(package("nftables"), role="firewall")
    one.path("/usr/sbin/nft").unlink()
    assert one.check("mesh")["seals"].keys() == {"mesh"}
    assert one.check("firewall")["seals"]["firewall"]["status"] == "broken"
    assert seals.check(one.settings, {"expected": {}}, one.machine())["seals"] == {}


def test_another_desire_makes_a_seal_changed_and_gives_its_parts(one: SealedHost) -> None:
    parts = {**PARTS, "variable mesh_mtu": "f" * 64}
    request = {"expected": {"mesh": digests.base_digest("mesh", parts)}, "parts": True}
    answer = seals.check(one.settings, request, one.machine())["seals"]["mesh"]
    assert (answer["status"], answer["findings"]) == ("changed", [])
    assert digests.reasons("mesh", answer["parts"], parts) == ["variable mesh_mtu changed"]
    assert one.check("mesh", parts=True)["seals"]["mesh"]["parts"] is None


def test_another_fact_makes_a_seal_changed(one: SealedHost) -> None:
    one.put("/etc/os-release", "ID=debian\nVERSION_ID=13\n")
    assert verdict(one) == ("changed", ["the fact distribution is debian 13 instead of debian 12."])
    # it counts also where nobody compares bases
    assert seals.section(one.settings, one.machine())["mesh"]["status"] == "changed"


def test_a_fact_that_is_a_list_is_told_in_words(sealed: SealedHost) -> None:
    sealed.answers["ip -json address show"] = (0, "[]", "")
    statement = sealed.signed("mesh", [file(CONF)], facts={"addresses:eth1": []})
    assert sealed.write(mesh=statement)["refused"] == {}
    links = [{"ifname": "eth1", "addr_info": [{"local": "198.18.1.2", "prefixlen": 24, "scope": "global"}]}]
    sealed.answers["ip -json address show"] = (0, json.dumps(links), "")
    assert verdict(sealed) == ("changed", ["the fact addresses:eth1 is 198.18.1.2/24 instead of none."])


def test_an_old_seal_is_stale_when_it_is_asked_for(one: SealedHost) -> None:
    assert verdict(one, max_age_seconds=60) == ("intact", [])
    change_half(one, "observed", sealed_at=timestamps.write(timestamps.now() - timedelta(seconds=90)))
    assert verdict(one)[0] == "intact"
    status, findings = verdict(one, max_age_seconds=60)
    assert (status, "seconds old" in findings[0]) == ("stale", True)
    change_half(one, "observed", sealed_at=timestamps.write(timestamps.now() + timedelta(days=9)))
    assert verdict(one, max_age_seconds=60)[0] == "stale"
    one.path(CONF).unlink()
    assert verdict(one, max_age_seconds=60)[0] == "broken"


def test_a_seal_of_another_observer_is_neither_confirmed_nor_called_broken(one: SealedHost) -> None:
    change_half(one, "observed", observer=OBSERVER + 1)
    one.path(CONF).write_text("altered")
    assert verdict(one) == ("stale", ["another release of the agent wrote the seal."])


def test_dropping_removes_what_is_not_intact(one: SealedHost) -> None:
    one.seal(file("/etc/passwd"), role="names")
    one.path(CONF).unlink()
    one.check("mesh", "names")
    assert one.store.roles() == ["mesh", "names"]
    before = one.store.counters()
    answer = one.check("mesh", "names", drop=True)["seals"]
    assert {role: seal["status"] for role, seal in answer.items()} == {"mesh": "broken", "names": "intact"}
    assert one.store.roles() == ["names"]
    assert one.store.counters() == {**before, "mesh": before["mesh"] + 1}
    assert verdict(one) == ("missing", [])


def test_a_dropped_seal_that_is_put_back_is_refused(one: SealedHost) -> None:
    kept = one.seal_file().read_bytes()
    moved = one.path(CONF).rename(one.path("/etc/moved"))
    one.check("mesh", drop=True)
    moved.rename(one.path(CONF))
    one.seal_file().write_bytes(kept)
    status, findings = verdict(one)
    assert status == "refused"
    assert findings[0].startswith("The seal of mesh has the counter 1, below the 2 that this host accepts")


def test_an_older_seal_that_is_put_back_is_refused(one: SealedHost) -> None:
    kept = one.seal_file().read_bytes()
    one.seal(file(CONF))
    assert verdict(one)[0] == "intact"
    one.seal_file().write_bytes(kept)
    assert verdict(one)[0] == "refused"


def test_a_seal_is_refused_where_the_counters_are_lost(one: SealedHost) -> None:
    one.seal(file("/etc/passwd"), role="names")
    path = one.folder / "seals" / "counters.json"
    path.write_text('{"names":2}')
    assert verdict(one) == ("refused", ["This host has no counter for the seal of mesh."])
    path.unlink()
    status, findings = verdict(one)
    assert (status, "are missing; run the roles again." in findings[0]) == ("refused", True)
    one.seal(file(CONF))
    assert (verdict(one)[0], verdict(one, "names")[0]) == ("intact", "refused")


def test_a_seal_is_refused_where_the_key_of_digests_is_lost(one: SealedHost) -> None:
    (one.folder / "seals" / "key").unlink()
    status, findings = verdict(one)
    assert (status, "is missing or damaged; run the roles again." in findings[0]) == ("refused", True)


def test_a_seal_of_another_host_is_refused(one: SealedHost, signed_estate: Any, tmp_path: Path) -> None:
    other = SealedHost(tmp_path / "other", signed_estate.host("gw2"), one.controller)
    other.seal(file(CONF))
    shutil.copytree(other.folder / "seals", one.folder / "seals", dirs_exist_ok=True)
    assert verdict(one) == (
        "refused",
        [f"The seal of mesh was made for the host gw2, {other.host_id}."],
    )


def test_a_seal_of_another_role_under_a_new_name_is_refused(one: SealedHost) -> None:
    one.seal(file("/etc/passwd"), role="names")
    shutil.copy(one.seal_file("names"), one.seal_file())
    assert verdict(one) == ("refused", ["The seal of mesh is that of the role names."])


def test_an_edited_statement_is_refused(one: SealedHost) -> None:
    change_half(one, "desired", items=[])
    status, findings = verdict(one)
    assert (status, "does not verify with the key" in findings[0]) == ("refused", True)


def test_an_edited_observation_is_refused(one: SealedHost) -> None:
    document = json.loads(one.seal_file().read_text())
    payload = json.loads(dsse.unverified_payload(document["observed"]))
    payload["observations"][0]["observed"]["mode"] = "0777"
    document["observed"]["payload"] = base64.b64encode(canonical.dumps(payload)).decode()
    one.seal_file().write_text(json.dumps(document))
    status, findings = verdict(one)
    assert (status, "does not verify with the key" in findings[0]) == ("refused", True)


def test_a_counter_that_is_raised_by_hand_is_refused(one: SealedHost) -> None:
    kept = json.loads(one.seal_file().read_text())
    one.seal(file(CONF))
    payload = json.loads(dsse.unverified_payload(kept["observed"]))
    payload["counter"] = 99
    kept["observed"]["payload"] = base64.b64encode(canonical.dumps(payload)).decode()
    one.seal_file().write_text(json.dumps(kept))
    assert verdict(one)[0] == "refused"


def test_an_unsigned_seal_is_refused(one: SealedHost) -> None:
    document = json.loads(one.seal_file().read_text())
    document["observed"]["signatures"] = []
    one.seal_file().write_text(json.dumps(document))
    assert verdict(one)[0] == "refused"


def test_a_seal_of_another_controller_is_refused(one: SealedHost) -> None:
    stranger = replace(one, folder=one.folder.with_name("stranger"), controller=dsse.generate_private_key())
    shutil.copy(stranger.folder / "seal.pub", one.folder / "seal.pub")
    assert verdict(one)[0] == "refused"


@pytest.mark.parametrize("length", [0, 1, 500, -1])
def test_a_truncated_seal_is_refused(one: SealedHost, length: int) -> None:
    raw = one.seal_file().read_bytes()
    one.seal_file().write_bytes(raw[: length if length >= 0 else len(raw) - 2])
    assert verdict(one)[0] == "refused"


def test_an_oversized_seal_is_refused_before_it_is_parsed(one: SealedHost) -> None:
    with one.seal_file().open("ab") as stream:
        stream.truncate(10**9)
    status, findings = verdict(one)
    assert (status, "at most 4194304 are accepted" in findings[0]) == ("refused", True)


def test_no_seal_is_judged_without_the_hosts_keys(one: SealedHost) -> None:
    (one.folder / "seal.pub").unlink()
    with pytest.raises(BocageError, match=r"The estate's seal key .* cannot be read: No such file"):
        one.check()
    (one.folder / "report.key").unlink()
    with pytest.raises(BocageError, match="The report key"):
        one.check()


@pytest.mark.parametrize(
    "request_",
    [
        [],
        {},
        {"expected": []},
        {"expected": {"mesh": "x"}},
        {"expected": {"../mesh": "0" * 64}},
        {"expected": {}, "more": 1},
        {"expected": {}, "drop": 1},
        {"expected": {}, "facts": "kernel"},
        {"expected": {}, "facts": [1]},
        {"expected": {}, "max_age_seconds": -1},
        {"expected": {}, "parts": None},
    ],
)
def test_a_request_of_another_form_is_refused(sealed: SealedHost, request_: Any) -> None:
    with pytest.raises(Refused, match="request"):
        seals.check(sealed.settings, request_, sealed.machine())


def test_a_fact_that_no_host_knows_is_said(sealed: SealedHost) -> None:
    with pytest.raises(BocageError, match="There is no fact 'weather'"):
        sealed.check(facts=["weather"])


def test_checking_makes_nothing(sealed: SealedHost) -> None:
    sealed.check("mesh")
    assert not (sealed.folder / "seals").exists()


# The section of a report


def test_the_section_tells_of_all_seals(one: SealedHost) -> None:
    one.seal(file("/etc/passwd"), role="names")
    one.seal(file("/etc/group"), role="host")
    one.path("/etc/passwd").write_text("")
    one.seal_file("host").write_bytes(b"{}")
    found = seals.section(one.settings, one.machine())
    assert {role: seal["status"] for role, seal in found.items()} == {
        "host": "refused",
        "mesh": "intact",
        "names": "broken",
    }
    assert found["mesh"]["base"] == one.base("mesh")
    assert found["mesh"]["facts"] == {"distribution": "debian 12"}
    assert (found["mesh"]["counter"], found["names"]["counter"]) == (1, 2)
    assert found["names"]["findings"] == ["/etc/passwd was altered on the host."]
    assert (found["host"]["digest"], found["host"]["counter"], found["host"]["facts"]) == (None, None, {})
    assert check_sections({"seals": found}, "the report") == {"seals": found}


def test_the_section_is_empty_without_seals(sealed: SealedHost) -> None:
    assert seals.section(sealed.settings, sealed.machine()) == {}


def test_the_section_is_small_whatever_is_wrong(sealed: SealedHost) -> None:
    names = [f"/etc/{'long' * 60}-{number:02d}" for number in range(30)]
    for name in names:
        sealed.put(name, "")
    sealed.seal(*map(file, names))
    for name in names:
        sealed.path(name).unlink()
    found = seals.section(sealed.settings, sealed.machine())["mesh"]["findings"]
    assert (len(found), max(map(len, found))) == (5, 200)
    assert len(sealed.check()["seals"]["mesh"]["findings"]) == 20


@pytest.mark.parametrize("missing", ["seal.pub", "report.key", "enrolment.json"])
def test_what_hinders_judging_is_said_in_the_section(one: SealedHost, missing: str) -> None:
    (one.folder / missing).unlink()
    (found,) = seals.section(one.settings, one.machine()).values()
    assert (found["status"], missing in found["findings"][0]) == ("refused", True)


def test_a_report_does_not_judge_what_its_sandbox_hides(sealed: SealedHost) -> None:
    sealed.put("/var/tmp/x", "")
    sealed.seal(file("/var/tmp/x"))
    sealed.path("/var/tmp/x").unlink()
    assert seals.section(sealed.settings, sealed.machine())["mesh"]["status"] == "intact"
    assert seals.section(sealed.settings, sealed.machine(), sandboxed=False)["mesh"]["status"] == "broken"
    assert verdict(sealed)[0] == "broken"
