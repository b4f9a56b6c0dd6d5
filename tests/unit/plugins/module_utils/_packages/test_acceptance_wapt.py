# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts of WAPT's own code on packages, and ours; each difference by its name and with its reason."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest
from bocage_core._common.refused import Refused
from bocage_core._packages import certificates
from bocage_core._packages import control as controls
from bocage_core._packages.acceptance import check_control_signature, verify_control, verify_package
from party_maker import AT, WAPT, wapt_trust

VECTORS = json.loads((WAPT / "packages.json").read_text())
CASES = [(name, store) for name, stores in VECTORS["verdicts"].items() for store in stores]

EXPIRED_AUTHORITY = "an authority that has expired issues no trust; WAPT looks at the dates of the signer alone"
CASE_OF_SETUP = "on Windows and macOS Setup.py is setup.py, so it needs codeSigning as well"
CONTROL_NOT_SIGNED = "the control file's own signature is a part of the rule; WAPT looks at the manifest's alone here"

# The only cases in which our verdict is another than WAPT's, all of them stricter.
PACKAGE_DIFFERENCES = {
    ("by-expired-ca", "root+weird"): EXPIRED_AUTHORITY,
    ("h-dep-with-setup-case", "root"): CASE_OF_SETUP,
    ("h-dep-with-setup-case", "root+weird"): CASE_OF_SETUP,
    ("h-none-installed", "root"): CONTROL_NOT_SIGNED,
    ("h-none-installed", "root+weird"): CONTROL_NOT_SIGNED,
    ("h-trailing-space", "root"): CONTROL_NOT_SIGNED,
    ("h-trailing-space", "root+weird"): CONTROL_NOT_SIGNED,
}
CONTROL_DIFFERENCES = {("by-expired-ca", "root+weird"): EXPIRED_AUTHORITY}


def package_refusal(name: str, store: str) -> Refused | None:
    trust = wapt_trust(VECTORS["trust_stores"][store])
    try:
        accepted = verify_package(WAPT / "packages" / f"{name}.wapt", trust, AT)
    except Refused as error:
        return error
    expected = VECTORS["verdicts"][name][store].get("setup_sha256")
    assert accepted.digests.get("setup.py") == expected
    return None


def control_refusal(name: str, store: str) -> Refused | None:
    trust = wapt_trust(VECTORS["trust_stores"][store])
    with zipfile.ZipFile(WAPT / "packages" / f"{name}.wapt") as archive:
        control = controls.parse_control(archive.read("WAPT/control"))
        carried = "WAPT/certificate.crt" in archive.namelist()
        presented = certificates.load_chain(archive.read("WAPT/certificate.crt"), "it") if carried else ()
    try:
        verify_control(control, presented, trust, AT, "the control file")
    except Refused as error:
        return error
    return None


@pytest.mark.parametrize(("name", "store"), CASES)
def test_verdicts_of_wapt(name: str, store: str) -> None:
    verdict: dict[str, Any] = VECTORS["verdicts"][name][store]
    for refusal, kind, differences in (
        (package_refusal(name, store), "package", PACKAGE_DIFFERENCES),
        (control_refusal(name, store), "control", CONTROL_DIFFERENCES),
    ):
        if (name, store) in differences:
            assert verdict[kind] == "accept", "a difference that is none"
            assert refusal is not None, differences[name, store]
        else:
            assert ("accept" if refusal is None else "reject") == verdict[kind], refusal


def test_stricter_than_wapt_an_authority_that_has_expired() -> None:
    for refusal in (package_refusal("by-expired-ca", "root+weird"), control_refusal("by-expired-ca", "root+weird")):
        assert refusal is not None
        assert refusal.code == "untrusted_signer"
        assert str(refusal).endswith("no good path to an authority trusted: cert is not valid at validation time.")


def test_stricter_than_wapt_setup_in_another_spelling() -> None:
    refusal = package_refusal("h-dep-with-setup-case", "root")
    assert refusal is not None
    assert refusal.code == "not_code_signing"
    assert "would execute Setup.py, and the certificate dep may sign only what executes nothing" in str(refusal)


@pytest.mark.parametrize("name", ["h-none-installed", "h-trailing-space"])
def test_stricter_than_wapt_a_control_file_whose_signature_is_not_good(name: str) -> None:
    refusal = package_refusal(name, "root")
    assert refusal is not None
    assert str(refusal) == (
        f"The signature of the control file of the package {name}.wapt does not verify with the key of its signer."
    )


def test_a_version_that_is_empty_is_left_to_the_full_rule() -> None:
    """Its X.509 part is good, for WAPT and here; a repository has no place for it and a host no order."""
    assert package_refusal("h-empty-version", "root") is None


@pytest.mark.parametrize(
    "row", json.loads((WAPT / "real" / "real.json").read_text())["rows"], ids=lambda row: row["file"]
)
def test_controls_that_the_vendor_signed(row: dict[str, str]) -> None:
    """One was edited after it was signed, and one is good only in a form of before WAPT 1.7, which is refused outright."""
    control = controls.parse_control((WAPT / "real" / row["file"]).read_bytes())
    signer = certificates.load_chain((WAPT / "real" / row["cert"]).read_bytes(), "it")[0]
    if row["control_signature"] == "valid":
        check_control_signature(control, signer, "the control file")
    else:
        with pytest.raises(Refused, match="does not verify with the key of its signer") as refusal:
            check_control_signature(control, signer, "the control file")
        assert refusal.value.code == "bad_signature"
