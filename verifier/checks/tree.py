"""Every page of an asset's tree with its argument, level by level, and every link up to the root.

Invariants: pages and arguments are read once, in order and in chunks, by one reader; chunks are
checked by ``jobs`` threads and their results taken in order, so that the fault named is the first,
however many threads there are. What a level's pages come to, their ids and sums, is recomputed and
compared with what the level above says; nothing is taken from a page's own header. Memory is the
chunks in flight (`IN_FLIGHT_BYTES`) and 65 bytes for every page of two levels.

Nobody is convicted of what somebody else's copy says. A fault of a level is named once its whole
file of arguments was read and has the digest that the exchange signed. A fault of an argument is
named once the pages led to the signed root, too: a page that was changed on its way does not fit
its argument either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import native
from verifier.bundle.source import Source
from verifier.checks.manifest import CheckedManifest
from verifier.checks.pages import Tree, entry_link, links_of, total_length
from verifier.checks.record import wrong_argument
from verifier.errors import Code, Rejected
from verifier.format.params import ENTRY_BYTES, FAN, PAGE_HEADER_BYTES, TreeShape, arguments_path
from verifier.format.wire import Asset
from verifier.ordered import in_order

# A chunk is one batched multi-scalar multiplication: cheaper a page the longer it is, until here.
CHUNK_BYTES = 6 * 2**20
IN_FLIGHT_BYTES = 64 * 2**20

Progress = Callable[[int], None]

_OF_ARGUMENTS = frozenset(
    {Code.ARGUMENT_BAD_POINT, Code.ARGUMENT_BAD_SCALAR, Code.ARGUMENT_REJECTED}
)


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
    audit = _Audit(source, Tree.of(checked, asset), jobs, progress)
    links = b""
    for level, digest in enumerate(digests):
        links = audit.check_level(level, digest, links)
    audit.tree.check_root(links)
    if audit.argument_fault is not None:
        raise audit.argument_fault
    return audit.tree.shape


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Consecutive pages and their arguments."""

    first: int
    count: int
    pages: bytes
    arguments: bytes


class _Audit:
    """The audit of one tree; ``argument_fault`` is that of the first argument that fails."""

    def __init__(self, source: Source, tree: Tree, jobs: int, progress: Progress) -> None:
        self.tree = tree
        self.argument_fault: Rejected | None = None
        self._source = source
        self._jobs = jobs
        self._progress = progress

    def check_level(self, level: int, digest: bytes, below: bytes) -> bytes:
        """Check a level against the links of the one below; return its own.

        Raises:
            Rejected: the first fault but those of arguments that fail.
        """
        tree = self.tree
        tree.check_pages_length(self._source, level)
        tree.check_arguments_length(self._source, level)
        hashed, links = hashlib.sha256(), bytearray()
        page_fault: Rejected | None = None

        def read() -> Iterator[_Chunk]:
            pages, most = tree.shape.pages(level), _chunk_pages(tree.shape, level, self._jobs)
            for first in range(0, pages, most):
                count = min(most, pages - first)
                arguments = tree.read_arguments(self._source, level, first, count)
                hashed.update(arguments)
                if page_fault is None:
                    data = tree.read_pages(self._source, level, first, count)
                    yield _Chunk(first, count, data, arguments)

        def check(chunk: _Chunk) -> tuple[bytes, Rejected | None, Rejected | None]:
            try:
                return *self._check_chunk(level, chunk, below), None
            except Rejected as error:
                return b"", None, error

        size = tree.shape.count(level, 0)
        for found, argument_fault, fault in in_order(check, read(), self._jobs):
            if page_fault is not None:
                continue
            page_fault = fault
            self.argument_fault = self.argument_fault or argument_fault
            before = len(links) // ENTRY_BYTES
            links += found
            after = len(links) // ENTRY_BYTES
            self._progress(min(after * size, tree.shape.entries(level)) - before * size)
        if hashed.digest() != digest:
            raise wrong_argument(arguments_path(tree.asset.code, level))
        if page_fault is not None:
            raise page_fault
        return bytes(links)

    def _check_chunk(
        self, level: int, chunk: _Chunk, below: bytes
    ) -> tuple[bytes, Rejected | None]:
        """Check the pages of a chunk, and their links; return these, and an argument's fault.

        Raises:
            Rejected: the fault of the first page that has one, apart from its argument.
        """
        tree, first, pages = self.tree, chunk.first, chunk.pages
        unlinked = _first_unlinked(tree, level, chunk, below) if level else None
        if unlinked is not None:
            # A fault of a later page does not count; one of this page, or before, comes first.
            pages = pages[: total_length(tree.shape.page_bytes, level, first, unlinked - first + 1)]
            found = self._check_pages(level, first, pages, None)
            page = memoryview(pages)[-tree.shape.page_bytes(level, unlinked) :]
            for slot in range(tree.shape.count(level, unlinked)):
                child = (unlinked * FAN + slot) * ENTRY_BYTES
                stated = entry_link(page, slot)
                tree.check_link(level, unlinked, stated, below[child : child + ENTRY_BYTES])
            return found, None
        if self.argument_fault is not None:
            return self._check_pages(level, first, pages, None), None
        try:
            return self._check_pages(level, first, pages, chunk.arguments), None
        except Rejected as error:
            if error.code not in _OF_ARGUMENTS:
                raise
            return self._check_pages(level, first, pages, None), error

    def _check_pages(self, level: int, first: int, pages: bytes, arguments: bytes | None) -> bytes:
        try:
            found = native.pages_check(self.tree.core, level, first, pages, arguments)
        except native.PageRejected as error:
            raise self.tree.page_fault(level, error.index, error) from None
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
    affordable = min(CHUNK_BYTES, IN_FLIGHT_BYTES // (jobs + 1)) // each
    return max(1, min(affordable, -(-shape.pages(level) // jobs)))
