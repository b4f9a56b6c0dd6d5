# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
import wapt_vectors
from bocage_core._common.errors import BadInput
from bocage_core._common.refused import Refused
from bocage_core._packages import control as control_module
from bocage_core._packages.control import (
    Control,
    arranged,
    parse_control,
    parse_controls,
    render_control,
    require,
    require_signed,
    signed_payload,
)
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from fuzzing import few
from hypothesis import given
from hypothesis import strategies as st

REAL = wapt_vectors.FOLDER / "real"
ROWS = wapt_vectors.table("control_parse.json")["rows"]
FIREFOX = parse_control((REAL / "control" / "tis15x_firefox.control").read_bytes())
line = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=12).map(str.strip)
texts = st.lists(line, min_size=1, max_size=3).map("\n".join)
keys = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True).filter(lambda one: one not in ("size", "installed_size"))


def signature_holds(control: Control, certificate: Path) -> bool:
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    assert isinstance(key, RSAPublicKey)
    try:
        key.verify(base64.b64decode(control.get("signature")), signed_payload(control), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("row", ROWS, ids=[ascii(row[0]) for row in ROWS])
def test_what_wapt_reads_is_read_alike(row: tuple[str, dict[str, str]]) -> None:
    text, expected = row
    if "error" in expected:
        with pytest.raises(Refused, match=r"^The control file (has no colon|goes on) "):
            parse_control(text.encode())
    else:
        assert parse_control(text.encode()).fields == expected


@pytest.mark.parametrize("row", wapt_vectors.table("real/real.json")["rows"], ids=lambda row: row["file"])
def test_signatures_of_the_vendor(row: dict[str, str]) -> None:
    """Differs from WAPT in the one that is legacy-only: it tries two older forms of JSON, which are refused here."""
    raw = (REAL / row["file"]).read_bytes()
    control = parse_control(raw)
    require(control)
    require_signed(control)
    assert signature_holds(control, REAL / row["cert"]) is (row["control_signature"] == "valid")
    assert parse_control(render_control(control)) == control
    assert isinstance(control.fields["installed_size"], int)


def test_lines_may_end_as_on_windows_and_a_blank_line_ends_the_stanza() -> None:
    raw = b"Package:a\r\nversion: 1-0 \r\ndescription: b\r\n c\r\nsize: 012\r\n\r\nversion: 2\r\n"
    assert parse_control(raw).fields == {"package": "a", "version": "1-0", "description": "b\nc", "size": 12}
    assert [control.version for control in parse_controls(raw.replace(b"\n\r\n", b"\n\r\n\r\n\n"))] == ["1-0", "2"]
    assert parse_control(b"\npackage: a\n") == parse_control(b"") == Control()
    assert parse_controls(b"\n\r\n\n") == parse_controls(b"") == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("piece", [1, 7, 8, 9, 1000])
def test_a_list_is_the_same_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, piece: int, end: str) -> None:
    monkeypatch.setattr(control_module, "_PIECE", piece)
    text = f"package: é{end}size: 1{end}{end}{end}package: b{end}\n\npackage: c\n{end}{end}version: 1{end} \u00e9"
    assert [control.fields for control in parse_controls(text.encode())] == [
        {"package": "é", "size": 1},
        {"package": "b"},
        {"package": "c"},
        {"version": "1\né"},
    ]
    raw = text.encode() + b"\n\nversion: \xff"
    with pytest.raises(Refused, match=f"is not UTF-8: invalid start byte at byte {len(raw) - 1}"):
        parse_controls(raw)
    with pytest.raises(Refused, match="has a control character"):
        parse_controls(text.encode() + b"\n\nversion: \x07")


