# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
from typing import Any

import pytest
from bocage_core._common import canonical, dsse
from bocage_core._common.refused import Refused
from bocage_core._state import report as reports
from bocage_core._state.report import Report
from hypothesis import given
from hypothesis import strategies as st

KEY = "A" * 43 + "="
SEAL = {
    "status": "broken",
    "digest": "a" * 64,
    "base": "b" * 64,
    "facts": {"kernel": "6.1", "addresses:eth1": ["198.18.1.2/24"]},
    "counter": 7,
    "sealed_at": "2026-01-31T08:30:00Z",
    "findings": ["/etc/x was altered on the host."],
}
PEER = {
    "public_key": KEY,
    "endpoint": "[2001:db8::1]:51820",
    "allowed_ips": ["fd7b:4c1e:90a2::/48", "198.18.1.0/24"],
    "latest_handshake": 1_700_000_000,
    "rx_bytes": 2**64 - 1,
    "tx_bytes": 0,
}
GOOD: dict[str, Any] = {
    "schema": 1,
    "host_id": "6f1e2d3c-0000-4000-8000-000000000000",
    "generation": 1,
    "counter": 1,
    "issued_at": "2026-01-01T00:00:00Z",
    "boot_id": "6f1e2d3c-0000-4000-8000-000000000001",
    "previous": None,
    "sections": {
        "system": {
            "hostname": "gw1",
            "os": "Debian GNU/Linux 12",
            "kernel": "6.1.0",
            "uptime_seconds": 1,
            "memory_total_bytes": 1,
            "cpu_count": 1,
            "agent_version": "0.1.0",
            "boot": {"kernel_milliseconds": 1500, "userspace_milliseconds": 12346},
        },
        "mesh": {
            "interface": "bocage0",
            "backend": "kernel",
            "public_key": KEY,
            "listen_port": 51820,
            "mtu": 1420,
            "addresses": ["fd7b:4c1e:90a2:1::1/64"],
            "config_digest": "0" * 64,
            "drift": [],
            "peer_count": 250,
            "peers": [PEER],
            "round_trip_microseconds": 12300,
        },
        "gateway": {"lan_interface": "eth1", "forwarding": True, "ruleset_digest": None, "drift": ["nothing"]},
        "seals": {"mesh": SEAL},
    },
}


def changed(path: str, value: object) -> bytes:
    document = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    target: Any = document
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target[name]
    target[last] = value
    return canonical.dumps(document)


def test_payload_round_trip() -> None:
    payload = canonical.dumps(GOOD)
    report = Report.from_payload(payload)
    assert report.to_payload() == payload
    assert report.digest == canonical.digest(payload)
    assert report.sections["mesh"]["peer_count"] == 250


def test_signed_and_verified(signed_estate: Any) -> None:
    host = signed_estate.host()
    report = host.report()
    assert reports.verify(dsse.load(host.sign(report)), host.enrolment.report_key) == report


def test_later_sections_and_fields_pass() -> None:
    assert Report.from_payload(changed("sections/later", {"any": [1]})).sections["later"] == {"any": [1]}
    assert Report.from_payload(changed("sections/mesh/later", 1)).sections["mesh"]["later"] == 1
    assert Report.from_payload(changed("sections/system/boot/later", "x")).sections["system"]["boot"]["later"] == "x"


def test_a_seal_that_was_refused_can_be_reported() -> None:
    document = copy.deepcopy(GOOD)
    document["sections"]["seals"]["mesh"].update(digest=None, base=None, counter=None, sealed_at=None, facts={})
    assert Report.from_payload(canonical.dumps(document)).sections["seals"]["mesh"]["counter"] is None
    document["sections"]["seals"] = {}
    assert Report.from_payload(canonical.dumps(document)).sections["seals"] == {}


