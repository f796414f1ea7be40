"""Kernel and stage figures, one thread, in its own processor time: what one core does.

Medians over repeated runs, inputs from a fixed seed.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import native
from native._core import ffi, lib

PAGE_SIZE = 4096
SECRET, SALT = bytes(range(32)), bytes(32)


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """The median processor time of a call in this thread, after one call that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return statistics.median(times)


def random_bytes(label: str, length: int) -> bytes:
    """Bytes from a fixed seed."""
    return hashlib.shake_256(label.encode()).digest(length)


def random_scalars(label: str, count: int) -> bytes:
    """`count` scalars of 32 bytes; none of these seeds has one above the group order."""
    return random_bytes(f"{label}, scalars", 32 * count)


def random_amounts(label: str, count: int) -> array[int]:
    """`count` amounts below 2^50, so that a page's sum stays below 2^64."""
    return array("Q", (a >> 14 for a in array("Q", random_bytes(label, 8 * count))))


def commit_per_second(count: int = 1 << 14) -> float:
    """Commitments v·V + r·B of 64-bit v, compressed, a second."""
    values, blindings = random_amounts("values", count), random_scalars("blindings", count)
    return count / median_seconds(lambda: native.commit(values, blindings), 5)


def msm_ns_per_point(count: int = 1 << 17) -> float:
    """Nanoseconds a point of one MSM with 256-bit scalars; decoding the points is taken off."""
    points = native.commit(random_amounts("points", count), random_scalars("points", count))
    scalars = random_scalars("scalars", count)
    seconds = median_seconds(lambda: native.msm(scalars, points), 3)
    return 1e9 * (seconds - decoding_seconds(points)) / count


def decompress_ns(count: int = 1 << 14) -> float:
    """Nanoseconds to decode one point."""
    points = native.commit(random_amounts("points", count), random_scalars("points", count))
    return 1e9 * decoding_seconds(points) / count


def decoding_seconds(points: bytes) -> float:
    """Seconds to decode points, by the core's own check."""
    count = len(points) // 33
    scratch, bad = bytearray(lib.assay_points_scratch_size(count) + 64), ffi.new("size_t *")
    memory = ffi.from_buffer("uint8_t[]", scratch, require_writable=True)
    aligned = memory + -int(ffi.cast("uintptr_t", memory)) % 64

    def check() -> None:
        if lib.assay_points_check_var(bad, points, count, aligned) != lib.ASSAY_OK:
            raise RuntimeError("a point does not decode")

    return median_seconds(check, 3)


@dataclass(frozen=True)
class Pages:
    """Pages of leaves in memory, and all that proves them and opens their leaves."""

    tree: native.Tree
    made: native.Committed
    amounts: array[int]
    identities: bytes
    arguments: bytes

    def page(self, index: int) -> native.PageToCheck:
        """A page and its argument."""
        return native.PageToCheck(
            self.tree,
            0,
            index,
            _of(self.made.pages, self.tree.page_length(0), index),
            _of(self.arguments, self.tree.argument_length(0), index),
        )

    def open(self, index: int, leaves: array[int], *, bulk: bool) -> tuple[bytes, bytes]:
        """Openings of leaves of a page, and their paths."""
        size = self.tree.page_size
        page = native.PageToOpen(
            self.tree,
            index,
            _of(self.made.pages, self.tree.page_length(0), index),
            self.amounts[size * index : size * (index + 1)],
            _of(self.identities, 32 * size, index),
            _of(self.made.vector_blindings, 32 * self.tree.vectors, index),
            leaves,
        )
        return native.openings_make([page], SECRET, SALT, bulk=bulk)


def _of(column: bytes, each: int, index: int) -> bytes:
    return column[each * index : each * (index + 1)]


def tree_of(pages: int) -> native.Tree:
    """A tree of so many pages of 4,096."""
    asset = b"\0\0\0\3BTC\x08" + random_bytes("units", 32)
    return native.Tree(random_bytes("context", 32), asset, pages, PAGE_SIZE)


