"""A UTXO snapshot of Bitcoin Core (`dumptxoutset`): what scripts held at its block, in one pass.

The file is the verifier's own, made by a node of theirs: nothing in it says that it is true, and
this reader says only what it says. What it says is exact: the coins are as many as the head counts,
in the database's order, at most 21 million bitcoin in all, and the file ends with the last.
Anything else is an error that names the byte, and no total.

Format: the metadata and coins of Bitcoin Core 28 and later (`node/utxo_snapshot.h`, version 2).
Memory: a buffer of 4 MiB, and about 75 bytes a script.
"""

from __future__ import annotations

import stat
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from native import FoundCoin, NativeError, UtxoScanner
from verifier.errors import CannotCheck, Code

MAIN_NETWORK = bytes.fromhex("f9beb4d9")

_MAGIC = b"utxo\xff"
_VERSION = 2
_HEAD_BYTES = 5 + 2 + 4 + 32 + 8
_PIECE = 1 << 22
_FIELD = 2**256 - 2**32 - 977  # of secp256k1

# Kinds of native's script keys, by what stands before and after a hash, key or program.
_SHAPES = (
    (25, b"\x76\xa9\x14", b"\x88\xac", 0),
    (23, b"\xa9\x14", b"\x87", 1),
    (35, b"\x21\x02", b"\xac", 2),
    (35, b"\x21\x03", b"\xac", 3),
    (22, b"\x00\x14", b"", 6),
    (34, b"\x00\x20", b"", 7),
    (34, b"\x51\x20", b"", 8),
)


def script_key(script: bytes) -> bytes:
    """Return native's key of a P2PKH, P2SH, P2PK, P2WPKH, P2WSH or P2TR output script.

    Raises:
        ValueError: another script.
    """
    for length, before, after, kind in _SHAPES:
        if len(script) == length and script.startswith(before) and script.endswith(after):
            core = script[len(before) : length - len(after)]
            return bytes([kind]) + core.ljust(32, b"\0")
    if len(script) == 67 and script.startswith(b"\x41\x04") and script.endswith(b"\xac"):
        key = bytes([2 | script[65] & 1]) + script[2:34]
        if _uncompressed(key) == script[1:66]:  # Core compresses no point that is none
            return bytes([key[0] + 2]) + key[1:]
    raise ValueError("a script of no known form")


def _uncompressed(key: bytes) -> bytes:
    """Return the 65 bytes of a compressed key, or nothing if it is no point of the curve."""
    x = int.from_bytes(key[1:])
    square = (x**3 + 7) % _FIELD
    y = pow(square, (_FIELD + 1) // 4, _FIELD)
    if x >= _FIELD or y * y % _FIELD != square:
        return b""
    return b"\x04" + key[1:] + (y if y & 1 == key[0] & 1 else _FIELD - y).to_bytes(32)


def _is_old(head: bytes) -> bool:
    """Tell whether a file begins as Core 27 and older wrote it, which has no mark of its own.

    There a block's hash, whose work ends it in zeros, and the number of coins as a u64 come first.
    """
    count = int.from_bytes(head[32:40], "little")
    return head[30:32] == bytes(2) and 0 < count < 1 << 40


def _ignore(_: object) -> None:
    pass


class UtxoSnapshot:
    """A snapshot file; ``block_hash`` as displayed, ``coins`` as its head counts them."""

    def __init__(self, path: Path, network: bytes = MAIN_NETWORK) -> None:
        """Read the head of a file of a network, named by the magic of its messages.

        Raises:
            CannotCheck: unreadable, or not a snapshot of this network and format.
        """
        self.path = path
        self._network = network
        with self._open() as file:
            self.block_hash, self.coins = self._head(file)

    def totals(
        self,
        scripts: Iterable[bytes],
        *,
        listed: int = 0,
        found: Callable[[FoundCoin], None] = _ignore,
        progress: Callable[[int], None] = _ignore,
    ) -> tuple[array[int], int]:
        """Read the whole file; return the satoshi of each output script, and the greatest height.

        The amounts are in the order of the scripts; the height is that of the youngest of all
        coins. ``found`` gets every coin of the first ``listed`` scripts, in the file's order, and
        ``progress`` the number of coins read so far.

        Raises:
            CannotCheck: unreadable, changed since its head was read, or malformed anywhere.
            NativeError: the script at ``index`` occurs before.
            ValueError: a script of no known form.
        """
        keys = bytearray()
        for script in scripts:
            keys += script_key(script)
        with self._open() as file:
            if self._head(file) != (self.block_hash, self.coins):
                raise self._fault("it changed while it was read")
            scanner = UtxoScanner(keys, listed, self.coins)
            self._scan(file, scanner, found, progress)
        return scanner.totals, scanner.highest

    def _scan(
        self,
        file: BinaryIO,
        scanner: UtxoScanner,
        found: Callable[[FoundCoin], None],
        progress: Callable[[int], None],
    ) -> None:
        position, pending = _HEAD_BYTES, b""
        while piece := self._read(file, _PIECE):
            data = memoryview(pending + piece)
            while True:
                try:
                    used, coins = scanner.scan(data)
                except NativeError as error:
                    at = position + error.index
                    raise self._fault(f"the coin at byte {at} is malformed") from None
                for coin in coins:
                    found(coin)
                position += used
                data = data[used:]
                if not used:
                    break
            progress(self.coins - scanner.left)
            pending = bytes(data)
            if not scanner.left:
                break
        if scanner.left:
            raise self._fault(f"it ends at byte {position}, {scanner.left} coins too early")
        if pending or self._read(file, 1):
            raise self._fault(f"it goes on after its last coin, at byte {position}")

    def _open(self) -> BinaryIO:
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise self._fault("not a regular file")
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise self._fault(error.strerror or "cannot be read") from None

    def _read(self, file: BinaryIO, size: int) -> bytes:
        try:
            return file.read(size)
        except OSError as error:
            raise self._fault(error.strerror or "cannot be read") from None

    def _head(self, file: BinaryIO) -> tuple[bytes, int]:
        """Return the block hash as displayed, and the number of coins."""
        head = self._read(file, _HEAD_BYTES)
        if not head.startswith(_MAGIC) and _is_old(head):
            raise self._fault("made by Bitcoin Core 27 or older: dump again with 28 or later")
        if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
            raise self._fault("not a UTXO snapshot of Bitcoin Core")
        version = int.from_bytes(head[5:7], "little")
        if version != _VERSION:
            remedy = "update Assay" if version > _VERSION else "dump again with Bitcoin Core 28"
            raise self._fault(f"the version of the snapshot is {version}, not {_VERSION}: {remedy}")
        if head[7:11] != self._network:
            raise self._fault("the snapshot is of another network")
        return head[11:43][::-1], int.from_bytes(head[43:51], "little")

    def _fault(self, rule: str) -> CannotCheck:
        return CannotCheck(Code.CHECK_UNREADABLE, f"{self.path}: {rule}")
