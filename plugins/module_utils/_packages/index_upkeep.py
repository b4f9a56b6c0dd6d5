# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index for agents of WAPT of all that a publisher serves, renewed with each change at the cost of what changed.

Its list of packages has one piece for each list of targets, so that the others are copied as they are. Which piece is
of which version of a list stands in a member that agents of WAPT do not read; so an index that is cut off, altered or
removed is made anew from the packages. A package is listed in it only where its control file is what the signed list
says of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._common import atomic, canonical
from .._common.errors import BadInput, BocageError
from .._common.refused import Refused
from . import certificates, index, target_custom, zip_pieces
from . import repository_layout as layout
from . import repository_roles as roles
from . import tuf_library as tuf
from .zip_pieces import Piece

if TYPE_CHECKING:
    from cryptography import x509

TABLE = "bocage.json"
_FORMAT = 1
_BETWEEN = zip_pieces.pack(b"\n")
_NOTHING = Piece(b"", 0, 0, 0)
_FILE_NAME = re.compile(rb"^filename +: (.*)$", re.MULTILINE)
_SIGNER = re.compile(rb"^signer_fingerprint *: ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Part:
    """The packages of one list of targets at one version of it."""

    version: int
    piece: Piece
    certificates: frozenset[str]


@dataclass(frozen=True)
class _Index:
    """An index that is taken apart."""

    heads: Mapping[str, tuple[int, int]]
    """Of each delegation the version of its list and the bits of its bins."""
    parts: Mapping[str, _Part]
    certificates: Mapping[str, bytes]


@dataclass(frozen=True)
class Served:
    """What a repository will serve once a change is taken in."""

    delegations: Mapping[str, tuf.DelegatedRole]
    heads: Mapping[str, int]
    targets: Callable[[str, int], tuf.Targets]
    """A list by its name and version. Raises BocageError where it is gone."""
    file: Callable[[str], Path]
    """The bytes of a target, by the name under which it is stored."""


def renewed(path: Path, served: Served) -> bytes | None:
    """The index of what is served, or None where the one at `path` is that already. Raises BadInput if it is too big."""
    before = _read(path)
    work = _Work(before or _Index({}, {}, {}), served)
    after = work.renew()
    if before is not None and after.heads == before.heads and after.parts == before.parts:
        return None
    raw = _write(after)
    if len(raw) > index.MAX_BYTES:
        raise BadInput(f"The index for agents of WAPT would have {len(raw)} bytes; they read {index.MAX_BYTES}.")
    return raw


class _Work:
    def __init__(self, before: _Index, served: Served) -> None:
        self.before, self.served = before, served
        self.certificates = dict(before.certificates)

    def renew(self) -> _Index:
        heads: dict[str, tuple[int, int]] = {}
        parts: dict[str, _Part] = {}
        for name, role in self.served.delegations.items():
            if not any(_plain(path.replace("*", "x.wapt")) for path in role.paths or ()):
                continue
            version = self.served.heads[name]
            known = self.before.heads.get(name)
            bits = known[1] if known is not None and known[0] == version else self._bits(name, version)
            heads[name] = (version, bits)
            for one in _lists(name, bits):
                parts[one] = self._part(one, self.served.heads[one])
        used = {one for part in parts.values() for one in part.certificates}
        return _Index(heads, parts, {name: pem for name, pem in self.certificates.items() if name in used})

    def _bits(self, name: str, version: int) -> int:
        bins = roles.bins_in(self.served.targets(name, version), name)
        return 0 if bins is None else bins.bit_length

    def _part(self, name: str, version: int) -> _Part:
        old = self.before.parts.get(name)
        if old is not None and old.version == version:
            return old
        wanted = _packages(self.served.targets(name, version))
        kept = {} if old is None else self._kept(name, old, wanted)
        if old is not None and len(kept) == len(wanted) and b"\n".join(kept.values()) == zip_pieces.unpack(old.piece):
            return replace(old, version=version)
        carried = set() if old is None else set(old.certificates)
        stanzas = dict(kept)
        for plain, target in wanted.items():
            if plain in kept:
                continue
            try:
                stanza, chain = self._described(plain, target)
            except (Refused, BocageError, OSError):
                # no host would take it, so it is no matter of an index either
                continue
            stanzas[plain] = stanza
            for one in chain:
                carried.add(self._keep(one))
        text = b"\n".join(stanzas[plain] for plain in sorted(stanzas))
        signers = {one.decode() for one in _SIGNER.findall(text)}
        needed = frozenset(one for one in carried if one in signers or self._is_authority(one))
        return _Part(version, zip_pieces.pack(text) if text else _NOTHING, needed)

    def _kept(self, name: str, old: _Part, wanted: Mapping[str, tuf.TargetFile]) -> dict[str, bytes]:
        """Stanzas of the last index whose package is the same."""
        try:
            former = _packages(self.served.targets(name, old.version))
            text = zip_pieces.unpack(old.piece)
        except (BocageError, ValueError):
            return {}
        stanzas = {}
        for stanza in text.split(b"\n\n"):
            if found := _FILE_NAME.search(stanza):
                stanzas[found[1].decode()] = stanza.removesuffix(b"\n") + b"\n"
        return {
            plain: stanzas[plain]
            for plain, target in sorted(wanted.items())
            if plain in stanzas and plain in former and former[plain].to_dict() == target.to_dict()
        }

    def _described(self, plain: str, target: tuf.TargetFile) -> tuple[bytes, tuple[x509.Certificate, ...]]:
        path = self.served.file(layout.target_file(target.path, target.hashes["sha256"]))
        found = index.read_package(plain, path)
        control = found.listed.control
        if target_custom.differences(
            target_custom.parse(target.custom, target.path), control.fields, found.control_raw
        ):
            raise Refused("wrong_target", f"{plain} is not the package that its list describes.")
        return index.stanza_of(found.listed), found.chain

    def _keep(self, certificate: x509.Certificate) -> str:
        name = certificates.fingerprint_of(certificate)
        self.certificates.setdefault(name, index.pem_of(certificate))
        return name

    def _is_authority(self, name: str) -> bool:
        return any(map(certificates.is_authority, certificates.load_chain(self.certificates[name], name)))


def _packages(targets: tuf.Targets) -> dict[str, tuf.TargetFile]:
    """The packages of a list that agents of WAPT find in an index, by their names there."""
    return {plain: one for path, one in targets.targets.items() if (plain := _plain(path))}


def _plain(path: str) -> str:
    plain = layout.plain_file(path) or ""
    return plain.removeprefix("wapt/") if plain.startswith("wapt/") else ""


def _lists(name: str, bits: int) -> Iterator[str]:
    return iter(tuf.SuccinctRoles([], 1, bits, name).get_roles()) if bits else iter((name,))


def _write(found: _Index) -> bytes:
    rows: list[list[Any]] = []
    offset = 0
    for name, part in found.parts.items():
        piece = part.piece
        if piece.length and offset:
            offset += len(_BETWEEN.packed)
        numbers = (part.version, offset, len(piece.packed), piece.length, piece.crc, piece.shift)
        rows.append([name, *numbers, *sorted(part.certificates)])
        offset += len(piece.packed)
    table = {"format": _FORMAT, "heads": {name: list(head) for name, head in found.heads.items()}, "parts": rows}
    others = {f"ssl/{name}.crt": pem for name, pem in sorted(found.certificates.items())}
    return zip_pieces.archive(index.NAME, _pieces(found.parts), {**others, TABLE: canonical.dumps(table)})


def _pieces(parts: Mapping[str, _Part]) -> list[Piece]:
    """What the list of packages is made of, with an empty line between any two packages, as WAPT writes it."""
    found: list[Piece] = []
    for part in parts.values():
        if part.piece.length:
            found += [_BETWEEN, part.piece] if found else [part.piece]
    return found


def _read(path: Path) -> _Index | None:
    """The index as it is served; None where there is none that was made here and is whole."""
    try:
        raw = atomic.read_bounded(path, index.MAX_BYTES)
        crc, members = index.members_of(raw)
        table = canonical.loads(members[TABLE], "the table of the index")
        if table["format"] != _FORMAT:
            return None
        start = zip_pieces.start_of(index.NAME)
        parts, whole = {}, memoryview(raw)
        for name, version, offset, packed, length, own, shift, *carried in table["parts"]:
            data = whole[start + offset : start + offset + packed]
            parts[name] = _Part(version, Piece(data, length, own, shift), frozenset(carried))
        found = {name[4:-4]: content for name, content in members.items() if name.startswith("ssl/")}
        if zip_pieces.checksum(_pieces(parts)) != crc:
            return None
        if not found.keys() >= {one for part in parts.values() for one in part.certificates}:
            return None
        return _Index({name: (head[0], head[1]) for name, head in table["heads"].items()}, parts, found)
    except (BocageError, OSError, KeyError, ValueError, TypeError, IndexError, AttributeError):
        return None
