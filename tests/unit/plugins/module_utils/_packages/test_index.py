# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import io
import warnings
import zipfile
from collections.abc import Sequence

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import index as indexes
from bocage_core._packages.certificates import Trust, fingerprint_of
from bocage_core._packages.control import Control, parse_controls, signed_payload
from bocage_core._packages.index import Index, Listed, parse_entries, read_index, write_index
from bocage_core._packages.signatures import sign_rsa
from cryptography.hazmat.primitives.asymmetric import rsa
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st
from party_maker import AT, CODE, DAY, Party, rsa_key, trust, wapt_certificate, wapt_trust

TABLE = wapt_vectors.table("index.json")
MD5 = "0" * 32
SIGNED = "package,version,architecture,section,priority,depends,conflicts,maturity,locale,signer,signer_fingerprint"


def raw_of(case: str) -> bytes:
    return (wapt_vectors.FOLDER / "index" / case / "Packages").read_bytes()


def read(case: str, names: Sequence[str] = ("root-ca",)) -> Index:
    return read_index(raw_of(case), wapt_trust(names), AT)


def signed(party: Party, package: str, extra: str = "", **fields: str) -> Control:
    values: dict[str, str | int] = dict.fromkeys(SIGNED.split(","), "")
    values |= {
        "package": package,
        "version": "1-0",
        "signer": "x",
        "signer_fingerprint": fingerprint_of(party.certificate),
    }
    values |= {
        "signature_date": "2026-11-20T00:00:00",
        "signed_attributes": f"{SIGNED},signature_date,signed_attributes{extra}",
    }
    values |= fields
    assert isinstance(party.key, rsa.RSAPrivateKey)
    signature = base64.b64encode(sign_rsa(party.key, signed_payload(Control(values)))).decode()
    return Control({**values, "signature": signature})


def written(controls: Sequence[Control], *parties: Party) -> bytes:
    listed = [Listed(one, f"{one.package}.wapt", 7, MD5) for one in controls]
    return write_index(listed, [one.certificate for one in parties])


def archive(*members: tuple[str, bytes]) -> bytes:
    output = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as opened:
        warnings.simplefilter("ignore")
        for name, content in members:
            opened.writestr(name, content)
    return output.getvalue()


@pytest.mark.parametrize("case", sorted(set(TABLE["verdicts"]) - {"unknown-key"}))
def test_entries_are_accepted_and_discarded_as_by_wapt(case: str) -> None:
    found = read(case, TABLE["trust"])
    verdict = TABLE["verdicts"][case]
    assert sorted(str(one) for one in found.accepted) == verdict["accepted"]
    assert sorted(one.name for one in found.discarded) == verdict["discarded"]


def test_differs_from_wapt_which_accepts_a_key_that_nobody_signed() -> None:
    """WAPT takes the injected `x_custom` into the package; here the entry is not believed."""
    verdict = TABLE["verdicts"]["unknown-key"]
    found = read("unknown-key")
    assert sorted(str(one) for one in found.accepted) == [
        one for one in verdict["accepted"] if one != "tis-app=1.2.3-4"
    ]
    reasons = {one.name: one.reason for one in found.discarded}
    assert sorted(reasons) == sorted([*verdict["discarded"], "tis-app=1.2.3-4"])
    assert reasons["tis-app=1.2.3-4"] == "The entry tis-app=1.2.3-4 carries what nobody signed: x_custom."


@pytest.mark.parametrize(
    ("case", "key", "value"),
    [
        ("filename-swapped", "filename", "ok-dev-4096.wapt"),
        ("size-changed", "size", "1"),
        ("md5-changed", "md5sum", MD5),
    ],
)
def test_differs_from_wapt_which_believes_what_nobody_signed(case: str, key: str, value: str) -> None:
    """WAPT downloads the file that an unsigned name, size and MD5 tell it to: here they are no part of the package."""
    good, spoilt = read("good"), read(case)
    assert [one.control for one in spoilt.accepted] == [one.control for one in good.accepted]
    assert not any(set(indexes.UNSIGNED) & one.control.fields.keys() for one in spoilt.accepted)
    entry = next(one for one in spoilt.accepted if one.control.package == "tis-app")
    assert entry.unsigned[key] == value and entry.signer == "dev"


