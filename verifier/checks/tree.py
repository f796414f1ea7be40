"""Every page of an asset's tree, level by level, and every link up to the root.

Invariants: pages are read in order and in chunks, by one reader; chunks are checked by ``jobs``
threads and their results taken in order, so that the fault named is the first, however many threads
there are. Memory is the chunks in flight (`IN_FLIGHT_BYTES`) and 65 bytes for every page of two
levels. What a level's pages come to, their ids and sums, is recomputed and compared with what the
level above says; nothing is taken from a page's own header.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import native
from verifier.bundle.source import Source
from verifier.checks.manifest import CheckedManifest
from verifier.errors import Code, Rejected
from verifier.format.params import ID_BYTES, PAGE_HEADER_BYTES, POINT_BYTES, TreeShape, level_path
from verifier.format.statement import page_state
from verifier.format.wire import Asset
from verifier.ordered import in_order

# A chunk is one batched multi-scalar multiplication: cheaper a page, the longer it is.
MAX_CHUNK_PAGES = 132
IN_FLIGHT_BYTES = 64 * 2**20

LINK_BYTES = ID_BYTES + POINT_BYTES

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Tree:
    """One asset's tree: ``state`` is the transcript state from which its pages' arguments start."""

    code: str
    shape: TreeShape
    state: bytes

    @classmethod
    def of(cls, checked: CheckedManifest, asset: Asset) -> Tree:
        """Return the tree that a checked manifest describes."""
        state = page_state(checked.context, asset.code, asset.decimals, asset.units)
        return cls(asset.code, checked.shape(asset), state)

    def where(self, level: int, index: int) -> str:
        """Name a page in a message."""
        return f"{self.code}, level {level}, page {index}"

    def check_file_length(self, source: Source, level: int) -> None:
        """Raise `bundle.missing-file` or `page.bad-file-length` unless a level's file fits."""
        path = level_path(self.code, level)
        if source.size(path) != self.shape.file_bytes(level):
            message = f"{path} has not {self.shape.file_bytes(level)} bytes"
            raise Rejected(Code.PAGE_BAD_FILE_LENGTH, f"{self.code}, level {level}", message)

    def read_pages(self, source: Source, level: int, first: int, count: int) -> bytes:
        """Read consecutive pages of a level."""
        offset = first * self.shape.page_bytes(level, 0)
        length = (count - 1) * self.shape.page_bytes(level, 0)
        length += self.shape.page_bytes(level, first + count - 1)
        return source.read_range(level_path(self.code, level), offset, length)

    def check_pages(self, level: int, first: int, count: int, pages: bytes) -> bytes:
        """Check consecutive pages by themselves; return each one's link, id ‖ sum.

        Raises:
            Rejected: ``page.bad-header``, ``page.bad-point``, ``argument.bad-point``,
                ``argument.bad-scalar``, ``argument.rejected`` or ``page.infinite-sum``.
            ValueError: ``pages`` has not the length of ``count`` pages.
        """
        shape = self.shape
        try:
            ids, sums = native.pages_verify(
                self.state,
                level,
                shape.levels,
                first,
                shape.capacity,
                shape.page_size,
                shape.count(level, first + count - 1),
                pages,
                os.urandom(32),
            )
        except native.PageRejected as error:
            code = Code(error.code)
            raise Rejected(code, self.where(level, error.index), _MESSAGES[code]) from None
        return b"".join(
            ids[ID_BYTES * at : ID_BYTES * (at + 1)]
            + sums[POINT_BYTES * at : POINT_BYTES * (at + 1)]
            for at in range(count)
        )

    def check_link(self, level: int, index: int, stated: bytes, found: bytes) -> None:
        """Compare what a page states of a child with the child's recomputed id and sum."""
        where = self.where(level, index)
        if stated[:ID_BYTES] != found[:ID_BYTES]:
            raise Rejected(Code.PAGE_WRONG_CHILD_ID, where, "it names another child page")
        if stated != found:
            raise Rejected(Code.PAGE_WRONG_CHILD_SUM, where, "it states another sum of a child")

    def check_root(self, asset: Asset, found: bytes) -> None:
        """Compare the root page's recomputed id and sum with the manifest's."""
        where = self.where(self.shape.levels - 1, 0)
        if found[:ID_BYTES] != asset.root:
            raise Rejected(Code.PAGE_WRONG_ROOT_ID, where, "the manifest names another root page")
        if found[ID_BYTES:] != asset.sum:
            raise Rejected(Code.PAGE_WRONG_ROOT_SUM, where, "the manifest states another sum")


