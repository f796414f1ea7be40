"""The pages of one asset, level by level, streamed to files in order of index.

Beside the public file of a level stands a private one with a *record* of every page: what the level
above commits to. Work goes in chunks of pages, written as they come and synced once at the end,
with the whole bundle. So a crash may leave anything in both files, and nothing of it is believed:
the next run keeps the longest run of whole chunks whose pages hash to their recorded ids and whose
records open their own sums, cuts both files there and goes on. Pages are deterministic, and a
record that is another than the page's would be a collision or open a sum in two ways, so the bytes
come out the same. What was synced decides only how much is proved twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

import native
from prover.liabilities.leaves import U64, Bytes
from verifier.format.params import TreeShape
from verifier.ordered import in_order

CHUNK_PAGES = 64

# Entries made at a time, 40 bytes each: whole chunks of pages of any size. Memory holds three
# bands: two whose last and first chunks are proved, and one that is being made.
BAND_ENTRIES = 1 << 22

RECORD = np.dtype([("id", "u1", 32), ("sum", "u1", 33), ("value", "u8"), ("blinding", "u1", 32)])
Records = npt.NDArray[np.void]

# Told of the leaves or entries proved since it was last called.
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TreeSecrets:
    """What the pages of one asset are proved under.

    state: transcript state after item 3, 32 bytes; secret, salt: keys of the arguments' nonces, 32
    bytes each.
    """

    state: bytes
    secret: bytes
    salt: bytes
    shape: TreeShape


class Entries(Protocol):
    """All entries of a level, made as they are asked for."""

    def __len__(self) -> int:
        """Return their number."""

    def band(self, begin: int, end: int, jobs: int) -> tuple[U64, Bytes]:
        """Return value and blinding (rows of 32 bytes) of entries ``begin`` to ``end - 1``."""


@dataclass(frozen=True, slots=True)
class _Children:
    """The entries of a level above 0: the pages of the level below."""

    records: Records

    def __len__(self) -> int:
        return len(self.records)

    def band(self, begin: int, end: int, jobs: int) -> tuple[U64, Bytes]:
        records = self.records[begin:end]
        return (
            np.ascontiguousarray(records["value"]),
            np.ascontiguousarray(records["blinding"]),
        )


@dataclass(frozen=True, slots=True)
class Root:
    """The root page: its id, its sum ``C_L`` (33 bytes), and the opening of that sum."""

    id: bytes
    sum: bytes
    value: int
    blinding: bytes


def prove_tree(
    tree: TreeSecrets, leaves: Entries, public: Path, private: Path, jobs: int, advance: Advance
) -> Root:
    """Write the files of all levels into ``public``, their records into ``private``.

    ``leaves`` are in the order of the tree. Both folders exist; what an interrupted run left in
    them is used.
    """
    records = _prove_level(
        tree, 0, leaves, np.empty((0, 32), np.uint8), public, private, jobs, advance
    )
    for level in range(1, tree.shape.levels):
        ids = np.ascontiguousarray(records["id"])
        children = _Children(records)
        records = _prove_level(tree, level, children, ids, public, private, jobs, advance)
    root = records[0]
    return Root(
        root["id"].tobytes(), root["sum"].tobytes(), int(root["value"]), root["blinding"].tobytes()
    )


def _prove_level(
    tree: TreeSecrets,
    level: int,
    entries: Entries,
    child_ids: Bytes,
    public: Path,
    private: Path,
    jobs: int,
    advance: Advance,
) -> Records:
    """Finish the files of one level; return the records of its pages."""
    pages_path, records_path = public / str(level), private / str(level)
    pages_path.touch()
    records_path.touch(mode=0o600)
    chunk_entries = CHUNK_PAGES * tree.shape.page_size
    with pages_path.open("r+b") as pages_file, records_path.open("r+b") as records_file:
        page_bytes = tree.shape.page_bytes(level, 0)
        kept = _keep_true_chunks(pages_file, records_file, page_bytes)
        begin = min(kept * chunk_entries, len(entries))
        advance(begin)
        for pages, records in _prove_chunks(
            tree, level, _chunks(entries, begin, chunk_entries, jobs), child_ids, jobs
        ):
            pages_file.write(pages)
            records_file.write(records.tobytes())
            advance(min(chunk_entries, len(entries) - begin))
            begin += chunk_entries
    return np.fromfile(records_path, RECORD)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Consecutive entries from number ``begin`` on: their values and blindings."""

    begin: int
    values: U64
    blindings: Bytes


