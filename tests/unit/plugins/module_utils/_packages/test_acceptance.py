# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from bocage_core._common import dsse
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import control as controls
from bocage_core._packages import downgrades, signing
from bocage_core._packages.acceptance import Accepted, Standing, accept, verify_control, verify_package
from bocage_core._packages.certificates import Trust
from bocage_core._packages.control import Control
from bocage_core._packages.downgrades import Ticket
from cryptography.hazmat.primitives.serialization import Encoding
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from package_maker import (
    DEPLOYER,
    DEVELOPER,
    FIELDS,
    FILES,
    HOST,
    ROOT,
    Said,
    build,
    change_control,
    contents,
    rewrite,
    sign_again,
)
from party_maker import AT, CODE, DAY, Party, rsa_key, trust

_PEM = Encoding.PEM
STORE = trust(ROOT)
NEW = Standing(HOST)


def _sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha256(path: Path) -> str:
    return _sha256_of(path.read_bytes())


def refusal(path: Path, store: Trust = STORE, at: datetime = AT) -> Refused:
    with pytest.raises(Refused) as caught:
        verify_package(path, store, at)
    assert str(caught.value).endswith(".")
    return caught.value


def full_refusal(path: Path, said: Said, standing: Standing = NEW, store: Trust = STORE) -> Refused:
    with pytest.raises(Refused) as caught:
        accept(path, said, store, AT, standing)
    assert str(caught.value).endswith(".")
    return caught.value


def test_a_good_package(tmp_path: Path) -> None:
    path = build(tmp_path)
    accepted = accept(path, Said.of(path), STORE, AT, NEW)
    assert accepted == verify_package(path, STORE, AT)
    assert isinstance(accepted, Accepted)
    assert str(accepted.control) == "tis-app=1.2-3"
    assert (accepted.signer, accepted.executables) == ("developer", ("setup.py",))
    assert accepted.signer_fingerprint == accepted.control.get("signer_fingerprint")
    assert set(accepted.digests) == {*FILES, "WAPT/control", "WAPT/certificate.crt"}
    assert accepted.control_sha256 == Said.of(path).custom.control_sha256
    assert accepted.at == AT


def test_a_package_that_executes_nothing_needs_no_right_to(tmp_path: Path) -> None:
    path = build(tmp_path, {}, DEPLOYER)
    assert accept(path, Said.of(path, may_execute=False), STORE, AT, NEW).executables == ()


@pytest.mark.parametrize("changes", [{"length": 1}, {"sha256": "0" * 64}])
def test_attack_wrong_software_under_a_right_name(tmp_path: Path, changes: dict[str, int]) -> None:
    path = build(tmp_path)
    found = full_refusal(path, replace(Said.of(path), **changes))  # type: ignore[arg-type]
    assert found.code == "wrong_target"


@pytest.mark.parametrize("name", ["package", "version", "architecture", "depends", "maturity", "control_sha256"])
def test_attack_a_signed_package_that_the_repository_does_not_mean(tmp_path: Path, name: str) -> None:
    path = build(tmp_path)
    said = Said.of(path)
    found = full_refusal(path, replace(said, custom=replace(said.custom, **{name: "7"})))
    assert found.code == "wrong_target"
    assert str(found) == f"The package app.wapt is not the one of which the repository speaks: {name} differ."


def test_attack_code_in_a_package_that_a_deployer_delegates(tmp_path: Path) -> None:
    path = build(tmp_path)
    found = full_refusal(path, Said.of(path, may_execute=False))
    assert found.code == "not_delegated"
    assert "would execute setup.py, and the role of the repository that signed it may not sign" in str(found)


