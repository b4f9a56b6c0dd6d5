# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin as Ansible runs it, with real signatures, over a folder of documents."""

from __future__ import annotations

import base64
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from bocage_core._common import dsse
from bocage_core._state import enrolment as enrolments
from bocage_core._state import floors as floors_file
from bocage_core._state.floors import Floor, Floors
from bocage_core._state.inventory_drift import SEALED_ROLES

GW1_ADDRESSES = ("fd7b:4c1e:90a2:1::1/128", "198.19.1.1/32")


def sound(folder: Any, host: Any) -> dict[str, Any]:
    """A report in which the mesh is as it should be."""
    return {"sections": {"mesh": folder.mesh(host, *GW1_ADDRESSES)}}


def test_a_fresh_clone_has_all_hosts_missing_and_no_warning(folder: Any) -> None:
    loaded = folder.load()
    assert loaded.group("state_missing") == ["gw1", "gw2", "hub1"]
    assert loaded.group("drift_mesh") == loaded.group("state_fresh") == []
    assert loaded.reported() == {"state": "missing", "reason": "The host gw1 is not enrolled."}
    assert loaded.warnings == []


def test_enrolments_alone_give_keys(folder: Any) -> None:
    host = folder.enrolled()
    loaded = folder.load()
    assert loaded.state() == "state_missing" and loaded.warnings == []
    assert loaded.reported()["reason"] == "No report of gw1 has arrived yet."
    assert loaded.reported()["enrolment"] == {
        "host_id": host.enrolment.host_id,
        "generation": 1,
        "tenant": "acme",
        "site": "lyon",
        "mesh_key": host.enrolment.mesh_key,
        "report_key": base64.b64encode(host.enrolment.report_key).decode(),
        "not_after": host.enrolment.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    assert "enrolment" not in loaded.reported("gw2")


def test_a_report_becomes_a_variable(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(**sound(folder, host)))
    loaded = folder.load(reports="reports")
    reported = loaded.reported()
    assert loaded.state() == "state_fresh" and reported["reason"] is None
    assert (reported["counter"], reported["generation"]) == (1, 1)
    assert reported["sections"]["mesh"]["addresses"] == list(GW1_ADDRESSES)
    assert reported["drift"] == {"mesh": []} and loaded.group("drift_mesh") == []


@pytest.mark.parametrize(
    ("age", "state"), [(60, "state_fresh"), (1000, "state_stale"), (5000, "state_lost"), (60 * 86400, "state_lost")]
)
def test_ages(folder: Any, age: int, state: str) -> None:
    host = folder.enrolled()
    issued = folder.estate.now - timedelta(seconds=age)
    folder.offer("gw1", host.report_bytes(issued_at=issued))
    loaded = folder.load(reports="reports", fresh_seconds=500, stale_seconds=4000)
    assert loaded.state() == state
    if state != "state_fresh":
        assert loaded.reported()["reason"] == f"The last report of gw1 is of {loaded.reported()['issued_at']}."


def test_thresholds_must_make_sense(folder: Any) -> None:
    with pytest.raises(AnsibleError, match="stale_seconds must be at least fresh_seconds"):
        folder.load_strictly(fresh_seconds=10, stale_seconds=5)


def tampered(raw: bytes, **changes: Any) -> bytes:
    """An envelope whose payload somebody edited."""
    envelope = json.loads(raw)
    payload = json.loads(base64.b64decode(envelope["payload"])) | changes
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps(envelope).encode()


def test_a_tampered_report_is_not_shown(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", tampered(host.report_bytes(**sound(folder, host)), counter=9))
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_untrusted"
    assert "does not verify" in loaded.reported()["reason"]
    assert "sections" not in loaded.reported() and "counter" not in loaded.reported()
    assert loaded.reported()["enrolment"]["mesh_key"] == host.enrolment.mesh_key


def test_a_tampered_report_beside_a_good_one_is_an_alarm(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("a", host.report_bytes())
    folder.offer("b", tampered(host.report_bytes(), counter=9))
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_untrusted" and "sections" not in loaded.reported()


def test_a_report_for_somebody_else(folder: Any) -> None:
    host, other = folder.enrolled(), folder.enrolled("gw2")
    folder.offer("gw1", host.report_bytes(host_id=other.enrolment.host_id))
    loaded = folder.load(reports="reports")
    assert loaded.state("gw1") == "state_untrusted" and loaded.state("gw2") == "state_missing"
    assert "speaks for the host" in loaded.reported("gw1")["reason"]


def test_a_report_of_a_key_that_nobody_enrolled(folder: Any) -> None:
    folder.enrolled()
    folder.offer("x", folder.estate.host("gw1").report_bytes())
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_missing"
    assert loaded.warnings == [f"The report in {folder.path}/reports/x.json is signed with a key that is not enrolled."]


def test_a_tampered_enrolment_takes_away_its_host_only(folder: Any) -> None:
    folder.enrolled("gw1"), folder.enrolled("gw2")
    path = folder.path / "trust/enrolments/gw1.json"
    path.write_bytes(tampered(path.read_bytes(), site="core"))
    loaded = folder.load()
    assert loaded.state("gw1") == "state_untrusted" and "enrolment" not in loaded.reported("gw1")
    assert loaded.state("gw2") == "state_missing" and "enrolment" in loaded.reported("gw2")


def test_a_revoked_host_has_no_key(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes())
    host.enrolment = enrolments.Enrolment(
        **{**host.enrolment.__dict__, "kind": "revocation", "issued_at": folder.estate.now + timedelta(seconds=1)}
    )
    folder.enrol(host)
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_untrusted" and loaded.reported()["reason"] == "The enrolment of gw1 was revoked."
    assert "enrolment" not in loaded.reported() and loaded.warnings == []


def put_floors(folder: Any, floors: dict[str, Floor], revoked: frozenset[str] = frozenset()) -> None:
    document = floors_file.sign(Floors(folder.estate.now, floors, revoked), folder.estate.private)
    (folder.path / "trust/floors.json").write_text(json.dumps(document))


def test_floors(folder: Any) -> None:
    host, other = folder.enrolled(), folder.enrolled("gw2")
    folder.offer("gw1", host.report_bytes())
    put_floors(folder, {host.enrolment.host_id: Floor(1, 7)}, frozenset({other.enrolment.host_id}))
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_untrusted" and "withholds newer ones" in loaded.reported()["reason"]
    assert loaded.state("gw2") == "state_untrusted" and "list of the revoked" in loaded.reported("gw2")["reason"]


def test_damaged_floors_are_told(folder: Any) -> None:
    folder.enrolled()
    (folder.path / "trust/floors.json").write_text("{}")
    assert any("floors.json" in one for one in folder.load().warnings)
    with pytest.raises(AnsibleError, match=r"floors\.json"):
        folder.load_strictly(strict=True)


def test_an_older_report_than_the_one_seen_before(folder: Any) -> None:
    host = folder.enrolled()
    first, second = host.report_bytes(), host.report_bytes()
    folder.offer("gw1", second)
    assert folder.load(reports="reports").state() == "state_fresh"
    folder.offer("gw1", first)
    loaded = folder.load()
    assert loaded.state() == "state_untrusted" and "counter" not in loaded.reported()
    folder.offer("gw1", second)
    assert folder.load().state() == "state_fresh"


def test_a_fork_is_told_from_two_reports(folder: Any) -> None:
    host = folder.enrolled()
    host.report_bytes()
    previous = host.previous
    folder.offer("a", host.report_bytes())
    host.counter, host.previous = 1, previous
    folder.offer("b", host.report_bytes(boot_id="2"))
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_untrusted" and "two different reports" in loaded.reported()["reason"]


def test_a_new_generation_leaves_old_reports_behind(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes())
    folder.offer("enrolment", host.enrolment_bytes)
    later = folder.enrol(host.successor())
    loaded = folder.load(reports="reports")
    assert loaded.state() == "state_missing" and loaded.reported()["enrolment"]["generation"] == 2
    folder.offer("gw1-2", later.report_bytes())
    loaded = folder.load()
    assert loaded.state() == "state_fresh" and loaded.reported()["generation"] == 2


def test_as_of(folder: Any) -> None:
    host = folder.enrolled(issued_at=folder.estate.now - timedelta(days=2))
    moments = [folder.estate.now - timedelta(hours=hours) for hours in (3, 2, 1)]
    for number, moment in enumerate(moments):
        folder.offer(f"gw1-{number}", host.report_bytes(issued_at=moment))
    put_floors(folder, {host.enrolment.host_id: Floor(1, 3)})
    for counter, moment in enumerate(moments, start=1):
        loaded = folder.load(reports="reports", as_of=(moment + timedelta(seconds=30)).isoformat())
        assert (loaded.state(), loaded.reported()["counter"]) == ("state_fresh", counter)
    assert folder.load(as_of=(moments[0] + timedelta(minutes=30)).isoformat()).state() == "state_stale"
    assert folder.load(as_of=(moments[0] - timedelta(minutes=30)).isoformat()).state() == "state_missing"
    assert folder.load(as_of=(folder.estate.now - timedelta(days=3)).isoformat()).reported()["reason"] == (
        "The host gw1 is not enrolled."
    )


@pytest.mark.parametrize("as_of", ["yesterday", 5])
def test_as_of_that_is_no_time(folder: Any, as_of: Any) -> None:
    with pytest.raises(AnsibleError, match="as_of is not a time"):
        folder.load_strictly(as_of=as_of)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"drift": ["A peer is missing."]}, "A peer is missing."),
        ({"public_key": base64.b64encode(os.urandom(32)).decode()}, "uses another key"),
        ({"addresses": []}, "lacks the address fd7b:4c1e:90a2:1::1/128"),
        ({"addresses": [*GW1_ADDRESSES, "198.19.1.9/32"]}, "has the address 198.19.1.9/32"),
    ],
)
def test_drift(folder: Any, changes: dict[str, Any], sentence: str) -> None:
    host = folder.enrolled()
    mesh = folder.mesh(host, *GW1_ADDRESSES) | changes
    folder.offer("gw1", host.report_bytes(sections={"mesh": mesh}))
    loaded = folder.load(reports="reports")
    assert loaded.group("drift_mesh") == ["gw1"] and loaded.state() == "state_fresh"
    assert sentence in " ".join(loaded.reported()["drift"]["mesh"])


