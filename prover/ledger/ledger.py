"""The canonical ledger: who holds how much, in the one order and form that the digest covers.

Accounts are distinct canonical ids in ascending order of their bytes; a balance is a whole number
of ledger units, 0 where the source has none; assets are in ascending order of their codes.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from prover.ledger.source import LedgerAsset
from verifier.format.account import IdType
from verifier.format.statement import length_prefixed
from verifier.format.tags import tag

_PIECE_ACCOUNTS: Final = 1 << 16


@dataclass(frozen=True)
class AssetTally:
    """In how many rows an asset stood, and for how many accounts; accounts without it have none."""

    rows: int
    accounts: int


@dataclass(frozen=True)
class Tally:
    """What a source held beside the balances, for the operator to compare with their own count.

    rows: all, without the header; merged: accounts that were written in several ways; unread:
    columns that were not read; ignored: rows of assets that were left out, by asset.
    """

    rows: int
    merged: int
    unread: tuple[str, ...]
    ignored: Mapping[str, int]
    assets: Mapping[str, AssetTally]


@dataclass(frozen=True, eq=False)
class Ledger:
    """n accounts. All arrays are read-only, in memory or mapped from files."""

    id_type: IdType
    assets: tuple[LedgerAsset, ...]
    ids: npt.NDArray[np.uint8]
    """All ids, one behind the other."""
    offsets: npt.NDArray[np.uint64]
    """Where each id begins in ``ids``, and the end (n + 1)."""
    balances: Mapping[str, npt.NDArray[np.uint64]]
    """By asset code, the balances in ledger units (n)."""
    totals: Mapping[str, int]
    """By asset code, the sum of the balances: below 2^63."""
    tally: Tally
    """Of the source that it was read from."""

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        self.ids.setflags(write=False)
        for array in (self.offsets, *self.balances.values()):
            array.setflags(write=False)

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.offsets) - 1

    def account_id(self, index: int) -> bytes:
        """Return the canonical id of an account, in UTF-8."""
        return self.ids[int(self.offsets[index]) : int(self.offsets[index + 1])].tobytes()


def find_account(ledger: Ledger, canonical_id: str) -> int | None:
    """Return the index of an account, by binary search, or None if there is none."""
    wanted = canonical_id.encode()
    index = bisect_left(range(len(ledger)), wanted, key=ledger.account_id)
    if index < len(ledger) and ledger.account_id(index) == wanted:
        return index
    return None


def ledger_digest(ledger: Ledger) -> bytes:
    """Return the 32-byte digest of a ledger (``spec/protocol.md`` 2.4).

    The tagged hash of ``lp(id type) || u64 accounts || lp(id) of each account``, then for each
    asset ``lp(code) || u8 decimals || u64 balance of each account``; all big-endian, ``lp`` being
    a u32 length and the bytes.
    """
    prefix = hashlib.sha256(tag("ledger")).digest()
    digest = hashlib.sha256(prefix + prefix)
    digest.update(length_prefixed(ledger.id_type.encode()) + len(ledger).to_bytes(8, "big"))
    for start, stop in _pieces(len(ledger)):
        digest.update(_prefixed_ids(ledger, start, stop))
    for asset in ledger.assets:
        digest.update(length_prefixed(asset.code.encode()) + asset.decimals.to_bytes(1, "big"))
        for start, stop in _pieces(len(ledger)):
            digest.update(ledger.balances[asset.code][start:stop].astype(">u8").data)
    return digest.digest()


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _PIECE_ACCOUNTS):
        yield start, min(start + _PIECE_ACCOUNTS, count)


def _prefixed_ids(ledger: Ledger, start: int, stop: int) -> memoryview:
    """Return ``lp(id)`` of accounts ``start`` to ``stop - 1``, one behind the other."""
    offsets = ledger.offsets[start : stop + 1].astype(np.int64)
    lengths = np.diff(offsets)
    prefixes = (offsets[:-1] - offsets[0] + 4 * np.arange(stop - start))[:, None] + np.arange(4)
    out = np.empty(offsets[-1] - offsets[0] + prefixes.size, dtype=np.uint8)
    is_id = np.ones(len(out), dtype=np.bool_)
    is_id[prefixes] = False
    out[is_id] = ledger.ids[offsets[0] : offsets[-1]]
    out[prefixes] = lengths.astype(">u4").view(np.uint8).reshape(-1, 4)
    return out.data