def _chunks(entries: Entries, begin: int, size: int, jobs: int) -> Iterator[_Chunk]:
    """Cut the entries from ``begin`` on into chunks; while one band is used, the next is made."""
    starts = range(begin, len(entries), BAND_ENTRIES)

    def make(start: int) -> tuple[U64, Bytes]:
        return entries.band(start, min(start + BAND_ENTRIES, len(entries)), jobs)

    with closing(in_order(make, starts, 1)) as bands:
        for start, (values, blindings) in zip(starts, bands, strict=True):
            for at in range(0, len(values), size):
                mine = slice(at, at + size)
                yield _Chunk(start + at, values[mine], blindings[mine])


def _prove_chunks(
    tree: TreeSecrets, level: int, chunks: Iterable[_Chunk], child_ids: Bytes, jobs: int
) -> Iterator[tuple[bytes, Records]]:
    """Yield the pages of every chunk, and their records."""
    shape = tree.shape

    def prove(chunk: _Chunk) -> tuple[bytes, Records]:
        pages, *columns = native.pages_prove(
            tree.state,
            level,
            shape.levels,
            chunk.begin // shape.page_size,
            shape.capacity,
            shape.page_size,
            chunk.values.data,
            chunk.blindings.data,
            child_ids[chunk.begin : chunk.begin + len(chunk.values)].data,
            tree.secret,
            tree.salt,
        )
        return pages, _records(*columns)

    return in_order(prove, chunks, jobs)


def _keep_true_chunks(pages_file: BinaryIO, records_file: BinaryIO, page_bytes: int) -> int:
    """Cut both files to their full, true chunks and stand at their ends; return how many."""
    kept = 0
    while True:
        pages = pages_file.read(CHUNK_PAGES * page_bytes)
        records = records_file.read(CHUNK_PAGES * RECORD.itemsize)
        if len(records) < CHUNK_PAGES * RECORD.itemsize or not _is_true(
            pages, np.frombuffer(records, RECORD), page_bytes
        ):
            break
        kept += 1
    for file, size in ((pages_file, page_bytes), (records_file, RECORD.itemsize)):
        file.seek(kept * CHUNK_PAGES * size)
        file.truncate()
    return kept


def _is_true(pages: bytes, records: Records, page_bytes: int) -> bool:
    """Tell whether full pages have the ids, and the sums the openings, that the records say."""
    ids = b"".join(
        native.sha256(pages[at : at + page_bytes]) for at in range(0, len(pages), page_bytes)
    )
    sums = native.commit(
        np.ascontiguousarray(records["value"]).data, np.ascontiguousarray(records["blinding"]).data
    )
    return ids == records["id"].tobytes() and sums == records["sum"].tobytes()


def _records(ids: bytes, sums: bytes, values: bytes, blindings: bytes) -> Records:
    """Put the columns that a native call returned side by side."""
    records = np.empty(len(ids) // 32, RECORD)
    records["id"] = np.frombuffer(ids, np.uint8).reshape(-1, 32)
    records["sum"] = np.frombuffer(sums, np.uint8).reshape(-1, 33)
    records["value"] = np.frombuffer(values, np.uint64)
    records["blinding"] = np.frombuffer(blindings, np.uint8).reshape(-1, 32)
    return records
