# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rule for believing a package, in its order; nothing of a package is unpacked or executed before it ends.

The repository's word (length, hash), the archive's hygiene, the signer's chain, the manifest's signature, the set of
files, the control file's signature, one signer for all, the repository's description, the right to execute, and no way
back below what is installed. `verify_package` is the part that the package's own X.509 signature decides, `accept` the
whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .._common.errors import BadInput, opening
from .._common.refused import Refused
from . import certificates, downgrades, entry_names, manifest, signatures, target_custom
from . import control as controls
from .certificates import Chain, Trust
from .container import Container, open_container, open_file, read_container, whole_digest
from .control import Control
from .target_custom import Custom
from .versions import Version
from .zip_layout import Limits

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True)
class Accepted:
    """A package that may be believed, and what was found of it."""

    control: Control
    control_sha256: str
    digests: Mapping[str, str]
    """Hexadecimal SHA-256 by name, of every file that the manifest lists; what unpacking checks again."""
    signer: str
    """The common name in the signer's certificate; what the control file says of it is not used."""
    signer_fingerprint: str
    executables: tuple[str, ...]
    """The files that a host would execute; empty for a package that only says what it depends on."""
    size: int
    """What the files occupy when they are unpacked, in bytes."""
    at: datetime


class Target(Protocol):
    """What the repository says of a file, out of metadata that TUF has verified; `repository_cache.Target` is one."""

    @property
    def length(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    @property
    def custom(self) -> Custom:
        """The description of the package; raises Refused where there is none."""

    @property
    def may_execute(self) -> bool:
        """Whether the delegation that signed the target may sign what is executed."""


@dataclass(frozen=True)
class Standing:
    """What a host knows of itself when it judges a package."""

    host_id: str
    installed: str = ""
    """The version that is installed of the same package, below which there is no way back without a ticket; or ""."""
    tickets: Sequence[bytes] = ()
    """Downgrade tickets as they came, see `downgrades`."""
    ticket_keys: Sequence[bytes] = ()
    """Raw Ed25519 keys whose tickets count."""


def verify_package(path: Path, trust: Trust, at: datetime, limits: Limits | None = None) -> Accepted:
    """The part of the rule that the package itself decides: archive, chain, manifest, files, control, right to execute.

    `at` is the time at which certificates and lists of revoked ones are judged. Raises Refused with the reason, and
    BadInput where there is no file.
    """
    certificates.require_libraries()
    with open_container(path, limits) as container:
        return verify_container(container, trust, at)


def accept(
    path: Path,
    target: Target,
    trust: Trust,
    at: datetime,
    standing: Standing,
    limits: Limits | None = None,
    what: str = "",
) -> Accepted:
    """The whole rule, as a host applies it at download; raises Refused with the first reason in the order of the rule.

    `what` names the package in sentences; without it the name of its file does.
    """
    certificates.require_libraries()
    what = what or f"the package {path.name}"
    stream = open_file(path)
    with stream:
        _check_target(stream, target, what)
        with read_container(stream, path, limits, what) as container:
            verified = verify_signed(container, trust, at)
    control = verified.accepted.control
    if wrong := target_custom.differences(target.custom, control.fields, verified.control_raw):
        raise Refused(
            "wrong_target", f"{opening(what)} is not the one of which the repository speaks: {', '.join(wrong)} differ."
        )
    _check_execution(verified.accepted, verified.chain, what)
    if verified.accepted.executables and not target.may_execute:
        raise Refused(
            "not_delegated",
            f"{opening(what)} would execute {verified.accepted.executables[0]}, and the role of the repository that signed it may"
            " not sign what is executed.",
        )
    _check_floor(control, standing, at, what)
    return verified.accepted


@dataclass(frozen=True)
class Verified:
    """A package whose signatures are good, before it is asked what it may do."""

    accepted: Accepted
    chain: Chain
    control_raw: bytes


def verify_container(container: Container, trust: Trust, at: datetime) -> Accepted:
    """`verify_package` for a container that is open."""
    verified = verify_signed(container, trust, at)
    _check_execution(verified.accepted, verified.chain, container.what)
    return verified.accepted


def verify_signed(container: Container, trust: Trust, at: datetime) -> Verified:
    """Chain, manifest, files and control of an open container; raises Refused."""
    what = container.what
    presented = certificates.load_chain(container.certificates_raw, f"{entry_names.CERTIFICATE} in {what}")
    chain = certificates.verify_chain(presented, trust, at, what)
    signature = signatures.decode_text(container.signature_raw, f"{entry_names.SIGNATURE} in {what}")
    signatures.verify_rsa(chain.signer.public_key(), signature, container.manifest_raw, f"the manifest of {what}")
    digests = manifest.parse_manifest(container.manifest_raw, f"the manifest of {what}")
    manifest.compare(digests, {name: container.digest(name) for name in container.names}, what)
    raw = container.control_raw
    control = controls.parse_control(raw, f"the control file of {what}")
    controls.require(control, f"the control file of {what}")
    check_control_signature(control, chain.signer, f"the control file of {what}")
    accepted = Accepted(
        control=control,
        control_sha256=digests[entry_names.CONTROL],
        digests=digests,
        signer=certificates.common_name(chain.signer),
        signer_fingerprint=certificates.fingerprint_of(chain.signer),
        executables=entry_names.executables(container.names),
        size=container.size,
        at=at,
    )
    return Verified(accepted, chain, raw)


def verify_control(
    control: Control,
    presented: Sequence[x509.Certificate],
    trust: Trust,
    at: datetime,
    what: str,
    unsigned: Sequence[str] = (),
) -> Chain:
    """A control file by itself, as it stands in an index; raises Refused.

    `presented` is what came with it, the signer first; where nothing came, the signer is looked up in the store by its
    fingerprint. `unsigned` names the keys that an index adds to a stanza, which nobody signed.
    """
    certificates.require_libraries()
    if not presented:
        known = trust.by_fingerprint(control.get("signer_fingerprint"))
        presented = (known,) if known is not None else ()
    chain = certificates.verify_chain(presented, trust, at, what)
    check_control_signature(control, chain.signer, what, unsigned)
    return chain


def check_control_signature(
    control: Control, signer: x509.Certificate, what: str, unsigned: Sequence[str] = ()
) -> None:
    """Whether `signer` signed every key of a control file, and is the one that the control file names; or Refused."""
    controls.require_signed(control, unsigned, what)
    if not control.get("signature"):
        raise Refused("unsigned", f"{opening(what)} has no signature.")
    signature = signatures.decode_text(control.get("signature").encode("utf-8"), f"the signature in {what}")
    payload = controls.signed_payload(control, what)
    signatures.verify_rsa(signer.public_key(), signature, payload, what)
    if control.get("signer_fingerprint") != certificates.fingerprint_of(signer):
        raise Refused(
            "other_signer",
            f"{opening(what)} names a signer other than {certificates.common_name(signer)}, which signed it.",
        )


def _check_target(stream: BinaryIO, target: Target, what: str) -> None:
    length = stream.seek(0, 2)
    if length != target.length:
        raise Refused("wrong_target", f"{opening(what)} has {length} bytes; the repository says {target.length}.")
    if whole_digest(stream, what) != target.sha256:
        raise Refused(
            "wrong_target", f"{opening(what)} is not the file of which the repository speaks: its hash differs."
        )


def _check_execution(accepted: Accepted, chain: Chain, what: str) -> None:
    if accepted.executables and chain.code_signing != "granted":
        raise Refused(
            "not_code_signing",
            f"{opening(what)} would execute {accepted.executables[0]}, and the certificate {accepted.signer} may sign only what"
            " executes nothing: it lacks the extended key usage codeSigning.",
        )


def _check_floor(control: Control, standing: Standing, at: datetime, what: str) -> None:
    offered = _version(control.version, what)
    if not standing.installed or offered >= _version(standing.installed, "the installed package"):
        return
    reason = downgrades.why_not(
        control.package, control.version, standing.host_id, standing.tickets, standing.ticket_keys, at
    )
    if reason:
        raise Refused(
            "below_floor",
            f"{opening(what)} is version {control.version}, below the installed {standing.installed}: {reason}.",
        )


def _version(text: str, what: str) -> Version:
    try:
        return Version.parse(text)
    except BadInput as error:
        raise Refused("malformed", f"{opening(what)} has no usable version: {str(error).rstrip('.')}.") from error
