"""Kernel and stage figures, one thread, in its own processor time: what one core does.

Medians over repeated runs, inputs from a fixed seed.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from array import array
from collections.abc import Callable

import native
from native._core import ffi, lib

PAGE_SIZE = 1024


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


def page_rates(pages: int = 64) -> tuple[float, float]:
    """Leaves a second to prove and to audit pages of 1024.

    To prove is to derive the blinding factors, put the leaves in their order, commit, argue, hash
    and encode.
    """
    leaves = pages * PAGE_SIZE
    state = hashlib.sha256(b"asset state").digest()
    secret, salt = random_bytes("secret", 32), random_bytes("salt", 32)
    derive = parts_of_accounts(leaves)

    def prove() -> bytes:
        values, blindings = array("Q", bytes(8 * leaves)), bytearray(32 * leaves)
        derive(values, blindings)
        return native.pages_prove(
            state, 0, 2, 0, pages, PAGE_SIZE, values, blindings, b"", secret, salt
        )[0]

    proved = prove()
    seed = random_bytes("seed", 32)
    proving = median_seconds(prove, 5)
    auditing = median_seconds(
        lambda: native.pages_verify(state, 0, 2, 0, pages, PAGE_SIZE, PAGE_SIZE, proved, seed),
        5,
    )
    return leaves / proving, leaves / auditing


def parts_of_accounts(leaves: int) -> Callable[[array[int], bytearray], None]:
    """Places the leaves of accounts with two parts each, whose ids have 24 bytes."""
    accounts = leaves // 2
    ids, offsets = random_bytes("ids", 24 * accounts), array("Q", range(0, 24 * accounts + 1, 24))
    keys, amounts = random_bytes("account keys", 32 * accounts), random_amounts("leaves", leaves)
    positions, first = (
        native.order(random_bytes("order", 32), leaves),
        array("Q", range(0, leaves + 1, 2)),
    )
    holders, context = array("I", range(accounts)), random_bytes("context", 32)

    def place(values: array[int], blindings: bytearray) -> None:
        native.place_leaves(
            *(values, blindings, 0, positions, amounts, first, holders),
            *(keys, ids, offsets, context, b"BTC"),
        )

    return place
