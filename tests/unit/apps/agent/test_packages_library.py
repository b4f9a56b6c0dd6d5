# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a package: built, signed, listed in a repository, accepted, chosen, executed; and what is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bocage_core._common import dsse, timestamps
from bocage_core._common.errors import BocageError
from bocage_core._common.rollout import State
from bocage_core._packages import downgrades, repository_edit
from bocage_core._packages.rollout_document import Locked, RolloutDocument
from package_estate import HOST_ID, NOW, Estate, RealHost
from package_fakes import touching

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture
def host(tmp_path: Path) -> RealHost:
    (tmp_path / "made").mkdir()
    return RealHost(tmp_path, estate=Estate(tmp_path))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def made(host: RealHost, name: str) -> Path:
    return host.folder / "made" / name


def test_the_whole_life_of_a_package(host: RealHost) -> None:
    host.estate.publish("editor", "1.0-1", touching(made(host, "editor")), depends="fonts(>=2)")
    host.estate.publish("fonts", "2.0-1", touching(made(host, "fonts")))
    host.estate.publish("erp1", "1", section="host", path="host/lyon/erp1.wapt", depends="editor")
    host.changes["host_package"] = "erp1"
    plan = host.update()
    assert [one.package for one in plan.install] == ["fonts", "editor", "erp1"]
    assert host.upgrade() is True
    assert host.states() == {"editor": ("OK", "1.0-1"), "erp1": ("OK", "1"), "fonts": ("OK", "2.0-1")}
    assert made(host, "editor").read_text() == "1.0-1 "
    host.estate.publish("editor", "1.1-1", touching(made(host, "editor")), depends="fonts")
    assert host.upgrade() is True
    assert host.states()["editor"] == ("OK", "1.1-1")
    found = host.run(lambda engine: engine.search(["edit"]))
    assert [(one.package, one.version) for one in found] == [("editor", "1.0-1"), ("editor", "1.1-1")]
    host.estate.publish("erp1", "2", section="host", path="host/lyon/erp1.wapt", depends="fonts", conflicts="editor")
    assert host.upgrade() is True
    assert host.states() == {"erp1": ("OK", "2"), "fonts": ("OK", "2.0-1")}
    assert not made(host, "editor").exists()
    assert host.upgrade() is True
    assert host.look(lambda store: store.pending()) == []


def test_a_version_that_is_held_back_is_explained(host: RealHost) -> None:
    host.estate.publish("editor", "1.0", touching(made(host, "a")))
    host.estate.publish("lab", "1", section="unit", depends="editor(<2)")
    host.changes["require"] = ["lab"]
    assert host.upgrade() is True
    host.estate.publish("editor", "2.0", touching(made(host, "a")))
    plan = host.update()
    assert plan.install == ()
    assert "editor: kept 1.0 because" in plan.reasons["editor"]
    assert "lab" in plan.reasons["editor"]


def test_what_is_missing_does_not_stop_the_rest(host: RealHost) -> None:
    host.estate.publish("good", "1", touching(made(host, "good")))
    host.estate.publish("needy", "1", touching(made(host, "needy")), depends="absent")
    host.changes["require"] = ["needy", "nowhere", "good"]
    assert host.upgrade() is False
    assert host.states() == {"good": ("OK", "1"), "needy": ("MISSING", None), "nowhere": ("MISSING", None)}
    assert host.rows()["nowhere"].reason == "The repository has no package nowhere for this host"
    assert "absent" in host.rows()["needy"].reason
    with pytest.raises(BocageError, match=r"needy: .*absent"):
        host.install("needy")


