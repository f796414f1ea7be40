"""Every page of an asset's tree with its argument, level by level, and every link up to the root.

Invariants: pages and arguments are read once, in order and in chunks, by one reader; chunks are
checked by ``jobs`` threads and their results taken in order, so that the fault named is the first,
however many threads there are. It is named once the whole file of arguments was read and has the
digest that the exchange signed: until then it may be the fault of whoever serves the file. Memory
is the chunks in flight (`IN_FLIGHT_BYTES`) and 65 bytes for every page of two levels. What a
level's pages come to, their ids and sums, is recomputed and compared with what the level above
says; nothing is taken from a page's own header.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import native
from verifier.bundle.source import Source
from verifier.checks.manifest import CheckedManifest
from verifier.checks.record import wrong_argument
from verifier.errors import Code, Rejected
from verifier.format.params import (
    ENTRY_BYTES,
    FAN,
    ID_BYTES,
    PAGE_HEADER_BYTES,
    POINT_BYTES,
    TreeShape,
    arguments_path,
    pages_path,
)
from verifier.format.statement import tree_of
from verifier.format.wire import Asset
from verifier.ordered import in_order

# A chunk is one batched multi-scalar multiplication: cheaper a page, the longer it is.
MAX_CHUNK_PAGES = 132
IN_FLIGHT_BYTES = 64 * 2**20

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Tree:
    """One asset's tree; ``core`` is what its pages, arguments and openings speak of."""

    asset: Asset
    shape: TreeShape
    core: native.Tree

    @classmethod
    def of(cls, checked: CheckedManifest, asset: Asset) -> Tree:
        """Return the tree that a checked manifest describes."""
        shape = asset.shape
        return cls(asset, shape, tree_of(checked.context, asset, shape))

    def where(self, level: int, index: int) -> str:
        """Name a page in a message."""
        return f"{self.asset.code}, level {level}, page {index}"

    def check_pages_length(self, source: Source, level: int) -> None:
        """Raise `bundle.missing-file` or `page.bad-file-length` unless a level's pages fit."""
        path, length = pages_path(self.asset.code, level), self.shape.pages_file_bytes(level)
        if source.size(path) != length:
            where = f"{self.asset.code}, level {level}"
            raise Rejected(Code.PAGE_BAD_FILE_LENGTH, where, f"{path} has not {length} bytes")

    def check_arguments_length(self, source: Source, level: int) -> None:
        """Raise `bundle.missing-file` or `bundle.wrong-argument` unless its arguments fit."""
        path = arguments_path(self.asset.code, level)
        if source.size(path) != self.shape.arguments_file_bytes(level):
            raise wrong_argument(path)

    def read_pages(self, source: Source, level: int, first: int, count: int) -> bytes:
        """Read consecutive pages of a level."""
        path = pages_path(self.asset.code, level)
        return _read(source, path, self.shape.page_bytes, level, first, count)

    def read_arguments(self, source: Source, level: int, first: int, count: int) -> bytes:
        """Read their arguments."""
        path = arguments_path(self.asset.code, level)
        return _read(source, path, self.shape.argument_bytes, level, first, count)

    def check_link(self, level: int, index: int, stated: bytes, found: bytes) -> None:
        """Compare what a page states of a child with the child's recomputed id and sum."""
        where = self.where(level, index)
        if stated[:ID_BYTES] != found[:ID_BYTES]:
            raise Rejected(Code.PAGE_WRONG_CHILD_ID, where, "it names another child page")
        if stated != found:
            raise Rejected(Code.PAGE_WRONG_CHILD_SUM, where, "it states another sum of a child")

    def check_root(self, found: bytes) -> None:
        """Compare the root page's recomputed id and sum with the manifest's."""
        where = self.where(self.shape.levels - 1, 0)
        if found[:ID_BYTES] != self.asset.root:
            raise Rejected(Code.PAGE_WRONG_ROOT_ID, where, "the manifest names another root page")
        if found[ID_BYTES:] != self.asset.sum:
            raise Rejected(Code.PAGE_WRONG_ROOT_SUM, where, "the manifest states another sum")

    def page_fault(self, level: int, index: int, error: native.PageRejected) -> Rejected:
        """Return the rejection of a page, of its code alone: its place is the caller's to know."""
        code = Code(error.code)
        return Rejected(code, self.where(level, index), _MESSAGES[code])


_MESSAGES = {
    Code.PAGE_BAD_HEADER: "the header is not as computed",
    Code.PAGE_BAD_POINT: "a commitment among the entries is no point of the curve",
    Code.PAGE_INFINITE_SUM: "the sum of the entries is infinite",
    Code.ARGUMENT_BAD_POINT: "a point of the argument does not decode",
    Code.ARGUMENT_BAD_SCALAR: "a scalar of the argument is not below the group order",
    Code.ARGUMENT_REJECTED: "it is not proved that the amounts are in range and add up",
}


def entry_link(page: bytes | memoryview, slot: int) -> bytes:
    """Return the link, id ‖ sum, in one entry of a page above level 0."""
    start = PAGE_HEADER_BYTES + slot * ENTRY_BYTES
    return bytes(page[start : start + ENTRY_BYTES])


