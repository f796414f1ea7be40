"""A Bitcoin Core node of the verifier's own, over its JSON-RPC, as the source for bitcoin.

Such a node knows what is unspent at its tip, not at the manifest's block. A coin that is unspent
now and was created at or before the block was unspent at the block; so what is there now, of that
age, bounds from below what an address held then. That can confirm a row. It can contradict one only
where the tip is the block itself, or where a coin is not as listed, or younger than the block.

A chain moves while it is asked. Every answer is bound to the tip that it was given for, and counts
only while that tip and the block are on the node's chain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from verifier.chain.bitcoin import (
    ListedCoin,
    Place,
    block_of,
    coins,
    confirmed,
    places,
    wrong_amount,
)
from verifier.chain.json_rpc import TIMEOUT_SECONDS, JsonRpc
from verifier.errors import CannotCheck, Code, Rejected
from verifier.holdings import CheckedEvidence
from verifier.manifest import CheckedManifest

MAIN_NETWORK = "main"
# The node reads all of its unspent outputs from disk for a scan.
SCAN_TIMEOUT_SECONDS = 3600.0

_TRIES = 3
_COINS_A_BATCH = 500
_SCRIPTS_A_SCAN = 50_000
_BATCH_BYTES = 1 << 25  # 500 coins of bare multisig at the largest are 3 MB
_SCAN_BYTES = 1 << 26
_MAX_MONEY = 2_100_000_000_000_000
_HASH = re.compile(r"[0-9a-f]{64}")
_SCRIPT = re.compile(r"(?:[0-9a-f]{2}){0,10000}")

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Tip:
    """The last block of a chain; ``hash`` as displayed."""

    height: int
    hash: bytes


@dataclass(frozen=True)
class FoundOutput:
    """An unspent output; ``height`` of the block that created it, ``amount`` in satoshi."""

    txid: bytes
    index: int
    script: bytes
    amount: int
    height: int


class _Moved(Exception):
    """The chain moved while it was asked."""


class BitcoinRpc:
    """What is asked of a node; every answer is checked for its form.

    Raises:
        CannotCheck: no answer, or not one of Bitcoin Core's.
        Misuse: the URL is none.
    """

    def __init__(self, url: str, *, credentials: str | None, timeout: float) -> None:
        self._rpc = JsonRpc(url, credentials=credentials, timeout=timeout)
        self._scanner = JsonRpc(url, credentials=credentials, timeout=SCAN_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Let go of the connections."""
        self._rpc.close()
        self._scanner.close()

    def tip(self, network: str) -> Tip:
        """Return the tip of a node of this network."""
        method = "getblockchaininfo"
        found = _Fields(self._rpc, method, self._rpc.call(method))
        chain = found.text("chain", re.compile("[a-z0-9-]{1,32}"))
        if chain != network:
            message = f"the node is on the network {chain}, not {network}"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)
        return Tip(found.number("blocks"), found.hash("bestblockhash"))

    def block_hash(self, height: int) -> bytes:
        """Return the hash of the active chain's block at a height."""
        method = "getblockhash"
        return _Fields(self._rpc, method, {"": self._rpc.call(method, height)}).hash("")

    def height_on_chain(self, block_hash: bytes) -> int | None:
        """Return a block's height, or None if it is not on the active chain."""
        method = "getblockheader"
        found = _Fields(self._rpc, method, self._rpc.call(method, block_hash.hex()))
        height = found.number("height")
        return height if found.number("confirmations", least=-1) > 0 else None

    def outputs(
        self, outpoints: Sequence[tuple[bytes, int]]
    ) -> tuple[Tip, list[FoundOutput | None]]:
        """Return which of some outputs are unspent at the tip, mempool aside, and that tip.

        Raises:
            _Moved: the tip changed meanwhile.
        """
        best: tuple[str, tuple[Any, ...]] = ("getbestblockhash", ())
        calls = [("gettxout", (txid.hex(), index, False)) for txid, index in outpoints]
        first, *answers, last = self._rpc.batch([best, *calls, best], limit=_BATCH_BYTES)
        tip_hash = _Fields(self._rpc, best[0], {"": first}).hash("")
        height = self.height_on_chain(tip_hash)
        if height is None or last != first:
            raise _Moved
        tip = Tip(height, tip_hash)
        return tip, [
            None if answer is None else self._output(tip, outpoint, answer)
            for outpoint, answer in zip(outpoints, answers, strict=True)
        ]

    def _output(self, tip: Tip, outpoint: tuple[bytes, int], answer: Any) -> FoundOutput:
        found = _Fields(self._rpc, "gettxout", answer)
        if found.hash("bestblock") != tip.hash:
            raise _Moved
        confirmations = found.number("confirmations", least=1, most=tip.height + 1)
        script = found.inner("scriptPubKey").script("hex")
        amount = found.amount("value")
        return FoundOutput(*outpoint, script, amount, tip.height - confirmations + 1)

    def scan(self, scripts: Sequence[bytes]) -> tuple[Tip, list[FoundOutput]]:
        """Return all unspent outputs of some scripts, and the tip that this is of."""
        method = "scantxoutset"
        descriptors = [f"raw({script.hex()})" for script in scripts]
        found = _Fields(
            self._scanner,
            method,
            self._scanner.call(method, "start", descriptors, limit=_SCAN_BYTES),
        )
        if found.value("success") is not True:
            raise self._scanner.malformed(method)
        tip = Tip(found.number("height"), found.hash("bestblock"))
        outputs = [
            FoundOutput(
                item.hash("txid"),
                item.number("vout", most=2**32 - 1),
                item.script("scriptPubKey"),
                item.amount("amount"),
                item.number("height", most=tip.height),
            )
            for item in found.items("unspents")
        ]
        if len({(output.txid, output.index) for output in outputs}) != len(outputs):
            raise self._scanner.malformed(method)
        return tip, outputs