def test_an_index_does_not_show_what_it_leaves_out() -> None:
    """Why our agent asks TUF metadata: the entry is missing, and nothing says so."""
    names = {str(one) for one in read("omitted").accepted}
    assert {str(one) for one in read("good").accepted} - names == {"tis-app=1.2.3-4"}


def test_a_pinned_signer_is_found_where_the_index_carries_no_certificate() -> None:
    assert {str(one) for one in read("no-certs", ["dev"]).accepted} >= {"tis-app=1.2.3-4"}
    assert not read("good", []).accepted


def test_reasons_are_sentences() -> None:
    for case in TABLE["verdicts"]:
        assert all(one.reason.endswith(".") and "\n" not in one.reason for one in read(case).discarded)
    reasons = {one.name: one.reason for one in read("no-certs").discarded}
    assert "is not in the index" in reasons["tis-app=1.2.3-4"]


def test_what_is_written_is_what_wapt_writes() -> None:
    with zipfile.ZipFile(io.BytesIO(raw_of("good"))) as opened:
        stanzas = opened.read("Packages")
    listed = [
        Listed(one, one.get("filename"), int(one.fields["size"]), one.get("md5sum")) for one in parse_controls(stanzas)
    ]
    names = ["dev", "dev-4096", "dep", "dev-inter", "inter-ca"]
    output = write_index(reversed(listed), [wapt_certificate(name) for name in names])
    assert output == write_index(listed, reversed([wapt_certificate(name) for name in names]))
    with zipfile.ZipFile(io.BytesIO(output)) as opened:
        members = [one.filename for one in opened.infolist()]
        ours = opened.read("Packages")
        dates = {one.date_time for one in opened.infolist()}
    assert sorted(ours.strip().split(b"\n\n")) == sorted(stanzas.strip().split(b"\n\n"))
    assert members[0] == "Packages" and members[1:] == sorted(
        f"ssl/{fingerprint_of(wapt_certificate(name))}.crt" for name in names
    )
    assert dates == {(1980, 1, 1, 0, 0, 0)}
    assert [str(one) for one in read_index(output, wapt_trust(["root-ca"]), AT).accepted] == sorted(
        TABLE["verdicts"]["good"]["accepted"], key=lambda name: f"{name.partition('=')[0]:<20}"
    )


def test_an_index_of_our_own_is_read_back() -> None:
    root = Party.root()
    signer, late = root.issue("signer", extended=CODE), root.issue("late", rsa_key("late"), end=AT - DAY)
    controls = [signed(signer, "b"), signed(signer, "a", depends="b(>=1)"), signed(late, "old")]
    found = read_index(written(controls, signer, late), trust(root), AT, "the index of hub1")
    assert [(str(one), one.signer, one.control.depends) for one in found.accepted] == [
        ("a=1-0", "signer", "b(>=1)"),
        ("b=1-0", "signer", ""),
    ]
    assert found.accepted[0].unsigned == {"filename": "a.wapt", "size": "7", "md5sum": MD5}
    assert [one.name for one in found.discarded] == ["old=1-0"] and "ended on" in found.discarded[0].reason


def test_newer_producers_sign_keys_that_are_unknown_here() -> None:
    root = Party.root()
    signer = root.issue("signer")
    newer = signed(signer, "a", extra=",icon_sha256sum,size", icon_sha256sum="0" * 64, size="12")
    raw = archive(
        ("Packages", b"".join(f"{key}: {value}\n".encode() for key, value in newer.fields.items())),
        (f"ssl/{fingerprint_of(signer.certificate)}.crt", _pem(signer)),
        ("Packages.extra", b"new"),
    )
    entry = read_index(raw, trust(root), AT)
    # Its size was signed as a text, and is a number for those who read it: refused, as the bytes differ.
    assert "does not verify" in entry.discarded[0].reason
    newer = signed(signer, "a", extra=",icon_sha256sum", icon_sha256sum="0" * 64)
    assert read_index(written([newer], signer), trust(root), AT).accepted[0].control.get("icon_sha256sum") == "0" * 64


def test_the_name_of_a_certificate_in_the_archive_means_nothing() -> None:
    root = Party.root()
    signer, other = root.issue("signer"), Party.root("other", rsa_key("other"))
    control = signed(signer, "a", signer_fingerprint=fingerprint_of(other.certificate))
    stanza = b"".join(f"{key}: {value}\n".encode() for key, value in control.fields.items())
    raw = archive(("Packages", stanza), (f"ssl/{fingerprint_of(other.certificate)}.crt", _pem(signer)))
    found = read_index(raw, trust(root), AT)
    assert not found.accepted and "is not in the index" in found.discarded[0].reason


