"""The leaves of one asset: the amount and the identity that stand at each place of the tree.

They are a function of parts, accounts, keys and context alone (``spec/protocol.md`` 2.2 and 2.4):
pieces, bands and threads cannot be seen in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

import native
from prover.files.columns import U32, U64, Bytes
from prover.liabilities.parts import Parts, pieces
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

    for keys in in_order(derive_piece, pieces(len(offsets) - 1), jobs):
        file.write(keys)


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of one asset, made band by band in the order of the tree.

    What stands in a band is derived as it is asked for, so that memory holds a band, not the tree.
    holders: the numbers of the accounts that hold the asset.
    """

    accounts: Accounts
    holders: U32
    parts: Parts
    code: str
    context: bytes

    def __len__(self) -> int:
        return self.parts.shape.leaves

    def band(self, begin: int, end: int, padding_key: bytes, jobs: int) -> tuple[U64, Bytes]:
        """Return amount and identity (rows of 32 bytes) of leaves ``begin`` to ``end - 1``."""
        amounts = np.zeros(end - begin, np.uint64)
        identities = np.empty((end - begin, 32), np.uint8)
        self.place_parts(amounts, identities, begin, jobs)
        parts = len(self.parts.amounts)

        def place_padding(piece: tuple[int, int]) -> None:
            start, stop = piece
            positions = self.parts.positions[parts + start : parts + stop]
            native.place_padding(identities.data, begin, positions.data, padding_key, start)

        for _ in in_order(place_padding, pieces(len(self) - parts), jobs):
            pass
        return amounts, identities

    def place_parts(self, amounts: U64, identities: Bytes, begin: int, jobs: int) -> None:
        """Write what stands for parts into a band that begins at leaf ``begin``; see `band`."""

        def place(piece: tuple[int, int]) -> None:
            start, stop = piece
            first = self.parts.first[start : stop + 1]
            mine = slice(int(first[0]), int(first[-1]))
            native.place_leaves(
                amounts.data,
                identities.data,
                begin,
                self.parts.positions[mine].data,
                self.parts.amounts[mine].data,
                first.data,
                self.holders[start:stop].data,
                self.accounts.keys.data,
                self.accounts.ids.data,
                self.accounts.offsets.data,
                self.context,
                self.code.encode(),
            )

        for _ in in_order(place, pieces(len(self.holders)), jobs):
            pass
