"""Headers of EVM chains' blocks: form, hash, number and state root.

A header is an RLP list; each fork added fields at the end and never changed one before. So the
fields known here are checked one by one, as many as there are, and those that a later fork has
added behind them are strings that nothing reads: the hash binds them all. What differs from chain
to chain is its `HeaderForm`. Sources: the yellow paper, section 4.4.3; EIP-1559 (London), EIP-4895
(Shanghai), EIP-4844 and EIP-4788 (Cancun), EIP-7685 (Prague; Osaka adds none), EIP-7928 and
EIP-7843 (Amsterdam); spec/protocol.md, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from verifier.format.chains import HeaderForm
from verifier.format.keccak import keccak256
from verifier.stateproof.rlp import BadRlp, decode_list, integer

NUMBER, EXTRA_DATA = "number", "extraData"

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
    "extDataHash": 32,
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
    "extDataGasUsed": 32,
    "blockGasCost": 32,
    "timestampMilliseconds": 8,
    "minDelayExcess": 8,
}
# What every form begins with; it ends before the base fee.
_FIRST = (
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
)
_ETHEREUM = (
    *_FIRST,
    "baseFeePerGas",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
    "blockAccessListHash",
    "slotNumber",
)
_AVALANCHE = (
    *_FIRST,
    "extDataHash",
    "baseFeePerGas",
    "extDataGasUsed",
    "blockGasCost",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "timestampMilliseconds",
    "minDelayExcess",
)


@dataclass(frozen=True)
class _Form:
    """The fields, as far as they are known; how few there can be; the most bytes of extra data."""

    fields: Sequence[str]
    least: int
    extra: int


_FORMS: Final = {
    HeaderForm.ETHEREUM: _Form(_ETHEREUM, len(_FIRST) + 1, 32),
    HeaderForm.EVM: _Form(_ETHEREUM, len(_FIRST) + 1, 4096),
    HeaderForm.BSC: _Form(_ETHEREUM, len(_FIRST), 4096),
    HeaderForm.AVALANCHE: _Form(_AVALANCHE, len(_FIRST) + 4, 4096),
}


@dataclass(frozen=True)
class Header:
    """A header's own hash, and of its fields those that are used; ``time`` in Unix seconds."""

    hash: bytes
    number: int
    state_root: bytes
    time: int


def fields_of(form: HeaderForm) -> Sequence[str]:
    """Return the names of a form's fields, in order."""
    return _FORMS[form].fields


def is_number(field: str) -> bool:
    """Tell whether a header's field is a number, and not binary."""
    return field in _NUMBERS


def parse_header(data: bytes, form: HeaderForm) -> Header:
    """Parse an untrusted header of a form, of any fork, those to come among them.

    Raises:
        BadRlp: it is none.
    """
    rules = _FORMS[form]
    items = decode_list(data)
    if len(items) < rules.least:
        raise BadRlp(f"{len(items)} fields, and a header has {rules.least} or more")
    for number, item in enumerate(items, 1):
        if item.is_list:
            raise BadRlp(f"field {number} is a list")
    fields = {name: item.data for name, item in zip(rules.fields, items, strict=False)}
    for name, value in fields.items():
        if name in _NUMBERS:
            integer(value, _NUMBERS[name])
        elif len(value) > rules.extra if name == EXTRA_DATA else len(value) != _BINARY[name]:
            raise BadRlp(f"{name} has {len(value)} bytes")
    return Header(
        hash=keccak256(data),
        number=int.from_bytes(fields[NUMBER]),
        state_root=fields["stateRoot"],
        time=int.from_bytes(fields["timestamp"]),
    )
