"""Writes UTXO snapshots as Bitcoin Core's `dumptxoutset` does, written from its format alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from coincurve import PublicKey

MAIN, REGTEST = bytes.fromhex("f9beb4d9"), bytes.fromhex("fabfb5da")


@dataclass(frozen=True)
class Unspent:
    """An unspent output; ``txid`` as displayed, amount in satoshi."""

    txid: bytes
    index: int
    amount: int
    script: bytes
    height: int
    coinbase: bool = False


def varint(value: int) -> bytes:
    encoded = bytearray([value & 0x7F])
    while value >= 0x80:
        value = (value >> 7) - 1
        encoded.append(value & 0x7F | 0x80)
    return bytes(reversed(encoded))


def compact(value: int) -> bytes:
    for prefix, width in ((b"", 1), (b"\xfd", 2), (b"\xfe", 4), (b"\xff", 8)):
        if value < (0xFD if width == 1 else 1 << 8 * width):
            return prefix + value.to_bytes(width, "little")
    raise ValueError("too large")


def compress_amount(amount: int) -> int:
    if amount == 0:
        return 0
    zeros = 0
    while amount % 10 == 0 and zeros < 9:
        amount //= 10
        zeros += 1
    if zeros == 9:
        return 1 + (amount - 1) * 10 + 9
    return 1 + (amount // 10 * 9 + amount % 10 - 1) * 10 + zeros


def compress_script(script: bytes) -> bytes:
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return b"\x00" + script[3:23]
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return b"\x01" + script[2:22]
    if len(script) == 35 and script[0] == 33 and script[1] in (2, 3) and script[34] == 0xAC:
        return script[1:34]
    if len(script) == 67 and script[:2] == b"\x41\x04" and script[66] == 0xAC:
        try:
            PublicKey(script[1:66])
        except ValueError:
            pass
        else:
            return bytes([4 | script[65] & 1]) + script[2:34]
    return varint(len(script) + 6) + script


def coin_bytes(coin: Unspent) -> bytes:
    return (
        compact(coin.index)
        + varint(2 * coin.height + coin.coinbase)
        + varint(compress_amount(coin.amount))
        + compress_script(coin.script)
    )


def head(block_hash: bytes, count: int, network: bytes = MAIN, version: int = 2) -> bytes:
    return (
        b"utxo\xff"
        + version.to_bytes(2, "little")
        + network
        + block_hash[::-1]
        + count.to_bytes(8, "little")
    )


def snapshot(block_hash: bytes, coins: Iterable[Unspent], network: bytes = MAIN) -> bytes:
    """Return the file of the coins of a block, in any order; the hash as displayed."""
    ordered = sorted(coins, key=lambda coin: (coin.txid[::-1], varint(coin.index)))
    parts = [head(block_hash, len(ordered), network)]
    for txid, group in groupby(ordered, key=lambda coin: coin.txid):
        outputs = list(group)
        parts += [txid[::-1], compact(len(outputs)), *map(coin_bytes, outputs)]
    return b"".join(parts)
