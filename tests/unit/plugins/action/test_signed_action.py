# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action says before anything is sent; how it follows is in tests/unit/plugins/inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.bocage.fleet.plugins.action.signed_action import ActionModule
from bocage_core._common import dsse
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


class Place:
    """An inventory's folder with its trust, and an operator's key beside it."""

    def __init__(self, folder: Path, estate: Any, make_action: Any) -> None:
        self.folder, self.estate, self.make_action = folder, estate, make_action
        for name in ("trust/enrolments", "trust/actions"):
            (folder / name).mkdir(parents=True)
        (folder / "trust/enrolment.pub").write_bytes(dsse.public_key_to_pem(estate.public))
        self.pinned = folder / "trust/actions/anna.pub"
        self.pinned.write_bytes(dsse.public_key_to_pem(estate.action_key.public))
        self.key = folder / "anna.key"
        self.key.write_bytes(estate.action_private)
        self.key.chmod(0o600)
        (folder / "reader.token").write_text("token")
        self.config = {
            "plugin": "bocage.fleet.estate",
            "registry_url": "https://127.0.0.1:1",
            "token_file": "reader.token",
        }
        for name in ("gw1", "gw2", "gw3"):
            self.enrol(estate.host(name))

    def enrol(self, host: Any) -> None:
        (self.folder / f"trust/enrolments/{host.enrolment.name}.json").write_bytes(host.enrolment_bytes)

    def run(self, check: bool = True, **changes: Any) -> dict[str, Any]:
        (self.folder / "reported.estate.yml").write_text(yaml.safe_dump(self.config))
        arguments = {
            "verb": "upgrade",
            "hosts": ["gw1", "gw2", "gw3"],
            "key_file": str(self.key),
            "inventory_file": str(self.folder / "reported.estate.yml"),
            **changes,
        }
        found: dict[str, Any] = self.make_action(ActionModule, check=check, **arguments).run(task_vars={})
        return found


@pytest.fixture
def place(tmp_path: Path, signed_estate: Any, make_action: Any) -> Place:
    return Place(tmp_path, signed_estate, make_action)


def test_signed_action_in_check_mode_says_whom_it_would_ask(place: Place) -> None:
    result = place.run(batch_size=2)
    assert (result["changed"], result["nonces"], result["hosts"]) == (True, [], {})
    assert result["message"] == "3 hosts would be asked for upgrade as operator, in 2 batches."
    assert not place.run(hosts=[])["changed"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verb": "reboot"}, "There is no verb reboot; hosts can be asked for audit,"),
        ({"verb": "install"}, "The arguments of install in the action lacks packages. Nothing was sent."),
        ({"verb": "install", "packages": ["-rf"]}, "has an unusable text in the list packages. Nothing was sent."),
        ({"role": "The King"}, "no usable text in role"),
        ({"valid_seconds": 61}, "The option valid_seconds is 61; it can be from 1 to 60."),
        ({"batch_size": 501}, "The option batch_size is 501; it can be from 1 to 500."),
        ({"hosts": ["gw1", "desk9"]}, "The host desk9 is not enrolled. Nothing was sent;"),
        ({"key_file": "/nonexistent/anna.key"}, "The action key /nonexistent/anna.key is missing;"),
        ({"inventory_file": "/nonexistent.yml"}, "There is no /nonexistent.yml; inventory_file names the file"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(place: Place, changes: dict[str, Any], message: str) -> None:
    result = place.run(**changes)
    assert (result["failed"], result["changed"]) == (True, False)
    assert message in result["msg"]


def test_a_revoked_host_is_not_asked(place: Place) -> None:
    place.enrol(place.estate.host("gw2", kind="revocation"))
    assert "The enrolment of gw2 was revoked. Nothing was sent; leave it out with --limit." in place.run()["msg"]


def test_a_key_that_others_can_read_or_that_nobody_pins_is_not_used(place: Place) -> None:
    place.key.chmod(0o640)
    assert f"Others can read the action key {place.key}; set its mode to 0600." in place.run()["msg"]
    place.key.chmod(0o600)
    place.pinned.unlink()
    assert "so that no host takes its word; pin it with trust_root" in place.run()["msg"]


def test_a_key_with_a_passphrase(place: Place) -> None:
    key = load_pem_private_key(place.estate.action_private, None)
    place.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert place.run(key_passphrase="secret")["changed"]
    for changes in ({}, {"key_passphrase": "wrong"}):
        said = place.run(**changes)["msg"]
        assert said.startswith(f"{place.key}: The private key cannot be read")
        assert "wrong" not in said


def test_a_registry_that_is_not_there_yet(place: Place) -> None:
    place.config["ca_file"] = "trust/registry-ca.pem"
    assert "trust/registry-ca.pem is missing; run playbooks/trust.yml" in place.run()["msg"]
    place.config = {"plugin": "bocage.fleet.estate"}
    assert "has no registry_url" in place.run()["msg"]


def test_a_registry_that_does_not_answer(place: Place) -> None:
    result = place.run(check=False)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].startswith("The registry https://127.0.0.1:1 did not answer:")
