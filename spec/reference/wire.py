"""Canonical msgpack (wire.md 1): a strict decoder, and the types of fields.

The decoder accepts the one canonical encoding and nothing else, so that no second encoding is
needed to compare with. A length is compared with the bytes that are left before it is used, so
memory is bounded by the file's size. `Reader` is also the cursor for other strict formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MAX_DEPTH = 8
MAX_VALUES = 1 << 24


class NotCanonicalError(ValueError):
    """The bytes are not canonical msgpack."""


class BadFieldsError(ValueError):
    """A value lacks a field, has one too many, or has one of a wrong type or length."""


class Reader:
    """A cursor over bytes; reading past the end, or stopping before it, is a ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._values = 0

    def take(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            raise ValueError("truncated")
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self, length: int, order: str = "big") -> int:
        return int.from_bytes(self.take(length), "little" if order == "little" else "big")

    def announce(self, values: int) -> None:
        """Count the values that an array or a map says it has."""
        self._values += values
        if self._values > MAX_VALUES:
            raise ValueError("too many values")

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def finish(self) -> None:
        if not self.at_end:
            raise ValueError("bytes after the end")


# First byte of an 8-, 16-, 32-, 64-bit form -> its bytes, and the least number that needs it.
_INTEGER = {0xCC: (1, 128), 0xCD: (2, 1 << 8), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
_STRING = {0xD9: (1, 32), 0xDA: (2, 1 << 8), 0xDB: (4, 1 << 16)}
_BINARY = {0xC4: (1, 0), 0xC5: (2, 1 << 8), 0xC6: (4, 1 << 16)}
_ARRAY = {0xDC: (2, 16), 0xDD: (4, 1 << 16)}
_MAP = {0xDE: (2, 16), 0xDF: (4, 1 << 16)}


def decode(data: bytes) -> Any:
    """The one value of `data`: int, str, bytes, list or dict. Raises NotCanonicalError."""
    reader = Reader(data)
    try:
        value = _value(reader, 1)
        reader.finish()
    except ValueError as error:  # UnicodeDecodeError among them
        raise NotCanonicalError(str(error)) from None
    return value


def _long(reader: Reader, form: tuple[int, int]) -> int:
    size, least = form
    number = reader.number(size)
    if number < least:
        raise ValueError("not the shortest form")
    return number


def _value(reader: Reader, depth: int) -> Any:
    first = reader.number(1)
    if first < 0x80:
        return first
    if first in _INTEGER:
        return _long(reader, _INTEGER[first])
    if 0xA0 <= first < 0xC0:
        return reader.take(first - 0xA0).decode()
    if first in _STRING:
        return reader.take(_long(reader, _STRING[first])).decode()
    if first in _BINARY:
        return reader.take(_long(reader, _BINARY[first]))
    if 0x90 <= first < 0xA0:
        return _array(reader, first - 0x90, depth)
    if first in _ARRAY:
        return _array(reader, _long(reader, _ARRAY[first]), depth)
    if 0x80 <= first < 0x90:
        return _map(reader, first - 0x80, depth)
    if first in _MAP:
        return _map(reader, _long(reader, _MAP[first]), depth)
    raise ValueError("nil, boolean, float, extension, or negative integer")


def _array(reader: Reader, count: int, depth: int) -> list[Any]:
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    reader.announce(count)
    values = []
    for _ in range(count):  # a false count runs out of bytes, as every value takes one
        values.append(_value(reader, depth + 1))
    return values


def _map(reader: Reader, count: int, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    reader.announce(2 * count)
    values: dict[str, Any] = {}
    last: bytes | None = None
    for _ in range(count):
        key = _value(reader, depth + 1)
        if not isinstance(key, str):
            raise ValueError("a key is not a string")
        encoded = key.encode()
        if last is not None and encoded <= last:
            raise ValueError("keys are not ascending")
        last = encoded
        values[key] = _value(reader, depth + 1)
    return values


# A field's type is a function that raises BadFieldsError. The decoder makes no other types than
# these five, and no integer outside 0 ... 2^64 - 1.
Type = Callable[[Any], None]


def integer(value: Any) -> None:
    if not isinstance(value, int):
        raise BadFieldsError("not an integer")


def text(least: int = 0, most: int | None = None) -> Type:
    """A string of least ... most bytes of UTF-8."""

    def check(value: Any) -> None:
        if not isinstance(value, str):
            raise BadFieldsError("not a string")
        if len(value.encode()) < least or (most is not None and len(value.encode()) > most):
            raise BadFieldsError("a string of wrong length")

    return check


def binary(length: int | None = None, *, least: int = 0, most: int | None = None) -> Type:
    """Binary of exactly `length` bytes, or of `least` to `most`."""
    if length is not None:
        least = most = length

    def check(value: Any) -> None:
        if not isinstance(value, bytes):
            raise BadFieldsError("not binary")
        if len(value) < least or (most is not None and len(value) > most):
            raise BadFieldsError("binary of wrong length")

    return check


def array(of: Type, least: int = 0, most: int | None = None) -> Type:
    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise BadFieldsError("not an array")
        if len(value) < least or (most is not None and len(value) > most):
            raise BadFieldsError("an array of wrong length")
        for element in value:
            of(element)

    return check


def record(fields: Mapping[str, Type]) -> Type:
    """A map of exactly these fields."""

    def check(value: Any) -> None:
        if not isinstance(value, dict) or value.keys() != fields.keys():
            raise BadFieldsError("not a map of exactly the fields listed")
        for name, field in fields.items():
            field(value[name])

    return check
