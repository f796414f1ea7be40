"""Canonical msgpack, and the records of spec/wire.md, each declared once: fields, types, limits.

Invariants: `decode` takes only bytes that encode back to themselves, never nests deeper than
`MAX_DEPTH`, and takes no memory for a length that the bytes do not hold. `read_record` takes a map
only with exactly the declared fields, each of its type and within its `Size`. Field names are the
wire's; the meaning of the values is checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgpack

from verifier.params import ID_BYTES, MAX_HIDDEN_KEYS, POINT_BYTES, SIGNATURE_BYTES

MAX_DEPTH = 8
MAX_VALUES = 2**25  # an empty one takes a byte of the file, and some 64 of memory

Value = int | str | bytes | Sequence["Value"] | Mapping[str, "Value"]
Record = TypeVar("Record")

_INTS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_STRINGS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BINS = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}


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
TrieNode = Annotated[bytes, Size(1, 4096)]


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
    """One asset of a manifest; ``capacity`` in pages of level 0, ``sum`` is the commitment C_L."""

    capacity: int
    code: str
    decimals: int
    evidence: Bin32
    levels: int
    ratio: Ratio
    root: Bin32
    solvency: bytes
    sum: Point
    units: Annotated[tuple[Unit, ...], Size(1, 64)]


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
    assets: Annotated[tuple[Asset, ...], Size(1, 256)]
    chains: Annotated[tuple[Chain, ...], Size(0, 64)]
    exchange: str
    page_size: int
    previous: Bin32
    protocol_version: int
    public_key: Bin32
    rotation: Annotated[tuple[Rotation, ...], Size(0, 1)]
    snapshot_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Row:
    """A disclosed address; ``amount`` is a 32-byte big-endian number of chain base units."""

    address: Annotated[str, Size(1, 128)]
    amount: Bin32
    chain: str
    contract: str


@dataclass(frozen=True, slots=True)
class OwnershipSignature:
    """The ownership signature of one (chain, address)."""

    address: str
    chain: str
    format: str
    text: Annotated[str, Size(1, 16_384)]


@dataclass(frozen=True, slots=True)
class LongSignature(OwnershipSignature):
    """The same in evidence of version 2, where the text may be a transaction of many inputs."""

    text: Annotated[str, Size(1, 2**17)]


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent Bitcoin output; ``amount`` in satoshi, ``txid`` in the order that is displayed."""

    address: Annotated[str, Size(1, 128)]
    amount: int
    index: int
    txid: Bin32


@dataclass(frozen=True, slots=True)
class StateProof:
    """A block's header, in RLP, and nodes of the tries under it."""

    chain: str
    header: TrieNode
    nodes: Annotated[tuple[TrieNode, ...], Size(0, 2**20)]


