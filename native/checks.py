"""Checking pages, their arguments, and openings of leaves (spec/errors.md, sections 3 and 4).

What is checked is untrusted, but of the lengths that follow from its place. The weights of a batch
are drawn here, from the system's random source, when all its bytes are in memory. All functions
release the interpreter lock; their time depends on the data.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from native import buffers
from native._core import ffi, lib
from native.errors import CODES, OpeningRejected, PageRejected, require
from native.tree import IDENTITY, OPENING, POINT, Tree

if TYPE_CHECKING:
    from typing_extensions import Buffer


@dataclass(frozen=True)
class PageToCheck:
    """A page of a tree, with its argument, or without one: then its entries alone are checked."""

    tree: Tree
    level: int
    index: int
    page: Buffer
    argument: Buffer | None


@dataclass(frozen=True)
class OpeningToCheck:
    """The opening of a leaf: ``page`` is its page's number among those that are checked with it.

    leaf: its number in the page; amount: u64; identity: 32 bytes, computed from what the customer
    typed; path: `Tree.path_length` bytes; opening: 545 bytes.
    """

    page: int
    leaf: int
    amount: int
    identity: Buffer
    path: Buffer
    opening: Buffer


def check(
    pages: Sequence[PageToCheck], openings: Sequence[OpeningToCheck] = ()
) -> tuple[bytes, bytes]:
    """Check pages and then openings on them; return the pages' ids and sums.

    What a page above level 0 says of its children, and what the tree's root is, is the caller's to
    compare. The fault named is that of the first page that has one, else of the first opening; a
    caller who needs another order goes on one by one.

    Raises:
        PageRejected: with the page's position: ``page.bad-header``, ``page.bad-point``,
            ``argument.bad-point``, ``argument.bad-scalar``, ``argument.rejected``,
            ``page.infinite-sum``.
        OpeningRejected: with the opening's position: ``inclusion.wrong-identity``,
            ``opening.bad-point``, ``opening.bad-scalar``, ``inclusion.wrong-amount``.
        ValueError: a length is wrong, or a page or leaf is not there.
    """
    pages, openings = tuple(pages), tuple(openings)  # as many as they say
    kept: list[Any] = []
    listed: Any = ffi.new("assay_checked_page[]", len(pages))
    for number, page in enumerate(pages):
        _fill_page(listed[number], page, kept)
    opened: Any = ffi.new("assay_checked_opening[]", len(openings))
    for number, opening in enumerate(openings):
        _fill_opening(opened[number], opening, pages, kept)
    return _check(listed, len(pages), opened, len(openings))


def pages_check(
    tree: Tree, level: int, first: int, pages: Buffer, arguments: Buffer | None
) -> tuple[bytes, bytes]:
    """Check consecutive pages of one level, with their arguments or without; see `check`.

    Raises:
        PageRejected: with the page's index in its level.
        ValueError: a length is wrong, or a page is not there.
    """
    size = buffers.byte_length(pages)
    count = -(-size // tree.page_length(level, first))
    length, argument_length, _ = tree.lengths(level, first, count)
    at_page = buffers.items(pages, length, "pages")
    at_argument: Any = ffi.NULL
    if arguments is not None:
        at_argument = buffers.items(arguments, argument_length, "arguments")
    page_step, argument_step = tree.page_length(level, first), tree.argument_length(level, first)
    listed: Any = ffi.new("assay_checked_page[]", count)
    for number in range(count):
        at = listed[number]
        at.tree, at.level, at.index = tree.core, level, first + number
        at.page = at_page + page_step * number
        if arguments is not None:
            at.argument = at_argument + argument_step * number
    try:
        return _check(listed, count, ffi.new("assay_checked_opening[]", 0), 0)
    except PageRejected as error:
        raise PageRejected(first + error.index, error.code) from None


def _fill_page(at: Any, page: PageToCheck, kept: list[Any]) -> None:
    tree, argument = page.tree, page.argument
    length, argument_length, _ = tree.lengths(page.level, page.index, 1)
    kept.append(tree.core)
    at.tree, at.level, at.index = tree.core, page.level, page.index
    at.page = _kept(kept, page.page, length, "page")
    if argument is not None:
        at.argument = _kept(kept, argument, argument_length, "argument")


def _fill_opening(
    at: Any, opening: OpeningToCheck, pages: Sequence[PageToCheck], kept: list[Any]
) -> None:
    if not 0 <= opening.page < len(pages):
        raise ValueError(f"there is no page {opening.page}")
    tree = pages[opening.page].tree
    at.identity = _kept(kept, opening.identity, IDENTITY, "identity")
    at.path = _kept(kept, opening.path, tree.path_length, "path")
    at.opening = _kept(kept, opening.opening, OPENING, "opening")
    at.amount, at.page, at.leaf = opening.amount, opening.page, opening.leaf


def _kept(kept: list[Any], data: Buffer, length: int, name: str) -> Any:
    pointer = buffers.items(data, length, name)
    kept.append(pointer)
    return pointer


def _check(listed: Any, count: int, opened: Any, openings: int) -> tuple[bytes, bytes]:
    ids, sums, bad = bytearray(IDENTITY * count), bytearray(POINT * count), ffi.new("size_t *")
    status = lib.assay_check_var(
        buffers.out(ids),
        buffers.out(sums),
        bad,
        listed,
        count,
        opened,
        openings,
        os.urandom(32 * lib.assay_check_weights(listed, count, openings)),
        buffers.bases(),
        buffers.scratch(lib.assay_check_scratch_size(listed, count, openings)),
    )
    if status in CODES:
        number = int(bad[0])
        if number < count:
            raise PageRejected(number, CODES[status])
        raise OpeningRejected(number - count, CODES[status])
    require(status)
    return bytes(ids), bytes(sums)