@pytest.mark.parametrize("value", ["", "-", "1.5", "1_0", "٣", "1 0", "9" * 19])
def test_a_size_that_is_no_number_stays_text(value: str) -> None:
    """WAPT signs an empty size as a text."""
    assert parse_control(b"size: 012\ninstalled_size: -3").fields == {"size": 12, "installed_size": -3}
    assert parse_control(f"size: {value}".encode()).fields == {"size": value}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\xef\xbb\xbfpackage: a\n", "The control file begins with a byte order mark"),
        (b"package: \xff\n", "The control file is not UTF-8: invalid start byte at byte 9"),
        (b"a: 1\n\tb\n", "begins line 2 with a tab"),
        (b"\ta: 1\n", "begins line 1 with a tab"),
        (b": x\n", "has no usable key in line 1"),
        (b"a b: x\n", "has no usable key in line 1"),
        (b"a" * 65 + b": x\n", "has no usable key in line 1"),
        (b"a: 1\nb\n c\n", "has no colon in line 2: 'b'"),
        (b"a: 1\x00\n", "has a control character"),
        (b"a: 1\rb: 2\n", "has a control character"),
        ("a: 1\u2028b: 2\n".encode(), "has a control character"),
        ("a: 1\x85b: 2\n".encode(), "has a control character"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(raw: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        parse_control(raw)
    assert refusal.value.code == "malformed"


def test_what_is_too_long_is_not_read() -> None:
    with pytest.raises(Refused, match=r"The control of x has 6 bytes and at most 5 are accepted\.") as refusal:
        parse_control(b"a: 123", "the control of x", 5)
    assert refusal.value.code == "oversized"


def test_the_keys_that_every_package_has() -> None:
    with pytest.raises(Refused, match=r"The control file lacks architecture, section, priority\."):
        require(parse_control(b"package: a\nversion: 1\n"))


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"signed_attributes": ""}, "unsigned", "does not say which of its keys are signed"),
        ({"signed_attributes": "package,signature"}, "bad_signature", "says that its signature signs itself"),
        (
            {"signed_attributes": "package,absent,gone"},
            "bad_signature",
            "lacks what its signature covers: absent, gone",
        ),
    ],
)
def test_what_was_signed_must_be_said_and_be_there(changes: dict[str, str], code: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        signed_payload(Control({**FIREFOX.fields, **changes}))
    assert refusal.value.code == code


def test_only_what_is_named_is_signed_in_whatever_order() -> None:
    control = Control({"b": "é", "a": 1, "c": "x", "signed_attributes": "b, a"})
    assert signed_payload(control) == b'{"a":1,"b":"\\u00e9"}'


@pytest.mark.parametrize("key", ["package", "maturity", "signer_fingerprint", "signature_date", "signed_attributes"])
def test_what_must_be_signed(key: str) -> None:
    names = ",".join(name for name in FIREFOX.signed_attributes if name != key)
    with pytest.raises(Refused, match=f"is signed without {key}"):
        require_signed(Control({**FIREFOX.fields, "signed_attributes": names}))


def test_differs_from_wapt_which_accepts_keys_that_nobody_signed() -> None:
    injected = Control({**FIREFOX.fields, "audit_schedule": "1m", "x_custom": "1"})
    with pytest.raises(Refused, match=r"carries what nobody signed: audit_schedule, x_custom"):
        require_signed(injected)
    require_signed(injected, unsigned=("audit_schedule", "x_custom"))
    newer = Control(
        {**injected.fields, "signed_attributes": ",".join(FIREFOX.signed_attributes) + ",audit_schedule,x_custom"}
    )
    require_signed(newer)


def test_a_stanza_is_written_as_wapt_writes_it() -> None:
    raw = (wapt_vectors.FOLDER / "real" / "control" / "tis15x_firefox.control").read_bytes()
    assert render_control(FIREFOX) == raw.rstrip(b"\n") + b"\n"
    assert render_control(Control({"package": "é", "description": "a\n b".replace(" ", ""), "size": 3})) == (
        "package           : é\ndescription       : a\n b\nsize              : 3\n".encode()
    )


def test_fields_are_arranged_in_the_order_of_the_format() -> None:
    mixed = {"signature": "s", "x": "1", "depends": "", "signer": "me", "version": "1", "name": "n", "package": "a"}
    assert list(arranged(mixed)) == ["package", "version", "name", "depends", "x", "signer", "signature"]


@pytest.mark.parametrize(
    "fields",
    [
        {"a": " x"}, {"a": "x\n"}, {"a": "x\n\n"}, {"a": "x \ny"}, {"a": "x\r"}, {"a": "\x1b"}, {"A": "x"}, {"a:b": "x"},
        {"": "x"}, {" a": "x"}, {"a b": "x"}, {"size": "7"}, {"a": 7}, {"a": "\ud800"}, {"a": "\u2028"}, {"\na": "b"},
        {"a": "x", "b\n": ""},
    ],
)  # fmt: skip
def test_what_would_not_read_back_is_not_written(fields: dict[str, str | int]) -> None:
    with pytest.raises(BadInput, match="control file"):
        render_control(Control({"package": "a", **fields}))


@few
@given(st.dictionaries(keys, texts, max_size=6))
def test_what_was_written_is_read_back(fields: dict[str, str | int]) -> None:
    try:
        raw = render_control(Control(fields))
    except BadInput:
        # Lines of a value that end in nothing, and a byte order mark at the very beginning, are the only ones.
        assert any(not line or "\ufeff" in line for value in fields.values() for line in str(value).split("\n"))
    else:
        assert parse_control(raw).fields == fields
        assert list(parse_control(raw).fields) == list(fields)


@few
@given(st.binary(max_size=200) | st.text("ab:: \n\t\r\ufeff\x00é", max_size=60).map(str.encode))
def test_fuzz_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        controls = [parse_control(data), *parse_controls(data)]
    except Refused as refusal:
        assert refusal.code == "malformed"
    else:
        for control in controls:
            try:
                require(control)
                require_signed(control)
            except Refused as refusal:
                assert str(refusal).endswith(".")


@few
@given(
    st.lists(
        st.text("aB: \téé", max_size=24) | st.from_regex(r"[a-z]{1,18} {0,17}: ?[a-z:]{0,4}", fullmatch=True),
        max_size=4,
    )
)
def test_the_quick_ways_read_what_the_slow_one_reads(lines: list[str]) -> None:
    lines = [line for line in lines if line]

    def read(parse: Callable[[], dict[str, str | int]]) -> object:
        try:
            return parse()
        except Refused as refusal:
            return str(refusal)

    slow = read(lambda: control_module._parse_lines(lines, "the control file"))
    # the first time its keys may be new
    assert read(lambda: control_module.parse_stanza(lines)) == slow
    assert read(lambda: control_module.parse_stanza(lines)) == slow


def test_a_key_in_a_padded_line_is_what_stands_before_the_first_colon() -> None:
    assert parse_control(b"abcdefghijklmnopqr: x\n").fields == {"abcdefghijklmnopqr": "x"}
    assert parse_control(b"abc : efghijklmnop: x\n").fields == {"abc": "efghijklmnop: x"}
    assert parse_control(b"package           : a\n b               : c\n").fields == {
        "package": "a\nb               : c"
    }
