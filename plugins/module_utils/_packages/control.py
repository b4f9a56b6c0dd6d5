# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file `WAPT/control` of a package: lines `key : value`, and what of it its signer signed.

Format of WAPT: UTF-8 without BOM, split at the first colon, keys in lower case, values stripped, a line that begins
with a space goes on with the value before it, a blank line ends the stanza. A key that comes twice counts as its last
line says, as it does for WAPT; what was signed is that value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from .._common.errors import BadInput, opening
from .._common.refused import Code, Refused
from . import wapt_json

MAX_BYTES = 1 << 20
REQUIRED = ("package", "version", "architecture", "section", "priority")
OPTIONAL = (
    *("name", "categories", "maintainer", "description", "depends", "conflicts", "maturity", "locale", "target_os"),
    *("min_os_version", "max_os_version", "min_wapt_version", "sources", "installed_size", "impacted_process"),
    *(f"description_{language}" for language in ("fr", "pl", "de", "es", "pt", "it", "nl", "ru")),
    *("audit_schedule", "editor", "keywords", "licence", "homepage", "package_uuid", "valid_from", "valid_until"),
    *("forced_install_on", "changelog"),
)
SIGNING = ("signer", "signer_fingerprint", "signature", "signature_date", "signed_attributes")
MUST_BE_SIGNED = frozenset(
    {
        *("package", "version", "section", "architecture", "depends", "conflicts", "maturity", "locale"),
        *("signer_fingerprint", "signature_date", "signed_attributes"),
    }
)
_NUMBERS = ("size", "installed_size")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# The rest of C0, and what some readers take for the end of a line: such a value would be two things to two readers.
_STRANGE = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
# The same, for many stanzas at once; those with ends of lines as on Windows are looked at one by one.
_STRANGE_BYTES = bytes([*range(9), *range(0x0B, 0x20), 0x7F])
_STRANGE_MARKS = ("\x85", "\u2028", "\u2029")
# A list is read in pieces, so that what is made of one is still in the processor's cache when it is looked at.
_PIECE = 1 << 16
_KEY = re.compile(r"[^\s:\x00-\x20\x7f]{1,64}")
_WIDTH = 18
_HEAD = _WIDTH + len(": ")


@dataclass(frozen=True, slots=True)
class Control:
    """One stanza: its values by key, in the order of the file; sizes are integers where they are numeric."""

    fields: dict[str, str | int] = field(default_factory=dict)

    def get(self, key: str, default: str = "") -> str:
        """The value as text; `default` where there is none."""
        value = self.fields.get(key)
        return default if value is None else str(value)

    @property
    def package(self) -> str:
        return self.get("package")

    @property
    def version(self) -> str:
        return self.get("version")

    @property
    def architecture(self) -> str:
        return self.get("architecture")

    @property
    def section(self) -> str:
        return self.get("section")

    @property
    def depends(self) -> str:
        return self.get("depends")

    @property
    def conflicts(self) -> str:
        return self.get("conflicts")

    @property
    def maturity(self) -> str:
        return self.get("maturity")

    @property
    def locale(self) -> str:
        return self.get("locale")

    @property
    def signed_attributes(self) -> tuple[str, ...]:
        """The keys that its signer says it signed."""
        listed = self.get("signed_attributes")
        return tuple(name.strip() for name in listed.split(",")) if listed else ()

    def __str__(self) -> str:
        return f"{self.package}={self.version}"


def parse_control(raw: bytes, what: str = "the control file", maximum: int = MAX_BYTES) -> Control:
    """The first stanza of `raw`; what follows a blank line is not read. Raises Refused."""
    _check_start(raw, what, maximum)
    lines = [*_decode(raw, what).split("\n"), ""]
    return Control(parse_stanza(lines[: lines.index("")], what))


def parse_controls(raw: bytes, what: str = "the list of packages", maximum: int = 64 * MAX_BYTES) -> list[Control]:
    """All stanzas of `raw`, separated by blank lines. Raises Refused."""
    return [Control(parse_stanza(lines, what, plain)) for lines, plain in stanzas(raw, what, maximum)]