def links_of(ids: bytes, sums: bytes) -> list[bytes]:
    """Return the link of each page that has one of these ids and sums."""
    return [
        ids[ID_BYTES * at : ID_BYTES * (at + 1)] + sums[POINT_BYTES * at : POINT_BYTES * (at + 1)]
        for at in range(len(ids) // ID_BYTES)
    ]


def audit_tree(
    source: Source,
    checked: CheckedManifest,
    asset: Asset,
    digests: tuple[bytes, ...],
    *,
    jobs: int,
    progress: Progress,
) -> TreeShape:
    """Check a whole tree, root included; ``digests`` are the record's, one a level.

    ``progress`` is given the entries of each chunk checked.

    Raises:
        Rejected: the first fault, in the order of spec/errors.md, section 3.
        CannotCheck: a page or an argument could not be read.
    """
    tree = Tree.of(checked, asset)
    links = bytearray()
    for level, digest in enumerate(digests):
        links = _audit_level(source, tree, level, digest, links, jobs=jobs, progress=progress)
    tree.check_root(bytes(links))
    return tree.shape


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Consecutive pages and their arguments."""

    first: int
    count: int
    pages: bytes
    arguments: bytes


def _audit_level(
    source: Source,
    tree: Tree,
    level: int,
    digest: bytes,
    children: bytearray,
    *,
    jobs: int,
    progress: Progress,
) -> bytearray:
    """Check a level against the links of the one below; return its own."""
    tree.check_pages_length(source, level)
    tree.check_arguments_length(source, level)
    pages, most = tree.shape.pages(level), _chunk_pages(tree.shape, level, jobs)
    hashed, links = hashlib.sha256(), bytearray()
    below = bytes(children)
    fault: Rejected | None = None

    def read() -> Iterator[_Chunk]:
        for first in range(0, pages, most):
            count = min(most, pages - first)
            arguments = tree.read_arguments(source, level, first, count)
            hashed.update(arguments)
            if fault is None:
                yield _Chunk(first, count, tree.read_pages(source, level, first, count), arguments)

    def check(chunk: _Chunk) -> bytes | Rejected:
        try:
            return _check_chunk(tree, level, chunk, below)
        except Rejected as error:
            return error

    size = tree.shape.count(level, 0)
    for found in in_order(check, read(), jobs):
        if fault is not None:
            continue
        if isinstance(found, Rejected):
            fault = found
            continue
        before = len(links) // ENTRY_BYTES
        links += found
        after = len(links) // ENTRY_BYTES
        progress(min(after * size, tree.shape.entries(level)) - before * size)
    if hashed.digest() != digest:
        raise wrong_argument(arguments_path(tree.asset.code, level))
    if fault is not None:
        raise fault
    return links


def _check_chunk(tree: Tree, level: int, chunk: _Chunk, below: bytes) -> bytes:
    """Check the pages of a chunk and their links; the first page with a fault is named."""
    first, pages, arguments = chunk.first, chunk.pages, chunk.arguments
    unlinked = _first_unlinked(tree, level, chunk, below) if level else None
    if unlinked is not None:
        # A fault of a later page does not count; one of this page, or before, comes first.
        sound = unlinked - first + 1
        if sound < chunk.count:
            pages = pages[: sound * tree.shape.page_bytes(level, 0)]
            arguments = arguments[: sound * tree.shape.argument_bytes(level, 0)]
    try:
        found = native.pages_check(tree.core, level, first, pages, arguments)
    except native.PageRejected as error:
        raise tree.page_fault(level, error.index, error) from None
    if unlinked is not None:
        page = memoryview(pages)[(unlinked - first) * tree.shape.page_bytes(level, 0) :]
        for slot in range(tree.shape.count(level, unlinked)):
            child = (unlinked * FAN + slot) * ENTRY_BYTES
            stated = entry_link(page, slot)
            tree.check_link(level, unlinked, stated, below[child : child + ENTRY_BYTES])
    return b"".join(links_of(*found))


def _first_unlinked(tree: Tree, level: int, chunk: _Chunk, below: bytes) -> int | None:
    """Return the first page of a chunk whose entries are not its children's links."""
    view = memoryview(chunk.pages)
    length = tree.shape.page_bytes(level, 0)
    for at in range(chunk.count):
        start = at * length + PAGE_HEADER_BYTES
        entries = tree.shape.count(level, chunk.first + at) * ENTRY_BYTES
        child = (chunk.first + at) * FAN * ENTRY_BYTES
        if view[start : start + entries] != below[child : child + entries]:
            return chunk.first + at
    return None


def _chunk_pages(shape: TreeShape, level: int, jobs: int) -> int:
    """Return how many pages make a chunk: all threads busy, and the memory in flight bounded."""
    each = shape.page_bytes(level, 0) + shape.argument_bytes(level, 0)
    affordable = IN_FLIGHT_BYTES // ((jobs + 1) * each)
    return max(1, min(MAX_CHUNK_PAGES, affordable, -(-shape.pages(level) // jobs)))


def _read(
    source: Source,
    path: str,
    length: Callable[[int, int], int],
    level: int,
    first: int,
    count: int,
) -> bytes:
    """Read consecutive items of a level's file; all but the level's last have one length."""
    total = (count - 1) * length(level, 0) + length(level, first + count - 1)
    return source.read_range(path, first * length(level, 0), total)
