"""The coins of a UTXO snapshot of Bitcoin Core: what given scripts hold in it, in one pass.

A script is a key of `SCRIPT_KEY` bytes: its kind, and its hash, public key or program, filled up
with zeros. ``native/include/assay.h`` has the kinds.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import ffi, lib
from native.errors import NativeError

if TYPE_CHECKING:
    from typing_extensions import Buffer

SCRIPT_KEY = 33
SCRIPTS_MAX = 1 << 27
ROOM = 4096


@dataclass(frozen=True, slots=True)
class FoundCoin:
    """A coin of a listed script: amount in satoshi, ``txid`` as displayed."""

    script: int
    txid: bytes
    index: int
    amount: int
    height: int


class UtxoScanner:
    """One pass over the coins of a snapshot, which come in pieces of any size.

    ``totals`` are the satoshi of each script so far. Memory: 24 to 40 bytes a script beside the
    scripts themselves.
    """

    def __init__(self, scripts: Buffer, listed: int, coins: int) -> None:
        """Look for scripts, all different, in a file of so many coins.

        The coins of the first ``listed`` scripts are given out one by one.

        Raises:
            ValueError: a length or count is wrong.
            NativeError: the script at ``index`` occurs before.
        """
        count, rest = divmod(buffers.byte_length(scripts), SCRIPT_KEY)
        if rest or count > SCRIPTS_MAX or not 0 <= listed <= count:
            raise ValueError("not a whole number of script keys, or too many")
        self._scripts = buffers.items(scripts, count * SCRIPT_KEY, "scripts")
        self._listed = listed
        self.totals = array("Q", bytes(8 * count))
        self._totals = buffers.filled(self.totals, count, "totals", "uint64_t")
        self._state: Any = ffi.new("assay_utxo_state *", {"left": coins})
        self._coins = ffi.new("assay_utxo_coin[]", ROOM)
        self._bits = max(1, (2 * count - 1).bit_length())
        self._table = buffers.out(bytearray(8 << self._bits), "uint64_t")
        self._seed = ffi.new("uint64_t[]", [int.from_bytes(os.urandom(8)) for _ in range(2)])
        bad = ffi.new("size_t *")
        status = lib.assay_utxo_table(
            self._table, self._bits, bad, self._scripts, count, self._seed
        )
        if status != lib.ASSAY_OK:
            raise NativeError("duplicate-script", bad[0])

    @property
    def left(self) -> int:
        """How many coins are still to come."""
        return int(self._state.left)

    @property
    def highest(self) -> int:
        """The height of the youngest coin so far, 0 if there is none."""
        return int(self._state.highest)

    def scan(self, data: Buffer) -> tuple[int, list[FoundCoin]]:
        """Read whole coins; return how many bytes they take, and the coins of listed scripts.

        It stops before a coin that ``data`` has in part, after the last coin, and when `ROOM` coins
        are found: a caller calls again with what is left until nothing more is read.

        Raises:
            NativeError: the coin that begins at byte ``index`` is malformed or out of order.
        """
        used = ffi.new("size_t *")
        found = buffers.record(
            "assay_utxo_found", totals=self._totals, coins=self._coins, room=ROOM
        )
        wanted = buffers.record(
            "assay_utxo_wanted",
            scripts=self._scripts,
            table=self._table,
            seed=self._seed,
            bits=self._bits,
            listed=self._listed,
        )
        status = lib.assay_utxo_scan(
            self._state,
            used,
            found,
            *buffers.whole(data, "data"),
            wanted,
        )
        if status != lib.ASSAY_OK:
            raise NativeError("bad-coin", used[0])
        return used[0], list(self._found(found.count))

    def _found(self, count: int) -> Iterator[FoundCoin]:
        for coin in self._coins[0:count]:
            txid = bytes(ffi.buffer(coin.txid))[::-1]
            yield FoundCoin(coin.script, txid, coin.index, coin.amount, coin.height)
