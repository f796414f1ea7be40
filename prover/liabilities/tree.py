"""The tree of one asset in its files: pages and arguments, public, and their private side.

Beside the pages of level 0 stand the private files of all leaves in the order of the tree:
``amounts`` (u64), ``identities`` (32 bytes) and, one for every sixteen leaves, the ``blindings`` of
vectors (32 bytes). What every page's sum opens to stands apart, in a file a level: whoever makes
packages needs the former and may not have the latter. `prover.liabilities.stages` makes all of it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

import native
from prover.errors import Damaged
from prover.files.columns import U64, Bytes, map_column, map_rows
from prover.liabilities.plan import Chunk, chunks
from verifier.format.params import ID_BYTES, POINT_BYTES, VECTOR_SLOTS, TreeShape
from verifier.ordered import in_order

# What the sum of a page opens to.
OPENED_SUM = np.dtype([("value", "u8"), ("blinding", "u1", 32)])
OpenedSums = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class TreeFiles:
    """The folders of one asset's files: pages and arguments, public, a file for every level;
    leaves, private; sums, private, what the sum of every page opens to, a file for every level.
    """

    pages: Path
    arguments: Path
    leaves: Path
    sums: Path

    def opened_sums(self, shape: TreeShape, level: int) -> OpenedSums:
        """Map what the sums of a level's pages open to.

        Raises:
            Damaged: the file has another length.
        """
        rows = map_rows(self.sums / str(level), shape.pages(level), OPENED_SUM.itemsize)
        return rows.view(OPENED_SUM).reshape(-1)


@dataclass(frozen=True, slots=True)
class LeafFiles:
    """The private files of all leaves of an asset, mapped, in the order of the tree.

    amounts: u64; identities: rows of 32 bytes; blindings: rows of 32 bytes, one a vector.
    """

    NAMES: ClassVar = ("amounts", "identities", "blindings")

    amounts: U64
    identities: Bytes
    blindings: Bytes

    @staticmethod
    def lengths(leaves: int) -> tuple[int, int, int]:
        """Return the bytes of each file, of so many leaves."""
        return 8 * leaves, 32 * leaves, 32 * leaves // VECTOR_SLOTS

    @classmethod
    def load(cls, folder: Path, leaves: int) -> LeafFiles:
        """Map the files of ``leaves`` leaves.

        Raises:
            Damaged: they are not of that many.
            OSError: one is missing.
        """
        return cls(
            map_rows(folder / "amounts", leaves, 8).view(np.uint64).reshape(-1),
            map_rows(folder / "identities", leaves),
            map_rows(folder / "blindings", leaves // VECTOR_SLOTS),
        )


@dataclass(frozen=True, slots=True)
class Root:
    """The root page: its id, its sum ``C_L`` (33 bytes), and the opening of that sum."""

    id: bytes
    sum: bytes
    value: int
    blinding: bytes


def shape_of(tree: native.Tree) -> TreeShape:
    """Return the shape of a tree."""
    return TreeShape(tree.capacity, tree.page_size)


def entries_of(shape: TreeShape) -> int:
    """Return how many entries the pages of all levels have."""
    return sum(shape.entries(level) for level in range(shape.levels))


def commit_sums(
    tree: native.Tree, level: int, ids: bytes, sums: bytes, opened: OpenedSums, jobs: int
) -> Generator[native.Committed, None, None]:
    """Yield the pages of a level above 0, chunk by chunk, over all pages of the level below: their
    ids, sums, and what the sums open to.
    """
    values, blindings = columns_of(opened)

    def commit(chunk: Chunk) -> native.Committed:
        return native.sums_commit(
            tree,
            level,
            chunk.first,
            ids[ID_BYTES * chunk.begin : ID_BYTES * chunk.end],
            sums[POINT_BYTES * chunk.begin : POINT_BYTES * chunk.end],
            values[chunk.begin : chunk.end].data,
            blindings[chunk.begin : chunk.end].data,
        )

    return in_order(commit, chunks(shape_of(tree), level), jobs)


def opened_by(committed: native.Committed, files: TreeFiles) -> OpenedSums:
    """Return what the sums of pages open to.

    Raises:
        Damaged: one is no u64, as that of a ledger's balances always is.
    """
    values = np.frombuffer(committed.sum_values, np.uint64).reshape(-1, 2)
    if values[:, 1].any():
        raise Damaged(f"{files.leaves}: damaged: its amounts are more than any ledger has")
    opened = np.empty(len(values), OPENED_SUM)
    opened["value"] = values[:, 0]
    opened["blinding"] = np.frombuffer(committed.sum_blindings, np.uint8).reshape(-1, 32)
    return opened


def columns_of(opened: OpenedSums) -> tuple[U64, Bytes]:
    """Return values and blinding factors (rows of 32 bytes) as columns of their own."""
    return np.ascontiguousarray(opened["value"]), np.ascontiguousarray(opened["blinding"])


def read_root(tree: native.Tree, files: TreeFiles) -> Root:
    """Return the root of a tree that is committed to."""
    level = tree.levels - 1
    page = (files.pages / str(level)).read_bytes()
    id, sum = native.pages_check(tree, level, 0, page, None)
    (opened,) = files.opened_sums(shape_of(tree), level)
    return Root(id, sum, int(opened["value"]), opened["blinding"].tobytes())


def map_pages(files: TreeFiles, shape: TreeShape, level: int) -> Bytes:
    """Map the file of a level's pages.

    Raises:
        Damaged: it has another length than it should.
    """
    path = files.pages / str(level)
    pages = map_column(path, np.uint8)
    if len(pages) != shape.pages_file_bytes(level):
        raise Damaged(f"{path}: damaged: not {shape.pages_file_bytes(level):,} bytes")
    return pages
