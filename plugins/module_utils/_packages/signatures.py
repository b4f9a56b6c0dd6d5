# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few signatures that packages use: RSA PKCS#1 v1.5 and ECDSA P-256, both with SHA-256, and Ed25519.

RFC 8017 section 8.2, FIPS 186-5 section 6, RFC 8032. WAPT's files are signed with RSA PKCS#1 v1.5 only; TUF's and
tickets' keys are Ed25519 in files or P-256 on tokens.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from .._common import dsse
from .._common.errors import BadInput, opening
from .._common.refused import Refused

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
except ImportError as error:
    # documentation can be read where the libraries are not installed
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
else:
    MISSING_LIBRARY = None

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16384
MAX_SIGNATURE_TEXT_BYTES = 16384
_LINE_LENGTH = 76


def check_rsa_key(public_key: PublicKeyTypes, what: str) -> rsa.RSAPublicKey:
    """The key, when it is RSA of 2,048 to 16,384 bits; raises Refused for all others."""
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise Refused("weak", f"The key of {what} is not an RSA key, which is what signs packages.")
    if not MIN_RSA_BITS <= public_key.key_size <= MAX_RSA_BITS:
        raise Refused(
            "weak",
            f"The RSA key of {what} has {public_key.key_size} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted, and"
            " 3072 are made here.",
        )
    return public_key


def verify_rsa(public_key: PublicKeyTypes, signature: bytes, message: bytes, what: str = "the document") -> None:
    """Check an RSA PKCS#1 v1.5 signature with SHA-256; raises Refused when it or the key is not good."""
    key = check_rsa_key(public_key, f"the signer of {what}")
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError, UnsupportedAlgorithm) as error:
        raise _bad(what) from error


def verify_ecdsa(public_key: PublicKeyTypes, signature: bytes, message: bytes, what: str = "the document") -> None:
    """Check an ECDSA signature in DER with P-256 and SHA-256; raises Refused when it or the key is not good."""
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(public_key.curve, ec.SECP256R1):
        raise Refused("weak", f"The key of the signer of {what} is not an elliptic key on P-256.")
    try:
        public_key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm) as error:
        raise _bad(what) from error


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes, what: str = "the document") -> None:
    """Check an Ed25519 signature with the 32 bytes of a key: the same code that checks envelopes."""
    dsse.verify_signature(public_key, signature, message, what)


def sign_rsa(private_key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """RSA PKCS#1 v1.5 with SHA-256 over `message`; the same bytes each time."""
    check_rsa_key(private_key.public_key(), "the signer")
    return private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def decode_text(text: bytes, what: str) -> bytes:
    """A signature from its base64, on one line or several; raises Refused for any other spelling."""
    if len(text) > MAX_SIGNATURE_TEXT_BYTES:
        raise Refused(
            "oversized", f"{opening(what)} has {len(text)} bytes; at most {MAX_SIGNATURE_TEXT_BYTES} are read."
        )
    joined = text.replace(b"\r\n", b"").replace(b"\n", b"")
    try:
        signature = base64.b64decode(joined, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("bad_signature", f"{opening(what)} is not a signature in base64.") from error
    # One signature has one spelling: no loose bits behind the last byte.
    if not signature or base64.b64encode(signature) != joined:
        raise Refused("bad_signature", f"{opening(what)} is not a signature in base64.")
    return signature


def encode_lines(signature: bytes) -> bytes:
    """Base64 in lines of 76 columns, each with its end, as WAPT writes ``WAPT/signature.sha256``."""
    text = base64.b64encode(signature)
    return b"".join(text[start : start + _LINE_LENGTH] + b"\n" for start in range(0, len(text), _LINE_LENGTH))


def require_libraries() -> None:
    """Raise BadInput where the library that signatures need is not installed."""
    if MISSING_LIBRARY is not None:
        raise BadInput(
            f"The Python library {MISSING_LIBRARY} is missing on this machine; install what requirements/runtime.in"
            " of bocage.fleet lists."
        )


def _bad(what: str) -> Refused:
    return Refused("bad_signature", f"The signature of {what} does not verify with the key of its signer.")
