# Copyright (c) 2026 The Bocage maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys on PKCS#11 tokens: RSA for packages and certificates, P-256 for the metadata of a repository.

The library python-pkcs11 is needed only where a key is on a token, so it is looked for then. A URI of a key is that of
RFC 7512, as in `pkcs11:token=estate;object=developer?module-path=/usr/lib/softhsm/libsofthsm2.so`.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

from .._common import atomic
from .._common.errors import BadInput
from .._common.refused import Refused

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
except ImportError as error:
    MISSING_LIBRARY: str | None = str(error.name).partition(".")[0]
    RSAPrivateKey = object  # type: ignore[assignment,misc]
else:
    MISSING_LIBRARY = None

if TYPE_CHECKING:
    from . import tuf_library as tuf
    from .signing import KeyFileSigner

_ENVIRONMENT = "PYKCS11LIB"
_PART = re.compile(r"(token|object|id|module-path)=([^;?&]{1,1024})")


@dataclass(frozen=True)
class Token:
    """A token by its library and label."""

    module: str
    label: str


@dataclass(frozen=True)
class KeyPlace:
    """A key on a token, by its label or its number (CKA_LABEL, CKA_ID)."""

    token: Token
    label: str = ""
    number: bytes = b""


def parse_uri(uri: str) -> KeyPlace:
    """The place that a URI names (RFC 7512); the library may come from the environment. Raises BadInput."""
    scheme, _colon, rest = uri[:4096].partition(":")
    parts: dict[str, str] = {}
    for one in re.split("[;?&]", rest):
        match = _PART.fullmatch(one)
        if scheme != "pkcs11" or match is None or match[1] in parts:
            raise BadInput(
                f"{ascii(uri)[:80]} names no key on a token; write pkcs11:token=LABEL;object=LABEL?module-path=LIBRARY."
            )
        parts[match[1]] = match[2]
    module = unquote(parts.get("module-path", "")) or os.environ.get(_ENVIRONMENT, "")
    if "token" not in parts or not ({"object", "id"} & parts.keys()) or not module:
        raise BadInput(
            f"{ascii(uri)[:80]} lacks the token, the object or id, or the library (module-path, or {_ENVIRONMENT} in the"
            " environment); name all three."
        )
    number = _octets(parts["id"]) if "id" in parts else b""
    return KeyPlace(Token(module, unquote(parts["token"])), unquote(parts.get("object", "")), number)


def needed_pin_file(given: Path | None) -> Path:
    """The PIN file of whoever wants to sign with a token. Raises BadInput where none was given."""
    if given is None:
        raise BadInput("A key on a token needs its PIN; give the passphrase file that holds it.")
    return given


def read_pin(path: Path) -> str:
    """The PIN of a file. Raises BadInput, without a word of its content."""
    try:
        raw, mode = atomic.read_bounded(path, 1024), path.stat().st_mode
    except OSError as error:
        raise BadInput(f"The PIN file {path} cannot be read: {error.strerror}; bring it first.") from error
    if mode & 0o077:
        raise BadInput(f"The PIN file {path} can be read by others; give it the mode 0600.")
    try:
        return raw.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"The PIN file {path} is not text in UTF-8; write it again.") from None


def open_rsa(place: KeyPlace, pin_file: Path) -> TokenRsaKey:
    """An RSA key that signs on its token, for packages and certificates. Raises BadInput."""
    found = TokenRsaKey(place, read_pin(pin_file))
    if found.key_size < 2048:
        raise BadInput(
            f"The RSA key {place.label} on the token {place.token.label} has {found.key_size} bits; use 3072."
        )
    return found


def package_signer(uri: str, certificate_path: Path, pin_file: Path) -> KeyFileSigner:
    """Who signs packages with a key on a token: as `signing.load_signer` gives one of a file. Raises BadInput."""
    from . import certificates, signing

    try:
        raw = atomic.read_bounded(certificate_path, certificates.MAX_CHAIN_BYTES)
        chain = certificates.load_chain(raw, f"the certificate {certificate_path}")
    except OSError as error:
        raise BadInput(f"The certificate {certificate_path} cannot be read: {error.strerror}.") from error
    except Refused as error:
        raise BadInput(str(error)) from error
    key = open_rsa(parse_uri(uri), pin_file)
    if not chain or chain[0].public_key() != key.public_key():
        raise BadInput(f"The key {ascii(uri)[:80]} is not the key of the certificate {certificate_path}.")
    return signing.KeyFileSigner(chain, key)