def seal(status: str, *findings: str) -> dict[str, Any]:
    return {
        "status": status,
        "digest": "a" * 64,
        "base": "b" * 64,
        "facts": {"kernel": "6.1", "addresses:eth1": ["198.18.1.2/24"]},
        "counter": 3,
        "sealed_at": "2026-01-31T08:30:00Z",
        "findings": list(findings),
    }


def drift_groups(loaded: Any) -> set[str]:
    return {name for name, group in loaded.inventory.groups.items() if name.startswith("drift_") and group.get_hosts()}


def test_intact_seals_are_reported_and_no_drift(folder: Any) -> None:
    host = folder.enrolled()
    seals = {"mesh": seal("intact"), "names": seal("changed", "the fact kernel is 6.2 instead of 6.1.")}
    folder.offer("gw1", host.report_bytes(sections={"mesh": folder.mesh(host, *GW1_ADDRESSES), "seals": seals}))
    loaded = folder.load(reports="reports")
    assert loaded.reported()["seals"] == seals
    assert loaded.reported()["sections"].keys() == {"mesh"}, "nothing is listed twice"
    assert loaded.reported()["drift"] == {"mesh": []}
    assert drift_groups(loaded) == set()


def test_broken_seals_put_a_host_into_the_groups_of_their_roles(folder: Any) -> None:
    host = folder.enrolled()
    seals = {
        "mesh": seal("broken", "/etc/x was altered on the host."),
        "names": seal("refused"),
        "host": seal("intact"),
        "shop": seal("broken", "shop.service is not running."),
    }
    mesh = folder.mesh(host, *GW1_ADDRESSES, drift=["A peer is missing."])
    folder.offer("gw1", host.report_bytes(sections={"mesh": mesh, "seals": seals}))
    loaded = folder.load(reports="reports")
    assert drift_groups(loaded) == {"drift_config", "drift_mesh", "drift_names", "drift_shop"}
    assert {tuple(loaded.group(name)) for name in drift_groups(loaded)} == {("gw1",)}
    assert loaded.reported()["drift"] == {
        "mesh": ["A peer is missing.", "/etc/x was altered on the host."],
        "names": ["The seal of names is refused."],
        "shop": ["shop.service is not running."],
    }


