"""The tree of an asset, and the identities in its pages (spec/protocol.md 2.2, 2.3; wire.md 5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import ffi, lib

if TYPE_CHECKING:
    from typing_extensions import Buffer

PAGE_SIZES = (16, 256, 4096)
CAPACITY_MAX = 1 << 20
LEAVES_MAX = 1 << 30
PATH_HEIGHT = 6
FAN = 64
VECTOR = 16
IDENTITY = 32
POINT = 33
OPENING = 545


@dataclass(frozen=True)
class Tree:
    """The tree of one asset, from which the core makes every statement about its pages.

    context: 32 bytes, item 2 of the transcript; asset: the data of item 3; capacity: pages of level
    0, 1 to 2^20; page_size: leaves of each, 16, 256 or 4096; at most 2^30 leaves in all.
    """

    context: bytes
    asset: bytes
    capacity: int
    page_size: int

    def __post_init__(self) -> None:
        """Raise ValueError for what is no tree."""
        if buffers.byte_length(self.context) != IDENTITY:
            raise ValueError("a context has 32 bytes")
        if self.page_size not in PAGE_SIZES:
            raise ValueError(f"a page has 16, 256 or 4096 leaves, not {self.page_size}")
        if not 1 <= self.capacity <= min(CAPACITY_MAX, LEAVES_MAX // self.page_size):
            raise ValueError(f"no tree has {self.capacity} pages of {self.page_size} leaves")

    @cached_property
    def core(self) -> Any:
        """Return the core's record of the tree."""
        made: Any = ffi.new("assay_tree *")
        ffi.memmove(made.context, buffers.items(self.context, IDENTITY, "context"), IDENTITY)
        asset, made.asset_length = buffers.whole(self.asset, "asset")
        made.asset = asset
        made.capacity, made.page_size = self.capacity, self.page_size
        buffers.keep(made, asset)
        return made

    @cached_property
    def levels(self) -> int:
        """Return the number of levels; the last has one page, the root."""
        return int(lib.assay_tree_levels(self.core))

    @property
    def vectors(self) -> int:
        """Return the vectors of a page of level 0."""
        return self.page_size // VECTOR

    @property
    def path_length(self) -> int:
        """Return the bytes of a leaf's path."""
        return IDENTITY * min(PATH_HEIGHT, self.page_size.bit_length() - 1)

    def page_count(self, level: int) -> int:
        """Return the pages of a level.

        Raises:
            ValueError: the tree has no such level.
        """
        if not 0 <= level < self.levels:
            raise ValueError(f"a tree of {self.levels} levels has no level {level}")
        return int(lib.assay_tree_pages(self.core, level))

    def entry_count(self, level: int, index: int) -> int:
        """Return the leaves or children of a page."""
        self._require_page(level, index)
        if level == 0:
            return self.page_size
        return min(FAN, self.page_count(level - 1) - FAN * index)

    def page_length(self, level: int, index: int = 0) -> int:
        """Return the bytes of a page, header and entries."""
        self._require_page(level, index)
        return int(lib.assay_page_length(self.core, level, index))

    def argument_length(self, level: int, index: int = 0) -> int:
        """Return the bytes of a page's argument."""
        self._require_page(level, index)
        return int(lib.assay_argument_length(self.core, level, index))

    def lengths(self, level: int, first: int, count: int) -> tuple[int, int, int]:
        """Return the bytes of consecutive pages and of their arguments, and their entries.

        Raises:
            ValueError: there is no page, or one of them is not there.
        """
        last = first + count - 1
        if count < 1:
            raise ValueError("no page")
        self._require_page(level, last)
        self._require_page(level, first)
        return (
            (count - 1) * self.page_length(level, first) + self.page_length(level, last),
            (count - 1) * self.argument_length(level, first) + self.argument_length(level, last),
            (count - 1) * self.entry_count(level, first) + self.entry_count(level, last),
        )

    def _require_page(self, level: int, index: int) -> None:
        if not 0 <= index < self.page_count(level):
            raise ValueError(f"level {level} has no page {index}")


def identity(account_key: Buffer, leaf_hash: Buffer, part: int) -> bytes:
    """Return the identity of a part of an account; both inputs have 32 bytes."""
    made = bytearray(IDENTITY)
    lib.assay_identity(
        buffers.out(made),
        buffers.items(account_key, IDENTITY, "account_key"),
        buffers.items(leaf_hash, IDENTITY, "leaf_hash"),
        part,
    )
    return bytes(made)


def identity_nodes(identities: Buffer, page_size: int) -> bytes:
    """Return the nodes that the entries of whole pages hold over these identities.

    Raises:
        ValueError: ``page_size`` is none, or these are not whole pages.
    """
    if page_size not in PAGE_SIZES:
        raise ValueError(f"a page has 16, 256 or 4096 leaves, not {page_size}")
    pages = buffers.byte_length(identities) // (IDENTITY * page_size)
    made = bytearray(IDENTITY * pages * max(1, page_size >> PATH_HEIGHT))
    lib.assay_identity_nodes(
        buffers.out(made),
        buffers.items(identities, IDENTITY * page_size * pages, "identities"),
        page_size,
        pages,
    )
    return bytes(made)


def identity_path(identities: Buffer, page_size: int, leaf: int) -> bytes:
    """Return the siblings, from the leaf up, of one of the leaves of a page.

    Raises:
        ValueError: ``page_size`` or ``leaf`` is none, or the identities are not those of a page.
    """
    if page_size not in PAGE_SIZES or not 0 <= leaf < page_size:
        raise ValueError(f"a page of {page_size} leaves has no leaf {leaf}")
    made = bytearray(IDENTITY * min(PATH_HEIGHT, page_size.bit_length() - 1))
    lib.assay_identity_path(
        buffers.out(made),
        buffers.items(identities, IDENTITY * page_size, "identities"),
        page_size,
        leaf,
    )
    return bytes(made)


def path_node(identity: Buffer, leaf: int, path: Buffer) -> bytes:
    """Return the node that a path of at most 6 siblings leads to, by the leaf's low bits.

    It has to be node ``leaf >> siblings`` of the page, and no other.

    Raises:
        ValueError: a length is wrong.
    """
    height = buffers.byte_length(path) // IDENTITY
    made = bytearray(IDENTITY)
    status = lib.assay_identity_climb(
        buffers.out(made),
        buffers.items(identity, IDENTITY, "identity"),
        leaf,
        buffers.items(path, IDENTITY * height, "path"),
        height,
    )
    if status != lib.ASSAY_OK:
        raise ValueError("a path has at most 6 siblings")
    return bytes(made)
