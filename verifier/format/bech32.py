"""Bech32 and bech32m (BIP-173, BIP-350), in lower case alone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

# What the checksum's remainder is, by which the two differ.
BECH32 = 1
BECH32M = 0x2BC830A3

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6


def _carry(top: int) -> int:
    terms = 0
    for at, term in enumerate(_GENERATOR):
        terms ^= term if top >> at & 1 else 0
    return terms


# By the five highest bits of a remainder: what they turn into as the next group comes in.
_CARRIES = [_carry(top) for top in range(32)]


def encode(prefix: str, groups: list[int], constant: int) -> str:
    """Return the text of groups of five bits; ``constant`` is `BECH32` or `BECH32M`."""
    check = _remainder([*groups, *bytes(_CHECKSUM)], _start(prefix)) ^ constant
    sums = [check >> 5 * at & 31 for at in reversed(range(_CHECKSUM))]
    return prefix + "1" + "".join(_LETTERS[group] for group in [*groups, *sums])


def decode(prefix: str, text: str) -> tuple[list[int], int]:
    """Return the groups of five bits of a text, and its constant; the caller bounds its length.

    Raises:
        ValueError: another prefix, a letter that is not bech32's, or neither constant.
    """
    if not text.startswith(prefix + "1"):
        raise ValueError("another prefix")
    letters = text[len(prefix) + 1 :]
    if len(letters) < _CHECKSUM or not _VALUES.keys() >= set(letters):
        raise ValueError("no checksum, or a letter that bech32 does not have")
    groups = [_VALUES[letter] for letter in letters]
    constant = _remainder(groups, _start(prefix))
    if constant not in (BECH32, BECH32M):
        raise ValueError("the checksum does not fit")
    return groups[:-_CHECKSUM], constant


def pack(groups: Iterable[int]) -> bytes:
    """Return the bytes that groups of five bits hold.

    Raises:
        ValueError: the bits left over are five or more, or not zero: other groups say the same.
    """
    number = bits = 0
    for group in groups:
        number = number << 5 | group
        bits += 5
    size, spare = divmod(bits, 8)
    if spare >= 5 or number & (1 << spare) - 1:
        raise ValueError("bits are left over")
    return (number >> spare).to_bytes(size)


@cache
def _start(prefix: str) -> int:
    """Return the remainder of a prefix, as the checksum covers it."""
    codes = prefix.encode()
    return _remainder([*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)], 1)


def _remainder(groups: Iterable[int], remainder: int) -> int:
    for group in groups:
        remainder = (remainder & 0x1FFFFFF) << 5 ^ group ^ _CARRIES[remainder >> 25]
    return remainder