def test_an_entry_that_cannot_be_read_does_not_take_the_others_along() -> None:
    with zipfile.ZipFile(io.BytesIO(raw_of("good"))) as opened:
        members = [(name, opened.read(name)) for name in opened.namelist()]
    spoilt = [(name, b"no colon\n\n" + b"a: \x01\n\n" + raw if name == "Packages" else raw) for name, raw in members]
    spoilt.append((f"ssl/{'0' * 64}.crt", b"no certificate"))
    found = read_index(archive(*spoilt), wapt_trust(["root-ca"]), AT)
    assert [str(one) for one in found.accepted] == [str(one) for one in read("good").accepted]
    assert [one.name for one in found.discarded[:2]] == ["entry 1", "entry 2"]
    assert found.discarded[0].reason.startswith("Entry 1 of the list of packages in the index has no colon in line 1")


def _pem(party: Party) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return party.certificate.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The index is not a ZIP that can be read"),
        (b"package: a\n", "The index is not a ZIP that can be read"),
        (archive(("packages", b"")), "The index has 0 members named Packages"),
        (archive(("Packages", b""), ("Packages", b"")), "The index has 2 members named Packages"),
        (archive(("Packages", b"\xff")), "The list of packages in the index is not UTF-8"),
        (
            archive(*((f"ssl/{number:064x}.crt", b"") for number in range(257)), ("Packages", b"")),
            "over 256 certificates",
        ),
        (raw_of("good")[:-30], "not a ZIP that can be read"),
        (raw_of("good").replace(b"Packages", b"Package5", 1), "not a ZIP that can be read"),
    ],
)
def test_what_is_no_index_is_told_in_a_sentence(raw: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read_index(raw, Trust(()), AT)


def test_what_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "MAX_CONTROLS_BYTES", 3 << 20)
    with pytest.raises(Refused, match=f"The index has a member of over {3 << 20} bytes"):
        read_index(archive(("Packages", b"\n" * (4 << 20))), Trust(()), AT)
    monkeypatch.setattr(indexes, "MAX_ENTRIES", 2)
    with pytest.raises(Refused, match="The list of packages has over 2 entries"):
        parse_entries(b"a: b\n\n" * 3)
    monkeypatch.setattr(indexes, "MAX_BYTES", 10)
    with pytest.raises(Refused, match="The index has 22 bytes and at most 10 are accepted"):
        read_index(archive(), Trust(()), AT)


@pytest.mark.parametrize(
    "listed",
    [
        Listed(Control({"package": "a"}), "a.wapt", -1, MD5),
        Listed(Control({"package": "a"}), "a.wapt", 1, "x"),
        Listed(Control({"package": "a"}), "a.zip", 1, MD5),
        Listed(Control({"package": "a"}), "a\n.wapt", 1, MD5),
        Listed(Control({"package": "a "}), "a.wapt", 1, MD5),
    ],
)
def test_what_cannot_be_listed_is_told_in_a_sentence(listed: Listed) -> None:
    with pytest.raises(BadInput, match=r"cannot be listed|would not be read back"):
        write_index([listed], [])


def test_an_empty_index() -> None:
    assert read_index(write_index([], []), Trust(()), AT) == Index((), ())


@few
@given(st.binary(max_size=300))
def test_fuzz_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        read_index(data, Trust(()), AT)
    except Refused as refusal:
        assert refusal.code in ("malformed", "oversized")
    try:
        entries, _ = parse_entries(data)
    except Refused as refusal:
        assert refusal.code == "malformed"
    else:
        assert all(one.fields for one in entries)


@few
@given(st.integers(0, len(raw_of("depends-changed")) - 1), st.integers(1, 255))
def test_fuzz_one_changed_byte_makes_nothing_new(place: int, change: int) -> None:
    raw = bytearray(raw_of("good"))
    raw[place % len(raw)] ^= change
    try:
        found = read_index(bytes(raw), wapt_trust(["root-ca"]), AT)
    except Refused as refusal:
        assert refusal.code in ("malformed", "oversized")
    else:
        assert {str(one) for one in found.accepted} <= set(TABLE["verdicts"]["good"]["accepted"])
