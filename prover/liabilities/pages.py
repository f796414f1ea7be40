"""The pages of one asset, level by level, streamed to files in order of index.

Beside the public file of a level stands a private one with a *record* of every page: what the level
above commits to. Work goes in chunks of pages; of a chunk the pages are written and synced first,
then the records. Wherever a run is killed, the next keeps the longest run of whole chunks whose
pages hash to their recorded ids and whose records open their own sums, cuts both files there and
goes on: pages are deterministic, so the bytes come out the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

import native
from prover.liabilities.leaves import U64, Bytes
from prover.ordered import in_order
from verifier.params import TreeShape

CHUNK_PAGES = 64

RECORD = np.dtype([("id", "u1", 32), ("sum", "u1", 33), ("value", "u8"), ("blinding", "u1", 32)])
Records = npt.NDArray[np.void]

# Told of the leaves or entries proved since it was last called.
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Tree:
    """What the pages of one asset are proved under.

    state: transcript state after item 3, 32 bytes; secret, salt: keys of the arguments' nonces, 32
    bytes each.
    """

    state: bytes
    secret: bytes
    salt: bytes
    shape: TreeShape


@dataclass(frozen=True, slots=True)
class Entries:
    """All entries of a level: u64 values, rows of 32 bytes of blinding, and of child page ids."""

    values: U64
    blindings: Bytes
    child_ids: Bytes


@dataclass(frozen=True, slots=True)
class Root:
    """The root page: its id, its sum ``C_L`` (33 bytes), and the opening of that sum."""

    id: bytes
    sum: bytes
    value: int
    blinding: bytes


def prove_tree(
    tree: Tree,
    amounts: U64,
    blindings: Bytes,
    public: Path,
    private: Path,
    jobs: int,
    advance: Advance,
) -> Root:
    """Write the files of all levels into ``public``, their records into ``private``.

    ``amounts`` and ``blindings`` are the leaves in the order of the tree. Both folders exist; what
    an interrupted run left in them is used.
    """
    entries = Entries(amounts, blindings, np.empty((0, 32), np.uint8))
    for level in range(tree.shape.levels):
        records = _prove_level(tree, level, entries, public, private, jobs, advance)
        entries = Entries(
            np.ascontiguousarray(records["value"]),
            np.ascontiguousarray(records["blinding"]),
            np.ascontiguousarray(records["id"]),
        )
    root = records[0]
    return Root(
        root["id"].tobytes(), root["sum"].tobytes(), int(root["value"]), root["blinding"].tobytes()
    )


def _prove_level(
    tree: Tree,
    level: int,
    entries: Entries,
    public: Path,
    private: Path,
    jobs: int,
    advance: Advance,
) -> Records:
    """Finish the files of one level; return the records of its pages."""
    shape = tree.shape
    chunk_entries = CHUNK_PAGES * shape.page_size

    def prove_chunk(start: int) -> tuple[bytes, Records]:
        chunk = slice(start, start + chunk_entries)
        pages, *columns = native.pages_prove(
            tree.state,
            level,
            shape.levels,
            start // shape.page_size,
            shape.capacity,
            shape.page_size,
            entries.values[chunk].data,
            entries.blindings[chunk].data,
            entries.child_ids[chunk].data,
            tree.secret,
            tree.salt,
        )
        return pages, _records(*columns)

    pages_path, records_path = public / str(level), private / str(level)
    pages_path.touch()
    records_path.touch(mode=0o600)
    with pages_path.open("r+b") as pages_file, records_path.open("r+b") as records_file:
        page_bytes = shape.page_bytes(level, 0)
        kept = _keep_true_chunks(pages_file, records_file, page_bytes) * chunk_entries
        advance(kept)
        starts = range(kept, len(entries.values), chunk_entries)
        for start, (pages, records) in zip(
            starts, in_order(prove_chunk, starts, jobs), strict=True
        ):
            _append(pages_file, pages)
            _append(records_file, records.tobytes())
            advance(min(chunk_entries, len(entries.values) - start))
    return np.fromfile(records_path, RECORD)


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


def _append(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