@dataclass(frozen=True, slots=True)
class HiddenSet:
    """Public keys of which the exchange owns some: ``keys`` has 33 bytes each, ``amounts`` 16.

    ``amounts`` are big-endian numbers of chain base units, what each key holds in all ``scripts``.
    """

    amounts: bytes
    argument: bytes
    chain: str
    commitment: Point
    contract: str
    keys: Annotated[bytes, Size(POINT_BYTES, POINT_BYTES * MAX_HIDDEN_KEYS)]
    scripts: Annotated[tuple[str, ...], Size(1, 8)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``evidence/CODE.msgpack`` of version 1: disclosed addresses alone."""

    code: str
    rows: Annotated[tuple[Row, ...], Size(0, 2**20)]
    signatures: tuple[OwnershipSignature, ...]
    version: int

    @property
    def coins(self) -> tuple[Coin, ...]:
        """None: version 1 has no such field."""
        return ()

    @property
    def hidden(self) -> tuple[HiddenSet, ...]:
        """None: version 1 has no such field."""
        return ()

    @property
    def proofs(self) -> tuple[StateProof, ...]:
        """None: version 1 has no such field."""
        return ()


@dataclass(frozen=True, slots=True)
class EvidenceV2:
    """``evidence/CODE.msgpack`` of version 2."""

    code: str
    coins: Annotated[tuple[Coin, ...], Size(0, 2**20)]
    hidden: Annotated[tuple[HiddenSet, ...], Size(0, 16)]
    proofs: Annotated[tuple[StateProof, ...], Size(0, 64)]
    rows: Annotated[tuple[Row, ...], Size(0, 2**20)]
    signatures: tuple[LongSignature, ...]
    version: int


AnyEvidence = Evidence | EvidenceV2


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a balance: ``amount`` in ledger units, ``leaf`` the leaf's index."""

    amount: int
    leaf: int
    part: int


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
    """An inclusion package."""

    body: bytes
    signature: SignatureBytes


def decode(data: bytes) -> Value:
    """Decode canonical msgpack (spec/wire.md, section 1); ``data`` is untrusted.

    Raises:
        NotCanonical: it is anything else, trailing bytes included.
    """
    decoder = _Decoder(data)
    value = decoder.value(depth=0)
    if decoder.at != len(data):
        raise NotCanonical("bytes after the end")
    # Order and uniqueness of keys are checked above; this leaves the shortest forms.
    if msgpack.packb(value) != data:
        raise NotCanonical("a length or an integer is not in its shortest form")
    return value


def encode(value: Value) -> bytes:
    """Encode as canonical msgpack, with the keys of every map sorted."""
    return bytes(msgpack.packb(_sort(value)))


def read_record(kind: type[Record], data: bytes) -> Record:
    """Decode untrusted canonical msgpack of one map into ``kind``, a dataclass of this module.

    Raises:
        NotCanonical: see `decode`.
        BadFields: the fields are not those declared.
    """
    record: Record = _read(kind, decode(data), kind.__name__.lower())
    return record


def read_evidence(data: bytes) -> AnyEvidence:
    """Decode an untrusted evidence file; which fields it has says of which version it is to be.

    Raises:
        NotCanonical: see `decode`.
        BadFields: the fields are those of neither version.
    """
    value = decode(data)
    is_second = isinstance(value, dict) and "coins" in value
    evidence: AnyEvidence = _read(EvidenceV2 if is_second else Evidence, value, "evidence")
    return evidence


def write_record(record: object) -> bytes:
    """Encode a record as canonical msgpack."""
    return bytes(msgpack.packb(_plain(record)))


class _Decoder:
    """A cursor over the bytes; every read is checked against what is left."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.values = 0

    def take(self, size: int) -> bytes:
        start = self.at
        if size > len(self.data) - start:
            raise NotCanonical("a value runs past the end")
        self.at = start + size
        return self.data[start : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise NotCanonical("a string is not UTF-8") from None

    def value(self, depth: int) -> Value:
        lead = self.number(1)
        if lead < 0x80:
            return lead
        if lead < 0x90:
            return self.map(lead & 0x0F, depth + 1)
        if lead < 0xA0:
            return self.array(lead & 0x0F, depth + 1)
        if lead < 0xC0:
            return self.text(lead & 0x1F)
        if lead in _INTS:
            return self.number(_INTS[lead])
        if lead in _STRINGS:
            return self.text(self.number(_STRINGS[lead]))
        if lead in _BINS:
            return self.take(self.number(_BINS[lead]))
        if lead in _ARRAYS:
            return self.array(self.number(_ARRAYS[lead]), depth + 1)
        if lead in _MAPS:
            return self.map(self.number(_MAPS[lead]), depth + 1)
        raise NotCanonical("nil, a boolean, a float, a negative integer or an extension")

    def array(self, count: int, depth: int) -> list[Value]:
        self.enter(count, depth)
        return [self.value(depth) for _ in range(count)]

    def map(self, count: int, depth: int) -> dict[str, Value]:
        self.enter(2 * count, depth)
        result: dict[str, Value] = {}
        last: str | None = None
        for _ in range(count):
            key = self.value(depth)
            if not isinstance(key, str):
                raise NotCanonical("a key is not a string")
            # Code points order as their UTF-8 does.
            if last is not None and key <= last:
                raise NotCanonical("keys are not in strictly ascending order")
            result[key] = self.value(depth)
            last = key
        return result

    def enter(self, values: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise NotCanonical(f"nested deeper than {MAX_DEPTH}")
        if values > len(self.data) - self.at:
            raise NotCanonical("a count is larger than what follows")
        self.values += values
        if self.values > MAX_VALUES:
            raise NotCanonical("more than 2^25 values")


def _sort(value: Value) -> Value:
    if isinstance(value, Mapping):
        return {key: _sort(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sort(item) for item in value]
    return value


def _plain(value: Any) -> Value:
    if isinstance(value, int | str | bytes):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    kind: type = type(value)
    return {name: _plain(getattr(value, name)) for name in _sorted_names(kind)}


@cache
def _sorted_names(kind: type) -> tuple[str, ...]:
    return tuple(sorted(field.name for field in fields(kind)))


@cache
def _declared(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _read(kind: Any, value: Value, name: str) -> Any:
    """Return ``value`` as ``kind``: int, str, bytes, a record or a tuple of records."""
    size = None
    if get_origin(kind) is Annotated:
        kind, size = get_args(kind)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadFields(f"{name} is not an array")
        _check_size(size, len(value), name)
        item_kind = get_args(kind)[0]
        return tuple(_read(item_kind, item, f"{name}[{at}]") for at, item in enumerate(value))
    if kind in (int, str, bytes):
        if not isinstance(value, kind):
            raise BadFields(f"{name} is not of type {kind.__name__}")
        if size is not None:
            _check_size(size, len(value.encode() if isinstance(value, str) else value), name)
        return value
    declared = _declared(kind)
    if not isinstance(value, dict) or value.keys() != declared.keys():
        raise BadFields(f"{name} has not exactly the fields {', '.join(declared)}")
    return kind(**{key: _read(declared[key], value[key], f"{name}.{key}") for key in declared})


def _check_size(size: Size | None, length: int, name: str) -> None:
    if size is not None and not size.least <= length <= size.most:
        raise BadFields(f"{name} has not {size.least} to {size.most} bytes or items")
