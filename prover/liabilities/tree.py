"""The tree of one asset: its pages, level by level, and the arguments that prove them.

*Committing* makes the public pages, and beside those of level 0 the private files of all leaves in
the order of the tree: ``amounts`` (u64), ``identities`` (32 bytes) and, one for every sixteen
leaves, the ``blindings`` of vectors (32 bytes). What every page's sum opens to stands apart, in a
file a level: whoever makes packages needs the former and may not have the latter. Nothing of an
interrupted run is used: what stands here is whole, and synced, before it is believed.

*Arguing* proves pages that stand, in chunks that are written as they come and synced once at the
end, with the whole bundle. So a crash may leave anything in these files, and nothing of it is
believed: the next run keeps the longest run of whole chunks that a verifier accepts, cuts the file
there and goes on. Nonces are derived, so that the bytes come out the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import numpy.typing as npt

import native
from prover.errors import Damaged
from prover.files.columns import U64, Bytes, map_column, map_rows
from prover.liabilities.leaves import Leaves
from verifier.format.params import FAN, ID_BYTES, POINT_BYTES, VECTOR_SLOTS, TreeShape
from verifier.ordered import in_order

# Entries that one native call handles: whole pages of any size. More leave the cache, and keep
# threads waiting at the end of an asset.
CHUNK_ENTRIES = 1 << 15

# Chunks that are proved in one call: of more pages together the check costs less.
ARGUED_CHUNKS = 4

# Leaves made at a time, 40 bytes each: whole chunks. Memory holds three bands: two whose last and
# first chunks are committed to, and one that is being made.
BAND_LEAVES = 1 << 22

# What the sum of a page opens to.
OPENED_SUM = np.dtype([("value", "u8"), ("blinding", "u1", 32)])
OpenedSums = npt.NDArray[np.void]

# Told of the leaves or entries done since it was last called.
Advance = Callable[[int], None]


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

    amounts: U64
    identities: Bytes
    blindings: Bytes

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


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive pages of a level, ``first`` to ``stop - 1``, and their entries, ``begin`` to
    ``end - 1``.
    """

    first: int
    stop: int
    begin: int
    end: int

    def pages(self, shape: TreeShape, level: int) -> slice:
        """Return where in their file the pages stand."""
        size = shape.page_bytes(level, 0)
        return slice(size * self.first, min(size * self.stop, shape.pages_file_bytes(level)))

    def arguments(self, shape: TreeShape, level: int) -> slice:
        """Return where in their file the arguments of the pages stand."""
        size = shape.argument_bytes(level, 0)
        return slice(size * self.first, min(size * self.stop, shape.arguments_file_bytes(level)))


