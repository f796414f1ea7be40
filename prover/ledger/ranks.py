"""Ids of all batches to accounts: sorted by their bytes, equal ones made one.

Splitters drawn from the ids cut them into buckets by value, small enough to be sorted in the cache,
each by one thread. Equal ids fall into one bucket, so no bucket needs to know of another. Neither
splitters nor threads can be seen in the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prover.ledger.text import Text
from verifier.ordered import in_order

Bytes = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
Ranks = npt.NDArray[np.uint32]

# Ids in a bucket, more or less, and how many of them are drawn to choose the splitters. Fewer than
# 2^32 ids make 2^16 buckets at most.
BUCKET: Final = 1 << 16
_DRAWN: Final = 16


@dataclass(frozen=True)
class _Sorted:
    """A bucket: ids by their index, in order; the rank of each; and the distinct ones."""

    indices: npt.NDArray[np.int64]
    ranks: Ranks
    distinct: Text


def rank_ids(ids: Any, jobs: int) -> tuple[Bytes, U64, Ranks]:
    """Sort n < 2^32 ids, a ``pyarrow.LargeBinaryArray`` without nulls.

    Returns the distinct ids, one behind the other; their offsets (accounts + 1); and the rank of
    each of the n among them.
    """
    order, ends = _buckets(ids, jobs)

    def sort(bucket: int) -> _Sorted:
        return _sort(ids, order[ends[bucket] : ends[bucket + 1]])

    # As large as if all ids were distinct; what is not used is never touched.
    text, lengths = np.empty(ids.nbytes, np.uint8), np.empty(len(ids), np.uint64)
    ranks = np.empty(len(ids), np.uint32)
    accounts = end = 0
    for bucket in in_order(sort, range(len(ends) - 1), jobs):
        found = bucket.distinct
        ranks[bucket.indices] = bucket.ranks + np.uint32(accounts)
        text[end : end + len(found.span)] = found.span
        lengths[accounts : accounts + len(found)] = found.ends - found.starts
        end, accounts = end + len(found.span), accounts + len(found)
    offsets = np.zeros(accounts + 1, np.uint64)
    np.cumsum(lengths[:accounts], out=offsets[1:])
    return text[:end], offsets, ranks


def _buckets(ids: Any, jobs: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the ids' indices, one bucket behind the other, and where buckets begin and end."""
    drawn = ids.take(pa.array(np.arange(0, len(ids), max(1, BUCKET // _DRAWN))))
    splitters = drawn.take(pc.array_sort_indices(drawn))[::_DRAWN][1:]
    bucket_of = np.empty(len(ids), np.uint16)

    def assign(start: int) -> None:
        piece = ids.slice(start, BUCKET)
        found = pc.search_sorted(splitters, piece, side="right")
        bucket_of[start : start + len(piece)] = np.asarray(found)

    for _ in in_order(assign, range(0, len(ids), BUCKET), jobs):
        pass
    counts = np.bincount(bucket_of, minlength=len(splitters) + 1)
    return np.argsort(bucket_of, kind="stable"), np.append(0, np.cumsum(counts))


def _sort(ids: Any, members: npt.NDArray[np.int64]) -> _Sorted:
    found = ids.take(pa.array(members))
    order = pc.array_sort_indices(found)
    found = found.take(order)
    new = np.ones(len(found), np.bool_)
    new[1:] = pc.not_equal(found[1:], found[:-1])
    ranks = (np.cumsum(new) - 1).astype(np.uint32)
    return _Sorted(members[np.asarray(order)], ranks, Text.of(found.filter(pa.array(new))))
