"""Every page of an asset's tree with its argument, level by level, and every link up to the root.

Invariants: pages and arguments are read in chunks. A chunk is a task, which reads its own ranges;
results are taken in order, so that the fault named is the first, wherever and however many at once
the tasks run. What a level's pages come to, their ids and sums, is recomputed and compared with
what the level above says; nothing is taken from a page's own header. Memory is the chunks in flight
(`IN_FLIGHT_BYTES`) and 65 bytes for every page of two levels.

Nobody is convicted of what somebody else's copy says. A fault of a level is named once its whole
file of arguments was read and has the digest that the exchange signed. A fault of an argument is
named once the pages led to the signed root, too: a page that was changed on its way does not fit
its argument either.

Other machines check level 0 alone, where the pages are, and read their own copy of it. They return
links and the digest of the arguments that they saw. The file of arguments is read here as well:
what it has is what they must have seen. A fault that they find is looked for here before it counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import native
from verifier.bundle.open import open_bundle
from verifier.bundle.source import Source
from verifier.checks.manifest import CheckedManifest
from verifier.checks.pages import Tree, entry_link, links_of, total_length
from verifier.checks.record import wrong_argument
from verifier.errors import CannotCheck, Code, Rejected
from verifier.format.params import (
    ENTRY_BYTES,
    FAN,
    PAGE_HEADER_BYTES,
    TreeShape,
    arguments_path,
    pages_path,
)
from verifier.format.wire import Asset
from verifier.ordered import Engine

# A chunk is one batched multi-scalar multiplication: cheaper a page the longer it is, until here.
CHUNK_BYTES = 6 * 2**20
IN_FLIGHT_BYTES = 64 * 2**20

Progress = Callable[[int], None]

_OF_ARGUMENTS = frozenset(
    {Code.ARGUMENT_BAD_POINT, Code.ARGUMENT_BAD_SCALAR, Code.ARGUMENT_REJECTED}
)


@dataclass(frozen=True, slots=True)
class Away:
    """An engine of other machines, and where these find the bundle: an absolute path, or a URL."""

    engine: Engine
    place: str


def audit_tree(
    source: Source,
    checked: CheckedManifest,
    asset: Asset,
    digests: tuple[bytes, ...],
    *,
    threads: Engine,
    away: Away | None,
    progress: Progress,
) -> TreeShape:
    """Check a whole tree, root included; ``digests`` are the record's, one a level.

    ``threads`` are of this process. ``progress`` is given the entries of each chunk checked.

    Raises:
        Rejected: the first fault, in the order of spec/errors.md, section 3.
        CannotCheck: a page or an argument could not be read.
    """
    audit = _Audit(source, checked.context, asset, threads, away, progress)
    links = b""
    for level, digest in enumerate(digests):
        links = audit.check_level(level, digest, links)
    audit.tree.check_root(links)
    if audit.argument_fault is not None:
        raise audit.argument_fault
    return audit.tree.shape


@dataclass(frozen=True, slots=True)
class _Found:
    """What the pages of a chunk come to: their links; the first argument that fails; what fault
    they have themselves, or what keeps them from being read.
    """

    links: bytes = b""
    argument_fault: Rejected | None = None
    fault: Rejected | CannotCheck | None = None


_Outcomes = Generator[tuple[bytes, _Found], None, None]


class _Audit:
    """The audit of one tree; ``argument_fault`` is that of the first argument that fails."""

    def __init__(
        self,
        source: Source,
        context: bytes,
        asset: Asset,
        threads: Engine,
        away: Away | None,
        progress: Progress,
    ) -> None:
        self.tree = Tree.of(context, asset)
        self.argument_fault: Rejected | None = None
        self._page_fault: Rejected | None = None
        self._source = source
        self._context = context
        self._threads = threads
        self._away = away
        self._progress = progress
        self._most_bytes = min(CHUNK_BYTES, IN_FLIGHT_BYTES // (threads.jobs + 1))

    def check_level(self, level: int, digest: bytes, below: bytes) -> bytes:
        """Check a level against the links of the one below; return its own.

        Raises:
            Rejected: the first fault but those of arguments that fail.
        """
        tree = self.tree
        tree.check_pages_length(self._source, level)
        tree.check_arguments_length(self._source, level)
        hashed, links = hashlib.sha256(), bytearray()
        size = tree.shape.count(level, 0)
        is_away = self._away is not None and level == 0
        with closing(self._elsewhere() if is_away else self._here(level, below)) as outcomes:
            for arguments, found in outcomes:
                hashed.update(arguments)
                if self._page_fault is not None:
                    continue
                if isinstance(found.fault, CannotCheck):
                    raise found.fault
                self._page_fault = found.fault
                self.argument_fault = self.argument_fault or found.argument_fault
                before = len(links) // ENTRY_BYTES
                links += found.links
                after = len(links) // ENTRY_BYTES
                self._progress(min(after * size, tree.shape.entries(level)) - before * size)
        if hashed.digest() != digest:
            raise wrong_argument(arguments_path(tree.asset.code, level))
        if self._page_fault is not None:
            raise self._page_fault
        return bytes(links)

    def _here(self, level: int, below: bytes) -> _Outcomes:
        """Yield the arguments of each chunk of a level, and what it comes to, by threads.

        Once a page has a fault, of the chunks behind it the arguments are read and nothing else.
        """
        chunks = _Chunks.of(self.tree, level, self._most_bytes, self._threads.jobs)

        def check(number: int) -> tuple[bytes, _Found]:
            arguments = chunks.read_arguments(self._source, number)
            if self._page_fault is not None:
                return arguments, _Found()
            is_decided = self.argument_fault is not None
            checked = None if is_decided else arguments
            return arguments, chunks.check(self._source, number, checked, below)

        return self._threads.run(chunks.name, check, chunks.numbers)

    def _elsewhere(self) -> _Outcomes:
        """Yield the same of level 0, checked by other machines; the arguments are those read here.

        Raises:
            CannotCheck: a chunk could not be read there, or not as it is read here.
        """
        assert self._away is not None  # noqa: S101 (the caller looked)
        engine = self._away.engine
        chunks = _Chunks.of(self.tree, 0, self._most_bytes, engine.jobs)
        check = _CheckAway(self._away.place, self._context, self.tree.asset, chunks.each)
        read = partial(chunks.read_arguments, self._source)
        with (
            closing(self._threads.run(chunks.name, read, chunks.numbers)) as own,
            closing(engine.run(chunks.name, check, chunks.numbers)) as outcomes,
        ):
            for number, arguments in enumerate(own):
                if self._page_fault is not None:
                    yield arguments, _Found()
                    continue
                digest, found = next(outcomes)
                if isinstance(found.fault, CannotCheck):
                    message = f"on another machine: {found.fault.message}"
                    raise CannotCheck(found.fault.code, message)
                if hashlib.sha256(arguments).digest() != digest:
                    raise _changed(arguments_path(self.tree.asset.code, 0))
                if found.fault or (found.argument_fault and not self.argument_fault):
                    found = self._look_again(chunks, number, arguments, found)
                yield arguments, found

    def _look_again(self, chunks: _Chunks, number: int, arguments: bytes, told: _Found) -> _Found:
        """Check here the chunk in which another machine found a fault.

        Raises:
            CannotCheck: it has another here, or none.
        """
        found = chunks.check(self._source, number, arguments, b"")
        if (str(found.fault), str(found.argument_fault)) != (
            str(told.fault),
            str(told.argument_fault),
        ):
            raise _changed(pages_path(self.tree.asset.code, 0))
        return found


@dataclass(frozen=True, slots=True)
class _CheckAway:
    """The task of another machine. All that it holds is public."""

    place: str
    context: bytes
    asset: Asset
    each: int

    def __call__(self, number: int) -> tuple[bytes, _Found]:
        """Return the digest of a chunk's arguments, and what the chunk comes to."""
        chunks = _Chunks(Tree.of(self.context, self.asset), 0, self.each)
        try:
            with closing(open_bundle(self.place)) as source:
                arguments = chunks.read_arguments(source, number)
                found = chunks.check(source, number, arguments, b"")
        except (Rejected, CannotCheck) as error:
            return b"", _Found(fault=error)
        return hashlib.sha256(arguments).digest(), found