def commit_pages(tree: native.Tree, derive: Derive) -> tuple[native.Committed, array[int], bytes]:
    """All leaves in their order, and the pages that commit to them."""
    leaves = tree.capacity * PAGE_SIZE
    amounts, identities = array("Q", bytes(8 * leaves)), bytearray(32 * leaves)
    derive(amounts, identities)
    made = native.leaves_commit(tree, 0, amounts, identities, SECRET, SALT)
    return made, amounts, bytes(identities)


def prove_pages(tree: native.Tree, derive: Derive) -> Pages:
    """The same, with their arguments."""
    made, amounts, identities = commit_pages(tree, derive)
    blindings = made.vector_blindings, made.sum_blindings
    arguments = native.pages_argue(tree, 0, 0, made.pages, amounts, *blindings, SECRET, SALT)
    return Pages(tree, made, amounts, identities, arguments)


def page_rates(pages: int = 64) -> tuple[float, float]:
    """Leaves a second to prove and to audit pages of 4,096.

    To prove is to derive the identities, put the leaves in their order, commit, argue, hash and
    encode, and to check the arguments.
    """
    tree, leaves = tree_of(pages), pages * PAGE_SIZE
    derive = parts_of_accounts(leaves)
    proved = prove_pages(tree, derive)
    proving = median_seconds(lambda: prove_pages(tree, derive), 5)
    auditing = median_seconds(
        lambda: native.pages_check(tree, 0, 0, proved.made.pages, proved.arguments), 5
    )
    return leaves / proving, leaves / auditing


def commit_rate(pages: int = 64) -> float:
    """Leaves a second to commit to alone: `page_rates` without the arguments."""
    tree, leaves = tree_of(pages), pages * PAGE_SIZE
    derive = parts_of_accounts(leaves)
    return leaves / median_seconds(lambda: commit_pages(tree, derive), 5)


def opening_microseconds() -> tuple[float, float]:
    """Microseconds of one opening: alone, in time that tells nothing, and one of 256 in bulk."""
    made = prove_pages(tree_of(1), parts_of_accounts(PAGE_SIZE))
    one, many = array("I", [77]), array("I", range(0, PAGE_SIZE, 16))
    alone = median_seconds(lambda: made.open(0, one, bulk=False), 15)
    bulk = median_seconds(lambda: made.open(0, many, bulk=True), 5)
    return 1e6 * alone, 1e6 * bulk / len(many)


def three_parts_ms() -> float:
    """Milliseconds to check three leaves of three pages of 4,096 with openings, as one batch."""
    made = prove_pages(tree_of(3), parts_of_accounts(3 * PAGE_SIZE))
    pages = [made.page(index) for index in range(3)]
    openings = []
    for index in range(3):
        leaf = 1000 * index + 5
        opening, path = made.open(index, array("I", [leaf]), bulk=False)
        at = PAGE_SIZE * index + leaf
        identity = _of(made.identities, 32, at)
        openings.append(
            native.OpeningToCheck(index, leaf, made.amounts[at], identity, path, opening)
        )
    return 1e3 * median_seconds(lambda: native.check(pages, openings), 15)


Derive = Callable[["array[int]", bytearray], None]


def parts_of_accounts(leaves: int) -> Derive:
    """Places the leaves of accounts with two parts each, whose ids have 24 bytes."""
    accounts = leaves // 2
    ids, offsets = random_bytes("ids", 24 * accounts), array("Q", range(0, 24 * accounts + 1, 24))
    keys, amounts = random_bytes("account keys", 32 * accounts), random_amounts("leaves", leaves)
    first = array("Q", range(0, leaves + 1, 2))
    positions = native.rank(native.stream(random_bytes("order", 32), 0, leaves // 4), 0, 0)
    holders, context = array("I", range(accounts)), random_bytes("context", 32)

    def place(values: array[int], identities: bytearray) -> None:
        native.place_leaves(
            *(values, identities, positions, amounts, first, holders),
            *(keys, ids, offsets, context, b"BTC"),
        )

    return place