@pytest.mark.parametrize("name", ["setup.py", "Setup.PY", "SETUP.py", "setup.pyc", "bocage/hooks/x"])
def test_attack_code_signed_without_the_right_to_execute(tmp_path: Path, name: str) -> None:
    path = build(tmp_path, {}, DEPLOYER)
    found = refusal(sign_again(path, {name: b"print(1)"}, DEPLOYER))
    assert found.code == "not_code_signing"
    assert f"would execute {name}, and the certificate deployer may sign only" in str(found)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data/evil": b"x"}, "has files that its manifest does not name"),
        ({"WAPT/evil": b"x"}, "has files that its manifest does not name"),
        ({"data/é": None}, "lacks files that its manifest names"),
        ({"data/é": b"x"}, "has files that are not as its manifest says"),
        ({"setup.py": b"x"}, "has files that are not as its manifest says"),
        ({"WAPT/control": b"package: x\n"}, "has files that are not as its manifest says"),
        ({"WAPT/certificate.crt": b""}, "does not hold certificates in PEM"),
        (
            {"WAPT/certificate.crt": DEPLOYER.certificate.public_bytes(_PEM)},
            "has files that are not as its manifest says",
        ),
        ({"WAPT/certificate.crt": None}, "has no WAPT/certificate.crt: it is not a signed package"),
        ({"WAPT/manifest.sha256": None}, "has no WAPT/manifest.sha256: it is not a signed package"),
        ({"WAPT/signature.sha256": None}, "has no WAPT/signature.sha256: it is not a signed package"),
        ({"WAPT/manifest.sha256": b"[]"}, "The signature of the manifest of the package app.wapt does not verify"),
        ({"WAPT/signature.sha256": b"AAAA"}, "does not verify"),
        ({"WAPT/signature.sha256": b"!"}, "is not a signature in base64"),
    ],
)
def test_attack_files_changed_after_they_were_signed(
    tmp_path: Path, changes: dict[str, bytes | None], reason: str
) -> None:
    assert reason in str(refusal(rewrite(build(tmp_path), changes)))


def test_attack_only_the_older_digest_is_signed(tmp_path: Path) -> None:
    path = build(tmp_path)
    found = contents(path)
    older = {"WAPT/manifest.sha1": found["WAPT/manifest.sha256"], "WAPT/signature": found["WAPT/signature.sha256"]}
    taken = {"WAPT/manifest.sha256": None, "WAPT/signature.sha256": None}
    assert refusal(rewrite(path, {**older, **taken})).code == "unsigned"


@pytest.mark.parametrize("content", [b"", b"{}", b'[["a"]]', b'[["data/../x","' + b"0" * 64 + b'"]]', b"[" * 5000])
def test_a_signed_manifest_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = build(tmp_path)
    from bocage_core._packages import signatures

    signature = signatures.encode_lines(DEVELOPER.signer().sign(content))
    found = refusal(rewrite(path, {"WAPT/manifest.sha256": content, "WAPT/signature.sha256": signature}))
    assert found.code in ("malformed", "bad_signature")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": "9"}, "does not verify with the key of its signer"),
        ({"depends": ""}, "does not verify with the key of its signer"),
        ({"installed_size": 13}, "does not verify with the key of its signer"),
        ({"icon_sha256sum": "x"}, "carries what nobody signed: icon_sha256sum"),
        ({"filename": "x.wapt"}, "carries what nobody signed: filename"),
        ({"signature": ""}, "has no signature"),
        ({"signature": None}, "has no signature"),
        ({"signature": "!"}, "is not a signature in base64"),
        ({"signed_attributes": ""}, "signed"),
        ({"signed_attributes": "package,version"}, "is signed without"),
        ({"description": None}, "lacks what its signature covers: description"),
        ({"priority": None}, "lacks priority"),
    ],
)
def test_attack_a_control_file_changed_after_it_was_signed(
    tmp_path: Path, fields: dict[str, str | int | None], reason: str
) -> None:
    """The manifest is signed all the same: a deployer's key may not speak for a developer's control file."""
    assert reason in str(refusal(change_control(build(tmp_path), **fields)))


def test_attack_one_signs_the_control_file_and_another_the_package(tmp_path: Path) -> None:
    other = ROOT.issue("other", rsa_key("other"), extended=CODE)
    path = build(tmp_path)
    control = signing.sign_control(Control(dict(FIELDS)), other.signer(), AT)
    found = refusal(sign_again(path, {"WAPT/control": controls.render_control(control)}))
    assert found.code == "bad_signature"
    # The same key under another certificate is another signer too.
    twin = ROOT.issue("twin", extended=CODE)
    control = signing.sign_control(Control(dict(FIELDS)), twin.signer(), AT)
    found = refusal(sign_again(path, {"WAPT/control": controls.render_control(control)}))
    assert found.code == "other_signer"
    assert str(found) == (
        "The control file of the package app.wapt names a signer other than developer, which signed it."
    )


