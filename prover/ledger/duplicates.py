"""Ids that are written differently in the source and are one account in canonical form.

Two customers may stand behind them, so the operator is shown the rows and decides.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prover.ledger.errors import LedgerError
from prover.ledger.spool import Spool, TextSpool

_LISTED: Final = 10

Entries = npt.NDArray[np.uint32]


def refuse_duplicates(
    file: str,
    column: str,
    ranks: Entries,
    first_rows: Spool,
    changed: Entries,
    sources: TextSpool,
) -> None:
    """Check that all entries of an account have one source text.

    ``ranks`` says which account an entry belongs to, ``first_rows`` where it was first seen;
    ``changed`` are the entries whose source text is not canonical, ``sources`` those texts.

    Raises:
        LedgerError: listing the rows of the first ten accounts that have several.
    """
    shared = np.bincount(ranks)[ranks[changed]] > 1
    if not shared.any():
        return
    texts = sources.whole().filter(pa.array(shared))
    changed = changed[shared]
    accounts = _differing(ranks, changed, texts)
    if not accounts.size:
        return
    spellings: dict[int, dict[bytes | None, int]] = {}
    text_of: dict[int, bytes] = dict(zip(changed.tolist(), texts.to_pylist(), strict=True))
    rows = first_rows.whole()
    for entry in np.flatnonzero(np.isin(ranks, accounts)).tolist():
        seen = spellings.setdefault(int(ranks[entry]), {})
        # Entries are in row order, so the first one of a spelling has its first row.
        seen.setdefault(text_of.get(entry), int(rows[entry]))
    pairs = sorted(sorted(seen.values())[1::-1] for seen in spellings.values())
    listed = "; ".join(f"row {second} as row {first}" for second, first in pairs[:_LISTED])
    raise LedgerError(
        file,
        "duplicate-id",
        row=pairs[0][0],
        column=column,
        detail=f"{len(pairs)} written in several ways and not to be merged: {listed}",
    )


def _differing(ranks: Entries, changed: Entries, texts: Any) -> Entries:
    """Return the accounts whose changed entries differ among themselves or from the others."""
    accounts = ranks[changed]
    order = np.argsort(accounts, kind="stable")
    ordered, texts = accounts[order], texts.take(pa.array(order))
    differs = np.asarray(pc.not_equal(texts[1:], texts[:-1])) & (ordered[1:] == ordered[:-1])
    distinct, counts = np.unique(accounts, return_counts=True)
    mixed = counts < np.bincount(ranks)[distinct]
    return np.union1d(ordered[1:][differs], distinct[mixed])
