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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

import native
from prover.errors import Damaged
from prover.files.columns import U32, U64, Bytes, map_end, map_items
from prover.files.pieces import copy_piece, write_piece
from prover.ledger.ledger import Balances
from prover.liabilities.plan import account_pieces, split_pieces
from prover.liabilities.shape import choose_shape
from verifier.format.params import TreeShape

if TYPE_CHECKING:
    from prover.config.snapshot_toml import AssetConfig, SplitPolicy

SIZES = "sizes"
_FIRST = "first"
_AMOUNTS = "amounts"
POSITIONS = "positions"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one asset with their leaves: columns of the files that the head describes.

    ``begin`` is where its positions begin in their file. There may be none yet.
    """

    first: U64
    amounts: U64
    positions: U32
    shape: TreeShape
    begin: int


def load_parts(folder: Path) -> Iterator[Parts]:
    """Map what `join_splits` wrote, and what was placed, asset by asset, read-only.

    Raises:
        Damaged: a file has another length than the sizes say.
    """
    data = (folder / SIZES).read_bytes()
    if len(data) % (4 * 8):
        raise Damaged(f"{folder / SIZES}: damaged: not 32 bytes an asset")
    sizes = np.frombuffer(data, np.uint64).reshape(-1, 4)
    first = map_items(folder / _FIRST, np.uint64, int(sizes[:, 0].sum()))
    amounts = map_items(folder / _AMOUNTS, np.uint64, int(sizes[:, 1].sum()))
    leaves = int((sizes[:, 2] * sizes[:, 3]).sum())
    positions = map_items(folder / POSITIONS, np.uint32, leaves)
    a = b = c = 0
    for bounds, parts, capacity, page_size in sizes.tolist():
        shape = TreeShape(capacity, page_size)
        yield Parts(
            first[a : a + bounds],
            amounts[b : b + parts],
            positions[c : c + shape.leaves],
            shape,
            c,
        )
        a, b, c = a + bounds, b + parts, c + shape.leaves


@dataclass(frozen=True)
class Splitting:
    """What is needed to split the balances of all assets, which are in one order.

    account_keys has a row of 32 bytes for every account; folder: where the pieces go.
    """

    codes: Sequence[str]
    policies: Sequence[SplitPolicy]
    balances: Sequence[Balances]
    account_keys: Bytes
    folder: Path
    durable: bool

    @cached_property
    def pieces(self) -> list[tuple[int, int, int]]:
        """The number of an asset, and of the first and behind the last of its holders, by task."""
        return [
            (asset, start, stop)
            for asset, balances in enumerate(self.balances)
            for start, stop in split_pieces(len(balances))
        ]

    def piece(self, number: int) -> Path:
        """Return where the result of a task is: u64 amounts of all parts, u32 parts a holder."""
        return self.folder / str(number)


def split_piece(splitting: Splitting, number: int) -> None:
    """Split the balances of some holders of an asset."""
    path, (asset, start, stop) = splitting.piece(number), splitting.pieces[number]
    if path.exists():
        return
    code, policy = splitting.codes[asset].encode(), splitting.policies[asset]
    balances = splitting.balances[asset]
    made = []
    for begin, end in account_pieces(stop - start):
        mine = slice(start + begin, start + end)
        keys = splitting.account_keys.take(balances.holders[mine], axis=0)
        units = balances.units[mine]
        made.append(native.split(keys.data, units.data, code, policy.least, policy.most))
    write_piece(
        path,
        [*(amounts for _, amounts in made), *(counts for counts, _ in made)],
        durable=splitting.durable,
    )


def join_splits(
    folder: Path,
    splitting: Splitting,
    assets: Sequence[AssetConfig],
    page_size: int | None,
    previous: Sequence[int],
) -> None:
    """Write the files of ``folder`` but for the positions, for which there is room, from what was
    split.

    ``page_size`` and ``previous``, one of each asset, are those of `choose_shape`.

    Raises:
        ProverError: see `choose_shape`.
    """
    sizes, leaves, numbers = [], 0, iter(range(len(splitting.pieces)))
    with (folder / _AMOUNTS).open("wb") as amounts, (folder / _FIRST).open("wb") as bounds:
        for asset, balances, least in zip(assets, splitting.balances, previous, strict=True):
            first = np.zeros(len(balances) + 1, np.uint64)
            for start, stop in split_pieces(len(balances)):
                _join_piece(amounts, first[start + 1 : stop + 1], splitting.piece(next(numbers)))
            np.cumsum(first, out=first)
            bounds.write(first.data)
            parts = int(first[-1])
            shape = choose_shape(asset.code, parts, page_size, asset.capacity, least)
            sizes.append((len(first), parts, shape.capacity, shape.page_size))
            leaves += shape.leaves
    (folder / SIZES).write_bytes(np.array(sizes, np.uint64).data)
    with (folder / POSITIONS).open("wb") as positions:
        positions.truncate(4 * leaves)


def _join_piece(amounts: BinaryIO, counts: U64, path: Path) -> None:
    length = path.stat().st_size - 4 * len(counts)
    copy_piece(amounts, path, 0, length)
    counts[:] = map_end(path, np.uint32, len(counts))
