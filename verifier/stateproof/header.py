"""Headers of Ethereum's blocks, from the London fork on: form, hash, number and state root.

A header is an RLP list; each fork added fields at the end and never changed one before. So the
fields known here are checked one by one, as many as there are, and those that a later fork has
added behind them are strings that nothing reads: the hash binds them all. Sources: the yellow
paper, section 4.4.3; EIP-1559 (London), EIP-4895 (Shanghai), EIP-4844 and EIP-4788 (Cancun),
EIP-7685 (Prague; Osaka adds none), EIP-7928 and EIP-7843 (Amsterdam).
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.format.keccak import keccak256
from verifier.stateproof.rlp import BadRlp, decode_list, integer

NUMBER, EXTRA_DATA = "number", "extraData"
MAX_EXTRA_BYTES = 32

# Name in a node's answers, and bytes: exactly so many of binary, at most so many of a number.
_BINARY = {
    "parentHash": 32,
    "sha3Uncles": 32,
    "miner": 20,
    "stateRoot": 32,
    "transactionsRoot": 32,
    "receiptsRoot": 32,
    "logsBloom": 256,
    "mixHash": 32,
    "nonce": 8,
    "withdrawalsRoot": 32,
    "parentBeaconBlockRoot": 32,
    "requestsHash": 32,
    "blockAccessListHash": 32,
}
_NUMBERS = {
    "difficulty": 32,
    NUMBER: 8,
    "gasLimit": 8,
    "gasUsed": 8,
    "timestamp": 8,
    "baseFeePerGas": 32,
    "blobGasUsed": 8,
    "excessBlobGas": 8,
    "slotNumber": 8,
}
FIELDS = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    NUMBER,
    "gasLimit",
    "gasUsed",
    "timestamp",
    EXTRA_DATA,
    "mixHash",
    "nonce",
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
    "blockAccessListHash",
    "slotNumber",
)
LEAST_FIELDS = 16  # of London, up to the base fee


@dataclass(frozen=True)
class Header:
    """A header's own hash, and of its fields those that are used; ``time`` in Unix seconds."""

    hash: bytes
    number: int
    state_root: bytes
    time: int


def is_number(field: str) -> bool:
    """Tell whether a header's field is a number, and not binary."""
    return field in _NUMBERS


def parse_header(data: bytes) -> Header:
    """Parse an untrusted header of any fork from London on, those to come among them.

    Raises:
        BadRlp: it is none.
    """
    items = decode_list(data)
    if len(items) < LEAST_FIELDS:
        raise BadRlp(f"{len(items)} fields, which no fork from London on has")
    for number, item in enumerate(items, 1):
        if item.is_list:
            raise BadRlp(f"field {number} is a list")
    fields = {name: item.data for name, item in zip(FIELDS, items, strict=False)}
    for name, value in fields.items():
        if name in _NUMBERS:
            integer(value, _NUMBERS[name])
        elif len(value) > MAX_EXTRA_BYTES if name == EXTRA_DATA else len(value) != _BINARY[name]:
            raise BadRlp(f"{name} has {len(value)} bytes")
    return Header(
        hash=keccak256(data),
        number=int.from_bytes(fields[NUMBER]),
        state_root=fields["stateRoot"],
        time=int.from_bytes(fields["timestamp"]),
    )
