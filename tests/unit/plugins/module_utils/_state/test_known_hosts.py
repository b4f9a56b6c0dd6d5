# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinned keys in a file of known hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bocage_core._common.errors import BadInput
from bocage_core._state import known_hosts

KEYS = ["ssh-ed25519 NEW", "ssh-rsa NEW"]


def test_the_keys_of_a_host_take_the_place_of_others() -> None:
    before = (
        "# ours\n"
        "192.0.2.1 ssh-ed25519 OLD\n"
        "192.0.2.2,192.0.2.1 ssh-rsa SHARED\n"
        "[192.0.2.1]:2222 ssh-rsa OTHER-PORT\n"
        "@revoked 192.0.2.1 ssh-rsa BAD\n"
        "@cert-authority *.example ssh-rsa CA\n"
        "192.0.2.1 ssh-rsa NEW\n"
    )
    after = known_hosts.pin(before, "192.0.2.1", KEYS)
    assert after == (
        "# ours\n"
        "192.0.2.2 ssh-rsa SHARED\n"
        "[192.0.2.1]:2222 ssh-rsa OTHER-PORT\n"
        "@revoked 192.0.2.1 ssh-rsa BAD\n"
        "@cert-authority *.example ssh-rsa CA\n"
        "192.0.2.1 ssh-rsa NEW\n"
        "192.0.2.1 ssh-ed25519 NEW\n"
    )
    assert known_hosts.pin(after, "192.0.2.1", KEYS) == after
    assert known_hosts.pin("", "desk1", KEYS) == "desk1 ssh-ed25519 NEW\ndesk1 ssh-rsa NEW\n"


def test_names_that_are_hashed_are_found(tmp_path: Path) -> None:
    file, key = tmp_path / "known", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    kind, blob = key.with_suffix(".pub").read_text().split()[:2]
    file.write_text(f"desk1 {kind} {blob}\ndesk2 {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    before = file.read_text()
    assert "desk" not in before
    file.write_text(known_hosts.pin(before, "desk1", KEYS))
    found = {}
    for name in ("desk1", "desk2"):
        asked = subprocess.run(["ssh-keygen", "-F", name, "-f", file], capture_output=True, text=True, check=False)
        found[name] = [line.split()[-1] for line in asked.stdout.splitlines() if not line.startswith("#")]
    assert found == {"desk1": ["NEW", "NEW"], "desk2": [blob]}
    for odd in ("|1|x", "|2|a|b", "|1|!|!", "word"):
        assert known_hosts.pin(f"{odd} ssh-rsa X\n", "desk1", []) == f"{odd} ssh-rsa X\n"


def test_names() -> None:
    assert known_hosts.name_of("desk1", None) == known_hosts.name_of("desk1", 22) == "desk1"
    assert known_hosts.name_of("fe80::1%eth0", 2222) == "[fe80::1%eth0]:2222"
    with pytest.raises(BadInput, match="cannot stand in a file of known hosts; correct ansible_host"):
        known_hosts.name_of("desk1,gw1", None)
