"""Making pages, their arguments, and openings of leaves (spec/protocol.md 2, transcript.md 4, 5).

Committing, arguing and opening are apart: entries depend on no argument. Ids, identities, scalars
and keys have 32 bytes, points 33; u64 arrays are in native byte order. All functions release the
interpreter lock; the time of all but `openings_make` depends on the data.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import ffi, lib
from native.errors import require
from native.tree import IDENTITY, OPENING, POINT, VECTOR, Tree

if TYPE_CHECKING:
    from typing_extensions import Buffer

SCALAR = 32
LEAVES_WEIGHTS = 5
SUMS_WEIGHTS = 4


@dataclass(frozen=True)
class Committed:
    """Pages that were committed to, in columns.

    pages: header and entries of each; ids; sums: points; sum_values: two u64 each, the low one
    first; sum_blindings: what the sums open to, with them; vector_blindings: those of all vectors,
    at level 0 alone.
    """

    pages: bytes
    ids: bytes
    sums: bytes
    sum_values: bytes
    sum_blindings: bytes
    vector_blindings: bytes


class _Columns:
    """The memory of a `Committed` that is being made."""

    def __init__(self, length: int, count: int, vectors: int) -> None:
        sizes = (length, IDENTITY * count, POINT * count, 16 * count, SCALAR * count)
        self.memory = [bytearray(size) for size in (*sizes, SCALAR * vectors)]
        pages, ids, sums, sum_values, sum_blindings, vector_blindings = self.memory
        self.record = buffers.record(
            "assay_committed",
            pages=buffers.out(pages),
            ids=buffers.out(ids),
            sums=buffers.out(sums),
            sum_values=buffers.out(sum_values, "uint64_t"),
            sum_blindings=buffers.out(sum_blindings),
            vector_blindings=buffers.out(vector_blindings),
        )

    def done(self) -> Committed:
        return Committed(*map(bytes, self.memory))


def leaves_commit(
    tree: Tree, first: int, amounts: Buffer, identities: Buffer, secret: Buffer, salt: Buffer
) -> Committed:
    """Commit to whole pages of leaves from page ``first`` on.

    ``amounts`` are u64, ``identities`` 32 bytes each, a page's leaves one behind the other;
    ``secret`` is the entries secret.

    Raises:
        ValueError: a length is wrong, or a page is not in the tree.
    """
    count = buffers.byte_length(amounts) // (8 * tree.page_size)
    length, _, leaves = tree.lengths(0, first, count)
    made = _Columns(length, count, count * tree.vectors)
    status = lib.assay_leaves_commit_var(
        made.record,
        tree.core,
        first,
        count,
        buffers.items(amounts, leaves, "amounts", "uint64_t"),
        buffers.items(identities, IDENTITY * leaves, "identities"),
        buffers.items(secret, 32, "secret"),
        buffers.items(salt, 32, "salt"),
        buffers.tables(),
        buffers.scratch(lib.assay_leaves_commit_scratch_size(tree.page_size)),
    )
    require(status)
    return made.done()


def sums_commit(
    tree: Tree,
    level: int,
    first: int,
    child_ids: Buffer,
    child_sums: Buffer,
    values: Buffer,
    blindings: Buffer,
) -> Committed:
    """Commit to whole pages above level 0 from page ``first`` on.

    Their children, one behind the other: ids, sums, and what the sums open to, u64 and scalars.

    Raises:
        ValueError: a length is wrong, a page is not in the tree, or a blinding factor not below the
            group order.
    """
    children = buffers.byte_length(values) // 8
    count = _pages_of(tree, level, first, children)
    length, _, entries = tree.lengths(level, first, count)
    made = _Columns(length, count, 0)
    status = lib.assay_sums_commit_var(
        made.record,
        ffi.new("size_t *"),
        tree.core,
        level,
        first,
        count,
        buffers.record(
            "assay_children",
            ids=buffers.items(child_ids, IDENTITY * entries, "child_ids"),
            sums=buffers.items(child_sums, POINT * entries, "child_sums"),
            blindings=buffers.items(blindings, SCALAR * entries, "blindings"),
            values=buffers.items(values, entries, "values", "uint64_t"),
        ),
        buffers.tables(),
        buffers.scratch(lib.assay_sums_commit_scratch_size()),
    )
    require(status)
    return made.done()


def _pages_of(tree: Tree, level: int, first: int, entries: int) -> int:
    """Return how many pages from ``first`` on have so many entries."""
    full = tree.entry_count(level, first)
    return -(-entries // full)


def _witness(
    tree: Tree, count: int, pages: Any, entries: int, level: int, given: tuple[Buffer, ...]
) -> Any:
    values, blindings, sum_blindings = given
    scalars, sums = (count * tree.vectors, count) if level == 0 else (entries, 0)
    return buffers.record(
        "assay_page_witness",
        pages=pages,
        values=buffers.items(values, entries, "values", "uint64_t"),
        blindings=buffers.items(blindings, SCALAR * scalars, "blindings"),
        sum_blindings=buffers.items(sum_blindings, SCALAR * sums, "sum_blindings"),
    )


def pages_argue(
    tree: Tree,
    level: int,
    first: int,
    pages: Buffer,
    values: Buffer,
    blindings: Buffer,
    sum_blindings: Buffer,
    secret: Buffer,
    salt: Buffer,
) -> bytes:
    """Return the arguments of whole pages of a level from page ``first`` on.

    At level 0 ``values`` are amounts and ``blindings`` those of the vectors. Above it they are the
    values and blinding factors of all entries, and ``sum_blindings`` is empty. ``secret`` is the
    argument secret. What is returned was checked by the verifier's rules.

    Raises:
        Damaged: a page is not made of what was given, or its argument does not hold.
        ValueError: a length is wrong, or a page is not in the tree.
    """
    count = _pages_of(tree, level, first, buffers.byte_length(values) // 8)
    length, argument_length, entries = tree.lengths(level, first, count)
    arguments, bad = bytearray(argument_length), ffi.new("size_t *")
    given = buffers.items(pages, length, "pages")
    status = lib.assay_pages_argue_var(
        buffers.out(arguments),
        bad,
        tree.core,
        level,
        first,
        count,
        _witness(tree, count, given, entries, level, (values, blindings, sum_blindings)),
        buffers.items(secret, 32, "secret"),
        buffers.items(salt, 32, "salt"),
        os.urandom(32 * count * (SUMS_WEIGHTS if level else LEAVES_WEIGHTS)),
        buffers.tables(),
        buffers.scratch(lib.assay_pages_argue_scratch_size(tree.core, level)),
    )
    require(status, bad[0])
    return bytes(arguments)


def leaves_open(
    tree: Tree,
    first: int,
    pages: Buffer,
    amounts: Buffer,
    identities: Buffer,
    vector_blindings: Buffer,
    sum_blindings: Buffer,
) -> int | None:
    """Return the index of the first page of leaves that is not made of these, None if all are.

    Raises:
        ValueError: a length is wrong, or a page is not in the tree.
    """
    count = buffers.byte_length(amounts) // (8 * tree.page_size)
    length, _, leaves = tree.lengths(0, first, count)
    bad, given = ffi.new("size_t *"), buffers.items(pages, length, "pages")
    status = lib.assay_leaves_open_var(
        bad,
        tree.core,
        first,
        count,
        _witness(tree, count, given, leaves, 0, (amounts, vector_blindings, sum_blindings)),
        buffers.items(identities, IDENTITY * leaves, "identities"),
        buffers.tables(),
        buffers.scratch(lib.assay_leaves_commit_scratch_size(tree.page_size)),
    )
    if status == lib.ASSAY_DAMAGED:
        return first + int(bad[0])
    require(status)
    return None


@dataclass(frozen=True)
class PageToOpen:
    """Leaves of a page to open: ``leaves`` are u32 numbers in the page.

    The page and the private files beside it are all of page ``index``, though only what the
    openings need is read: amounts u64, identities of 32 bytes, blinding factors of its vectors.
    """

    tree: Tree
    index: int
    page: Buffer
    amounts: Buffer
    identities: Buffer
    vector_blindings: Buffer
    leaves: Buffer


def openings_make(
    pages: Sequence[PageToOpen], secret: Buffer, salt: Buffer, *, bulk: bool = False
) -> tuple[bytes, bytes]:
    """Return the openings of leaves, 545 bytes each, and their paths, page by page.

    ``secret`` is the opening secret. Unless ``bulk``, time and memory accesses do not depend on
    amounts, blinding factors or masks, and no tables are built.

    Raises:
        Damaged: with a leaf's number among all, not always the first such one: its page is not made
            of what was given, or the opening does not hold.
        ValueError: a length is wrong, or a page or a leaf is not there.
    """
    pages = tuple(pages)  # as many as they say
    kept: list[Any] = []
    listed: Any = ffi.new("assay_opened_page[]", len(pages))
    for number, page in enumerate(pages):
        _fill_opened(listed[number], page, kept)
    count = sum(at.count for at in listed)
    openings = bytearray(OPENING * count)
    paths = bytearray(lib.assay_paths_length(listed, len(pages)))
    bad = ffi.new("size_t *")
    make = lib.assay_openings_make_var if bulk else lib.assay_openings_make
    status = make(
        buffers.out(openings),
        buffers.out(paths),
        bad,
        listed,
        len(pages),
        count,
        buffers.items(secret, 32, "secret"),
        buffers.items(salt, 32, "salt"),
        os.urandom(32 * count),
        buffers.tables() if bulk else buffers.bases(),
        buffers.scratch(lib.assay_openings_make_scratch_size(count)),
    )
    require(status, bad[0])
    return bytes(openings), bytes(paths)


def _fill_opened(at: Any, page: PageToOpen, kept: list[Any]) -> None:
    length, m = page.tree.page_length(0, page.index), page.tree.page_size
    at.count, at.index = buffers.byte_length(page.leaves) // 4, page.index
    pointers = {
        "tree": page.tree.core,
        "page": buffers.items(page.page, length, "page"),
        "amounts": buffers.items(page.amounts, m, "amounts", "uint64_t"),
        "identities": buffers.items(page.identities, IDENTITY * m, "identities"),
        "blindings": buffers.items(page.vector_blindings, SCALAR * m // VECTOR, "vector_blindings"),
        "leaves": buffers.items(page.leaves, at.count, "leaves", "uint32_t"),
    }
    for name, pointer in pointers.items():
        setattr(at, name, pointer)
    kept.append(pointers)
