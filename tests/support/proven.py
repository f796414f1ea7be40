"""An exchange whose coins on Ethereum are proved: its world, its block, and its proofs.

Not only honest ones: `world_of` takes any nodes for the state of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from eth_hash.auto import keccak

from tests.support.ethereum_state import MADE, Account, World, header, proof_fields, slot_key
from tests.support.forged_sample import (
    CUSTOMERS,
    ETH,
    SIGNERS,
    TETHER,
    USDT,
    Balances,
    Sample,
    Spec,
    sample,
)
from tests.support.forger import Fields, Lies

HEIGHT = 24_000_000
SPECS = (ETH, TETHER)
USDT_SLOT = 2
BITCOIN = ("bitcoin", 900_000, bytes(31) + b"\x01")


def account(kind: str) -> bytes:
    """The account of a holder; its key does not depend on the message."""
    return bytes.fromhex(SIGNERS[kind][2]("any").address[2:])


def filler(number: int) -> bytes:
    return sha256(b"somebody else %d" % number).digest()[:20]


def contract_bytes(contract: str) -> bytes:
    return bytes.fromhex(contract.removeprefix("0x"))


@cache
def world() -> World:
    """What the sample holds, among others who hold something."""
    holder = account("account")
    others = {filler(number): Account(10**18 + number, number) for number in range(40)}
    balances = {slot_key(filler(number), USDT_SLOT): 10**6 + number for number in range(40)}
    balances[slot_key(holder, USDT_SLOT)] = TETHER.holdings[0][2]
    token = Account(0, 1, storage=balances)
    mine = Account(ETH.holdings[0][2], 5)
    return World({**others, holder: mine, contract_bytes(USDT): token})


@dataclass(frozen=True)
class Block:
    """A ``chain``'s header, and the nodes that each asset's evidence shows under it."""

    header: bytes
    nodes: Mapping[str, Sequence[bytes]]
    chain: str = "ethereum"

    @property
    def chains(self) -> list[tuple[str, int, bytes]]:
        """The manifest's chains."""
        return sorted([BITCOIN, (self.chain, HEIGHT, keccak(self.header))])


@cache
def block(fork: str = "prague", time: int = MADE) -> Block:
    """The block of the honest world."""
    holder = account("account")
    nodes = {
        "ETH": world().nodes((holder, b"", 0)),
        "USDT": world().nodes((holder, contract_bytes(USDT), USDT_SLOT)),
    }
    return Block(header(world().accounts.root, HEIGHT, fork, time), nodes)


def prover(at: Block, edit: Callable[[Fields], None] = lambda fields: None, of: str = "") -> Lies:
    """Lies that add the proofs of a block, then edit the evidence of one asset."""

    def evidence(code: str, fields: Fields) -> None:
        if code in at.nodes:
            fields["proofs"] = [proof_fields(at.header, at.nodes[code], at.chain)]
        if code == of:
            edit(fields)

    return Lies(evidence=evidence)


def proven(
    at: Block | None = None,
    edit: Callable[[Fields], None] = lambda fields: None,
    of: str = "",
    specs: Sequence[Spec] = SPECS,
    customers: Balances = CUSTOMERS,
    **identity: Any,
) -> Sample:
    """The exchange at a block, by default the honest one."""
    at = at or block()
    return sample(specs, customers, prover(at, edit, of), **({"chains": at.chains} | identity))