def test_an_interface_that_is_down_can_be_reported() -> None:
    document = copy.deepcopy(GOOD)
    document["sections"]["mesh"].update(
        backend=None,
        public_key=None,
        listen_port=None,
        mtu=None,
        config_digest=None,
        addresses=[],
        peers=[],
        peer_count=0,
    )
    assert Report.from_payload(canonical.dumps(document)).sections["mesh"]["backend"] is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", 2),
        ("extra", 1),
        ("host_id", "gw1"),
        ("generation", 0),
        ("counter", 0),
        ("counter", True),
        ("counter", 2**63),
        ("issued_at", "yesterday"),
        ("boot_id", "x"),
        ("previous", "x"),
        ("previous", 1),
        ("sections", []),
        ("sections/Mesh", {}),
        ("sections/packages", []),
        ("sections/system/hostname", "a\x1b[2J"),
        ("sections/system/hostname", "a\u202eb"),
        ("sections/system/hostname", "a" * 513),
        ("sections/system/uptime_seconds", -1),
        ("sections/system/os", None),
        ("sections/system/boot", []),
        ("sections/system/boot/userspace_milliseconds", -1),
        ("sections/system/boot/userspace_milliseconds", "12"),
        ("sections/mesh/interface", "a/b"),
        ("sections/mesh/backend", "magic"),
        ("sections/mesh/backend", []),
        ("sections/mesh/public_key", "x"),
        ("sections/mesh/listen_port", 65536),
        ("sections/mesh/addresses", ["fd7b::1"]),
        ("sections/mesh/addresses", "fd7b::1/64"),
        ("sections/mesh/drift", ["two\nlines"]),
        ("sections/mesh/peer_count", 0),
        ("sections/mesh/peers", {}),
        ("sections/mesh/peers", [1]),
        ("sections/mesh/peers", [PEER] * 201),
        ("sections/mesh/epoch", -1),
        ("sections/mesh/epoch", "1"),
        ("sections/mesh/round_trip_microseconds", -1),
        ("sections/mesh/round_trip_microseconds", None),
        ("sections/mesh/live_epochs", 1),
        ("sections/mesh/live_epochs", [True]),
        ("sections/mesh/live_epochs", [0, 1, 2, 3, 4]),
        ("sections/mesh/peers/0/public_key", None),
        ("sections/mesh/peers/0/endpoint", "evil.example:1"),
        ("sections/mesh/peers/0/allowed_ips", ["{{ lookup('pipe', 'id') }}"]),
        ("sections/mesh/peers/0/rx_bytes", 2**64),
        ("sections/gateway/forwarding", 1),
        ("sections/gateway/ruleset_digest", "abc"),
        ("sections/seals/Mesh", SEAL),
        ("sections/seals/mesh", []),
        ("sections/seals/mesh/status", "fine"),
        ("sections/seals/mesh/status", None),
        ("sections/seals/mesh/digest", "abc"),
        ("sections/seals/mesh/base", 1),
        ("sections/seals/mesh/counter", -1),
        ("sections/seals/mesh/sealed_at", "yesterday"),
        ("sections/seals/mesh/facts", None),
        ("sections/seals/mesh/facts", {"Kernel": "6"}),
        ("sections/seals/mesh/facts", {"kernel": 6}),
        ("sections/seals/mesh/facts", {"addresses:eth1": ["\x1b[2J"]}),
        ("sections/seals/mesh/findings", ["x"] * 6),
        ("sections/seals/mesh/findings", ["a\u202eb"]),
    ],
)
def test_wrong_values_are_refused(path: str, value: object) -> None:
    with pytest.raises(Refused) as refusal:
        Report.from_payload(changed(path, value))
    assert refusal.value.code == "malformed"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=5), inner, max_size=3)
    ),
)
paths = st.sampled_from(
    [*GOOD]
    + [f"sections/{name}" for name in GOOD["sections"]]
    + [f"sections/{name}/{inner}" for name, section in GOOD["sections"].items() for inner in section]
    + [f"sections/mesh/peers/0/{name}" for name in PEER]
    + [f"sections/seals/mesh/{name}" for name in SEAL]
)


@given(paths, values)
def test_fuzz_changed_values_raise_nothing_else(path: str, value: object) -> None:
    payload = changed(path, value)
    try:
        assert Report.from_payload(payload).to_payload() == payload
    except Refused as refusal:
        assert refusal.code == "malformed"


@given(st.binary(max_size=200))
def test_fuzz_bytes_raise_nothing_else(payload: bytes) -> None:
    with pytest.raises(Refused):
        Report.from_payload(payload)
