"""Canonical msgpack, and the records of spec/wire.md, each declared once: fields, types, limits.

Invariants: `read_record` and `read_records` take only bytes that encode back to themselves, and a
map only with exactly the declared fields, each of its type and within its `Size`. They make no
object but those that are declared, so that memory is bounded by the records that the bytes hold,
whatever else they hold; they never nest deeper than `MAX_DEPTH`, and take no memory for a length
that the bytes do not hold. Field names are the wire's; the meaning of the values is
checked elsewhere. The records of evidence are in `verifier.format.evidence_records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

import msgpack

from verifier.format.params import (
    ID_BYTES,
    MAX_ASSETS,
    MAX_CHAINS,
    MAX_PLEDGED,
    MAX_TEXT_BYTES,
    MAX_UNITS,
    POINT_BYTES,
    SIGNATURE_BYTES,
    TreeShape,
)

MAX_DEPTH = 8
MAX_VALUES = 2**24  # the records of 128 MiB have eight bytes a value, and more

Value = int | str | bytes | Sequence["Value"] | Mapping[str, "Value"]
Record = TypeVar("Record")


class NotCanonical(ValueError):
    """The bytes are not canonical msgpack."""


class BadFields(ValueError):
    """A map has not the declared fields, or one is not of its type or size."""


@dataclass(frozen=True)
class Size:
    """Limits on a length: bytes of a binary or of a text's UTF-8, items of an array."""

    least: int
    most: int


Bin32 = Annotated[bytes, Size(ID_BYTES, ID_BYTES)]
Point = Annotated[bytes, Size(POINT_BYTES, POINT_BYTES)]
SignatureBytes = Annotated[bytes, Size(SIGNATURE_BYTES, SIGNATURE_BYTES)]
Text = Annotated[str, Size(1, MAX_TEXT_BYTES)]


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain and its block: ``hash`` most significant byte first, as chains print it."""

    hash: Bin32
    height: int
    name: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """Assets times ``den`` cover liabilities times ``num``."""

    den: int
    num: int


@dataclass(frozen=True, slots=True)
class Unit:
    """What an asset is held in: ``contract`` is empty for a native coin."""

    chain: str
    contract: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset of a manifest; ``capacity`` in pages of level 0, ``page_size`` in leaves.

    ``sum`` is the commitment C_L.
    """

    capacity: int
    code: str
    decimals: int
    evidence: Bin32
    levels: int
    page_size: int
    ratio: Ratio
    root: Bin32
    sum: Point
    units: Annotated[tuple[Unit, ...], Size(1, MAX_UNITS)]

    @property
    def shape(self) -> TreeShape:
        """The shape of its tree."""
        return TreeShape(self.capacity, self.page_size)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The statement of a new key, signed by the old and the new one."""

    new_signature: SignatureBytes
    old_key: Bin32
    old_signature: SignatureBytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """``manifest.msgpack``; ``time`` in Unix seconds."""

    account_id_type: str
    argument_version: int
    assets: Annotated[tuple[Asset, ...], Size(1, MAX_ASSETS)]
    chains: Annotated[tuple[Chain, ...], Size(0, MAX_CHAINS)]
    declaration: Bin32
    exchange: str
    previous: Bin32
    protocol_version: int
    public_key: Bin32
    rotation: Annotated[tuple[Rotation, ...], Size(0, 1)]
    snapshot_id: str
    time: int

    @property
    def has_declaration(self) -> bool:
        """Whether loans are declared: zeros in place of a digest say that nothing is."""
        return self.declaration != bytes(ID_BYTES)


@dataclass(frozen=True, slots=True)
class RecordAsset:
    """The SHA-256 of an asset's files of arguments: one a level, from 0, and of its solvency."""

    code: str
    levels: tuple[Bin32, ...]
    solvency: Bin32


@dataclass(frozen=True, slots=True)
class ArgumentRecord:
    """``arguments.msgpack``: the arguments of one manifest, named by its digest."""

    argument_version: int
    assets: tuple[RecordAsset, ...]
    manifest: Bin32
    version: int


@dataclass(frozen=True, slots=True)
class Pledge:
    """An address of the evidence that secures a loan."""

    address: Text
    chain: str


@dataclass(frozen=True, slots=True)
class Loan:
    """What is owed to a lender; ``amount`` in whole coins, as a decimal, or empty: not said."""

    amount: Annotated[str, Size(0, 64)]
    code: str
    lender: Text
    pledged: Annotated[tuple[Pledge, ...], Size(0, MAX_PLEDGED)]


DECLARED_LOANS = Size(1, 4096)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a balance: ``amount`` in ledger units, ``leaf`` the leaf's index in the asset.

    ``path`` leads from the leaf's identity to a node of its page, ``opening`` shows the amount.
    """

    amount: int
    leaf: int
    opening: bytes
    part: int
    path: bytes


@dataclass(frozen=True, slots=True)
class PackageAsset:
    """The parts of one asset's balance; none when it is zero."""

    code: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class PackageBody:
    """The signed body of an inclusion package."""

    account_id: str
    account_key: Bin32
    assets: tuple[PackageAsset, ...]
    manifest: Bin32
    version: int