def require(control: Control, what: str = "the control file") -> None:
    """Raise Refused where a key that every package has is missing."""
    missing = [key for key in REQUIRED if key not in control.fields]
    if missing:
        _refuse(what, f"lacks {', '.join(missing)}")


def signed_payload(control: Control, what: str = "the control file") -> bytes:
    """The bytes that the control's signature covers: the values of its own `signed_attributes`.

    In WAPT's canonical JSON, sizes as integers. WAPT's two older forms are not tried. Raises Refused.
    """
    names = control.signed_attributes
    if not names:
        _refuse(what, "does not say which of its keys are signed", "unsigned")
    if "signature" in names:
        _refuse(what, "says that its signature signs itself", "bad_signature")
    missing = [name for name in names if name not in control.fields]
    if missing:
        _refuse(what, f"lacks what its signature covers: {_listed(missing)}", "bad_signature")
    return wapt_json.dumps({name: control.fields[name] for name in names})


def require_signed(control: Control, unsigned: Collection[str] = (), what: str = "the control file") -> None:
    """Raise Refused unless what must be signed is, and every key that is present; `unsigned` names the exceptions."""
    names = frozenset(control.signed_attributes)
    if missing := MUST_BE_SIGNED - names:
        _refuse(what, f"is signed without {_listed(missing)}", "unsigned")
    if injected := control.fields.keys() - names - {"signature", *unsigned}:
        _refuse(what, f"carries what nobody signed: {_listed(injected)}", "unsigned")


def arranged(fields: Mapping[str, str | int]) -> dict[str, str | int]:
    """`fields` in the order in which WAPT writes them: keys that it does not know come before those of the signer."""
    known = (*REQUIRED, *OPTIONAL)
    names = [
        *(name for name in known if name in fields),
        *(name for name in fields if name not in known and name not in SIGNING),
        *(name for name in SIGNING if name in fields),
    ]
    return {name: fields[name] for name in names}


def render_control(control: Control) -> bytes:
    """The stanza as WAPT writes it, in the order of `control.fields`. Raises BadInput where it would not read back."""
    text = "".join(
        f"{key:<{_WIDTH}}: {str(value).replace(chr(10), chr(10) + ' ')}\n" for key, value in control.fields.items()
    )
    try:
        raw = text.encode("utf-8")
        back = parse_control(raw, f"the control file of {ascii(control.package)[1:-1][:80]}")
    except (UnicodeEncodeError, Refused) as error:
        raise BadInput(f"The control file cannot be written: {str(error).rstrip('.')}.") from error
    for key, value in control.fields.items():
        # Some readers take a blank line of a value for the end of the stanza.
        blank = "\n\n" in str(value) or str(value).endswith("\n")
        if blank or back.fields.get(key) != value or type(back.fields[key]) is not type(value):
            raise BadInput(
                f"The value of {ascii(key)[1:-1][:64]} in a control file would not be read back as it is; take away"
                " blank lines, spaces around its lines and control characters."
            )
    return raw


def stanzas(raw: bytes, what: str, maximum: int) -> Iterator[tuple[list[str], bool]]:
    """The lines of each stanza of a list, and whether nothing in them is strange.

    Raises Refused, also when some of the list was read.
    """
    _check_start(raw, what, maximum)
    start = 0
    while start < len(raw):
        # to the first of two ends of lines, so that no end of a line as on Windows is cut
        end = raw.find(b"\n\n", start + _PIECE) + 1 or len(raw)
        piece = raw[start:end]
        text = _decode(piece, what, start)
        plain = _is_plain(piece, text)
        lines = text.split("\n")
        lines.append("")
        first = 0
        while first < len(lines):
            blank = lines.index("", first)
            if first < blank:
                yield lines[first:blank], plain
            first = blank + 1
        start = end