@dataclass(frozen=True, slots=True)
class _Chunks:
    """A level in chunks of ``each`` consecutive pages, the last of perhaps fewer."""

    tree: Tree
    level: int
    each: int

    @classmethod
    def of(cls, tree: Tree, level: int, most_bytes: int, jobs: int) -> _Chunks:
        """Cut a level so that ``jobs`` have something to do, and a chunk is not too large."""
        shape = tree.shape
        affordable = most_bytes // (shape.page_bytes(level, 0) + shape.argument_bytes(level, 0))
        return cls(tree, level, max(1, min(affordable, -(-shape.pages(level) // jobs))))

    @property
    def name(self) -> str:
        """Return what the tasks of the level are called."""
        return f"audit-{self.tree.asset.code}-{self.level}"

    @property
    def numbers(self) -> range:
        """Return the numbers of the chunks."""
        return range(-(-self.tree.shape.pages(self.level) // self.each))

    def read_arguments(self, source: Source, number: int) -> bytes:
        """Read the arguments of a chunk."""
        return self.tree.read_arguments(source, self.level, *self._pages(number))

    def check(self, source: Source, number: int, arguments: bytes | None, below: bytes) -> _Found:
        """Read the pages of a chunk and check them, and their arguments if there are any.

        ``below`` has the links of the level below, whose pages they name.
        """
        first, count = self._pages(number)
        try:
            pages = self.tree.read_pages(source, self.level, first, count)
            return self._check_linked(first, count, pages, arguments, below)
        except (Rejected, CannotCheck) as error:
            return _Found(fault=error)

    def _pages(self, number: int) -> tuple[int, int]:
        """Return the first page of a chunk, and how many it has."""
        first = number * self.each
        return first, min(self.each, self.tree.shape.pages(self.level) - first)

    def _check_linked(
        self, first: int, count: int, pages: bytes, arguments: bytes | None, below: bytes
    ) -> _Found:
        """Check pages, their arguments and their links.

        Raises:
            Rejected: the fault of the first page that has one, apart from its argument.
        """
        tree, level = self.tree, self.level
        unlinked = _first_unlinked(tree, level, first, count, pages, below) if level else None
        if unlinked is not None:
            # A fault of a later page does not count; one of this page, or before, comes first.
            pages = pages[: total_length(tree.shape.page_bytes, level, first, unlinked - first + 1)]
            self._check_pages(first, pages, None)
            page = memoryview(pages)[-tree.shape.page_bytes(level, unlinked) :]
            for slot in range(tree.shape.count(level, unlinked)):
                child = (unlinked * FAN + slot) * ENTRY_BYTES
                stated = entry_link(page, slot)
                tree.check_link(level, unlinked, stated, below[child : child + ENTRY_BYTES])
        try:
            return _Found(self._check_pages(first, pages, arguments))
        except Rejected as error:
            if error.code not in _OF_ARGUMENTS:
                raise
            return _Found(self._check_pages(first, pages, None), error)

    def _check_pages(self, first: int, pages: bytes, arguments: bytes | None) -> bytes:
        try:
            found = native.pages_check(self.tree.core, self.level, first, pages, arguments)
        except native.PageRejected as error:
            raise self.tree.page_fault(self.level, error.index, error) from None
        return b"".join(links_of(*found))


def _first_unlinked(
    tree: Tree, level: int, first: int, count: int, pages: bytes, below: bytes
) -> int | None:
    """Return the first of consecutive pages whose entries are not its children's links."""
    view = memoryview(pages)
    length = tree.shape.page_bytes(level, 0)
    for at in range(count):
        start = at * length + PAGE_HEADER_BYTES
        entries = tree.shape.count(level, first + at) * ENTRY_BYTES
        child = (first + at) * FAN * ENTRY_BYTES
        if view[start : start + entries] != below[child : child + entries]:
            return first + at
    return None


def _changed(path: str) -> CannotCheck:
    message = "changed during the check, or other machines have another copy"
    return CannotCheck(Code.CHECK_UNREADABLE, f"{path}: {message}")
