"""The canonical ledger: who holds how much, in the one order and form that the digest covers.

Accounts are distinct canonical ids in ascending order of their bytes; a balance is a whole number
of ledger units, and an account without one holds none; assets are in ascending order of their
codes. Memory, files and time go with the balances that there are, not with accounts times assets.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from prover.ledger.asset import LedgerAsset
from verifier.format.account import IdType
from verifier.format.statement import length_prefixed
from verifier.format.tags import tag

_PIECE_ACCOUNTS: Final = 1 << 16
_ENTRY: Final = np.dtype([("holder", ">u8"), ("units", ">u8")])


@dataclass(frozen=True)
class AssetTally:
    """In how many rows an asset stood, and for how many accounts; accounts without it have none."""

    rows: int
    accounts: int


@dataclass(frozen=True)
class Tally:
    """What a source held beside the balances, for the operator to compare with their own count.

    rows: all, without the header; merged: accounts that were written in several ways; unread:
    columns that were not read; ignored: rows of assets that were left out, by asset; skipped: the
    same of those that are owed and not covered, 0 where there are none; renamed: rows by the name
    that the source has for an asset.
    """

    rows: int
    merged: int
    unread: tuple[str, ...]
    ignored: Mapping[str, int]
    skipped: Mapping[str, int]
    renamed: Mapping[str, int]
    assets: Mapping[str, AssetTally]


@dataclass(frozen=True, eq=False)
class Balances:
    """What is owed in one asset: u32 numbers of its h holders, ascending, and u64 ledger units."""

    holders: npt.NDArray[np.uint32]
    units: npt.NDArray[np.uint64]

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        self.holders.setflags(write=False)
        self.units.setflags(write=False)

    def __len__(self) -> int:
        """Return the number of holders."""
        return len(self.holders)

    def place(self, account: int) -> int | None:
        """Return which of the holders an account is, by binary search; None if it is none."""
        place = int(np.searchsorted(self.holders, np.uint32(account)))
        return place if place < len(self) and self.holders[place] == account else None

    def of(self, account: int) -> int:
        """Return the balance of an account."""
        place = self.place(account)
        return 0 if place is None else int(self.units[place])


@dataclass(frozen=True, eq=False)
class Ledger:
    """n accounts. All arrays are read-only, in memory or mapped from files."""

    id_type: IdType
    assets: tuple[LedgerAsset, ...]
    ids: npt.NDArray[np.uint8]
    """All ids, one behind the other."""
    offsets: npt.NDArray[np.uint64]
    """Where each id begins in ``ids``, and the end (n + 1)."""
    balances: Mapping[str, Balances]
    """By asset code, the balances that are not zero."""
    totals: Mapping[str, int]
    """By asset code, the sum of the balances: below 2^63."""
    tally: Tally
    """Of the source that it was read from."""

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        self.ids.setflags(write=False)
        self.offsets.setflags(write=False)

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.offsets) - 1

    def account_id(self, index: int) -> bytes:
        """Return the canonical id of an account, in UTF-8."""
        return self.ids[int(self.offsets[index]) : int(self.offsets[index + 1])].tobytes()


def count_below(ledger: Ledger, canonical_id: str) -> int:
    """Return how many accounts stand before an id, by binary search, which ends having read the
    accounts on both sides.
    """
    return bisect_left(range(len(ledger)), canonical_id.encode(), key=ledger.account_id)


def ledger_digest(ledger: Ledger) -> bytes:
    """Return the 32-byte digest of a ledger (``spec/protocol.md`` 2.4).

    The tagged hash of ``lp(id type) || u64 accounts || lp(id) of each account``, then for each
    asset ``lp(code) || u8 decimals || u64 holders``, and of each holder ``u64 number of the account
    || u64 balance``; all big-endian, ``lp`` being a u32 length and the bytes.

    Raises:
        ValueError: offsets do not ascend, or end beyond the ids, as in damaged files.
    """
    prefix = hashlib.sha256(tag("ledger")).digest()
    digest = hashlib.sha256(prefix + prefix)
    digest.update(length_prefixed(ledger.id_type.encode()) + len(ledger).to_bytes(8, "big"))
    for start, stop in _pieces(len(ledger)):
        digest.update(_prefixed_ids(ledger, start, stop))
    for asset in ledger.assets:
        balances = ledger.balances[asset.code]
        digest.update(length_prefixed(asset.code.encode()) + asset.decimals.to_bytes(1, "big"))
        digest.update(len(balances).to_bytes(8, "big"))
        for start, stop in _pieces(len(balances)):
            entries = np.empty(stop - start, _ENTRY)
            entries["holder"] = balances.holders[start:stop]
            entries["units"] = balances.units[start:stop]
            digest.update(entries.tobytes())
    return digest.digest()


def _pieces(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, _PIECE_ACCOUNTS):
        yield start, min(start + _PIECE_ACCOUNTS, count)


def _prefixed_ids(ledger: Ledger, start: int, stop: int) -> memoryview:
    """Return ``lp(id)`` of accounts ``start`` to ``stop - 1``, one behind the other."""
    offsets = ledger.offsets[start : stop + 1].astype(np.int64)
    lengths = np.diff(offsets)
    if offsets[0] < 0 or np.any(lengths < 0) or offsets[-1] > len(ledger.ids):
        raise ValueError("ids that are not where their offsets say")
    prefixes = (offsets[:-1] - offsets[0] + 4 * np.arange(stop - start))[:, None] + np.arange(4)
    out = np.empty(offsets[-1] - offsets[0] + prefixes.size, dtype=np.uint8)
    is_id = np.ones(len(out), dtype=np.bool_)
    is_id[prefixes] = False
    out[is_id] = ledger.ids[offsets[0] : offsets[-1]]
    out[prefixes] = lengths.astype(">u4").view(np.uint8).reshape(-1, 4)
    return out.data