@dataclass(frozen=True)
class _Fields:
    """A JSON object of an answer, whose fields are checked as they are taken."""

    rpc: JsonRpc
    method: str
    fields: Any

    def value(self, name: str) -> Any:
        if not isinstance(self.fields, dict) or name not in self.fields:
            raise self.rpc.malformed(self.method)
        return self.fields[name]

    def text(self, name: str, form: re.Pattern[str]) -> str:
        value = self.value(name)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise self.rpc.malformed(self.method)
        return value

    def hash(self, name: str) -> bytes:
        return bytes.fromhex(self.text(name, _HASH))

    def script(self, name: str) -> bytes:
        return bytes.fromhex(self.text(name, _SCRIPT))

    def number(self, name: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
        value = self.value(name)
        if type(value) is not int or not least <= value <= most:
            raise self.rpc.malformed(self.method)
        return value

    def amount(self, name: str) -> int:
        """Return an amount in satoshi; it is given in bitcoin, with at most eight places."""
        value = self.value(name)
        if type(value) is int:
            value = Decimal(value)
        if not isinstance(value, Decimal) or not 0 <= value <= _MAX_MONEY // 10**8:
            raise self.rpc.malformed(self.method)
        if not -8 <= int(value.as_tuple().exponent) <= 0:
            raise self.rpc.malformed(self.method)
        return int(value * 10**8)

    def inner(self, name: str) -> _Fields:
        return _Fields(self.rpc, self.method, self.value(name))

    def items(self, name: str) -> Iterator[_Fields]:
        value = self.value(name)
        if not isinstance(value, list):
            raise self.rpc.malformed(self.method)
        return (_Fields(self.rpc, self.method, item) for item in value)


class BitcoinNode:
    """A `Node` that asks Bitcoin Core; ``network`` as `getblockchaininfo` names it."""

    def __init__(
        self,
        url: str,
        *,
        credentials: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        network: str = MAIN_NETWORK,
    ) -> None:
        """Take a node's URL; ``credentials``, as USER:PASSWORD, come before those of the URL.

        ``timeout`` is in seconds, of every call but a scan of all unspent outputs.

        Raises:
            Misuse: the URL is none.
        """
        self._rpc = BitcoinRpc(url, credentials=credentials, timeout=timeout)
        self._network = network

    def confirm(
        self, checked: CheckedManifest, evidence: Sequence[CheckedEvidence]
    ) -> list[CheckedEvidence]:
        """Check the block, every coin listed, and every row that lists none.

        A row is confirmed if all its coins are unspent still, or if what its address holds now and
        held at the block is enough; else it keeps its level.

        Raises:
            Rejected: ``chain.wrong-block``, ``chain.wrong-amount``.
            CannotCheck: no answer, another network, not as far as the block, or a chain that keeps
                moving.
        """
        block_ = block_of(checked)
        block = Tip(block_.height, block_.hash)
        among = places(checked, evidence)
        listed = coins(checked, evidence, among)
        try:
            numbers = self._steady(lambda: self._ask(block, among, listed))
        finally:
            self._rpc.close()
        return confirmed(evidence, among, numbers)

    def _steady(self, ask: Callable[[], _Item]) -> _Item:
        for _ in range(_TRIES):
            try:
                return ask()
            except _Moved:
                continue
        raise CannotCheck(Code.CHECK_UNREADABLE, "the node's chain moves while it is asked")

    def _ask(self, block: Tip, among: Sequence[Place], listed: Sequence[ListedCoin]) -> set[int]:
        """Return the numbers of the places that are confirmed."""
        if self._rpc.tip(self._network).height < block.height:
            message = f"the node has not got as far as block {block.height}"
            raise CannotCheck(Code.CHECK_UNREADABLE, message)
        if self._rpc.block_hash(block.height) != block.hash:
            message = "your node has another block at this height"
            raise Rejected(Code.CHAIN_WRONG_BLOCK, "bitcoin", message)
        undecided: set[int] = set()
        for part in _parts(listed, _COINS_A_BATCH):
            check = partial(self._check_coins, block, among, part)
            undecided |= self._steady(check)
        backed = {coin.place for coin in listed}
        others = [number for number in range(len(among)) if number not in backed]
        for numbers in _parts(others, _SCRIPTS_A_SCAN):
            undecided |= self._check_places(block, among, numbers)
        return set(range(len(among))) - undecided

    def _check_coins(
        self, block: Tip, among: Sequence[Place], listed: Sequence[ListedCoin]
    ) -> set[int]:
        """Return the numbers of the places that have a coin which is spent now."""
        tip, outputs = self._rpc.outputs([coin.outpoint for coin in listed])
        self._check_steady(block, tip)
        spent = set()
        for coin, output in zip(listed, outputs, strict=True):
            if output is None:
                if tip == block:
                    raise wrong_amount(coin.where, "no such coin is unspent at the block")
                spent.add(coin.place)
            elif (output.script, output.amount) != (among[coin.place].script, coin.amount):
                raise wrong_amount(coin.where, "the coin has another amount or address")
            elif output.height > block.height:
                raise wrong_amount(coin.where, "the coin is younger than the block")
        return spent

    def _check_places(self, block: Tip, among: Sequence[Place], numbers: Sequence[int]) -> set[int]:
        """Return which of these places have not enough now that is as old as the block."""
        held = dict.fromkeys((among[number].script for number in numbers), 0)
        tip, outputs = self._rpc.scan(list(held))
        self._check_steady(block, tip)
        for output in outputs:
            if output.height <= block.height and output.script in held:
                held[output.script] += output.amount
        short = {number for number in numbers if held[among[number].script] < among[number].amount}
        if short and tip == block:
            first = among[min(short, key=lambda number: (among[number].asset, among[number].row))]
            raise wrong_amount(first.where, "the address holds less at the block")
        return short

    def _check_steady(self, block: Tip, tip: Tip) -> None:
        """Check that a tip is on the block, so that what is unspent at it can be told of the block.

        Raises:
            _Moved: it is not, or no longer.
        """
        if tip.height < block.height or self._rpc.height_on_chain(tip.hash) != tip.height:
            raise _Moved
        if self._rpc.block_hash(block.height) != block.hash:
            raise _Moved


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))
