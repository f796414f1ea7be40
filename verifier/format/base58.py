"""Base58Check: the text of Tron's addresses, and of Bitcoin's older ones."""

from __future__ import annotations

from verifier.format.bitcoin_hashes import double_sha256

_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_CHECKSUM_BYTES = 4


def encode_check(data: bytes) -> str:
    """Return the text of some bytes and their checksum."""
    data += _checksum(data)
    number = int.from_bytes(data)
    letters = []
    while number:
        number, value = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[value])
    zeros = len(data) - len(data.lstrip(b"\x00"))
    return _LETTERS[0] * zeros + "".join(reversed(letters))


def decode_check(text: str) -> bytes:
    """Return the bytes of a text, which has no other; the caller bounds its length.

    Raises:
        ValueError: a letter is not base58's, or the checksum does not fit.
    """
    number = 0
    for letter in text:
        if letter not in _VALUES:
            raise ValueError("a letter that base58 does not have")
        number = number * len(_LETTERS) + _VALUES[letter]
    zeros = len(text) - len(text.lstrip(_LETTERS[0]))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(body):
        raise ValueError("the checksum does not fit")
    return body


def _checksum(data: bytes) -> bytes:
    return double_sha256(data)[:_CHECKSUM_BYTES]
