# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proof by a machine's own account in a Kerberos realm that bytes are its own (GSS-API: RFC 2743, RFC 4121)."""

from __future__ import annotations

import importlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._common.errors import BadInput, BocageError, Untrusted

# name[/instance]@REALM, written in full: no realm is guessed and no name is asked of DNS.
PRINCIPAL = re.compile(r"[A-Za-z0-9._$-]{1,128}(/[A-Za-z0-9._-]{1,253})?@[A-Za-z0-9._-]{1,253}")
MAX_TOKEN_BYTES = 65536
MAX_SIGNATURE_BYTES = 4096

# What MIT Kerberos says, and what to do about it; the first that fits counts.
_ON_THE_HOST = (
    ("Clock skew too great", "the clocks of host and realm differ by more than five minutes; correct the host's clock"),
    ("Cannot contact any KDC", "the realm does not answer; check that its server runs and that the host reaches it"),
    ("Cannot find KDC", "the host does not know the realm's server; name it in /etc/krb5.conf there"),
    ("Cannot resolve", "the host cannot find the realm's server by its name; correct /etc/krb5.conf there"),
    (
        "{principal}' not found in Kerberos",
        "the realm does not know {principal}; join the host to it, or correct enrol_kerberos_principal",
    ),
    (
        "{service} not found in Kerberos",
        "the realm does not know the service {service}; make it, or correct enrol_kerberos_service",
    ),
    ("Preauthentication failed", "the key in {keytab} is not the one of the realm; make the host's keytab again"),
    # what it says where the keytab has no key of that name, or is none
    (
        "No credentials cache found",
        "{keytab} has no key of {principal}; write a keytab for it, or correct enrol_kerberos_principal",
    ),
)
_ON_THE_CONTROLLER = (
    (
        "Clock skew too great",
        "the clocks of host and controller differ by more than five minutes; correct the wrong one",
    ),
    ("is a replay", "this very proof was used before; run the play again"),
    ("Ticket expired", "its ticket has ended; correct the clocks, then run the play again"),
    ("not yet valid", "its ticket does not count yet; correct the clocks, then run the play again"),
    ("ticket server {service} ", "{keytab} has an older or later key than the realm; write it again for {service}"),
    ("decrypt ticket for {service} ", "{keytab} has another key than the realm; write it again for {service}"),
    ("ticket server", "its ticket is for another service than {service}"),
    ("decrypt ticket", "its ticket is for another service than {service}"),
    ("No key table entry", "it has no key of {service}; write it again for that"),
    ("key table format", "it is no keytab; write it again for {service}"),
)


@dataclass(frozen=True)
class Proof:
    """A token for the service, and the signature over the bytes by the key that the token brings."""

    token: bytes
    signature: bytes


def library(machine: str) -> Any:
    try:
        return importlib.import_module("gssapi")
    except ImportError as error:
        raise BadInput(
            f"The Python library gssapi is missing on {machine}; install Debian's package python3-gssapi there, and run"
            " this with the Python that sees it, as a rule /usr/bin/python3."
        ) from error


def check_principal(text: str, what: str) -> None:
    if not PRINCIPAL.fullmatch(text):
        raise BadInput(f"The {what} {text!a} is no principal; write it in full, as host/desk1@EXAMPLE.COM.")


