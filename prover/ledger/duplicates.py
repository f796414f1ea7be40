"""Ids that are written differently in the source and are one account in canonical form.

Two customers may stand behind them, so the operator is shown the rows and decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prover.errors import LISTED, Code
from prover.ledger.errors import Fault, LedgerError, place_of
from prover.ledger.spool import Spool, TextSpool

Entries = npt.NDArray[np.uint32]


def find_duplicates(
    ranks: Entries, first_rows: Spool, changed: Entries, sources: TextSpool
) -> list[tuple[int, int]]:
    """Return, for each account whose entries have several source texts, the rows of the first two.

    ``ranks`` says which account an entry belongs to, ``first_rows`` where it was first seen;
    ``changed`` are the entries whose source text is not canonical, ``sources`` those texts. The
    later row stands first in a pair; pairs ascend.
    """
    shared = np.bincount(ranks)[ranks[changed]] > 1
    if not shared.any():
        return []
    texts = sources.whole().filter(pa.array(shared))
    changed = changed[shared]
    accounts = _differing(ranks, changed, texts)
    if not accounts.size:
        return []
    spellings: dict[int, dict[bytes | None, int]] = {}
    text_of: dict[int, bytes] = dict(zip(changed.tolist(), texts.to_pylist(), strict=True))
    entries = np.flatnonzero(np.isin(ranks, accounts))
    for entry, row in zip(entries.tolist(), first_rows.chosen(entries).tolist(), strict=True):
        seen = spellings.setdefault(int(ranks[entry]), {})
        # Entries are in row order, so the first one of a spelling has its first row.
        seen.setdefault(text_of.get(entry), row)
    firsts = (sorted(seen.values()) for seen in spellings.values())
    return sorted((second, first) for first, second, *_ in firsts)


def refuse_duplicates(files: Sequence[str], column: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Refuse accounts with several source texts, which `find_duplicates` found.

    Raises:
        LedgerError: listing the rows of the first ten.
    """

    def told(number: int) -> str:
        file, row = place_of(number, files)
        return f"row {row} of {Path(file).name}" if len(files) > 1 else f"row {row}"

    listed = "; ".join(f"{told(second)} as {told(first)}" for second, first in pairs[:LISTED])
    detail = f"{len(pairs)} written in several ways and not to be merged: {listed}"
    file, row = place_of(pairs[0][0], files)
    raise LedgerError(file, Fault.of(Code.DUPLICATE_ID, row=row, column=column, detail=detail))


def _differing(ranks: Entries, changed: Entries, texts: Any) -> Entries:
    """Return the accounts whose changed entries differ among themselves or from the others."""
    accounts = ranks[changed]
    order = np.argsort(accounts, kind="stable")
    ordered, texts = accounts[order], texts.take(pa.array(order))
    differs = np.asarray(pc.not_equal(texts[1:], texts[:-1])) & (ordered[1:] == ordered[:-1])
    distinct, counts = np.unique(accounts, return_counts=True)
    mixed = counts < np.bincount(ranks)[distinct]
    return np.union1d(ordered[1:][differs], distinct[mixed])