def _chunk_pages(page_size: int) -> int:
    return max(1, CHUNK_ENTRIES // page_size)


def page_chunks(shape: TreeShape, level: int, times: int = 1) -> list[Chunk]:
    """Cut the pages of a level into chunks, ``times`` as large as they are elsewhere."""
    size = shape.page_size if level == 0 else FAN
    pages, entries, step = shape.pages(level), shape.entries(level), times * _chunk_pages(size)
    return [
        Chunk(first, stop, first * size, min(stop * size, entries))
        for first in range(0, pages, step)
        for stop in (min(first + step, pages),)
    ]


def entries_of(shape: TreeShape) -> int:
    """Return how many entries the pages of all levels have."""
    return sum(shape.entries(level) for level in range(shape.levels))


def commit_tree(
    tree: native.Tree,
    leaves: Leaves,
    padding_key: bytes,
    secret: bytes,
    salt: bytes,
    files: TreeFiles,
    jobs: int,
    advance: Advance,
) -> None:
    """Write the pages of all levels, the files of leaves, and what all sums open to.

    ``secret`` is the entries secret. What an interrupted run left is written over.

    Raises:
        ProverError: a file of the parts is damaged: a page's amounts are too large.
    """
    for folder in (files.pages, files.leaves, files.sums):
        folder.mkdir(parents=True, exist_ok=True)
    shape = shape_of(tree)
    made = _commit_leaves(tree, leaves, padding_key, secret, salt, files, jobs)
    for level in range(shape.levels):
        ids, sums, left = [], [], shape.entries(level)
        with (
            closing(made),
            (files.pages / str(level)).open("wb") as pages,
            (files.sums / str(level)).open("wb") as opened,
        ):
            for committed in made:
                pages.write(committed.pages)
                opened.write(opened_by(committed, files).tobytes())
                ids.append(committed.ids)
                sums.append(committed.sums)
                done = min(left, len(committed.ids) // ID_BYTES * shape.count(level, 0))
                advance(done)
                left -= done
        if level + 1 < shape.levels:
            below = files.opened_sums(shape, level)
            made = commit_sums(tree, level + 1, b"".join(ids), b"".join(sums), below, jobs)


def _commit_leaves(
    tree: native.Tree,
    leaves: Leaves,
    padding_key: bytes,
    secret: bytes,
    salt: bytes,
    files: TreeFiles,
    jobs: int,
) -> Generator[native.Committed, None, None]:
    """Yield the pages of level 0, chunk by chunk; write the files of leaves beside."""

    def commit(chunk: tuple[int, U64, Bytes]) -> tuple[U64, Bytes, native.Committed]:
        begin, amounts, identities = chunk
        first = begin // tree.page_size
        committed = native.leaves_commit(tree, first, amounts.data, identities.data, secret, salt)
        return amounts, identities, committed

    chunks = _chunks(leaves, padding_key, jobs)
    with (
        (files.leaves / "amounts").open("wb") as all_amounts,
        (files.leaves / "identities").open("wb") as all_identities,
        (files.leaves / "blindings").open("wb") as all_blindings,
    ):
        for amounts, identities, committed in in_order(commit, chunks, jobs):
            all_amounts.write(amounts.data)
            all_identities.write(identities.data)
            all_blindings.write(committed.vector_blindings)
            yield committed


def _chunks(leaves: Leaves, padding_key: bytes, jobs: int) -> Iterator[tuple[int, U64, Bytes]]:
    """Cut all leaves into chunks of (number of the first, amounts, identities); while one band is
    used, the next is made.
    """
    starts, page_size = range(0, len(leaves), BAND_LEAVES), leaves.parts.shape.page_size
    size = _chunk_pages(page_size) * page_size

    def make(start: int) -> tuple[U64, Bytes]:
        end = min(start + BAND_LEAVES, len(leaves))
        return leaves.band(start, end, padding_key, jobs)

    with closing(in_order(make, starts, 1)) as bands:
        for start, (amounts, identities) in zip(starts, bands, strict=True):
            for at in range(0, len(amounts), size):
                mine = slice(at, at + size)
                yield start + at, amounts[mine], identities[mine]


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

    return in_order(commit, page_chunks(shape_of(tree), level), jobs)


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


def argue_tree(
    tree: native.Tree, secret: bytes, salt: bytes, files: TreeFiles, jobs: int, advance: Advance
) -> None:
    """Prove the pages of all levels: finish the files of arguments.

    ``secret`` is the argument secret. What an interrupted run left in the files is used.

    Raises:
        Damaged: pages and private files are not of each other.
    """
    files.arguments.mkdir(parents=True, exist_ok=True)
    try:
        for level in range(tree.levels):
            _argue_level(tree, level, secret, salt, files, jobs, advance)
    except native.Damaged:
        raise Damaged(f"{files.leaves}: damaged, or not of the pages in {files.pages}") from None


def _argue_level(
    tree: native.Tree,
    level: int,
    secret: bytes,
    salt: bytes,
    files: TreeFiles,
    jobs: int,
    advance: Advance,
) -> None:
    """Finish the file of one level's arguments."""
    shape, path = shape_of(tree), files.arguments / str(level)
    pages, chunks = map_pages(files, shape, level), page_chunks(shape, level, ARGUED_CHUNKS)
    if level == 0:
        leaves = LeafFiles.load(files.leaves, shape.leaves)
        values, blindings, slots = leaves.amounts, leaves.blindings, VECTOR_SLOTS
        own = columns_of(files.opened_sums(shape, 0))[1]
    else:
        (values, blindings), slots = columns_of(files.opened_sums(shape, level - 1)), 1
        own = np.empty((0, ID_BYTES), np.uint8)

    def argue(chunk: Chunk) -> tuple[Chunk, bytes]:
        return chunk, native.pages_argue(
            tree,
            level,
            chunk.first,
            pages[chunk.pages(shape, level)].data,
            values[chunk.begin : chunk.end].data,
            blindings[chunk.begin // slots : chunk.end // slots].data,
            own[chunk.first : chunk.stop].data,
            secret,
            salt,
        )

    path.touch()
    kept = _count_true(tree, level, chunks, pages, map_column(path, np.uint8), jobs)
    with path.open("r+b") as file:
        file.truncate(chunks[kept - 1].arguments(shape, level).stop if kept else 0)
        file.seek(0, os.SEEK_END)
        advance(sum(chunk.end - chunk.begin for chunk in chunks[:kept]))
        for chunk, arguments in in_order(argue, chunks[kept:], jobs):
            file.write(arguments)
            advance(chunk.end - chunk.begin)


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


def _count_true(
    tree: native.Tree, level: int, chunks: list[Chunk], pages: Bytes, arguments: Bytes, jobs: int
) -> int:
    """Return how many chunks, from the first on, have arguments that a verifier accepts."""
    shape = shape_of(tree)

    def is_true(chunk: Chunk) -> bool:
        mine = chunk.arguments(shape, level)
        if mine.stop > len(arguments):
            return False
        proved = pages[chunk.pages(shape, level)]
        try:
            native.pages_check(tree, level, chunk.first, proved.data, arguments[mine].data)
        except native.Rejected:
            return False
        return True

    with closing(in_order(is_true, chunks, jobs)) as verdicts:
        return sum(1 for _ in takewhile(bool, verdicts))