_MESSAGES = {
    Code.PAGE_BAD_HEADER: "the header is not as computed",
    Code.PAGE_BAD_POINT: "an entry's commitment is no point of the curve",
    Code.PAGE_INFINITE_SUM: "the sum of the entries is infinite",
    Code.ARGUMENT_BAD_POINT: "a point of the argument does not decode",
    Code.ARGUMENT_BAD_SCALAR: "a scalar of the argument is not below the group order",
    Code.ARGUMENT_REJECTED: "it is not proved that every entry is in range",
}


def entry_link(page: bytes | memoryview, slot: int) -> bytes:
    """Return the link, id ‖ sum, in one entry of a page above level 0."""
    start = PAGE_HEADER_BYTES + slot * LINK_BYTES
    return bytes(page[start : start + LINK_BYTES])


def audit_tree(
    source: Source,
    checked: CheckedManifest,
    asset: Asset,
    *,
    jobs: int,
    progress: Progress,
) -> TreeShape:
    """Check a whole tree, root included; ``progress`` is given the entries of each chunk checked.

    Raises:
        Rejected: the first fault, in the order of spec/errors.md, section 3.
        CannotCheck: a page could not be read.
    """
    tree = Tree.of(checked, asset)
    links = bytearray()
    for level in range(tree.shape.levels):
        links = _audit_level(source, tree, level, links, jobs=jobs, progress=progress)
    tree.check_root(asset, bytes(links))
    return tree.shape


def _audit_level(
    source: Source, tree: Tree, level: int, children: bytearray, *, jobs: int, progress: Progress
) -> bytearray:
    """Check a level against the links of the one below; return its own."""
    tree.check_file_length(source, level)
    pages, size = tree.shape.pages(level), tree.shape.page_size
    chunk = _chunk_pages(tree.shape, level, jobs)
    links = bytearray()
    below = bytes(children) if level else b""

    def check(first: int, data: bytes) -> bytes:
        count = min(chunk, pages - first)
        return _check_chunk(tree, level, first, count, data, below)

    def read() -> Iterator[tuple[int, bytes]]:
        for first in range(0, pages, chunk):
            yield first, tree.read_pages(source, level, first, min(chunk, pages - first))

    for found in in_order(lambda chunk: check(*chunk), read(), jobs):
        before = len(links) // LINK_BYTES
        links += found
        after = len(links) // LINK_BYTES
        progress(min(after * size, tree.shape.entries(level)) - before * size)
    return links


def _check_chunk(
    tree: Tree, level: int, first: int, count: int, data: bytes, below: bytes
) -> bytes:
    """Check the pages of a chunk and their links; the first page with a fault is named."""
    unlinked = _first_unlinked(tree, level, first, count, data, below) if level else None
    sound = count if unlinked is None else unlinked - first + 1
    if sound < count:
        # A fault of a later page does not count; one of this page, or before, comes first.
        data = data[: sound * tree.shape.page_bytes(level, 0)]
    links = tree.check_pages(level, first, sound, data)
    if unlinked is not None:
        page = memoryview(data)[(sound - 1) * tree.shape.page_bytes(level, 0) :]
        for slot in range(tree.shape.count(level, unlinked)):
            child = (unlinked * tree.shape.page_size + slot) * LINK_BYTES
            found = below[child : child + LINK_BYTES]
            tree.check_link(level, unlinked, entry_link(page, slot), found)
    return links


def _first_unlinked(
    tree: Tree, level: int, first: int, count: int, data: bytes, below: bytes
) -> int | None:
    """Return the first page of a chunk whose entries are not its children's links."""
    view = memoryview(data)
    length = tree.shape.page_bytes(level, 0)
    for at in range(count):
        start = at * length + PAGE_HEADER_BYTES
        entries = tree.shape.count(level, first + at) * LINK_BYTES
        child = (first + at) * tree.shape.page_size * LINK_BYTES
        if view[start : start + entries] != below[child : child + entries]:
            return first + at
    return None


def _chunk_pages(shape: TreeShape, level: int, jobs: int) -> int:
    """Return how many pages make a chunk: all threads busy, and the memory in flight bounded."""
    affordable = IN_FLIGHT_BYTES // ((jobs + 1) * shape.page_bytes(level, 0))
    return max(1, min(MAX_CHUNK_PAGES, affordable, -(-shape.pages(level) // jobs)))