def _check_start(raw: bytes, what: str, maximum: int) -> None:
    if len(raw) > maximum:
        _refuse(what, f"has {len(raw)} bytes and at most {maximum} are accepted", "oversized")
    if raw.startswith(b"\xef\xbb\xbf"):
        _refuse(what, "begins with a byte order mark; save it as UTF-8 without one")


def _decode(raw: bytes, what: str, start: int = 0) -> str:
    """The text with plain ends of lines; `start` is where `raw` begins in its file. Raises Refused."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(what, f"is not UTF-8: {error.reason} at byte {start + error.start}")
    return text.replace("\r\n", "\n") if b"\r" in raw else text


def _is_plain(raw: bytes, text: str) -> bool:
    """Whether nothing in `raw`, which is `text`, is strange: over many stanzas quicker than a look at each."""
    return not any(code in raw for code in _STRANGE_BYTES) and not any(mark in text for mark in _STRANGE_MARKS)


def parse_stanza(lines: list[str], what: str = "the control file", plain: bool = False) -> dict[str, str | int]:
    """The values of one stanza; `plain` where nothing strange is known to be in it. Raises Refused."""
    if not plain and _STRANGE.search("\n".join(lines)):
        _refuse(what, "has a control character or a separator of lines that is none; write plain lines")
    fields = _parse_padded(lines) or _parse_plain(lines) or _parse_lines(lines, what)
    for name in _NUMBERS:
        value = fields.get(name)
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            fields[name] = int(value)
    return fields


def _parse_padded(lines: list[str]) -> dict[str, str | int] | None:
    """Lines as WAPT writes them, which is nearly all there are: this is what makes an index quick to read."""
    try:
        return {_HEADS[line[:_HEAD]]: line[_HEAD:].strip() for line in lines}
    except KeyError:
        return None


def _parse_plain(lines: list[str]) -> dict[str, str | int] | None:
    """Lines that each have a key."""
    try:
        fields: dict[str, str | int] = {
            _KEYS[head]: value.strip() for head, value in [line.split(":", 1) for line in lines]
        }
    except ValueError:
        return None
    for line in lines:
        # known when it comes again
        if line.find(":") == _WIDTH and line[_WIDTH + 1 : _HEAD] == " " and len(_HEADS) < 1024:
            _HEADS[line[:_HEAD]] = _KEYS[line[:_WIDTH]]
    return fields


class _Keys(dict[str, str]):
    """Keys by what stands before the colon, so that each spelling is looked at once; bounded."""

    def __missing__(self, head: str) -> str:
        key = head.strip().lower()
        # What begins with a space goes on with the value before it, even where there is a colon.
        if head.startswith((" ", "\t")) or not _KEY.fullmatch(key):
            raise ValueError(key)
        if len(self) < 1024 and len(head) <= 64:
            self[head] = key
        return key


_KEYS = _Keys()
# The same for keys that are filled up with spaces, with the colon and the space after it; bounded.
_HEADS: dict[str, str] = {}


def _parse_lines(lines: list[str], what: str) -> dict[str, str | int]:
    values: dict[str, list[str]] = {}
    last: list[str] | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith(" "):
            if last is None:
                _refuse(what, f"goes on in line {number} with a value that has not begun")
            last.append(line.strip())
            continue
        if line.startswith("\t"):
            _refuse(what, f"begins line {number} with a tab; go on with a value after a space")
        head, colon, value = line.partition(":")
        if not colon:
            _refuse(what, f"has no colon in line {number}: {ascii(line)[:60]}")
        try:
            key = _KEYS[head]
        except ValueError:
            _refuse(what, f"has no usable key in line {number}: {ascii(line)[:60]}")
        last = values[key] = [value.strip()]
    return {key: "\n".join(parts) for key, parts in values.items()}


def _refuse(what: str, wrong: str, code: Code = "malformed") -> NoReturn:
    raise Refused(code, f"{opening(what)} {wrong}.")


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(ascii(name)[1:-1][:40] for name in names)[:5])
