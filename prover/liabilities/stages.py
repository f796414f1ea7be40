"""From the parts of an asset to its tree, proved, in stages of tasks that any engine may run.

A task is a function of an asset's `Work` and a number. It reads files that stages before it wrote,
and writes one, whole (`prover.files.pieces`). What it needs but must not say to an engine, keys and
paths apart, is in `Work`, which is never sent: see there.

*Committing* makes the public pages and their private side (`prover.liabilities.tree`):

| stage | task | writes |
|---|---|---|
| sort | range of leaves | their sort keys by group, and how many each group has |
| rank | group | the rank of each of its keys among all leaves |
| place | range | where its leaves stand; then their places, amounts and identities by band |
| commit | band | its pages, and what their sums open to; its part of the files of leaves |

and the levels above in the end. *Arguing* proves pages that stand, in chunks. Of an earlier run
arguments alone are used, those that a verifier accepts; nonces are derived, so that the bytes come
out the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

import native
from prover.errors import Damaged
from prover.files.columns import U32, U64, Bytes, map_column
from prover.files.pieces import copy_piece, write_at, write_piece
from prover.files.storage import whole_file
from prover.liabilities.leaves import Leaves
from prover.liabilities.plan import (
    Chunk,
    Plan,
    Range,
    parts_of,
)
from prover.liabilities.tree import (
    OPENED_SUM,
    LeafFiles,
    TreeFiles,
    columns_of,
    commit_sums,
    map_pages,
    opened_by,
)
from verifier.format.params import ID_BYTES, POINT_BYTES, VECTOR_SLOTS, TreeShape
from verifier.ordered import Engine

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Told of the leaves or entries done since it was last called.
Advance = Callable[[int], None]

_SORTED = "sorted"
_RANKS = "ranks"
_POSITIONS = "positions"
_PLACED = "leaves"
_PAGES = "pages"
_SUMS = "sums"
ARGUMENTS = "arguments"
_OF_RANGES = _SORTED, _RANKS, _POSITIONS
_OF_BANDS = _PAGES, _SUMS


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the leaves and pages of an asset are made with, 32 bytes each."""

    shuffle: bytes
    padding: bytes
    entries: bytes
    argument: bytes
    salt: bytes


