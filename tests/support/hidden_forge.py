"""Hidden sets of a forged exchange: honest lists with honest arguments, or lies about either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from tests.support import oracle
from tests.support.forge import N, lp, tagged, u
from tests.support.hidden_oracle import HiddenProver, Lie, Statement

Key = tuple[int, bool, int]  # private key, whether it is owned, amount


def unowned(number: int) -> int:
    """The private key of a stranger; no exchange has it."""
    return int.from_bytes(sha256(b"stranger %d" % number).digest(), "big") % N


@cache
def _listed(keys: tuple[Key, ...]) -> list[tuple[oracle.Point, int, int]]:
    found = [
        (oracle.mul(secret, oracle.V), secret * owned, amount) for secret, owned, amount in keys
    ]
    return sorted(found, key=lambda entry: entry[0] or ())


@cache
def _honest(start: bytes, keys: tuple[Key, ...], scale: int, blinding: int) -> bytes:
    statement = HiddenKeys("", "", (), keys).statement(scale)
    return HiddenProver(start, statement, blinding).prove(sha256(start).digest())


@dataclass
class HiddenKeys:
    """A set: private keys of all listed, who owns them, and base units of each.

    keys: (private key, whether it is owned, amount); amounts count by the floor. edit: changes the
    fields at last, when nothing fits the change.
    """

    chain: str
    contract: str
    scripts: Sequence[str]
    keys: Sequence[Key]
    blinding: int = 77
    lie: Lie | None = None
    edit: Callable[[dict[str, object]], None] = lambda fields: None

    def listed(self) -> list[tuple[oracle.Point, int, int]]:
        """Point, secret or 0, and amount of each key, ascending by x."""
        return _listed(tuple(self.keys))

    def statement(self, scale: int) -> Statement:
        """The statement in ledger units of `scale` base units."""
        listed = self.listed()
        return Statement(
            [point for point, _, _ in listed],
            [amount // scale for _, _, amount in listed],
            [secret for _, secret, _ in listed],
        )

    def total(self, scale: int) -> int:
        """What the commitment holds, in ledger units."""
        if self.lie is not None and self.lie.total is not None:
            return self.lie.total
        return self.statement(scale).total

    def item(self, block: tuple[int, bytes], statement: Statement, commitment: bytes) -> bytes:
        """Item 4 of the transcript; height and hash of the block."""
        keys = b"".join(oracle.encode(point) for point in statement.keys)
        amounts = b"".join(u(amount, 16) for amount in statement.amounts)
        return (
            lp(self.chain.encode())
            + lp(self.contract.encode())
            + u(block[0], 8)
            + block[1]
            + u(len(statement.keys), 4)
            + u(len(self.scripts), 4)
            + b"".join(lp(script.encode()) for script in self.scripts)
            + tagged("hidden-keys", keys)
            + tagged("hidden-amounts", amounts)
            + commitment
        )

    def fields(
        self, block: tuple[int, bytes], scale: int, state: Callable[[bytes], bytes]
    ) -> dict[str, object]:
        """The set as evidence has it; `state` is the transcript's after an item 4."""
        statement = self.statement(scale)
        commitment = oracle.encode(oracle.commit(self.total(scale), self.blinding))
        start = state(self.item(block, statement, commitment))
        if self.lie is None:
            argument = _honest(start, tuple(self.keys), scale, self.blinding)
        else:
            prover = HiddenProver(start, statement, self.blinding, self.lie)
            argument = prover.prove(sha256(start).digest())
        made: dict[str, object] = {
            "amounts": b"".join(u(amount, 16) for _, _, amount in self.listed()),
            "argument": argument,
            "chain": self.chain,
            "commitment": commitment,
            "contract": self.contract,
            "keys": b"".join(oracle.encode(point) for point in statement.keys),
            "scripts": list(self.scripts),
        }
        self.edit(made)
        return made
