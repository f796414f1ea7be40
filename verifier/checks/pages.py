"""The pages of an asset's tree, as the audit and the light check read them alike.

Lengths are computed from the manifest, and nothing is taken from a page's own header.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import native
from verifier.bundle.source import Source
from verifier.checks.record import wrong_argument
from verifier.errors import Code, Rejected
from verifier.format.params import (
    ENTRY_BYTES,
    ID_BYTES,
    PAGE_HEADER_BYTES,
    POINT_BYTES,
    TreeShape,
    arguments_path,
    pages_path,
)
from verifier.format.statement import tree_of
from verifier.format.wire import Asset


@dataclass(frozen=True, eq=False)
class Tree:
    """One asset's tree; ``core`` is what its pages, arguments and openings speak of."""

    asset: Asset
    shape: TreeShape
    core: native.Tree

    @classmethod
    def of(cls, context: bytes, asset: Asset) -> Tree:
        """Return the tree of an asset of a checked manifest, which has this context."""
        shape = asset.shape
        return cls(asset, shape, tree_of(context, asset, shape))

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
        """Return the rejection of a page, which the caller names."""
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
    return bytes(memoryview(page)[start : start + ENTRY_BYTES])


def links_of(ids: bytes, sums: bytes) -> list[bytes]:
    """Return the link of each page that has one of these ids and sums."""
    return [
        ids[ID_BYTES * at : ID_BYTES * (at + 1)] + sums[POINT_BYTES * at : POINT_BYTES * (at + 1)]
        for at in range(len(ids) // ID_BYTES)
    ]


Length = Callable[[int, int], int]


def _read(source: Source, path: str, length: Length, level: int, first: int, count: int) -> bytes:
    """Read consecutive items of a level's file."""
    total = total_length(length, level, first, count)
    return source.read_range(path, first * length(level, 0), total)


def total_length(length: Length, level: int, first: int, count: int) -> int:
    """Return the length of consecutive items of a level; all but its last have one length."""
    return (count - 1) * length(level, 0) + length(level, first + count - 1)
