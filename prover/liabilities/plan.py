"""How the work on an asset's leaves is cut into tasks.

The cut is a function of counts, and never of what runs the tasks; it shows in no byte of the
result. The leaves of a tree have numbers: first those of all parts, then those of the padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from prover.files.columns import U64
from verifier.format.params import FAN, TreeShape

# A task has a sixteenth of what there is, but no fewer and no more leaves than these powers of two:
# fewer are not worth a file, and more take too much memory.
FEWEST = 15
MOST = 20

# Accounts that are split in one task: a part each at least, a few each in general.
MOST_SPLIT = 18

# Entries that one native call commits to: whole pages of any size. More leave the cache.
CHUNK_ENTRIES = 1 << 15

# Chunks that are proved in one call: of more pages together the check costs less.
ARGUED_CHUNKS = 4


def task_bits(count: int, most: int | None = None) -> int:
    """Return the power of two of items in a task, of so many in all."""
    return max(FEWEST, min((max(count, 1) - 1).bit_length() - 4, MOST if most is None else most))


def pieces(count: int, size: int) -> list[tuple[int, int]]:
    """Cut 0 to ``count`` into consecutive ranges of ``size``, the last of which may be shorter."""
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def account_pieces(count: int) -> list[tuple[int, int]]:
    """Cut accounts, or holders, into as many as one native call handles."""
    return pieces(count, CHUNK_ENTRIES)


def split_pieces(holders: int) -> list[tuple[int, int]]:
    """Cut the holders of an asset into those that are split in one task."""
    return pieces(holders, 1 << task_bits(holders, MOST_SPLIT))


@dataclass(frozen=True, slots=True)
class Range:
    """The leaves of numbers ``first`` to ``first + count - 1``.

    They are all parts of the holders start to stop - 1 of ``holders``, or are padding if that is
    None.
    """

    first: int
    count: int
    holders: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive pages of a level, ``first`` to ``stop - 1``, and their entries, ``begin`` to
    ``end - 1``.
    """

    level: int
    first: int
    stop: int
    begin: int
    end: int

    def pages(self, shape: TreeShape) -> slice:
        """Return where in their file the pages stand."""
        size = shape.page_bytes(self.level, 0)
        return slice(size * self.first, min(size * self.stop, shape.pages_file_bytes(self.level)))

    def arguments(self, shape: TreeShape) -> slice:
        """Return where in their file the arguments of the pages stand."""
        size = shape.argument_bytes(self.level, 0)
        length = shape.arguments_file_bytes(self.level)
        return slice(size * self.first, min(size * self.stop, length))


def chunks(shape: TreeShape, level: int, entries: int | None = None) -> list[Chunk]:
    """Cut the pages of a level into chunks of so many entries; by default of one native call."""
    size = shape.page_size if level == 0 else FAN
    wanted = CHUNK_ENTRIES if entries is None else entries
    return [
        Chunk(level, first, stop, first * size, min(stop * size, shape.entries(level)))
        for first, stop in pieces(shape.pages(level), max(1, wanted // size))
    ]


def parts_of(shape: TreeShape, chunk: Chunk) -> list[Chunk]:
    """Cut a chunk into those that are proved in one call."""
    size = shape.page_size if chunk.level == 0 else FAN
    return [
        Chunk(
            chunk.level,
            chunk.first + start,
            chunk.first + stop,
            chunk.begin + start * size,
            min(chunk.begin + stop * size, chunk.end),
        )
        for start, stop in pieces(
            chunk.stop - chunk.first, max(1, ARGUED_CHUNKS * CHUNK_ENTRIES // size)
        )
    ]


def is_small(shape: TreeShape) -> bool:
    """Whether a tree is made in one task."""
    return shape.leaves <= 1 << FEWEST


@dataclass(frozen=True)
class Plan:
    """The tasks of one asset; ``first`` is that of its `prover.liabilities.parts.Parts`."""

    first: U64
    shape: TreeShape

    @cached_property
    def band_bits(self) -> int:
        """The power of two of leaves, whole pages, in a band."""
        return max(task_bits(self.shape.leaves), (self.shape.page_size - 1).bit_length())

    @property
    def bands(self) -> list[tuple[int, int]]:
        """Where each band of the tree begins and ends."""
        return pieces(self.shape.leaves, 1 << self.band_bits)

    def committed(self, band: int) -> list[tuple[int, int]]:
        """Where those leaves of a band begin and end, counted in it, that are committed to in one
        call.
        """
        begin, end = self.bands[band]
        size = self.shape.page_size
        return pieces(end - begin, size * max(1, CHUNK_ENTRIES // size))

    @property
    def group_bits(self) -> int:
        """How many top bits of a sort key tell its group."""
        return max(0, (self.shape.leaves - 1).bit_length() - self.band_bits)

    @cached_property
    def ranges(self) -> list[Range]:
        """Runs of leaves: parts of whole accounts, and then padding."""
        first, size = self.first, 1 << self.band_bits
        parts, holders = int(first[-1]), len(first) - 1
        wanted = np.arange(0, parts, size, dtype=np.uint64)  # as the items, or all are copied
        bounds = np.unique(np.append(np.searchsorted(first, wanted, "right") - 1, holders)).tolist()
        made = [
            Range(begin, int(first[stop]) - begin, (start, stop))
            for start, stop in pairwise(bounds)
            for begin in (int(first[start]),)
        ]
        padding = self.shape.leaves - parts
        return made + [
            Range(parts + start, stop - start, None) for start, stop in pieces(padding, size)
        ]

    @cached_property
    def argued(self) -> list[Chunk]:
        """The pages of all levels, in chunks that are proved in one task."""
        entries = max(1 << self.band_bits, ARGUED_CHUNKS * CHUNK_ENTRIES)
        levels = range(self.shape.levels)
        return [
            chunk
            for level in levels
            for chunk in chunks(self.shape, level, entries if level == 0 else None)
        ]