def test_keys_that_we_do_not_know_are_ignored_where_they_are_signed(tmp_path: Path) -> None:
    path = build(tmp_path, icon_sha256sum="0" * 64, of_the_future="x")
    assert verify_package(path, STORE, AT).control.get("of_the_future") == "x"


def test_attack_signers_that_are_expired_revoked_or_unknown(tmp_path: Path) -> None:
    path = build(tmp_path)
    assert refusal(path, at=AT + 366 * DAY).code == "expired"
    assert refusal(path, at=AT - 366 * DAY).code == "not_yet_valid"
    assert refusal(path, trust(Party.root("other", rsa_key("other")))).code == "untrusted_signer"
    assert refusal(path, Trust(STORE.certificates, (ROOT.crl([DEVELOPER]),))).code == "revoked"
    assert refusal(path, Trust(STORE.certificates, (ROOT.crl(end=AT),))).code == "no_fresh_crl"
    assert refusal(path, trust(ROOT, revocation="required")).code == "no_fresh_crl"
    assert verify_package(path, Trust(STORE.certificates, (ROOT.crl(),), revocation="required"), AT)


def test_refusals_come_in_the_order_of_the_rule(tmp_path: Path) -> None:
    """Each step spoils what an earlier step looks at, so that its reason is told instead of all later ones."""
    path = build(tmp_path, version="1", party=DEVELOPER)
    standing = Standing(HOST, installed="2")
    said = Said.of(path)
    assert full_refusal(path, said, standing).code == "below_floor"
    assert full_refusal(path, replace(said, may_execute=False), standing).code == "not_delegated"
    wrong = replace(said, custom=replace(said.custom, package="x"), may_execute=False)
    assert full_refusal(path, wrong, standing).code == "wrong_target"

    def spoilt(length: int | None = None) -> Refused:
        now = replace(wrong, length=path.stat().st_size if length is None else length, sha256=Said.of(path).sha256)
        return full_refusal(path, now, standing)

    change_control(path, version="1.1")
    assert "signature of the control file" in str(spoilt())
    rewrite(path, {"data/evil": b"x"})
    assert "manifest does not name" in str(spoilt())
    rewrite(path, {"WAPT/manifest.sha256": b"[]"})
    assert "signature of the manifest" in str(spoilt())
    chain = contents(path)["WAPT/certificate.crt"]
    rewrite(path, {"WAPT/certificate.crt": Party.root("x", rsa_key("x")).certificate.public_bytes(_PEM)})
    assert spoilt().code == "untrusted_signer"
    rewrite(path, {"WAPT/certificate.crt": chain, "../x": b""})
    with pytest.raises(Refused) as caught:
        accept(path, replace(wrong, length=path.stat().st_size, sha256=_sha256(path)), STORE, AT, standing)
    assert caught.value.code == "bad_archive"
    assert full_refusal(path, wrong, standing).code == "wrong_target"


def test_nothing_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^The package gone\.wapt cannot be read at .*: No such file or directory\.$"):
        verify_package(tmp_path / "gone.wapt", STORE, AT)
    with pytest.raises(BadInput, match="cannot be read"):
        accept(tmp_path / "gone.wapt", Said.of(build(tmp_path)), STORE, AT, NEW)


KEY = dsse.generate_private_key()
PUBLIC = dsse.public_key_of(KEY)
TICKET = Ticket("tis-app", "1.2-3", (HOST,), AT + DAY)


def standing(installed: str, *tickets: Ticket, key: bytes = KEY, keys: Sequence[bytes] = (PUBLIC,)) -> Standing:
    return Standing(HOST, installed, [json.dumps(downgrades.sign(one, key)).encode() for one in tickets], keys)


@pytest.mark.parametrize("installed", ["", "1.2-3", "1.2-2", "1.1", "1.2.0-3"])
def test_what_is_not_older_needs_no_ticket(tmp_path: Path, installed: str) -> None:
    path = build(tmp_path)
    assert accept(path, Said.of(path), STORE, AT, standing(installed))


