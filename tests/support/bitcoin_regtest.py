"""A regtest chain, mined here and validated by Bitcoin Core's own engine (libbitcoinkernel).

The engine alone decides which chain is active; it has no look-up of unspent outputs, so these are
replayed from its blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from prover import libraries as libraries  # isort: split

import pbk
from embit import script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from tests.support.bitcoin_snapshot import REGTEST, Unspent, compact, snapshot
from tests.support.bitcoin_spend import Wallet, sign_input, wallet

SUBSIDY = 50 * 10**8
BITS = 0x207FFFFF
# Of the exchanges in the tests that a node is asked about; blocks are of the hours before it.
SNAPSHOT_TIME = 1_795_219_200
FIRST_TIME = SNAPSHOT_TIME - 43_200
MINER = wallet("p2wpkh", seed=99)


class RefusedBlockError(Exception):
    """The engine did not take the block for its tip."""


def double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    level = list(leaves)
    while len(level) > 1:
        level += level[-1:] * (len(level) % 2)
        level = [double_sha256(a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def small_push(number: int) -> bytes:
    """Return the push of a block's height, as its coinbase begins."""
    if number <= 16:
        return bytes([0x50 + number if number else 0])
    data = number.to_bytes(number.bit_length() // 8 + 1, "little")
    return bytes([len(data)]) + data


class Regtest:
    """A chain of its own in a folder. Hashes and transaction ids are in the order of display."""

    def __init__(self, folder: Path) -> None:
        pbk.logging_set_options(pbk.LoggingOptions())
        pbk.set_log_level_category(pbk.LogCategory.ALL, pbk.LogLevel.INFO)
        self._manager = pbk.load_chainman(folder, pbk.ChainType.REGTEST)
        self._manager.import_blocks([])
        self._extra = 0
        self.headers: dict[bytes, bytes] = {}
        self._replayed: dict[bytes, list[Unspent]] = {}

    @property
    def height(self) -> int:
        return int(self._manager.get_active_chain().height)

    @property
    def tip(self) -> bytes:
        return self.hash_at(self.height)

    def hash_at(self, height: int) -> bytes:
        entry = self._manager.get_active_chain().block_tree_entries[height]
        return bytes(entry.block_hash)[::-1]

    def entry(self, block_hash: bytes) -> pbk.BlockTreeEntry:
        return self._manager.block_tree_entries[pbk.BlockHash(block_hash[::-1])]

    def mine(
        self,
        transactions: Sequence[Transaction] = (),
        *,
        to: Wallet = MINER,
        on: bytes | None = None,
        fees: int = 0,
        expect_tip: bool = True,
    ) -> bytes:
        """Mine a block on a parent, by default the tip; return its hash.

        Raises:
            RefusedBlockError: it did not become the tip although that is expected.
        """
        parent = self.entry(on or self.tip)
        height = parent.height + 1
        self._extra += 1  # so that no two blocks are alike
        coinbase = Transaction(
            version=2,
            vin=[
                TransactionInput(
                    bytes(32),
                    0xFFFFFFFF,
                    script_sig=script.Script(
                        small_push(height) + b"\x04" + self._extra.to_bytes(4, "little")
                    ),
                    witness=script.Witness([bytes(32)]),
                )
            ],
            vout=[TransactionOutput((SUBSIDY >> height // 150) + fees, script.Script(to.output))],
        )
        wtxids = [bytes(32), *(double_sha256(item.serialize()) for item in transactions)]
        commitment = double_sha256(merkle_root(wtxids) + bytes(32))
        coinbase.vout.append(
            TransactionOutput(0, script.Script(b"\x6a\x24\xaa\x21\xa9\xed" + commitment))
        )
        items = [coinbase, *transactions]
        head = (
            (0x20000000).to_bytes(4, "little")
            + bytes(parent.block_hash)
            + merkle_root([item.txid()[::-1] for item in items])
            + (FIRST_TIME + 60 * height + self._extra).to_bytes(4, "little")
            + BITS.to_bytes(4, "little")
        )
        nonce = 0
        while double_sha256(head + nonce.to_bytes(4, "little"))[31] > 0x7F:
            nonce += 1
        head += nonce.to_bytes(4, "little")
        body = b"".join(item.serialize() for item in items)
        block_hash = double_sha256(head)[::-1]
        self.headers[block_hash] = head
        self._manager.process_block(pbk.Block(head + compact(len(items)) + body))
        if expect_tip and self.tip != block_hash:
            raise RefusedBlockError
        return block_hash

    def mine_many(self, count: int, **arguments: Wallet | bytes) -> None:
        for _ in range(count):
            self.mine(**arguments)  # type: ignore[arg-type]

    def transactions(self, height: int) -> Iterator[Transaction]:
        entry = self._manager.get_active_chain().block_tree_entries[height]
        for item in self._manager.blocks[entry].transactions:
            yield Transaction.parse(bytes(item))

    def unspent(self, height: int | None = None) -> list[Unspent]:
        """Return what is unspent after a block of the active chain; the genesis has nothing."""
        last = self.height if height is None else height
        known = self._replayed.get(self.hash_at(last))
        if known is not None:
            return list(known)
        coins: dict[tuple[bytes, int], Unspent] = {}
        for at in range(1, last + 1):
            for number, item in enumerate(self.transactions(at)):
                for spend in item.vin if number else ():
                    del coins[spend.txid, spend.vout]
                txid = item.txid()
                for index, output in enumerate(item.vout):
                    data = output.script_pubkey.data
                    if data[:1] != b"\x6a":
                        coins[txid, index] = Unspent(
                            txid, index, output.value, data, at, coinbase=number == 0
                        )
        self._replayed[self.hash_at(last)] = list(coins.values())
        return list(coins.values())

    def created(self) -> dict[tuple[bytes, int], Unspent]:
        """Return every output of the active chain, spent or not."""
        return {
            (item.txid(), index): Unspent(
                item.txid(), index, output.value, output.script_pubkey.data, at, number == 0
            )
            for at in range(1, self.height + 1)
            for number, item in enumerate(self.transactions(at))
            for index, output in enumerate(item.vout)
        }

    def snapshot(self, height: int | None = None) -> bytes:
        """Return the file that `dumptxoutset` writes at a block of the active chain."""
        at = self.height if height is None else height
        return snapshot(self.hash_at(at), self.unspent(at), REGTEST)


def pay(
    coins: Sequence[tuple[Wallet, Unspent]], outputs: Sequence[tuple[int, bytes]]
) -> Transaction:
    """Return a signed transaction that spends coins into (satoshi, script)."""
    transaction = Transaction(
        version=2,
        vin=[TransactionInput(coin.txid, coin.index, sequence=0xFFFFFFFE) for _, coin in coins],
        vout=[TransactionOutput(amount, script.Script(data)) for amount, data in outputs],
        locktime=0,
    )
    prevouts = [(coin.amount, coin.script) for _, coin in coins]
    for at, (owner, _) in enumerate(coins):
        sign_input(transaction, at, owner, prevouts)
    return transaction
