"""UTXO snapshots: any file gives totals within the supply or one error, however it is cut."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from native import NativeError, UtxoScanner
from tests.fuzz.corpus import run
from tests.support.bitcoin_snapshot import MAIN, Unspent, snapshot
from verifier.errors import CannotCheck
from verifier.nodes.utxo_snapshot import UtxoSnapshot, script_key

SCRIPTS = [
    b"\x76\xa9\x14" + bytes(20) + b"\x88\xac",
    b"\xa9\x14" + bytes(20) + b"\x87",
    b"\x00\x14" + bytes(20),
    b"\x51\x20" + bytes(32),
]
SUPPLY = 2_100_000_000_000_000
FILE = Path(tempfile.mkdtemp()) / "utxo.dat"


def whole(data: bytes) -> list[int] | None:
    FILE.write_bytes(data)
    try:
        return list(UtxoSnapshot(FILE).totals(SCRIPTS, listed=2)[0])
    except CannotCheck:
        return None


def in_pieces(data: bytes) -> list[int] | None:
    """Read the same by the scanner alone, 64 bytes at a time."""
    if data[:11] != b"utxo\xff\x02\x00" + MAIN or len(data) < 51:
        return None
    count = int.from_bytes(data[43:51], "little")
    scanner = UtxoScanner(b"".join(map(script_key, SCRIPTS)), 2, count)
    pending = b""
    for at in range(51, len(data), 64):
        pending += data[at : at + 64]
        used = -1
        while used:
            try:
                used, _ = scanner.scan(pending)
            except NativeError:
                return None
            pending = pending[used:]
    return None if scanner.left or pending else list(scanner.totals)


def target(data: bytes) -> None:
    totals = whole(data)
    if totals != in_pieces(data):
        raise AssertionError("the cut of the file matters")
    if totals is not None and sum(totals) > SUPPLY:
        raise AssertionError("more than there can be")


if __name__ == "__main__":
    coins = [
        Unspent(bytes([at]) * 32, at % 7, 10**at, script, at)
        for at, script in enumerate([*SCRIPTS, b"", b"\x51", b"\x61" * 300])
    ]
    same = [Unspent(bytes(32), at, at, SCRIPTS[0], 1, True) for at in (0, 1, 300, 16_512, 70_000)]
    run(target, [snapshot(bytes(32), made) for made in ([], coins, same)], 4096)
