"""The parts that balances are split into, and the leaf of each.

The result is flat files, private and memory-mapped ever after, in which one asset stands behind the
other:

- ``first``: u64, holders + 1: the parts of holder i are numbers first[i] to first[i + 1] - 1;
- ``amounts``: u64, one a part, in ledger units;
- ``positions``: u32, one a leaf of the tree: first the leaf index of every part, then those of the
  padding leaves that fill the tree;
- ``sizes``: u64, how many items of the first two an asset has, and capacity and page size of its
  tree.

They are a function of ledger, parameters, keys and salt alone (``spec/protocol.md`` 2.4): pieces
and threads cannot be seen in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import native
from prover.errors import Damaged
from prover.files.columns import U32, U64, Bytes, map_end, map_items
from prover.ledger.ledger import Balances
from prover.liabilities.derivation import derive
from prover.liabilities.shape import choose_shape
from verifier.format.params import TreeShape
from verifier.ordered import in_order

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig

# Accounts or leaves that one native call handles: a few MB of buffers.
PIECE = 1 << 16

SIZES = "sizes"


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of one asset, of every holder in turn, and the shape of the tree for them."""

    first: U64
    amounts: U64
    shape: TreeShape


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one asset with their leaves: columns of the files that the head describes."""

    first: U64
    amounts: U64
    positions: U32
    shape: TreeShape


def load_parts(folder: Path) -> Iterator[Parts]:
    """Map what `write_split` and `write_positions` wrote, asset by asset, in the order of the
    calls, read-only.

    Raises:
        Damaged: a file has another length than the sizes say.
    """
    data = (folder / SIZES).read_bytes()
    if len(data) % (4 * 8):
        raise Damaged(f"{folder / SIZES}: damaged: not 32 bytes an asset")
    sizes = np.frombuffer(data, np.uint64).reshape(-1, 4)
    first = map_items(folder / "first", np.uint64, int(sizes[:, 0].sum()))
    amounts = map_items(folder / "amounts", np.uint64, int(sizes[:, 1].sum()))
    leaves = int((sizes[:, 2] * sizes[:, 3]).sum())
    positions = map_items(folder / "positions", np.uint32, leaves)
    a = b = c = 0
    for bounds, parts, capacity, page_size in sizes.tolist():
        shape = TreeShape(capacity, page_size)
        yield Parts(
            first[a : a + bounds],
            amounts[b : b + parts],
            positions[c : c + shape.leaves],
            shape,
        )
        a, b, c = a + bounds, b + parts, c + shape.leaves


def pieces(count: int) -> list[tuple[int, int]]:
    """Cut 0 to ``count`` into consecutive ranges of at most `PIECE`."""
    return [(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]


def write_split(
    folder: Path,
    asset: AssetConfig,
    account_keys: Bytes,
    balances: Balances,
    page_size: int | None,
    jobs: int,
    previous: int = 0,
) -> Split:
    """Split all balances of an asset: append to the files of ``folder``.

    ``account_keys`` has a row of 32 bytes for every account; ``page_size`` and ``previous`` are
    those of `choose_shape`. Returns what was written, mapped.

    Raises:
        ProverError: see `choose_shape`.
    """
    code = asset.code.encode()
    first = np.zeros(len(balances) + 1, np.uint64)

    def split_piece(piece: tuple[int, int]) -> bytes:
        start, stop = piece
        keys = account_keys.take(balances.holders[start:stop], axis=0)
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
    parts = int(first[-1])
    shape = choose_shape(asset.code, parts, page_size, asset.capacity, previous)
    sizes = np.array([len(first), parts, shape.capacity, shape.page_size], np.uint64)
    for name, items in (("first", first), (SIZES, sizes)):
        with (folder / name).open("ab") as file:
            file.write(items.data)
    return Split(
        map_end(folder / "first", np.uint64, len(first)),
        map_end(folder / "amounts", np.uint64, parts),
        shape,
    )


def write_positions(folder: Path, code: str, split: Split, snapshot_key: bytes) -> Parts:
    """Place all leaves of an asset: append to the file of ``folder``; return its parts."""
    key, path = derive(snapshot_key, "shuffle", code.encode()), folder / "positions"
    with path.open("ab") as file:
        file.write(native.order(key, split.shape.leaves))
    positions = map_end(path, np.uint32, split.shape.leaves)
    return Parts(split.first, split.amounts, positions, split.shape)
