# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that WAPT's console signs for hosts, and bodies of inventories that its hosts sign.

An action is a JSON object that names its signer's certificate and the moment of signing, and is good for a short while
around it. Whoever relays it can add keys to it, so that a key that nobody signed makes it unusable here. What keeps an
action from being done twice within its time is a record of the ones that were done: `Action.digest` names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .._common import canonical
from .._common.errors import opening
from .._common.refused import Refused
from . import certificates, signatures, wapt_json

if TYPE_CHECKING:
    from cryptography import x509

    from .certificates import Trust

MAX_BYTES = 1 << 20
MAX_AGE_SECONDS = 60
MUST_BE_SIGNED = frozenset(
    {"action", "uuid", "signed_attributes", "signer", "signature_date", "signer_certificate"},
)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)?")


@dataclass(frozen=True, slots=True)
class Action:
    """What a trusted signer asked of one host."""

    fields: dict[str, Any]
    """All keys, each of them signed, without those of the signature itself."""
    name: str
    uuid: str
    """The host that is meant; its caller compares it with its own."""
    signer: str
    signer_fingerprint: str
    signed_at: datetime
    digest: str
    """SHA-256 of what was signed: the same action has the same one however it is spelt."""


def verify_action(
    raw: bytes, trust: Trust, at: datetime, max_age_seconds: int = MAX_AGE_SECONDS, what: str = "the action"
) -> Action:
    """The action, where a signer trusted at the time `at` signed all of it within `max_age_seconds` of that time.

    Raises Refused.
    """
    start = opening(what)
    document = wapt_json.loads(raw, what, MAX_BYTES)
    if not isinstance(document, dict):
        raise Refused("malformed", f"{start} is not an object.")
    listed = document.get("signed_attributes")
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise Refused("unsigned", f"{start} does not say which of its keys are signed.")
    names = frozenset(listed)
    if missing := MUST_BE_SIGNED - names:
        raise Refused("unsigned", f"{start} is signed without {_shown(missing)}.")
    if injected := document.keys() - names - {"signature"}:
        raise Refused("unsigned", f"{start} carries what nobody signed: {_shown(injected)}.")
    if absent := names - document.keys() | names & {"signature"}:
        raise Refused("bad_signature", f"{start} lacks what its signature covers: {_shown(absent)}.")
    texts = {name: document.get(name) for name in (*MUST_BE_SIGNED - {"signed_attributes"}, "signature")}
    if unusable := [name for name, value in texts.items() if not isinstance(value, str) or not value]:
        raise Refused("malformed", f"{start} has no text in {_shown(unusable)}.")
    payload = wapt_json.dumps({name: document[name] for name in names})
    # Nothing of it is looked at for its meaning before signer and signature are known to be good.
    signer = _trusted(document, trust, at, what)
    signature = signatures.decode_text(document["signature"].encode(), f"the signature of {what}")
    signatures.verify_rsa(signer.public_key(), signature, payload, what)
    signed_at = _moment(document["signature_date"], start)
    age = (at - signed_at).total_seconds()
    if abs(age) > max_age_seconds:
        told = "signed" if age > 0 else "dated"
        raise Refused(
            "expired" if age > 0 else "not_yet_valid",
            f"{start} was {told} {int(abs(age))} seconds {'ago' if age > 0 else 'ahead'} and is good for"
            f" {max_age_seconds}; send it again, and compare the clocks.",
        )
    return Action(
        fields={name: document[name] for name in document if name != "signature"},
        name=document["action"],
        uuid=document["uuid"],
        signer=certificates.common_name(signer),
        signer_fingerprint=document["signer"],
        signed_at=signed_at,
        digest=canonical.digest(payload),
    )


def verify_inventory(body: bytes, signature_text: str, signer: x509.Certificate, what: str = "the inventory") -> None:
    """Check the header `X-Signature` of an inventory that a host of WAPT sent with the bytes `body`.

    What is signed is the SHA-256 of the body, as hexadecimal text. Raises Refused.
    """
    if not signature_text.isascii():
        raise Refused("bad_signature", f"The signature of {what} is not a signature in base64.")
    signature = signatures.decode_text(signature_text.encode("ascii"), f"the signature of {what}")
    signatures.verify_rsa(signer.public_key(), signature, canonical.digest(body).encode("ascii"), what)


def _trusted(document: dict[str, Any], trust: Trust, at: datetime, what: str) -> x509.Certificate:
    """The signer's certificate: the one that the action carries, by the fingerprint that it names."""
    presented = certificates.load_chain(document["signer_certificate"].encode(), f"the certificate of {what}")
    if not presented or certificates.fingerprint_of(presented[0]) != document["signer"]:
        raise Refused("other_signer", f"The certificate of {what} is not the one that it names as its signer.")
    certificates.verify_chain(presented, trust, at, what)
    return presented[0]


def _moment(text: str, start: str) -> datetime:
    """WAPT's moments are in UTC, with or without saying so."""
    if _MOMENT.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass  # falls to the one message below: the form is right, the date is not
        else:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise Refused("malformed", f"{start} has no moment in signature_date.")


def _shown(names: Any) -> str:
    return ", ".join(sorted(ascii(name)[1:-1][:40] for name in names)[:5])
