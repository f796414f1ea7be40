"""The leaves of one asset: the amount and the identity that stand at each place of the tree.

They are a function of parts, accounts, keys and context alone (``spec/protocol.md`` 2.2 and 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

import native
from prover.files.columns import U32, U64, Bytes
from prover.liabilities.parts import Parts
from prover.liabilities.plan import account_pieces
from verifier.ordered import in_order


@dataclass(frozen=True, slots=True)
class Accounts:
    """The columns of all accounts that leaves are derived from, ascending by id.

    ids: the canonical ids as UTF-8, one after another; offsets: u64, accounts + 1; keys: accounts
    rows of 32 bytes.
    """

    ids: Bytes
    offsets: U64
    keys: Bytes

    def __len__(self) -> int:
        return len(self.keys)


def write_account_keys(
    file: BinaryIO, snapshot_key: bytes, ids: Bytes, offsets: U64, jobs: int
) -> None:
    """Write the 32-byte key of every account, one after another."""

    def derive_piece(piece: tuple[int, int]) -> bytes:
        start, stop = piece
        return native.account_keys(snapshot_key, ids.data, offsets[start : stop + 1].data)

    for keys in in_order(derive_piece, account_pieces(len(offsets) - 1), jobs):
        file.write(keys)


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of one asset.

    holders: the numbers of the accounts that hold the asset; context: 32 bytes.
    """

    accounts: Accounts
    holders: U32
    parts: Parts
    code: str
    context: bytes

    def identities(self, start: int, stop: int) -> Bytes:
        """Return the identities, rows of 32 bytes, of the parts of the holders of numbers ``start``
        to ``stop - 1``.
        """
        count = int(self.parts.first[stop] - self.parts.first[start])
        made = np.empty((count, 32), np.uint8)
        self.place(np.empty(count, np.uint64), made, np.arange(count, dtype=np.uint32), start, stop)
        return made

    def place(self, amounts: U64, identities: Bytes, places: U32, start: int, stop: int) -> None:
        """Write amounts and identities (rows of 32 bytes) of the parts of these holders at
        ``places``.
        """
        first = self.parts.first[start : stop + 1]
        native.place_leaves(
            amounts.data,
            identities.data,
            places.data,
            self.parts.amounts[int(first[0]) : int(first[-1])].data,
            first.data,
            self.holders[start:stop].data,
            self.accounts.keys.data,
            self.accounts.ids.data,
            self.accounts.offsets.data,
            self.context,
            self.code.encode(),
        )