@dataclass(frozen=True, slots=True)
class Package:
    """An inclusion package; ``log`` is a form to come, and so there is none."""

    body: bytes
    log: Annotated[bytes, Size(0, 0)]
    signature: SignatureBytes


def encode(value: Value) -> bytes:
    """Encode as canonical msgpack, with the keys of every map sorted."""
    return bytes(msgpack.packb(_sort(value)))


def write_record(record: object) -> bytes:
    """Encode a record, or a tuple of records, as canonical msgpack."""
    return bytes(msgpack.packb(_plain(record)))


def read_record(kind: type[Record], data: bytes) -> Record:
    """Read untrusted canonical msgpack of one map as ``kind``, a record declared so.

    Raises:
        NotCanonical: it is anything else than canonical msgpack, trailing bytes included.
        BadFields: it is canonical, and the fields are not those declared.
    """
    record: Record = _read(_reader(cast(Any, kind)), data, kind.__name__.lower())
    return record


def names_other_version(data: bytes) -> bool:
    """Tell whether untrusted canonical msgpack of one map names a version but 1.

    It may be of a form to come, so nothing is made of what else it holds.
    """
    cursor, last = _Cursor(data), None
    try:
        found, count = cursor.head()
        if found != "map":
            return False
        cursor.enter(2 * count, 1)
        for _ in range(count):
            last, at = cursor.key(last), cursor.at
            kind, number = cursor.head()
            if last in _VERSIONS and kind == "int" and number != 1:
                return True
            cursor.at = at
            cursor.skip(1)
    except NotCanonical:
        return False
    return False


def read_records(kind: type[Record], data: bytes, size: Size) -> tuple[Record, ...]:
    """Read untrusted canonical msgpack of one array of maps, each as ``kind``; ``size`` in maps.

    Raises:
        NotCanonical, BadFields: see `read_record`.
    """
    reader = _array_reader(_reader(cast(Any, kind)), size)
    records: tuple[Record, ...] = _read(reader, data, f"{kind.__name__.lower()}s")
    return records


def _read(reader: _Reader, data: bytes, name: str) -> Any:
    cursor = _Cursor(data)
    try:
        value = reader(cursor, 0)
        cursor.check_end()
    except BadFields as fault:
        check_canonical(data)  # what is not canonical is that first
        raise BadFields(f"{name}{fault}") from None
    return value


def check_canonical(data: bytes) -> None:
    """Check that untrusted bytes are canonical msgpack (spec/wire.md, section 1) of one value.

    Raises:
        NotCanonical: they are not.
    """
    cursor = _Cursor(data)
    cursor.skip(0)
    cursor.check_end()


class _Head(NamedTuple):
    """The head of a value: its type, and its number, its length or its count of entries."""

    kind: str
    number: int


# First bytes with a length of so many bytes after it: its type, and the least such length.
_LONG = {
    0xCC: ("int", 1, 0x80),
    0xCD: ("int", 2, 0x100),
    0xCE: ("int", 4, 0x1_0000),
    0xCF: ("int", 8, 0x1_0000_0000),
    0xD9: ("str", 1, 0x20),
    0xDA: ("str", 2, 0x100),
    0xDB: ("str", 4, 0x1_0000),
    0xC4: ("bytes", 1, 0),
    0xC5: ("bytes", 2, 0x100),
    0xC6: ("bytes", 4, 0x1_0000),
    0xDC: ("array", 2, 0x10),
    0xDD: ("array", 4, 0x1_0000),
    0xDE: ("map", 2, 0x10),
    0xDF: ("map", 4, 0x1_0000),
}
# Those that hold their number themselves, from 0 on.
_SHORT = (
    *(_Head("int", number) for number in range(0x80)),
    *(_Head("map", number) for number in range(0x10)),
    *(_Head("array", number) for number in range(0x10)),
    *(_Head("str", number) for number in range(0x20)),
)