def test_a_ticket_lets_go_back(tmp_path: Path) -> None:
    path = build(tmp_path)
    for ticket in (TICKET, replace(TICKET, version="1.2.0-3")):
        assert accept(path, Said.of(path), STORE, AT, standing("1.10", ticket))
    assert accept(path, Said.of(path), STORE, AT, standing("2", replace(TICKET, package="x"), TICKET))


@pytest.mark.parametrize(
    ("ticket", "reason"),
    [
        (replace(TICKET, package="tis-other"), "a ticket is for tis-other 1.2-3"),
        (replace(TICKET, version="1.2-2"), "a ticket is for tis-app 1.2-2"),
        (replace(TICKET, hosts=("6f1c1f3e-0a51-4a0c-9a53-0d7c3f0a9b12",)), "the ticket does not name this host"),
        (replace(TICKET, expires=AT), "the ticket ended at 2026-11-21T00:00:00Z"),
    ],
)
def test_attack_rollback_with_a_ticket_for_something_else(tmp_path: Path, ticket: Ticket, reason: str) -> None:
    path = build(tmp_path)
    found = full_refusal(path, Said.of(path), standing("1.10", ticket))
    assert found.code == "below_floor"
    assert str(found) == f"The package app.wapt is version 1.2-3, below the installed 1.10: {reason}."


def test_attack_rollback_without_a_ticket_or_with_a_forged_one(tmp_path: Path) -> None:
    path = build(tmp_path)
    said = Said.of(path)
    assert "a signed downgrade ticket is needed to go back" in str(full_refusal(path, said, standing("1.10")))
    forged = standing("1.10", TICKET, key=dsse.generate_private_key())
    assert "is signed by no key that may sign downgrades here" in str(full_refusal(path, said, forged))
    unpinned = standing("1.10", TICKET, keys=())
    assert full_refusal(path, said, unpinned).code == "below_floor"
    garbage = Standing(HOST, "1.10", [b"{}", b"\xff"], [PUBLIC])
    assert full_refusal(path, said, garbage).code == "below_floor"


def test_a_package_without_an_order_is_not_accepted_on_a_host(tmp_path: Path) -> None:
    """WAPT takes an empty version; here it ends where versions begin to count."""
    from party_maker import WAPT, wapt_trust

    path = WAPT / "packages" / "h-empty-version.wapt"
    said = replace(Said.of(build(tmp_path)), length=path.stat().st_size, sha256=_sha256(path))
    raw = contents(path)["WAPT/control"]
    control = controls.parse_control(raw).fields
    custom = replace(said.custom, **{name: str(control[name]) for name in _COMPARED}, control_sha256=_sha256_of(raw))
    found = full_refusal(path, replace(said, custom=custom), store=wapt_trust(["root-ca"]))
    assert found.code == "malformed"
    assert "has no usable version" in str(found)


_COMPARED = ("package", "version", "architecture", "locale", "maturity", "target_os", "depends", "conflicts")


def test_control_files_by_themselves(tmp_path: Path) -> None:
    """As an index carries them: with keys that it adds, and with the signer looked up where none came."""
    control = controls.parse_control(contents(build(tmp_path))["WAPT/control"])
    listed = Control({**control.fields, "filename": "x.wapt", "size": 7, "md5sum": "0" * 32})
    presented = [DEVELOPER.certificate]
    with pytest.raises(Refused, match="carries what nobody signed"):
        verify_control(listed, presented, STORE, AT, "the stanza")
    assert verify_control(listed, presented, STORE, AT, "the stanza", ("filename", "size", "md5sum"))
    assert verify_control(control, [], trust(DEVELOPER), AT, "the stanza").signer == DEVELOPER.certificate
    with pytest.raises(Refused, match="The stanza carries no certificate of its signer"):
        verify_control(control, [], STORE, AT, "the stanza")


@given(st.data())
@few
def test_damaged_packages_are_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    if not folder.exists():
        folder.mkdir()
        build(folder)
    raw = bytearray((folder / "app.wapt").read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "changed.wapt").write_bytes(raw)
    try:
        found = verify_package(folder / "changed.wapt", STORE, AT)
    except Refused:
        return
    # Dates and the like of the archive are nobody's word; what is unpacked is the same.
    good = verify_package(folder / "app.wapt", STORE, AT)
    assert (found.digests, found.executables, found.control) == (good.digests, good.executables, good.control)
