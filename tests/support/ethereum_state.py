"""Ethereum states made up for tests: accounts and tokens in tries, under headers of every fork.

The tries are built by the `trie` library, and so by other code than what reads them. Everything is
a function of its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from verifier.format.chains import HeaderForm
from verifier.stateproof.header import fields_of, is_number

EMPTY_ROOT = keccak(rlp.encode(b""))
EMPTY_CODE = keccak(b"")
# How many fields a header has.
FORKS = {"london": 16, "shanghai": 17, "cancun": 20, "prague": 21, "amsterdam": 23}


def number(value: int) -> bytes:
    """A number as RLP holds it."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def slot_key(account: bytes, slot: int) -> bytes:
    """The key of an account's entry in a Solidity mapping."""
    return bytes(keccak(account.rjust(32, b"\0") + slot.to_bytes(32, "big")))


@dataclass
class Account:
    """`storage` is words by key, before that is hashed."""

    balance: int = 0
    nonce: int = 0
    storage: Mapping[bytes, int] = field(default_factory=dict)


class Tree:
    """A trie of values by key, keys hashed; `beside` are values by hash."""

    def __init__(
        self, values: Mapping[bytes, bytes], beside: Mapping[bytes, bytes] | None = None
    ) -> None:
        self.trie = HexaryTrie({})
        for key, value in values.items():
            self.trie[keccak(key)] = value
        for digest, value in (beside or {}).items():
            self.trie[digest] = value

    @property
    def root(self) -> bytes:
        return bytes(self.trie.root_hash)

    def proof(self, key: bytes) -> list[bytes]:
        """The nodes on the way to a key; those inside others have no place of their own."""
        nodes = [bytes(rlp.encode(node)) for node in self.trie.get_proof(keccak(key))]
        return nodes[:1] + [node for node in nodes[1:] if len(node) >= 32]


class World:
    """All accounts by address, and the proofs of what they hold."""

    def __init__(self, accounts: Mapping[bytes, Account]) -> None:
        self.storage = {
            address: Tree(
                {key: rlp.encode(number(word)) for key, word in account.storage.items() if word}
            )
            for address, account in accounts.items()
        }
        self.accounts = Tree(
            {
                address: rlp.encode(
                    [
                        number(account.nonce),
                        number(account.balance),
                        self.storage[address].root,
                        EMPTY_CODE,
                    ]
                )
                for address, account in accounts.items()
            }
        )

    def nodes(self, *asked: tuple[bytes, bytes, int]) -> list[bytes]:
        """The nodes that prove (account, contract or nothing, slot), ascending, each once."""
        found: set[bytes] = set()
        for account, contract, slot in asked:
            found |= set(self.accounts.proof(contract or account))
            if contract in self.storage and self.storage[contract].root != EMPTY_ROOT:
                found |= set(self.storage[contract].proof(slot_key(account, slot)))
        return sorted(found)


MADE = 1_767_225_599


def header_fields(
    state_root: bytes, height: int, fork: str = "prague", time: int = MADE
) -> list[bytes]:
    """The fields of a header of a fork; ``time`` in Unix seconds."""
    fields = [
        keccak(b"parent"),
        keccak(rlp.encode([])),
        bytes(range(20)),
        state_root,
        keccak(b"transactions"),
        keccak(b"receipts"),
        bytes(256),
        b"" if fork != "london" else number(2**53 + 1),
        number(height),
        number(36_000_000),
        number(21_000),
        number(time),
        b"made up",
        keccak(b"randao"),
        bytes(8),
        number(1_000_000_007),
        keccak(b"withdrawals"),
        b"",
        number(131_072),
        keccak(b"beacon"),
        keccak(b"requests"),
        keccak(b"block access list"),
        number(12_960_000),
    ]
    return fields[: FORKS[fork]]


def avalanche_fields(state_root: bytes, height: int, time: int = MADE) -> list[bytes]:
    """All fields of a header of Avalanche's, of which the last five may be absent."""
    first = header_fields(state_root, height, time=time)[:15]
    first[12] = bytes(80)
    return [
        *first,
        keccak(b"external data"),
        number(25 * 10**9),
        b"",
        number(400_000),
        b"",
        b"",
        bytes(32),
        number(1000 * time + 7),
        number(7_970_124),
    ]


def header(state_root: bytes, height: int, fork: str = "prague", time: int = MADE) -> bytes:
    return bytes(rlp.encode(header_fields(state_root, height, fork, time)))


def told_fields(header: bytes, form: HeaderForm) -> dict[str, str]:
    """The fields of a header as a node tells them, by name, without the block's hash."""
    named = zip(fields_of(form), rlp.decode(header), strict=False)
    return {
        name: hex(int.from_bytes(value)) if is_number(name) else "0x" + value.hex()
        for name, value in named
    }


def proof_fields(
    header: bytes, nodes: Iterable[bytes], chain: str = "ethereum"
) -> dict[str, object]:
    """The proof as a file of evidence has it."""
    return {"chain": chain, "header": header, "nodes": list(nodes)}
