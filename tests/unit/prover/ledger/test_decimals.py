"""Balances that a file holds as binary decimals are what their text would be."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from prover.ledger.amounts import Notation, parse_cells
from prover.ledger.errors import Marks


@pytest.mark.parametrize("power", [0, 2, 6, 8, 18])
@pytest.mark.parametrize("scale", [0, 2, 8, 20, 30])
def test_decimals_are_read_as_their_text(power: int, scale: int) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    columns = [
        [rng.getrandbits(rng.randrange(1, 60)) for _ in range(9)],
        [rng.getrandbits(20) * 10**scale for _ in range(9)],
        [2**63 // 10 ** max(0, power - scale) + rng.randrange(-2, 3), 0],
        [2**64, 1],
        [1, -5, 2],
        [10**scale * 2**62],
        [],
    ]
    for column in columns:
        words = b"".join(n.to_bytes(16, "little", signed=True) for n in [7, *column] if n < 10**38)
        kind = pa.decimal128(38, scale)
        whole = pa.Array.from_buffers(kind, len(words) // 16, [None, pa.py_buffer(words)])
        cells = whole[1:]  # behind an offset
        results = []
        for read in (cells, cells.cast(pa.string()).cast(pa.binary())):
            marks: Marks = {}
            amounts = parse_cells(read, Notation(power), "balance", marks)
            results.append(
                (
                    amounts.units.tolist(),
                    amounts.tail_rows.tolist(),
                    amounts.tail_words.tolist(),
                    marks,
                )
            )
        assert results[0] == results[1], f"seed {seed}, {column}"
