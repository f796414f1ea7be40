"""The leaves of one asset: every balance split into parts, and where each part stands in the tree.

The result, the *openings*, is flat files, private and memory-mapped ever after, in which one asset
stands behind the other:

- ``first``: u64, holders + 1: the parts of holder i are numbers first[i] to first[i + 1] - 1;
- ``amounts``: u64, one a part, in ledger units;
- ``positions``: u32, one a leaf of the tree: first the leaf index of every part, then those of the
  zero leaves that fill the tree;
- ``sizes``: u64, how many items of each of these three an asset has.

They are a function of ledger, parameters, keys and salt alone (``spec/protocol.md`` 2.4): pieces
and threads cannot be seen in them. Items are in the machine's byte order, for this machine alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

import native
from prover.config.snapshot_toml import AssetConfig
from prover.ledger.ledger import Balances
from prover.liabilities.capacity import choose_capacity
from prover.liabilities.derivation import derive
from verifier.ordered import in_order

Item = TypeVar("Item", bound=np.generic)

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

# Accounts or leaves that one native call handles: a few MB of buffers.
PIECE = 1 << 16


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


@dataclass(frozen=True, slots=True)
class Openings:
    """The openings of one asset, columns of the files that the head of this one describes."""

    first: U64
    amounts: U64
    positions: U32


def load_openings(folder: Path) -> Iterator[Openings]:
    """Map what `write_openings` wrote, asset by asset, in the order of the calls, read-only."""
    first = map_column(folder / "first", np.uint64)
    amounts = map_column(folder / "amounts", np.uint64)
    positions = map_column(folder / "positions", np.uint32)
    sizes = np.fromfile(folder / "sizes", np.uint64).reshape(-1, 3)
    a = b = c = 0
    for bounds, parts, leaves in sizes.tolist():
        yield Openings(first[a : a + bounds], amounts[b : b + parts], positions[c : c + leaves])
        a, b, c = a + bounds, b + parts, c + leaves


def map_column(path: Path, kind: type[Item]) -> npt.NDArray[Item]:
    """Map a flat file of fixed-size items into memory, read-only; an empty file is no items."""
    return _map_end(path, kind, path.stat().st_size // np.dtype(kind).itemsize)


def _map_end(path: Path, kind: type[Item], items: int) -> npt.NDArray[Item]:
    """Map the last items of such a file."""
    if not items:
        return np.empty(0, kind)
    offset = path.stat().st_size - items * np.dtype(kind).itemsize
    # A plain array is cut faster.
    return np.asarray(np.memmap(path, dtype=kind, mode="r", offset=offset, shape=(items,)))


def pieces(count: int) -> list[tuple[int, int]]:
    """Cut 0 to ``count`` into consecutive ranges of at most `PIECE`."""
    return [(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]


def write_account_keys(
    file: BinaryIO, snapshot_key: bytes, ids: Bytes, offsets: U64, jobs: int
) -> None:
    """Write the 32-byte key of every account, one after another."""

    def derive_piece(piece: tuple[int, int]) -> bytes:
        start, stop = piece
        return native.account_keys(snapshot_key, ids.data, offsets[start : stop + 1].data)

    for keys in in_order(derive_piece, pieces(len(offsets) - 1), jobs):
        file.write(keys)


def write_openings(
    folder: Path,
    asset: AssetConfig,
    accounts: Accounts,
    balances: Balances,
    snapshot_key: bytes,
    page_size: int,
    jobs: int,
    previous_pages: int = 0,
) -> Openings:
    """Split all balances of an asset and place the parts: append to the files of ``folder``.

    Returns what was written, mapped. ``previous_pages`` is the room of the snapshot before, which a
    capacity that is left to be chosen does not fall below.

    Raises:
        ProverError: the declared capacity, or the largest there is, does not hold the parts.
    """
    code = asset.code.encode()
    first = np.zeros(len(balances) + 1, np.uint64)

    def split_piece(piece: tuple[int, int]) -> bytes:
        start, stop = piece
        keys = accounts.keys[balances.holders[start:stop]]
        units = balances.units[start:stop]
        made, amounts = native.split(
            keys.data, units.data, code, asset.split.least, asset.split.most
        )
        first[start + 1 : stop + 1] = np.frombuffer(made, np.uint32)
        return amounts

    with (folder / "amounts").open("ab") as file:
        for amounts in in_order(split_piece, pieces(len(balances)), jobs):
            file.write(amounts)
    np.cumsum(first, out=first)
    capacity = choose_capacity(
        asset.code, int(first[-1]), page_size, asset.capacity, previous_pages
    )
    key = derive(snapshot_key, "shuffle", code)
    parts, leaves = int(first[-1]), capacity * page_size
    for name, items in (
        ("first", first.data),
        ("positions", native.order(key, leaves)),
        ("sizes", np.array([len(first), parts, leaves], np.uint64).data),
    ):
        with (folder / name).open("ab") as file:
            file.write(items)
    return Openings(
        _map_end(folder / "first", np.uint64, len(first)),
        _map_end(folder / "amounts", np.uint64, parts),
        _map_end(folder / "positions", np.uint32, leaves),
    )


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of one asset, made band by band in the order of the tree.

    What stands in a band is derived as it is asked for, so that memory holds a band, not the tree.
    """

    accounts: Accounts
    holders: U32
    openings: Openings
    code: str
    context: bytes
    padding_key: bytes

    def __len__(self) -> int:
        return len(self.openings.positions)

    def band(self, begin: int, end: int, jobs: int) -> tuple[U64, Bytes]:
        """Return amount and blinding (rows of 32 bytes) of leaves ``begin`` to ``end - 1``."""
        amounts = np.zeros(end - begin, np.uint64)
        blindings = np.empty((end - begin, 32), np.uint8)
        parts = len(self.openings.amounts)

        def place_parts(piece: tuple[int, int]) -> None:
            start, stop = piece
            first = self.openings.first[start : stop + 1]
            mine = slice(int(first[0]), int(first[-1]))
            native.place_leaves(
                amounts.data,
                blindings.data,
                begin,
                self.openings.positions[mine].data,
                self.openings.amounts[mine].data,
                first.data,
                self.holders[start:stop].data,
                self.accounts.keys.data,
                self.accounts.ids.data,
                self.accounts.offsets.data,
                self.context,
                self.code.encode(),
            )

        def place_padding(piece: tuple[int, int]) -> None:
            start, stop = piece
            positions = self.openings.positions[parts + start : parts + stop]
            native.place_padding(blindings.data, begin, positions.data, self.padding_key, start)

        for _ in in_order(place_parts, pieces(len(self.holders)), jobs):
            pass
        for _ in in_order(place_padding, pieces(len(self) - parts), jobs):
            pass
        return amounts, blindings
