"""Tables of balances: any bytes are a table or one error with its place, and nothing is listed
that no line says.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

# isort: split
from tests.fuzz.corpus import run
from verifier.errors import CannotCheck
from verifier.nodes.balances import COLUMNS, BalanceTable

BLOCK = "00" * 32
LINES = (
    f"bsc,,0x{'11' * 20},5,70000000,{BLOCK},",
    f"eip155:1,0x{'22' * 20},0x{'11' * 20},{2**256 - 1},7,0x{BLOCK},yes",
    f"tron,,TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t,,9,{BLOCK},no",
    f"bitcoin,,bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4,1,800000,{BLOCK},",
)
PLACE = Path(tempfile.mkdtemp()) / "table.csv"


def target(data: bytes) -> None:
    """Input: a file."""
    PLACE.write_bytes(data)
    try:
        table = BalanceTable([PLACE])
    except CannotCheck as error:
        if "table.csv" not in error.message or "\n" in error.message:
            raise AssertionError(f"an error without its place: {error.message}") from None
        return
    rows = [*csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))][1:]
    lines = [cells for cells in rows if cells]
    if len(lines) != len(table) or any(len(cells) != len(COLUMNS) for cells in lines):
        raise AssertionError("a table of other lines than those of the file")
    stated = sorted(int(cells[3]) for cells in lines if cells[3])
    taken = sorted(line.amount for line in table._lines.values() if line.amount is not None)
    if stated != taken:
        raise AssertionError("an amount that no line says")


if __name__ == "__main__":
    header = ",".join(COLUMNS)
    seeds = [f"{header}\n{line}\n".encode() for line in LINES]
    seeds.append("\r\n".join([header, *LINES, ""]).encode())
    seeds.append(f'\ufeff{header}\n"bsc","",0x{"11" * 20},"5",7,{BLOCK},""\n\n'.encode())
    run(target, seeds, 1 << 12)
