"""The exchange's key: its text, and which signatures of it hold (protocol.md 1.2)."""

from __future__ import annotations

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from spec.reference.transcript import tag

PREFIX = "assay1"
P = 2**255 - 19
# y of the points of order 1 and 2 (±1), 4 (0) and 8.
Y_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = (1, P - 1, 0, Y_OF_ORDER_8, P - Y_OF_ORDER_8)

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
BECH32M = 0x2BC830A3


def sound(key: bytes) -> bool:
    """Whether 32 bytes may be a key: y is canonical, and the point is not of small order."""
    y = int.from_bytes(key, "little") % 2**255  # the highest bit is the sign of x
    return len(key) == 32 and y < P and y not in SMALL_ORDER


def signed(public_key: bytes, purpose: str, body: bytes, signature: bytes) -> bool:
    """Whether the Ed25519 signature of a body under a purpose's tag holds."""
    if not sound(public_key):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature, tag(purpose) + sha256(body).digest())
    except (InvalidSignature, ValueError):
        return False
    return True


def text(key: bytes) -> str:
    """A key in bech32m (BIP-350): prefix `assay`, 256 bits in groups of five, a checksum."""
    padded = int.from_bytes(key, "big") << 4
    groups = [padded >> 5 * at & 31 for at in reversed(range(52))]
    prefix = [ord(letter) >> 5 for letter in "assay"]
    prefix += [0] + [ord(letter) & 31 for letter in "assay"]
    check = _polymod([*prefix, *groups, 0, 0, 0, 0, 0, 0]) ^ BECH32M
    groups += [check >> 5 * at & 31 for at in reversed(range(6))]
    return PREFIX + "".join(ALPHABET[group] for group in groups)


def parse(typed: str) -> bytes:
    """The key of a text; ValueError where it is none, is mistyped, or is nobody's key."""
    letters = typed.removeprefix(PREFIX)
    if len(typed) != 64 or len(letters) != 58 or not set(letters) <= set(ALPHABET):
        raise ValueError(f"a key is {PREFIX} and 58 letters and digits more")
    padded = 0
    for letter in letters[:52]:
        padded = padded << 5 | ALPHABET.index(letter)
    key = (padded >> 4).to_bytes(32, "big")
    if text(key) != typed:
        raise ValueError("the key is mistyped: its checksum does not fit")
    if not sound(key):
        raise ValueError("this key is nobody's: anyone can sign for it")
    return key


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for at in range(5):
            if top >> at & 1:
                check ^= GENERATOR[at]
    return check
