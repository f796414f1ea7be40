"""Headers of Ethereum's blocks, from the London fork on: form, hash, number and state root.

A header is an RLP list; each fork added fields at the end and never changed one before. The number
of fields therefore tells the fork. Sources: the yellow paper, section 4.4.3; EIP-1559 (London),
EIP-4895 (Shanghai), EIP-4844 and EIP-4788 (Cancun), EIP-7685 (Prague; Osaka adds none).
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.chain.rlp import BadRlp, decode_list, integer
from verifier.ownership.addresses import keccak256

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
)
# How many of them a header of London, Shanghai, Cancun and Prague has.
FORKS = (16, 17, 20, 21)


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
    """Parse an untrusted header of any fork from London on.

    Raises:
        BadRlp: it is none.
    """
    items = decode_list(data)
    if len(items) not in FORKS:
        raise BadRlp(f"{len(items)} fields, which no fork from London on has")
    fields: dict[str, bytes] = {}
    for name, item in zip(FIELDS, items, strict=False):
        size = len(item.data)
        if item.is_list:
            raise BadRlp(f"{name} is a list")
        if name in _NUMBERS:
            integer(item.data, _NUMBERS[name])
        elif size > MAX_EXTRA_BYTES if name == EXTRA_DATA else size != _BINARY[name]:
            raise BadRlp(f"{name} has {size} bytes")
        fields[name] = item.data
    return Header(
        hash=keccak256(data),
        number=int.from_bytes(fields[NUMBER]),
        state_root=fields["stateRoot"],
        time=int.from_bytes(fields["timestamp"]),
    )
