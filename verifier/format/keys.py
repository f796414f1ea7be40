"""The exchange's Ed25519 key: its text, and signatures over ``tag ‖ SHA-256(body)``.

A key whose encoding is not canonical, or whose point is of small order, verifies nothing: of the
latter anybody can make signatures of whatever they like. Source: spec/protocol.md 1.2.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from verifier.errors import Misuse
from verifier.format import bech32
from verifier.format.params import ID_BYTES, SIGNATURE_BYTES
from verifier.format.tags import tag

_PREFIX = "assay"
KEY_PREFIX = _PREFIX + "1"

_TEXT_CHARACTERS = 64
_GROUPS = 52  # of five bits; the last has four spare ones
_FIELD = 2**255 - 19
_ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# The y of the points of order 1, 2, 4 and 8; opposite points, which differ in the sign, share it.
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _ORDER_EIGHT, _FIELD - _ORDER_EIGHT})


def public_key_text(key: bytes) -> str:
    """Return the text form of a 32-byte public key: bech32m (BIP-350) with the prefix assay."""
    number = int.from_bytes(key) << 4
    groups = [number >> 5 * at & 31 for at in reversed(range(_GROUPS))]
    return bech32.encode(_PREFIX, groups, bech32.BECH32M)


def parse_public_key(key: str | bytes) -> bytes:
    """Return the 32 bytes of a public key, given so or in its text form (one LF may follow).

    Raises:
        Misuse: it is neither, is mistyped, or is nobody's key.
    """
    found = key if isinstance(key, bytes) else _parse(key.removesuffix("\n"))
    if len(found) != ID_BYTES:
        raise Misuse(f"a public key has {ID_BYTES} bytes")
    if not is_sound_key(found):
        raise Misuse("this public key is nobody's: anyone can make signatures that fit it")
    return found


def is_sound_key(key: bytes) -> bool:
    """Tell whether 32 bytes, as a key, are canonical and not of small order."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    return y < _FIELD and y not in _SMALL_ORDER


def sign(key: Ed25519PrivateKey, purpose: str, body: bytes) -> bytes:
    """Return the 64-byte signature of ``body`` under the tag of ``purpose``."""
    return key.sign(_message(purpose, body))


def is_signed(key: bytes, purpose: str, body: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is one of ``body`` by a public key (RFC 8032); all untrusted."""
    if len(signature) != SIGNATURE_BYTES or not is_sound_key(key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _message(purpose, body))
    except (InvalidSignature, ValueError):
        return False
    return True


def _parse(text: str) -> bytes:
    if not text.startswith(KEY_PREFIX) or len(text) != _TEXT_CHARACTERS:
        raise Misuse(f"a public key is {_TEXT_CHARACTERS} characters that begin with {KEY_PREFIX}")
    try:
        groups, constant = bech32.decode(_PREFIX, text)
        key = bech32.pack(groups)
    except ValueError:
        constant = None
    if constant != bech32.BECH32M:
        raise Misuse("the public key is mistyped: its last characters, a checksum, do not fit")
    return key


def _message(purpose: str, body: bytes) -> bytes:
    return tag(purpose) + hashlib.sha256(body).digest()
