"""The records of ``evidence/CODE.msgpack`` (spec/wire.md), apart: who looks at no evidence waits
for none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from verifier.format.params import MAX_ATTESTATIONS, MAX_HIDDEN_KEYS, POINT_BYTES
from verifier.format.wire import Bin32, Point, SignatureBytes, Size, Text

TrieNode = Annotated[bytes, Size(1, 4096)]
BlockHeader = Annotated[bytes, Size(1, 8192)]


@dataclass(frozen=True, slots=True)
class Row:
    """A disclosed address; ``amount`` is a 32-byte big-endian number of chain base units."""

    address: Annotated[str, Size(1, 128)]
    amount: Bin32
    chain: str
    contract: str


@dataclass(frozen=True, slots=True)
class OwnershipSignature:
    """The ownership signature of one (chain, address); a text may be a whole transaction."""

    address: str
    chain: str
    format: str
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
    header: BlockHeader
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
class HoldingBody:
    """What a third party signs of one holding; ``amount`` and ``encumbered`` in base units.

    ``document`` is the SHA-256 of the report or statement; ``time`` and ``not_after`` in Unix
    seconds. Both amounts are 32-byte big-endian numbers.
    """

    amount: Bin32
    attester: Text
    chain: str
    contract: str
    document: Bin32
    encumbered: Bin32
    exchange_key: Bin32
    holder: Text
    kind: str
    not_after: int
    reference: Text
    snapshot_id: str
    time: int
    version: int


@dataclass(frozen=True, slots=True)
class HoldingAttestation:
    """A `HoldingBody`, in canonical msgpack, and the signature of the attester's key over it."""

    body: Annotated[bytes, Size(1, 4096)]
    key: Bin32
    signature: SignatureBytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """``evidence/CODE.msgpack``; ``validators`` are a form to come, and so there are none."""

    attestations: Annotated[tuple[HoldingAttestation, ...], Size(0, MAX_ATTESTATIONS)]
    code: str
    coins: Annotated[tuple[Coin, ...], Size(0, 2**20)]
    hidden: Annotated[tuple[HiddenSet, ...], Size(0, 16)]
    proofs: Annotated[tuple[StateProof, ...], Size(0, 64)]
    rows: Annotated[tuple[Row, ...], Size(0, 2**20)]
    signatures: tuple[OwnershipSignature, ...]
    validators: Annotated[tuple[bytes, ...], Size(0, 0)]
    version: int