def prove(gssapi: Any, data: bytes, principal: str, service: str, keytab: Path, host: str) -> Proof:
    """Prove on the host, as `principal` of its keytab, to `service` that `data` is its own."""
    check_principal(principal, "enrol_kerberos_principal")
    check_principal(service, "enrol_kerberos_service")
    if not keytab.is_file():
        raise BadInput(f"The host {host} has no keytab {keytab}; join it to the realm first.")
    # In memory, so that no ticket stays behind.
    store = {"client_keytab": f"FILE:{keytab}", "ccache": f"MEMORY:{secrets.token_hex(8)}"}
    try:
        form, mechanism = gssapi.NameType.kerberos_principal, gssapi.MechType.kerberos
        credentials = gssapi.Credentials(
            name=gssapi.Name(principal, form), usage="initiate", mechs=[mechanism], store=store
        )
        # Integrity alone: nothing of the host is delegated, and the host needs no answer, as it says nothing secret.
        context = gssapi.SecurityContext(
            name=gssapi.Name(service, form),
            creds=credentials,
            usage="initiate",
            mech=mechanism,
            flags=gssapi.RequirementFlag.integrity,
        )
        token = context.step()
        if not context.complete or not token:
            raise BocageError(f"The host {host} could not prove itself in one message; ask the realm's administrator.")
        return Proof(token, context.get_signature(data))
    except gssapi.exceptions.GSSError as error:
        names = {"principal": principal, "service": service, "keytab": str(keytab)}
        raise BadInput(f"The host {host} got no ticket: {_explain(error, _ON_THE_HOST, names)}.") from error


def accept(gssapi: Any, proof: Proof, data: bytes, service: str, keytab: Path, host: str) -> str:
    """Verify on the controller that a principal of the realm vouches for these bytes, and say which; reads none of them."""
    check_principal(service, "enrol_kerberos_service")
    if len(proof.token) > MAX_TOKEN_BYTES or len(proof.signature) > MAX_SIGNATURE_BYTES:
        raise Untrusted(f"The proof of {host} is larger than any that Kerberos makes; nothing was signed.")
    credentials = _service_credentials(gssapi, service, keytab)
    try:
        context = gssapi.SecurityContext(creds=credentials, usage="accept")
        context.step(proof.token)
    except gssapi.exceptions.GSSError as error:
        names = {"service": service, "keytab": str(keytab)}
        raise Untrusted(
            f"The proof of {host} does not count: {_explain(error, _ON_THE_CONTROLLER, names)}. Nothing was signed."
        ) from error
    if not context.complete or context.mech != gssapi.MechType.kerberos:
        raise Untrusted(f"The proof of {host} is none of Kerberos in one message; nothing was signed.")
    if not context.actual_flags & gssapi.RequirementFlag.integrity:
        raise Untrusted(f"The proof of {host} does not protect what it says; nothing was signed.")
    try:
        context.verify_signature(data, proof.signature)
    except gssapi.exceptions.GSSError as error:
        raise Untrusted(
            f"What {host} says is not what it proved: somebody changed it on the way. Nothing was signed; find out who is"
            " between here and the host."
        ) from error
    return str(context.initiator_name)


def _service_credentials(gssapi: Any, service: str, keytab: Path) -> Any:
    try:
        # Named, so that another key in the same file opens nothing.
        return gssapi.Credentials(
            name=gssapi.Name(service, gssapi.NameType.kerberos_principal),
            usage="accept",
            mechs=[gssapi.MechType.kerberos],
            store={"keytab": f"FILE:{keytab}"},
        )
    except gssapi.exceptions.GSSError as error:
        names = {"service": service, "keytab": str(keytab)}
        words = _explain(error, _ON_THE_CONTROLLER, names)
        raise BadInput(f"The keytab {keytab} cannot be used: {words}.") from error


def check_initiator(initiator: str, principal: str, host: str) -> None:
    """Exactly the declared account: any other machine of the realm has a ticket, too."""
    if initiator != principal:
        raise Untrusted(
            f"The machine that answers for {host} is {ascii(initiator)[1:-1]} in the realm, not {principal}; nothing was"
            " signed. If that is the host, declare it as enrol_kerberos_principal."
        )


def _explain(error: Exception, known: tuple[tuple[str, str], ...], names: dict[str, str]) -> str:
    text = " ".join(str(error).split())
    for sign, remedy in known:
        if sign.format(**names) in text:
            return remedy.format(**names)
    return f"Kerberos says {text[:400]!r}"