@dataclass(frozen=True)
class Work:
    """All that the tasks on one asset need.

    positions: the file that positions go to; folder: that of what stages leave to each other;
    reload: what makes the same again of files, elsewhere. A copy that is sent is that and nothing
    more: no key, no balance.
    """

    tree: native.Tree
    leaves: Leaves
    secrets: Secrets
    files: TreeFiles
    positions: Path
    folder: Path
    durable: bool
    reload: Callable[[], Work]

    def __reduce__(self) -> tuple[Callable[[], Work], tuple[()]]:
        """Return how to make the same elsewhere."""
        return self.reload, ()

    @property
    def shape(self) -> TreeShape:
        """The shape of the tree."""
        return self.leaves.parts.shape

    @cached_property
    def plan(self) -> Plan:
        """How the work is cut."""
        return Plan(self.leaves.parts.first, self.shape)

    def piece(self, stage: str, number: int) -> Path:
        """Return where the result of a task is."""
        return self.folder / stage / str(number)

    def write(self, stage: str, number: int, *parts: Any) -> None:
        """Write the result of a task."""
        write_piece(self.piece(stage, number), parts, durable=self.durable)

    def whole(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Give a file that gets its name once it is whole, though two tasks may write it."""
        return whole_file(path, self.folder, durable=self.durable)

    def begin(self, *stages: str) -> None:
        """Make the folders for what stages leave."""
        for stage in stages:
            (self.folder / stage).mkdir(parents=True, exist_ok=True)

    def end(self, *stages: str) -> None:
        """Remove what stages left, which is used."""
        for stage in stages:
            # What a host that was taken for dead writes meanwhile goes with the folder of stages.
            shutil.rmtree(self.folder / stage, ignore_errors=True)

    @cached_property
    def group_counts(self) -> U32:
        """How many leaves of each range (row) are of each group, once all are sorted."""
        return _counts(self, _SORTED, 1 << self.plan.group_bits)

    @cached_property
    def band_counts(self) -> U32:
        """How many leaves of each range (row) are of each band, once all are placed."""
        return _counts(self, _PLACED, len(self.plan.bands))


def _counts(work: Work, stage: str, columns: int) -> U32:
    """Return the counts that stand at the end of the results of ranges."""
    counts = np.empty((len(work.plan.ranges), columns), np.uint32)
    for number, row in enumerate(counts):
        path = work.piece(stage, number)
        _fill(path, (path.stat().st_size - row.nbytes, row))
    return counts


def _fill(path: Path, *wanted: tuple[int, npt.NDArray[Any]]) -> None:
    """Read arrays from a file, each from its byte offset on.

    Raises:
        Damaged: the file is too short for one.
    """
    with path.open("rb") as file:
        for offset, array in wanted:
            file.seek(offset)
            if file.readinto(array.data) != array.nbytes:
                raise Damaged(f"{path}: damaged: shorter than it was written")


def _before(counts: U32) -> npt.NDArray[np.int64]:
    """Return how many stand before each, in its row."""
    return np.cumsum(counts, axis=1, dtype=np.int64) - counts


def commit_tree(work: Work, engine: Engine, advance: Advance) -> None:
    """Write the pages of all levels, the files of leaves, the positions, and what all sums open to.

    Raises:
        ProverError: a file of the parts is damaged: a page's amounts are too large.
    """
    plan, files = work.plan, work.files
    _place_all(work, engine, advance)
    for folder in (files.pages, files.leaves, files.sums):
        folder.mkdir(parents=True, exist_ok=True)
    work.begin(*_OF_BANDS)
    _make_room(files.leaves, work.shape.leaves)
    committing = engine.run(_PAGES, partial(commit_band, work), range(len(plan.bands)))
    for (begin, end), _ in zip(plan.bands, committing, strict=True):
        advance(end - begin)
    _join_pages(work, advance)
    work.end(_PLACED, *_OF_BANDS)


def _place_all(work: Work, engine: Engine, advance: Advance) -> None:
    """Derive all leaves, and write where each stands."""
    ranges, groups = range(len(work.plan.ranges)), range(1 << work.plan.group_bits)
    work.begin(_PLACED, *_OF_RANGES)
    for stage, task, numbers in (
        (_SORTED, sort_range, ranges),
        (_RANKS, rank_group, groups),
        (_PLACED, place_range, ranges),
    ):
        for _ in engine.run(stage, partial(task, work), numbers):
            advance(0)
    _join_positions(work)
    work.end(*_OF_RANGES)


def _make_room(folder: Path, leaves: int) -> None:
    """Make the files of leaves, as long as they will be."""
    for name, length in zip(LeafFiles.NAMES, LeafFiles.lengths(leaves), strict=True):
        with (folder / name).open("ab") as file:
            file.truncate(length)


def sort_range(work: Work, number: int) -> None:
    """Sort the sort keys of a range's leaves by their groups."""
    own, bits = work.plan.ranges[number], work.plan.group_bits
    made = native.sort_keys(work.secrets.shuffle, own.first, own.count, bits)
    work.write(_SORTED, number, *made)


def rank_group(work: Work, group: int) -> None:
    """Rank the sort keys of a group among those of all leaves."""
    counts = work.group_counts
    starts = _before(counts)[:, group]
    keys = np.empty(int(counts[:, group].sum(dtype=np.uint64)), np.uint64)
    end = 0
    for number, (start, count) in enumerate(zip(starts, counts[:, group], strict=True)):
        begin, end = end, end + int(count)
        _fill(work.piece(_SORTED, number), (8 * int(start), keys[begin:end]))
    base = int(counts[:, :group].sum(dtype=np.uint64))
    work.write(_RANKS, group, native.rank(keys.data, work.plan.group_bits, base))


def place_range(work: Work, number: int) -> None:
    """Find where the leaves of a range stand, derive them, and sort them by their bands."""
    own, plan = work.plan.ranges[number], work.plan
    positions = _positions(work, number, own)
    work.write(_POSITIONS, number, positions)
    slots, places, counts = native.sort_positions(positions, plan.band_bits, len(plan.bands))
    identities = np.empty((own.count, 32), np.uint8)
    if own.holders is None:
        amounts = np.zeros(own.count, np.uint64)
        native.place_padding(
            identities.data, slots, work.secrets.padding, own.first - int(plan.first[-1])
        )
    else:
        amounts = np.empty(own.count, np.uint64)
        work.leaves.place(amounts, identities, np.frombuffer(slots, np.uint32), *own.holders)
    work.write(_PLACED, number, amounts.data, identities.data, places, counts)


def _positions(work: Work, number: int, own: Range) -> bytearray:
    """Return where the leaves of a range stand."""
    counts = work.group_counts
    above = np.cumsum(counts, axis=0, dtype=np.int64)[number] - counts[number]
    ranks = np.empty(own.count, np.uint32)
    end = 0
    for group, (start, count) in enumerate(zip(above, counts[number], strict=True)):
        begin, end = end, end + int(count)
        _fill(work.piece(_RANKS, group), (4 * int(start), ranks[begin:end]))
    return native.take_ranks(
        work.secrets.shuffle, own.first, work.plan.group_bits, ranks.data, counts[number].data
    )


def _join_positions(work: Work) -> None:
    """Write the positions of all leaves into their file."""
    with work.positions.open("r+b") as file:
        file.seek(4 * work.leaves.parts.begin)
        for number, own in enumerate(work.plan.ranges):
            copy_piece(file, work.piece(_POSITIONS, number), 0, 4 * own.count)
            file.seek(4 * (work.leaves.parts.begin + own.first + own.count))


def commit_band(work: Work, number: int) -> None:
    """Gather the leaves of a band, and make its pages."""
    begin = work.plan.bands[number][0]
    amounts, identities = gather_band(work, number)
    made = [
        native.leaves_commit(
            work.tree,
            (begin + start) // work.tree.page_size,
            amounts[start:stop].data,
            identities[start:stop].data,
            work.secrets.entries,
            work.secrets.salt,
        )
        for start, stop in work.plan.committed(number)
    ]
    blindings = b"".join(chunk.vector_blindings for chunk in made)
    columns: tuple[Buffer, ...] = amounts.data, identities.data, blindings
    for name, offset, data in zip(LeafFiles.NAMES, LeafFiles.lengths(begin), columns, strict=True):
        write_at(work.files.leaves / name, offset, data, durable=work.durable)
    work.write(_PAGES, number, *(chunk.pages for chunk in made))
    opened = np.concatenate([opened_by(chunk, work.files) for chunk in made])
    ids, sums = b"".join(chunk.ids for chunk in made), b"".join(chunk.sums for chunk in made)
    work.write(_SUMS, number, opened.data, ids, sums)


def gather_band(work: Work, number: int) -> tuple[U64, Bytes]:
    """Return amounts and identities of the leaves of a band.

    Raises:
        Damaged: they are not all there.
    """
    begin, end = work.plan.bands[number]
    amounts, identities = np.zeros(end - begin, np.uint64), np.zeros((end - begin, 32), np.uint8)
    counts = work.band_counts
    most = int(counts[:, number].max())
    all_places, all_values = np.empty(most, np.uint32), np.empty(most, np.uint64)
    all_identities = np.empty((most, 32), np.uint8)
    found = zip(work.plan.ranges, _before(counts)[:, number], counts[:, number], strict=True)
    for at, (own, start, count) in enumerate(found):
        places, values = all_places[:count], all_values[:count]
        of_leaves, first = all_identities[:count], int(start)
        _fill(
            work.piece(_PLACED, at),
            (8 * first, values),
            (8 * own.count + 32 * first, of_leaves),
            (40 * own.count + 4 * first, places),
        )
        native.gather_leaves(
            amounts.data, identities.data, places.data, values.data, of_leaves.data
        )
    empty = np.flatnonzero(identities.view(np.uint64)[:, 0] == 0)
    if len(empty) and not identities[empty].any(axis=1).all():
        raise Damaged(f"{work.folder / _PLACED}: damaged: leaves are missing")
    return amounts, identities


def _join_pages(work: Work, advance: Advance) -> None:
    """Write the pages of all levels, and what their sums open to, once all bands are made."""
    files, shape, tree = work.files, work.shape, work.tree
    opened: list[bytes] = []
    ids: list[bytes] = []
    sums: list[bytes] = []
    with work.whole(files.pages / "0") as pages:
        for number, (begin, end) in enumerate(work.plan.bands):
            path, count = work.piece(_SUMS, number), (end - begin) // shape.page_size
            copy_piece(pages, work.piece(_PAGES, number), 0, count * shape.page_bytes(0, 0))
            data = path.read_bytes()
            sizes = np.cumsum([0, OPENED_SUM.itemsize, ID_BYTES, POINT_BYTES]) * count
            if len(data) != sizes[-1]:
                raise Damaged(f"{path}: damaged: shorter than it was written")
            parts = [data[a:b] for a, b in pairwise(sizes)]
            for column, part in zip((opened, ids, sums), parts, strict=True):
                column.append(part)
    with work.whole(files.sums / "0") as opening:
        opening.writelines(opened)
    for level in range(1, shape.levels):
        below = files.opened_sums(shape, level - 1)
        made = list(commit_sums(tree, level, b"".join(ids), b"".join(sums), below, 1))
        with work.whole(files.pages / str(level)) as pages:
            pages.writelines(committed.pages for committed in made)
        with work.whole(files.sums / str(level)) as opening:
            opening.writelines(opened_by(committed, files).data for committed in made)
        ids, sums = [each.ids for each in made], [each.sums for each in made]
        advance(shape.entries(level))


def argue_tree(work: Work, engine: Engine, advance: Advance) -> None:
    """Prove the pages of all levels: make the files of arguments.

    Raises:
        Damaged: pages and private files are not of each other.
    """
    work.begin(ARGUMENTS)
    work.files.arguments.mkdir(parents=True, exist_ok=True)
    numbers = range(len(work.plan.argued))
    arguing = engine.run(ARGUMENTS, partial(argue_chunk, work), numbers)
    for chunk, _ in zip(work.plan.argued, arguing, strict=True):
        advance(chunk.end - chunk.begin)
    for level in range(work.shape.levels):
        _join_arguments(work, level)
    work.end(ARGUMENTS)


def argue_chunk(work: Work, number: int) -> None:
    """Prove the pages of a chunk, unless what stands is what a verifier accepts."""
    chunk, shape = work.plan.argued[number], work.shape
    pages = map_pages(work.files, shape, chunk.level)
    standing = _standing(work, number)
    if standing is not None:
        proved = pages[chunk.pages(shape)]
        with suppress(native.Rejected):
            native.pages_check(work.tree, chunk.level, chunk.first, proved.data, standing)
            return
    work.write(ARGUMENTS, number, *_argue(work, chunk, pages))


def _argue(work: Work, chunk: Chunk, pages: Bytes) -> Iterator[bytes]:
    """Yield the arguments of the pages of a chunk."""
    level, shape, files = chunk.level, work.shape, work.files
    if level == 0:
        leaves = LeafFiles.load(files.leaves, shape.leaves)
        values, blindings, slots = leaves.amounts, leaves.blindings, VECTOR_SLOTS
        own = columns_of(files.opened_sums(shape, 0)[chunk.first : chunk.stop])[1]
    else:
        (values, blindings), slots = columns_of(files.opened_sums(shape, level - 1)), 1
        own = np.empty((0, ID_BYTES), np.uint8)
    for part in parts_of(shape, chunk):
        try:
            yield native.pages_argue(
                work.tree,
                level,
                part.first,
                pages[part.pages(shape)].data,
                values[part.begin : part.end].data,
                blindings[part.begin // slots : part.end // slots].data,
                own[part.first - chunk.first : part.stop - chunk.first].data,
                work.secrets.argument,
                work.secrets.salt,
            )
        except native.Damaged:
            raise Damaged(
                f"{files.leaves}: damaged, or not of the pages in {files.pages}"
            ) from None


def _standing(work: Work, number: int) -> bytes | None:
    """Return the arguments of a chunk that stand already, from an earlier run."""
    chunk, shape = work.plan.argued[number], work.shape
    mine, piece = chunk.arguments(shape), work.piece(ARGUMENTS, number)
    if piece.exists():
        return piece.read_bytes() if piece.stat().st_size == mine.stop - mine.start else None
    whole = work.files.arguments / str(chunk.level)
    if not whole.exists() or whole.stat().st_size < mine.stop:
        return None
    return map_column(whole, np.uint8)[mine].tobytes()


def _join_arguments(work: Work, level: int) -> None:
    """Write the file of a level's arguments, unless it stands with all that is in it."""
    whole, shape = work.files.arguments / str(level), work.shape
    chosen = [
        (chunk.arguments(shape), work.piece(ARGUMENTS, number))
        for number, chunk in enumerate(work.plan.argued)
        if chunk.level == level
    ]
    is_whole = whole.exists() and whole.stat().st_size == shape.arguments_file_bytes(level)
    if is_whole and not any(piece.exists() for _, piece in chosen):
        return
    with work.whole(whole) as file:
        for mine, piece in chosen:
            is_new = piece.exists()
            start = 0 if is_new else mine.start
            copy_piece(file, piece if is_new else whole, start, mine.stop - mine.start)
