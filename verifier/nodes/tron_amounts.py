"""What accounts held on Tron after a block, by a node that knows its solid tip alone.

The tip rule for a token: what is there at the tip, less what came since the block, and what left
since more. Logs tell what came and left. That holds for a token only whose balances grow by logged
transfers alone, so it serves those that were read for it; others are known where the tip is the
block. The tip moves while balances are asked for, so it is read before and after: what came is
counted up to the later one, what left up to the earlier. So the result is never too much, as far as
the node has all logs.

A node whose index of logs has holes tells of no logs there, and would make the result too much. So
the token must have logs at both ends of every range of blocks that is asked for. A hole inside a
range is not seen.
Source: spec/protocol.md, section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from verifier.errors import CannotCheck, Code
from verifier.nodes.json_rpc import AnswerTooLong, CannotTell, NodeError
from verifier.nodes.patience import Patience
from verifier.nodes.tron_rpc import Transfer, TronBlock, TronRpc

# USDT: `TetherToken` (tronscan.org, TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t). `balances` grow in
# transfer and transferFrom, which log it, and in issue, for the contract's own owner.
LOGGED_TOKENS = frozenset({bytes.fromhex("a614f803b6fd780986a42c78ec9c7f77e6ded13c")})

ACCOUNTS_A_BATCH = 200
MOST_BLOCKS = 201_600  # a week's
BLOCKS_A_RANGE = 2_000  # java-tron takes up to 5,000
MOST_CALLS = 1 << 14
MOST_TRANSFERS = 1 << 20
_PROBED = 10  # blocks; USDT moves in every one
_TOO_MANY = -32005  # more results than the node returns


@dataclass(frozen=True, slots=True)
class Held:
    """At least this many base units were there after the block; just so many, if ``is_exact``."""

    amount: int
    is_exact: bool


# Of each account what it held, or why that is not known.
Holdings = dict[bytes, Held | CannotTell]


class TronAmounts:
    """What accounts held after a ``block`` that is solid; every answer is that of ``rpc``.

    ``is_aside``: the asset that is asked for is set aside, so its contracts may be the exchange's.
    """

    is_aside = False

    def __init__(self, rpc: TronRpc, block: TronBlock) -> None:
        self._rpc = rpc
        self._block = block
        self._patience = Patience()
        self._calls = 0
        self._transfers = 0
        self._probed: dict[tuple[bytes, int], None] = {}

    def coins(self, accounts: Iterable[bytes]) -> Iterator[tuple[bytes, Held | CannotTell]]:
        """Yield what each account held of TRX, in sun."""
        for account in accounts:
            try:
                with self._patience.unless_slow("coins"):
                    yield account, self._coins(account)
            except CannotTell as error:
                yield account, error

    def _coins(self, account: bytes) -> Held:
        """Return what an account held of TRX.

        A node whose history has a gap repeats what was before it. So an older change counts only
        while as much is there still, at the tip.
        """
        balance, height = self._rpc.coin_balance(account, self._block)
        if height == self._block.height:
            return Held(balance, True)
        if self._rpc.tip_coins(account) < balance:
            message = "the node tells of TRX before the block, and less is there now"
            raise CannotTell(Code.CHECK_UNREADABLE, message)
        return Held(balance, False)

    def tokens(
        self, contract: bytes, accounts: Sequence[bytes]
    ) -> Iterator[tuple[bytes, Held | CannotTell]]:
        """Yield what each account held of a token, in base units.

        Raises:
            CannotCheck: the node is not as far as the block, or its tip goes back.
        """
        for at in range(0, len(accounts), ACCOUNTS_A_BATCH):
            yield from self._batch(contract, accounts[at : at + ACCOUNTS_A_BATCH]).items()

    def _batch(self, contract: bytes, accounts: Sequence[bytes]) -> Holdings:
        before = self._rpc.tip()
        found: Holdings = {}
        balances: dict[bytes, int] = {}
        for account in accounts:
            try:
                with self._patience.unless_slow(("token", contract), apart=self.is_aside):
                    balances[account] = self._rpc.token_balance(contract, account)
            except CannotTell as error:
                found[account] = error
        after = self._rpc.tip()
        if not self._block.height <= before.height <= after.height:
            raise CannotCheck(Code.CHECK_UNREADABLE, "the node's tip goes back while it is asked")
        if before.id == after.id == self._block.id:
            return found | {account: Held(held, True) for account, held in balances.items()}
        if not balances:
            return found
        try:
            bounds = self._bounds(contract, balances, before.height, after.height)
        except CannotTell as error:
            return found | dict.fromkeys(balances, error)
        return found | {account: Held(held, False) for account, held in bounds.items()}

    def _bounds(
        self, contract: bytes, balances: Mapping[bytes, int], before: int, after: int
    ) -> dict[bytes, int]:
        """Return what was there at the least, by balances at a tip between two heights."""
        first = self._block.height + 1
        if contract not in LOGGED_TOKENS:
            message = "a node of Tron tells of this token at its tip alone, and not at the block"
            raise CannotTell(Code.CHECK_UNREADABLE, message)
        if after - self._block.height > MOST_BLOCKS:
            message = f"the block is more than {MOST_BLOCKS} blocks below the node's tip"
            raise CannotTell(Code.CHECK_UNREADABLE, message)
        with self._patience.unless_slow("logs"):
            if self._rpc.token_word(contract, "deprecated()") != 0:
                message = "the token's contract has handed its balances to another"
                raise CannotTell(Code.CHECK_UNREADABLE, message)
            bounds = dict(balances)
            for low in range(first, after + 1, BLOCKS_A_RANGE):
                high = min(low + BLOCKS_A_RANGE - 1, after)
                self._probe(contract, low, min(low + _PROBED - 1, high))
                self._probe(contract, max(high - _PROBED + 1, low), high)
                for moved in self._moved(contract, low, high, receivers=[*balances]):
                    bounds[moved.receiver] -= moved.amount
                for moved in self._moved(contract, low, high, senders=[*balances]):
                    if moved.height <= before:
                        bounds[moved.sender] += moved.amount
        return bounds

    def _probe(self, contract: bytes, first: int, last: int) -> None:
        """Check that the node has the logs of some blocks, in which there must be one.

        Raises:
            CannotTell: it has none.
        """
        if (contract, first) in self._probed:
            return
        if not self._rpc.transfers(contract, first, last):
            message = f"the node tells of no transfer at all in blocks {first} to {last}"
            raise CannotTell(Code.CHECK_UNREADABLE, message)
        if last - first + 1 == _PROBED:  # a shorter one is of the tip, which moves
            self._probed[contract, first] = None

    def _moved(
        self,
        contract: bytes,
        first: int,
        last: int,
        senders: Sequence[bytes] = (),
        receivers: Sequence[bytes] = (),
    ) -> Iterator[Transfer]:
        """Yield transfers; where they are too many for an answer, half of the blocks at a time.

        Raises:
            CannotTell: they are too many altogether, or the node does not tell.
        """
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise CannotTell(Code.CHECK_UNREADABLE, "the node's logs take too many questions")
        try:
            found = self._rpc.transfers(contract, first, last, senders, receivers)
        except (AnswerTooLong, NodeError) as error:
            if first == last or (isinstance(error, NodeError) and error.number != _TOO_MANY):
                raise
            middle = (first + last) // 2
            yield from self._moved(contract, first, middle, senders, receivers)
            yield from self._moved(contract, middle + 1, last, senders, receivers)
            return
        self._transfers += len(found)
        if self._transfers > MOST_TRANSFERS:
            raise CannotTell(Code.CHECK_UNREADABLE, "there were too many transfers since the block")
        yield from found
