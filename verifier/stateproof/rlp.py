"""Recursive length prefix (RLP), Ethereum's encoding: one level at a time, canonical forms alone.

A list inside a list is handed over as its own encoding, so that nothing here recurses, whatever the
bytes. Source: Ethereum's yellow paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_STRING, _LIST, _LONG = 0x80, 0xC0, 55


class BadRlp(ValueError):
    """The bytes are not the canonical encoding of what they should be."""


class Item(NamedTuple):
    """A string's content, or the whole encoding of a list."""

    is_list: bool
    data: bytes


def decode_list(data: bytes) -> list[Item]:
    """Return the items of the list that the whole of ``data``, which is untrusted, encodes.

    Raises:
        BadRlp: it encodes anything else.
    """
    is_list, start, end = _head(data, 0)
    if not is_list or end != len(data):
        raise BadRlp("not one list")
    items = []
    while start < end:
        inner_is_list, inner_start, inner_end = _head(data, start)
        items.append(Item(inner_is_list, data[start if inner_is_list else inner_start : inner_end]))
        start = inner_end
    return items


def decode_string(data: bytes) -> bytes:
    """Return the string that the whole of ``data`` encodes.

    Raises:
        BadRlp: it encodes anything else.
    """
    is_list, start, end = _head(data, 0)
    if is_list or end != len(data):
        raise BadRlp("not one string")
    return data[start:end]


def integer(data: bytes, most: int) -> int:
    """Return the number that a string holds, in at most ``most`` bytes without leading zeros.

    Raises:
        BadRlp: it holds none.
    """
    if len(data) > most or data[:1] == b"\0":
        raise BadRlp("not a number of its length, without leading zeros")
    return int.from_bytes(data)


def encode_string(data: bytes) -> bytes:
    """Encode a string."""
    if len(data) == 1 and data[0] < _STRING:
        return data
    return _prefix(_STRING, len(data)) + data


def encode_integer(value: int) -> bytes:
    """Encode a number that is not negative."""
    return encode_string(value.to_bytes((value.bit_length() + 7) // 8))


def encode_list(items: Iterable[bytes]) -> bytes:
    """Encode a list of items that are encoded already."""
    body = b"".join(items)
    return _prefix(_LIST, len(body)) + body


def _prefix(kind: int, length: int) -> bytes:
    if length <= _LONG:
        return bytes([kind + length])
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([kind + _LONG + len(size)]) + size


def _head(data: bytes, at: int) -> tuple[bool, int, int]:
    """Return whether the item at ``at`` is a list, and where its content starts and ends."""
    if at >= len(data):
        raise BadRlp("nothing there")
    first = data[at]
    if first < _STRING:
        return False, at, at + 1
    is_list = first >= _LIST
    length = first - (_LIST if is_list else _STRING)
    start = at + 1
    if length > _LONG:
        size = data[start : start + length - _LONG]
        start += length - _LONG
        length = int.from_bytes(size)
        if length <= _LONG or size[0] == 0:
            raise BadRlp("a length is not in its shortest form")
    end = start + length
    if end > len(data):
        raise BadRlp("an item runs past the end")
    if not is_list and length == 1 and data[start] < _STRING:
        raise BadRlp("a byte is not in its shortest form")
    return is_list, start, end
