"""Sums of decimals of more rows than fit a word of 64 bits."""

from __future__ import annotations

import numpy as np
import pytest

from prover.ledger import gather
from prover.ledger.amounts import MAX_TERMS, TAIL_WORDS, WORD, carry, settle
from prover.ledger.gather import MAX_ROWS


def exact(units: int, sums: list[int]) -> tuple[int, int]:
    """Return the whole and the rest of a balance and the sums of its tail words."""
    value = units
    for each in sums:
        value = value * WORD + each
    return divmod(value, int(WORD**TAIL_WORDS))


def test_sums_at_their_bound() -> None:
    most = MAX_TERMS * (WORD - 1)
    columns = [[most] * TAIL_WORDS, [0, 0, most], [0, 0, 0], [WORD - 1] * TAIL_WORDS, [0, 0, WORD]]
    start = [2**63 - 1, 0, 7, 0, 2**62]
    units, tails = np.array(start, np.uint64), np.array(columns, np.uint64).T.copy()
    settled = units.copy()
    settle(settled, tails.copy())
    carry(units, tails)
    for index, (held, sums) in enumerate(zip(start, columns, strict=True)):
        whole, rest = exact(held, sums)
        assert exact(int(units[index]), tails[:, index].tolist()) == (whole, rest)
        assert units[index] == whole
        assert settled[index] == whole + bool(rest)
    assert (tails < WORD).all()


def test_tails_of_more_rows_than_fit_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The greatest tails of `MAX_ROWS` rows, each item standing for a quarter of `MAX_TERMS`."""
    monkeypatch.setattr(gather, "MAX_TERMS", 4)
    each, items = MAX_TERMS // 4 * (WORD - 1), MAX_ROWS // MAX_TERMS * 4
    piece = np.array([(0, [each] * TAIL_WORDS)], gather._TAIL)
    row = np.array([(0, 5)], gather._ROW)
    sums = gather._Sums(np.zeros(1, np.uint32), 1)
    whole, rest = exact(5, [items * each] * TAIL_WORDS)
    assert rest
    for _ in range(2):  # the columns are cleared between assets
        balances, named = sums.of([row], [piece] * items)
        assert (balances.units.tolist(), named) == ([whole + 1], 1)