class _Cursor:
    """A place in the bytes; every read is checked against what is left."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.values = 0
        self.texts: dict[bytes, str] = {}  # short ones, which occur again and again

    def take(self, size: int) -> bytes:
        start = self.at
        if size > len(self.data) - start:
            raise NotCanonical("a value runs past the end")
        self.at = start + size
        return self.data[start : self.at]

    def head(self) -> _Head:
        if self.at >= len(self.data):
            raise NotCanonical("a value runs past the end")
        first = self.data[self.at]
        self.at += 1
        if first < len(_SHORT):
            return _SHORT[first]
        if first not in _LONG:
            raise NotCanonical("nil, a boolean, a float, a negative integer or an extension")
        kind, size, least = _LONG[first]
        number = int.from_bytes(self.take(size))
        if number < least:
            raise NotCanonical("a length or an integer is not in its shortest form")
        return _Head(kind, number)

    def text(self, size: int) -> str:
        raw = self.take(size)
        known = self.texts.get(raw)
        if known is not None:
            return known
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise NotCanonical("a string is not UTF-8") from None
        if size <= _SHORT_TEXT and len(self.texts) < _SHORT_TEXTS:
            self.texts[raw] = text
        return text

    def enter(self, values: int, depth: int) -> None:
        """Begin a map or array at a depth, 1 for the outermost, with so many values in it."""
        if depth > MAX_DEPTH:
            raise NotCanonical(f"nested deeper than {MAX_DEPTH}")
        if values > len(self.data) - self.at:
            raise NotCanonical("a count is larger than what follows")
        self.values += values
        if self.values > MAX_VALUES:
            raise NotCanonical(f"more than {MAX_VALUES} values")

    def key(self, last: str | None) -> str:
        """Return the next key of a map. Code points order as their UTF-8 does."""
        kind, size = self.head()
        if kind != "str":
            raise NotCanonical("a key is not a string")
        key = self.text(size)
        if last is not None and key <= last:
            raise NotCanonical("keys are not in strictly ascending order")
        return key

    def skip(self, depth: int) -> None:
        """Pass over a value, which is checked to be canonical, and make nothing of it."""
        kind, number = self.head()
        if kind == "str":
            self.text(number)
        elif kind == "bytes":
            self.take(number)
        elif kind == "array":
            self.enter(number, depth + 1)
            for _ in range(number):
                self.skip(depth + 1)
        elif kind == "map":
            self.enter(2 * number, depth + 1)
            last = None
            for _ in range(number):
                last = self.key(last)
                self.skip(depth + 1)

    def check_end(self) -> None:
        if self.at != len(self.data):
            raise NotCanonical("bytes after the end")


_SHORT_TEXT, _SHORT_TEXTS = 32, 64
_VERSIONS = ("argument_version", "protocol_version", "version")
_Reader = Callable[[_Cursor, int], Any]


@cache
def _reader(kind: Any) -> _Reader:
    """Return what reads a value of a declared type: int, str, bytes, a record, a tuple of them.

    The message of its `BadFields` begins with where in the value the fault is.
    """
    size = None
    if get_origin(kind) is Annotated:
        kind, size = get_args(kind)
    if get_origin(kind) is tuple:
        return _array_reader(_reader(get_args(kind)[0]), size)
    if kind in (int, str, bytes):
        return _plain_reader(kind, size)
    return _record_reader(kind)


def _plain_reader(kind: type, size: Size | None) -> _Reader:
    name = kind.__name__

    def read(cursor: _Cursor, depth: int) -> int | str | bytes:
        found, number = cursor.head()
        if found != name:
            raise BadFields(f" is not of type {name}")
        if name == "int":
            return number
        _check_size(size, number)
        return cursor.text(number) if name == "str" else cursor.take(number)

    return read


def _array_reader(item: _Reader, size: Size | None) -> _Reader:
    def read(cursor: _Cursor, depth: int) -> tuple[Any, ...]:
        found, count = cursor.head()
        if found != "array":
            raise BadFields(" is not an array")
        cursor.enter(count, depth + 1)
        _check_size(size, count)
        items = []
        for at in range(count):
            try:
                items.append(item(cursor, depth + 1))
            except BadFields as fault:
                raise BadFields(f"[{at}]{fault}") from None
        return tuple(items)

    return read


def _record_reader(kind: type) -> _Reader:
    hints = get_type_hints(kind, include_extras=True)
    members = [
        (name, bytes(msgpack.packb(name)), _reader(hints[name])) for name in _sorted_names(kind)
    ]

    def read(cursor: _Cursor, depth: int) -> Any:
        found, count = cursor.head()
        if found != "map" or count != len(members):
            raise BadFields(f" has not exactly the fields {', '.join(hints)}")
        cursor.enter(2 * count, depth + 1)
        values, last = {}, None
        for name, encoded, member in members:
            if cursor.data.startswith(encoded, cursor.at):  # as nearly all are: looked at whole
                cursor.at += len(encoded)
                last = name
            elif (last := cursor.key(last)) != name:
                raise BadFields(f" has not exactly the fields {', '.join(hints)}")
            try:
                values[name] = member(cursor, depth + 1)
            except BadFields as fault:
                raise BadFields(f".{name}{fault}") from None
        return kind(**values)

    return read


def _check_size(size: Size | None, length: int) -> None:
    if size is not None and not size.least <= length <= size.most:
        raise BadFields(f" has not {size.least} to {size.most} bytes or items")


def _sort(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {key: _sort(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sort(item) for item in value]
    return value


def _plain(value: Any) -> Value:
    kind: type = type(value)
    if kind in _PLAIN:
        return cast(Value, value)
    if kind is tuple:
        return [_plain(item) for item in value]
    if isinstance(value, int | str | bytes):  # of a kind of its own
        return value
    return {name: _plain(getattr(value, name)) for name in _sorted_names(kind)}


_PLAIN = frozenset({int, str, bytes})


@cache
def _sorted_names(kind: type) -> tuple[str, ...]:
    return tuple(sorted(field.name for field in fields(kind)))


def is_ascending(items: Iterable[Any]) -> bool:
    """Tell whether items strictly ascend. Text orders by code point, as its UTF-8 does."""
    last = None
    for item in items:
        if last is not None and item <= last:
            return False
        last = item
    return True
