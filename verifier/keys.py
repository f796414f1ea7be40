"""The exchange's Ed25519 key: its text, and signatures over ``tag ‖ SHA-256(body)``."""

from __future__ import annotations

import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from verifier.errors import Misuse
from verifier.params import ID_BYTES, SIGNATURE_BYTES, tag
from verifier.source import read_file

_PREFIX = "assay1:"
_MAX_FILE_BYTES = 1024
_TEXT = re.compile(_PREFIX + "([0-9a-f]{64})")


def public_key_text(key: bytes) -> str:
    """Return the text form of a 32-byte public key."""
    return _PREFIX + key.hex()


def parse_public_key(key: str | bytes) -> bytes:
    """Return the 32 bytes of a public key, given so or in its text form (one LF may follow).

    Raises:
        Misuse: it is neither.
    """
    if isinstance(key, bytes):
        if len(key) != ID_BYTES:
            raise Misuse(f"a public key has {ID_BYTES} bytes")
        return key
    match = _TEXT.fullmatch(key.removesuffix("\n"))
    if match is None:
        raise Misuse(f"a public key is the text {_PREFIX} and 64 lower-case hex digits")
    return bytes.fromhex(match[1])


def read_public_key(text: str) -> bytes:
    """Return the key that is given as text, or held by a file of that name.

    Raises:
        CannotCheck: the file cannot be read.
        Misuse: it holds no key.
    """
    if text.startswith(_PREFIX):
        return parse_public_key(text)
    data = read_file(text, _MAX_FILE_BYTES, "key")
    try:
        return parse_public_key(data.decode("ascii"))
    except UnicodeDecodeError:
        raise Misuse("the key's file holds no public key") from None


def sign(key: Ed25519PrivateKey, purpose: str, body: bytes) -> bytes:
    """Return the 64-byte signature of ``body`` under the tag of ``purpose``."""
    return key.sign(_message(purpose, body))


def is_signed(key: bytes, purpose: str, body: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is one of ``body`` by a public key (RFC 8032); all untrusted."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _message(purpose, body))
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(purpose: str, body: bytes) -> bytes:
    return tag(purpose) + hashlib.sha256(body).digest()