def test_drift_of_the_mesh_alone_is_no_drift_of_a_seal(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"mesh": folder.mesh(host)}))
    loaded = folder.load(reports="reports")
    assert (drift_groups(loaded), loaded.reported()["seals"]) == ({"drift_mesh"}, {})


def test_drift_groups_of_all_roles_exist_when_they_are_empty(folder: Any) -> None:
    groups = folder.load().inventory.groups
    assert {f"drift_{role}" for role in ("config", "mtu", *SEALED_ROLES)} <= groups.keys()


def test_seals_that_no_agent_writes_are_not_believed(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"seals": {"all": seal("fine")}}))
    loaded = folder.load(reports="reports")
    assert (loaded.state(), drift_groups(loaded)) == ("state_untrusted", set())


def test_addresses_are_not_compared_where_the_inventory_says_too_little(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(sections={"mesh": folder.mesh(host, "fd00::1/128")}))
    del folder.hosts["gw1"]["host_index"]
    assert folder.load(reports="reports").group("drift_mesh") == []


def test_hosts_are_told_and_not_added(folder: Any) -> None:
    folder.enrolled("stranger")
    loaded = folder.load()
    assert sorted(loaded.inventory.hosts) == ["gw1", "gw2", "hub1"]
    assert loaded.warnings == [
        "Enrolled, but not in the group managed of the inventory: stranger; add them or revoke them."
    ]