def metadata_signer(token: Token, key_id: int, public: tuf.Key | None, pin_file: Path) -> tuf.Signer:
    """A signer of metadata with the P-256 key `key_id` of a token, by securesystemslib. Raises BadInput.

    `public` is what the root knows; None reads it from the token.
    """
    pkcs11 = _library()
    from securesystemslib.exceptions import UnsupportedLibraryError
    from securesystemslib.signer import HSMSigner, SSlibKey

    pin = read_pin(pin_file)
    os.environ[_ENVIRONMENT] = token.module
    try:
        _uri, on_token = HSMSigner.import_(key_id, token.label, lambda _what: pin)
        if public is not None and (not isinstance(public, SSlibKey) or on_token.keyid != public.keyid):
            raise BadInput(f"The key {key_id} of the token {token.label} is not the one of that public key.")
        return HSMSigner(key_id, on_token, lambda _what: pin, token.label)
    except (ValueError, UnsupportedLibraryError, pkcs11.PKCS11Error, RuntimeError) as error:
        raise _unusable(token, error) from error


def list_signer(uri: str, public: tuf.Key | None, pin_file: Path) -> tuf.Signer:
    """A signer of metadata by the URI of its key, which has to name the number of the key. Raises BadInput."""
    place = parse_uri(uri)
    if not place.number:
        raise BadInput("A key on a token that signs lists is named by its id, as in pkcs11:token=estate;id=%02.")
    return metadata_signer(place.token, int.from_bytes(place.number, "big"), public, pin_file)


class TokenRsaKey(RSAPrivateKey):
    """An RSA key of `cryptography` whose private part stays on the token: it can sign, and nothing else."""

    def __init__(self, place: KeyPlace, pin: str) -> None:
        self._place, self._pin = place, pin
        self._pkcs11 = _library()
        with self._session() as session:
            key = self._find(session, self._pkcs11.ObjectClass.PUBLIC_KEY)
            attribute = self._pkcs11.Attribute
            modulus, exponent = (
                int.from_bytes(key[one], "big") for one in (attribute.MODULUS, attribute.PUBLIC_EXPONENT)
            )
        self._public = rsa.RSAPublicNumbers(exponent, modulus).public_key()

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    def sign(self, data: Any, padding_: Any, algorithm: Any) -> bytes:
        """PKCS#1 v1.5 with SHA-256 (RFC 8017, 8.2), which is all that is signed here."""
        if not isinstance(padding_, padding.PKCS1v15) or not isinstance(algorithm, hashes.SHA256):
            raise BadInput("A key on a token signs with PKCS#1 v1.5 and SHA-256 only, as packages need it.")
        with self._session() as session:
            key = self._find(session, self._pkcs11.ObjectClass.PRIVATE_KEY)
            return bytes(key.sign(bytes(data), mechanism=self._pkcs11.Mechanism.SHA256_RSA_PKCS))

    def decrypt(self, ciphertext: Any, padding_: Any) -> bytes:
        raise self._stays()

    def private_numbers(self) -> Any:
        raise self._stays()

    def private_bytes(self, encoding: Any, format_: Any, encryption_algorithm: Any) -> bytes:
        raise self._stays()

    def __copy__(self) -> TokenRsaKey:
        return self

    def __deepcopy__(self, memo: Any) -> TokenRsaKey:
        return self

    def __repr__(self) -> str:
        return f"<RSA key {self._place.label} on the token {self._place.token.label}>"

    def _stays(self) -> BadInput:
        return BadInput(f"The key {self._place.label} stays on the token {self._place.token.label}; it can only sign.")

    def _find(self, session: Any, kind: Any) -> Any:
        wanted = {"label": self._place.label or None, "id": self._place.number or None}
        return session.get_key(kind, self._pkcs11.KeyType.RSA, **wanted)

    @contextmanager
    def _session(self) -> Iterator[Any]:
        token = self._place.token
        try:
            found = self._pkcs11.lib(token.module).get_token(token_label=token.label)
            with found.open(user_pin=self._pin) as session:
                yield session
        except (self._pkcs11.PKCS11Error, RuntimeError) as error:
            raise _unusable(token, error) from error


def _library() -> Any:
    try:
        return importlib.import_module("pkcs11")
    except ImportError as error:
        raise BadInput(
            "The Python library python-pkcs11 is missing on this machine, which keys on tokens need; install it."
        ) from error


def _unusable(token: Token, error: Exception) -> BadInput:
    # The texts of the library's own exceptions are mostly empty, or a search as Python writes it.
    own = type(error).__module__.startswith("pkcs11")
    words = _words(type(error).__name__) if own or not str(error) else str(error)
    return BadInput(
        f"The token {token.label} of {token.module} cannot be used: {words}; see that it is plugged in and that the PIN"
        " and the names are right."
    )


def _words(name: str) -> str:
    """PinIncorrect -> pin incorrect."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _octets(text: str) -> bytes:
    """The bytes of an id, which is percent-encoded or in plain characters."""
    return unquote_to_bytes(text)
