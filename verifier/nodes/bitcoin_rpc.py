"""What a node of Bitcoin Core is asked over its JSON-RPC, by the verifier and the prover alike.

Every answer is checked for its form, and bounded. Source: Bitcoin Core's documentation of its RPC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from verifier.errors import CannotCheck, Code
from verifier.format.params import CHAIN_NAME
from verifier.nodes.json_rpc import AnswerTooLong, CannotTell, JsonRpc, NodeError
from verifier.stateproof.bitcoin_header import HEADER_BYTES, parse_block_header

MAIN_NETWORK = "main"
# The node reads all of its unspent outputs from disk for a scan.
SCAN_TIMEOUT_SECONDS = 3600.0

COINS_A_BATCH = 500
_TRIES = 3
_SCRIPTS_A_SCAN = 50_000
_MOST_HOPELESS = 16  # scripts that have too many coins for an answer
_BATCH_BYTES = 1 << 25  # 500 coins of bare multisig at the largest are 3 MB
_SCAN_BYTES = 1 << 26
_BLOCK_BYTES = 1 << 26  # blocks of real transactions take some 20 MB
_BLOCK_WITH_SPENT_OUTPUTS = 3  # how much `getblock` is to say
_MAX_MONEY = 2_100_000_000_000_000
_HASH = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(rf"[0-9a-f]{{{2 * HEADER_BYTES}}}")
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


@dataclass(frozen=True)
class Scan:
    """The unspent outputs of some scripts, and the tip that this is of."""

    tip: Tip
    outputs: Sequence[FoundOutput]


class Moved(Exception):
    """The chain moved while it was asked."""


def steady(ask: Callable[[], _Item]) -> _Item:
    """Ask again, a few times, what a chain that moved kept from being answered.

    Raises:
        CannotCheck: it moves every time.
    """
    for _ in range(_TRIES):
        try:
            return ask()
        except Moved:
            continue
    raise CannotCheck(Code.CHECK_UNREADABLE, "the node's chain moves while it is asked")


def parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield the items in order, so many at a time."""
    return (items[at : at + size] for at in range(0, len(items), size))


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
        chain = found.text("chain", CHAIN_NAME)
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

    def block_header(self, block_hash: bytes) -> bytes:
        """Return a block's header of 80 bytes, which is checked to be that of the hash."""
        method = "getblockheader"
        found = _Fields(self._rpc, method, {"": self._rpc.call(method, block_hash.hex(), False)})
        header = found.binary("", _HEADER)
        if parse_block_header(header).hash != block_hash:
            raise self._rpc.malformed(method)
        return header

    def outputs(
        self, outpoints: Sequence[tuple[bytes, int]]
    ) -> tuple[Tip, list[FoundOutput | None]]:
        """Return which of some outputs are unspent at the tip, mempool aside, and that tip.

        Raises:
            Moved: the tip changed meanwhile.
        """
        best: tuple[str, tuple[Any, ...]] = ("getbestblockhash", ())
        calls = [("gettxout", (txid.hex(), index, False)) for txid, index in outpoints]
        first, *answers, last = self._rpc.batch([best, *calls, best], limit=_BATCH_BYTES)
        tip_hash = _Fields(self._rpc, best[0], {"": first}).hash("")
        height = self.height_on_chain(tip_hash)
        if height is None or last != first:
            raise Moved
        tip = Tip(height, tip_hash)
        return tip, [
            None if answer is None else self._output(tip, outpoint, answer)
            for outpoint, answer in zip(outpoints, answers, strict=True)
        ]

    def _output(self, tip: Tip, outpoint: tuple[bytes, int], answer: Any) -> FoundOutput:
        found = _Fields(self._rpc, "gettxout", answer)
        if found.hash("bestblock") != tip.hash:
            raise Moved
        confirmations = found.number("confirmations", least=1, most=tip.height + 1)
        script = found.inner("scriptPubKey").script("hex")
        amount = found.amount("value")
        return FoundOutput(*outpoint, script, amount, tip.height - confirmations + 1)

    def scan(self, scripts: Sequence[bytes]) -> Scan:
        """Return all unspent outputs of some scripts.

        Raises:
            AnswerTooLong: there are more than some 150,000.
        """
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
        return Scan(tip, outputs)

    def scans(
        self, scripts: Sequence[bytes]
    ) -> Iterator[tuple[Sequence[bytes], Scan | NodeError | AnswerTooLong]]:
        """Yield of all scripts, in parts, what `scan` tells, or why the node does not.

        Parts are halved where the answer is too long, so that this is said of one script alone; but
        not for ever, as a node could make every answer too long.
        """
        waiting = list(parts(scripts, _SCRIPTS_A_SCAN))[::-1]
        hopeless = 0
        while waiting:
            part = waiting.pop()
            found: Scan | NodeError | AnswerTooLong
            try:
                found = self.scan(part)
            except NodeError as error:
                found = error
            except AnswerTooLong as error:
                if len(part) > 1 and hopeless < _MOST_HOPELESS:
                    waiting += [*parts(part, -(-len(part) // 2))][::-1]
                    continue
                hopeless += 1
                found = error
            yield part, found

    def spends(self, block_hash: bytes) -> tuple[bytes, list[FoundOutput]] | None:
        """Return the hash of a block's parent, and the outputs that the block spends.

        None: the node has let go of the block, or does not say, or not in time, what it spends.
        """
        method = "getblock"
        try:
            answer = self._rpc.call(
                method, block_hash.hex(), _BLOCK_WITH_SPENT_OUTPUTS, limit=_BLOCK_BYTES
            )
        except CannotTell:
            return None
        found = _Fields(self._rpc, method, answer)
        if found.hash("hash") != block_hash:
            raise self._rpc.malformed(method)
        _, *transactions = found.items("tx")  # the first creates coins
        inputs = [spend for item in transactions for spend in item.items("vin")]
        if not all(spend.has("prevout") for spend in inputs):
            return None
        return found.hash("previousblockhash"), [_spent_output(spend) for spend in inputs]


def _spent_output(spend: _Fields) -> FoundOutput:
    output = spend.inner("prevout")
    return FoundOutput(
        spend.hash("txid"),
        spend.number("vout", most=2**32 - 1),
        output.inner("scriptPubKey").script("hex"),
        output.amount("value"),
        output.number("height"),
    )


@dataclass(frozen=True)
class _Fields:
    """A JSON object of an answer, whose fields are checked as they are taken."""

    rpc: JsonRpc
    method: str
    fields: Any

    def value(self, name: str) -> Any:
        if not self.has(name):
            raise self.rpc.malformed(self.method)
        return self.fields[name]

    def has(self, name: str) -> bool:
        return isinstance(self.fields, dict) and name in self.fields

    def text(self, name: str, form: re.Pattern[str]) -> str:
        value = self.value(name)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise self.rpc.malformed(self.method)
        return value

    def binary(self, name: str, form: re.Pattern[str]) -> bytes:
        return bytes.fromhex(self.text(name, form))

    def hash(self, name: str) -> bytes:
        return self.binary(name, _HASH)

    def script(self, name: str) -> bytes:
        return self.binary(name, _SCRIPT)

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