def test_what_hosts_report_is_never_a_template(folder: Any) -> None:
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    host = folder.enrolled()
    hostile = "{{ lookup('ansible.builtin.pipe', 'id') }}"
    folder.offer("gw1", host.report_bytes(sections={"notes": {"text": hostile}}))
    loaded = folder.load(reports="reports", compose={"copied": "reported.sections.notes.text"})
    variables = loaded.inventory.hosts["gw1"].vars
    assert variables["copied"] == hostile
    assert Templar(DataLoader(), variables=variables).template(variables["copied"]) == hostile


def test_nothing_changes_without_a_new_report(folder: Any) -> None:
    host = folder.enrolled()
    folder.offer("gw1", host.report_bytes(**sound(folder, host), issued_at=folder.estate.now - timedelta(seconds=1000)))
    first, second = (folder.load(reports="reports") for _ in range(2))
    assert first.reported() == second.reported() and first.state() == second.state() == "state_stale"


def test_desired_variables_are_left_alone(folder: Any) -> None:
    folder.enrolled()
    folder.hosts["gw1"]["mesh_endpoint"] = "192.0.2.1"
    variables = folder.load().inventory.hosts["gw1"].vars
    assert variables["mesh_endpoint"] == "192.0.2.1" and variables["host_index"] == 1


@pytest.mark.parametrize("name", ["estate.yml", "a.estate.yaml", "reported.estate.yml"])
def test_names_of_files(folder: Any, name: str, tmp_path: Path) -> None:
    from ansible.plugins.loader import inventory_loader

    plugin = inventory_loader.get("bocage.fleet.estate")
    path = tmp_path / name
    path.touch()
    assert plugin.verify_file(str(path))
    assert not plugin.verify_file(str(tmp_path / "missing.estate.yml"))
    other = tmp_path / "realestate.yml"
    other.touch()
    assert not plugin.verify_file(str(other))


def test_a_missing_folder_of_reports(folder: Any) -> None:
    folder.pin()
    with pytest.raises(AnsibleError, match=r"folder of reports .* is missing"):
        folder.load_strictly(reports="nowhere")


def test_a_revoked_pin_is_an_error(folder: Any) -> None:
    folder.pin()
    (folder.path / "trust/enrolment.pub").write_bytes(dsse.generate_private_key())
    with pytest.raises(AnsibleError, match=r"enrolment\.pub"):
        folder.load_strictly()


def test_a_file_that_is_read_before_the_hosts(folder: Any) -> None:
    folder.write()
    (folder.path / "reported.estate.yml").rename(folder.path / "a.estate.yml")
    loaded = folder.read()
    assert "no host of the group managed was read before this file" in loaded.warnings[0]


def test_a_missing_library_is_named(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.bocage.fleet.plugins.inventory import estate

    monkeypatch.setattr(estate, "MISSING_LIBRARY", "securesystemslib")
    with pytest.raises(AnsibleError, match="needs the Python library securesystemslib"):
        folder.load_strictly()