def test_a_revoked_signer_is_refused_and_nothing_runs(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.estate.revoke(host.estate.developer)
    assert host.install("editor") is False
    assert host.rows()["editor"].state == "ERROR"
    assert host.rows()["editor"].reason.startswith("Refused (revoked): ")
    assert host.cached() == []
    assert not made(host, "a").exists()


def test_a_refusal_names_the_package_and_its_version(host: RealHost) -> None:
    host.estate.publish("editor", "1.0-1", touching(made(host, "a")))
    host.estate.revoke(host.estate.developer)
    assert host.install("editor") is False
    assert host.rows()["editor"].reason == (
        "Refused (revoked): The certificate developer, on which the signature of the package editor 1.0-1 rests, was revoked."
    )
    host.estate.revoke()
    built = host.estate.build("tool", "1", touching(made(host, "b")), section="group")
    host.estate.list("group/tool_1.wapt", built)
    assert host.install("tool") is False
    assert host.rows()["tool"].reason.startswith("Refused (not_delegated): The package tool 1 would execute ")
    refused = host.look(lambda store: store.refusals())
    assert refused and not any(".partial" in reason for _name, _version, _code, reason, _at in refused)


def test_what_cannot_be_chosen_is_one_sentence(host: RealHost) -> None:
    host.estate.publish("needy", "1", touching(made(host, "needy")), depends="absent")
    host.changes["forbidden"] = ["fonts"]
    host.estate.publish("fonts", "1", touching(made(host, "fonts")))
    host.estate.publish("office", "1", touching(made(host, "office")), depends="fonts")
    for name, reason in (
        ("needy", "this host needs needy; needy 1 needs absent, but there is no such package for this machine"),
        ("office", "this host needs office; office 1 needs fonts, but this host forbids fonts"),
        ("nowhere", "The repository has no package nowhere for this host"),
    ):
        with pytest.raises(BocageError) as raised:
            host.install(name)
        assert reason in str(raised.value)
        assert ".." not in str(raised.value) and "settings of this host" not in str(raised.value)
        assert str(raised.value).endswith(".")


def test_attack_a_signer_revoked_after_the_download(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.changes["require"] = ["editor"]
    assert host.upgrade(download_only=True) is True
    host.estate.revoke(host.estate.developer)
    assert host.upgrade() is False
    assert host.rows()["editor"].reason.startswith("Refused (revoked): ")
    assert not made(host, "a").exists()


def test_without_a_fresh_list_of_revoked_ones_nothing_is_accepted(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.estate.revoke(days=-0.5)
    assert host.install("editor") is False
    assert host.rows()["editor"].reason.startswith("Refused (no_fresh_crl): ")


def test_settings_that_cannot_be_met_leave_the_host_as_it_is_and_are_told(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.estate.publish("erp1", "1", section="host", path="host/lyon/erp1.wapt", depends="editor")
    host.changes["host_package"] = "erp1"
    assert host.upgrade() is True
    host.estate.publish("erp1", "2", section="host", path="host/lyon/erp1.wapt", depends="absent")
    assert host.upgrade() is False
    assert host.states() == {"editor": ("OK", "1"), "erp1": ("MISSING", "1")}
    assert "host:erp1 2 cannot be had: " in host.rows()["erp1"].reason
    assert "absent" in host.rows()["erp1"].reason


def test_a_deployer_may_not_sign_what_is_executed(host: RealHost) -> None:
    built = host.estate.build("tool", "1", touching(made(host, "a")), section="group")
    host.estate.list("group/tool_1.wapt", built)
    assert host.install("tool") is False
    assert host.rows()["tool"].reason.startswith("Refused (not_delegated): ")


def test_attack_a_group_under_the_name_of_software(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.estate.publish("editor", "9", section="group", path="group/editor_9.wapt")
    assert host.install("editor") is True
    assert host.states() == {"editor": ("OK", "1")}
    host.estate.publish("base-tool", "1", section="base", path="group/base-tool_1.wapt")
    assert host.install("base-tool") is False
    assert "is of the section base, and the repository lists it as group/" in host.rows()["base-tool"].reason


@pytest.mark.parametrize(
    "path", ["host/paris/erp1_9.wapt", "group/erp1_9.wapt", "base/erp1_9.wapt", "unit/erp1_9.wapt"]
)
def test_attack_the_package_of_a_host_comes_from_its_own_site_alone(host: RealHost, path: str) -> None:
    host.changes |= {"host_package": "erp1", "site": "lyon"}
    host.estate.publish("tool", "1", touching(made(host, "a")))
    host.estate.publish("erp1", "9", section=path.partition("/")[0], path=path, depends="tool")
    assert host.upgrade() is False
    assert host.rows()["erp1"].version is None and "tool" not in host.states()
    host.estate.publish("erp1", "1", section="host", path="host/lyon/erp1.wapt")
    assert host.upgrade() is True
    assert host.states() == {"erp1": ("OK", "1")}


def test_packages_of_other_hosts_are_nothing_to_this_one(host: RealHost) -> None:
    host.changes |= {"host_package": "erp1", "site": "lyon", "require": ["erp2"]}
    host.estate.publish("erp1", "1", section="host", path="host/lyon/erp1.wapt")
    host.estate.publish("erp2", "1", section="host", path="host/lyon/erp2.wapt")
    assert host.upgrade() is False
    assert host.rows()["erp2"].version is None


@pytest.mark.parametrize("online", [True, False])
def test_attack_a_kept_download_does_not_bring_an_older_version_back(host: RealHost, online: bool) -> None:
    """What failed stays in the cache; that it was accepted once is no leave to go back."""
    mark = made(host, "a")
    host.estate.publish("editor", "1.0", touching(mark).replace("install():\n", "install():\n    error('not yet')\n"))
    host.estate.publish("editor", "2.0", touching(mark))
    assert host.install("editor(=1.0)") is False
    assert host.rows()["editor"].reason == "not yet"
    assert host.install("editor(=2.0)") is True
    if online:
        assert host.install("editor(=1.0)") is False
        assert host.rows()["editor"].reason.startswith("Refused (below_floor): ")
    else:
        host.estate.repository.public.rename(host.folder / "gone")
        with pytest.raises(BocageError, match="editor cannot be had without a repository"):
            host.install("editor(=1.0)")
    assert host.rows()["editor"].version == "2.0" and mark.read_text() == "2.0 "


def test_older_versions_need_a_ticket_for_this_host(host: RealHost) -> None:
    host.estate.publish("editor", "2.0", touching(made(host, "a")))
    assert host.install("editor") is True
    host.estate.publish("editor", "1.0", touching(made(host, "a")))
    host.remove("editor")
    assert host.install("editor(<2)") is False
    assert "Refused (below_floor)" in host.rows()["editor"].reason
    key = dsse.generate_private_key()
    ticket = downgrades.Ticket("editor", "1.0", (HOST_ID,), NOW + timedelta(hours=1))
    (host.folder / "etc" / "downgrades").mkdir()
    (host.folder / "etc" / "downgrades" / "1.json").write_text(json.dumps(downgrades.sign(ticket, key)))
    public = dsse.public_key_to_pem(dsse.public_key_of(key))
    other = dsse.public_key_to_pem(dsse.public_key_of(dsse.generate_private_key()))
    (host.folder / "etc" / "downgrade-keys.pem").write_bytes(other + public)
    assert host.install("editor(<2)") is True
    assert host.states() == {"editor": ("OK", "1.0")}


def test_offline_with_the_repository_gone(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.changes["require"] = ["editor"]
    assert host.upgrade(download_only=True) is True
    host.estate.repository.public.rename(host.folder / "gone")
    host.later(days=20)
    assert host.upgrade() in (True, False)
    assert host.states() == {"editor": ("OK", "1")}
    assert host.look(lambda store: store.records())[0].used_offline_at == "2026-12-11T12:00:00Z"


def test_attack_a_frozen_repository(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.update()
    host.later(days=365)
    with pytest.raises(
        BocageError, match=r"expired.*clock says 2027-11-21T12:00:00Z; its last update was at 2026-11-21"
    ):
        host.update()
    with pytest.raises(BocageError, match="editor cannot be had without a repository: "):
        host.install("editor")


def test_an_altered_replica_gives_nothing(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    host.update()
    (stored,) = (host.estate.repository.public / "targets" / "base").glob("*.editor_1.wapt")
    stored.write_bytes(stored.read_bytes()[:-10] + b"0123456789")
    assert host.install("editor") is False
    assert "editor" in host.rows()["editor"].reason
    assert not made(host, "a").exists()


def test_a_package_for_another_kind_of_machine_is_not_chosen(host: RealHost) -> None:
    host.estate.publish("editor", "2", touching(made(host, "a")), target_os="windows")
    host.estate.publish("editor", "1", touching(made(host, "a")), target_os="linux")
    assert host.install("editor") is True
    assert host.states() == {"editor": ("OK", "1")}


def test_of_equal_versions_the_best_fit_is_taken(host: RealHost) -> None:
    for locale in ("de", "fr", "fr,en"):
        path = f"base/editor_1_{locale.replace(',', '-')}.wapt"
        host.estate.publish("editor", "1", touching(made(host, locale)), path=path, locale=locale)
    host.changes["machine"] = {"locales": ["fr", "de"]}
    assert host.install("editor") is True
    assert made(host, "fr").exists() or made(host, "fr,en").exists()
    assert not made(host, "de").exists()


def test_a_missing_pinned_root_is_a_sentence(host: RealHost) -> None:
    (host.folder / "etc" / "root.json").unlink()
    with pytest.raises(BocageError, match=r"The pinned root of the repository .*root\.json cannot be read"):
        host.update()


def test_without_authorities_nothing_is_accepted(host: RealHost) -> None:
    host.estate.publish("editor", "1", touching(made(host, "a")))
    (host.folder / "etc" / "authorities.pem").unlink()
    assert host.install("editor") is False
    assert "This host trusts nobody's packages" in host.rows()["editor"].reason


def test_a_rollout_holds_a_host_gives_it_the_change_and_takes_it_back(host: RealHost) -> None:
    old = host.estate.publish("editor", "1.0", touching(made(host, "a")))
    host.changes["require"] = ["editor"]
    assert host.upgrade() is True
    new = host.estate.publish("editor", "2.0", touching(made(host, "a")), depends="addon")
    addon = host.estate.publish("addon", "1.0", touching(made(host, "addon")))
    key = dsse.generate_private_key()
    public = dsse.public_key_to_pem(dsse.public_key_of(key))
    other = dsse.public_key_to_pem(dsse.public_key_of(dsse.generate_private_key()))
    (host.folder / "etc" / "downgrade-keys.pem").write_bytes(other + public)
    ticket = downgrades.sign(downgrades.Ticket("editor", "1.0", (HOST_ID,), NOW + timedelta(days=2)), key)
    document = RolloutDocument(
        definition={
            "name": "editor-2",
            "salt": "s",
            "rings": [{"name": "pilots", "hosts": ["other"]}, {"name": "all", "share_percent": 100}],
            "expires": timestamps.write(NOW + timedelta(days=2)),
        },
        state=State("running", 0),
        before={"editor": Locked("1.0", (digest(old),))},
        after={"editor": Locked("2.0", (digest(new),)), "addon": Locked("1.0", (digest(addon),))},
        tickets=(ticket,),
    )
    host.estate.roll_out(document)
    assert host.upgrade() is True
    assert host.states() == {"editor": ("OK", "1.0")}, "the ring of this host is not open yet"
    with pytest.raises(BocageError, match=r"addon: .*rollout editor-2, ring all"):
        host.install("addon")
    host.estate.roll_out(replace(document, state=State("running", 1)))
    assert host.upgrade() is True
    assert host.states() == {"addon": ("OK", "1.0"), "editor": ("OK", "2.0")}
    assert host.look(lambda store: store.fact("rollouts"))["editor-2"]["taken"] is True
    assert [one["editor-2"].get("begun") for one in host.announced] == [True], "it was told before, and once"
    assert host.upgrade() is True
    assert len(host.announced) == 1, "nothing begins"
    host.estate.roll_out(replace(document, state=State("rolled_back", 1)))
    assert host.upgrade() is True
    assert host.states() == {"editor": ("OK", "1.0")}
    assert made(host, "a").read_text() == "1.0 2.0 1.0 "
    assert [one["editor-2"]["taken"] for one in host.announced] == [True, False], "going back is told, too"
    assert not made(host, "addon").exists()


def test_a_rollout_that_cannot_be_read_stops_what_it_might_speak_of(host: RealHost) -> None:
    host.estate.publish("editor", "1.0", touching(made(host, "a")))
    path = host.folder / "broken.json"
    path.write_bytes(b"{}")
    host.estate.repository.add(repository_edit.add_file("rollouts/broken.json", path))
    with pytest.raises(BocageError, match=r"rollouts/broken\.json lacks"):
        host.update()
    with pytest.raises(BocageError, match="editor cannot be had without a repository"):
        host.install("editor")
    assert not made(host, "a").exists()
