"""Kernel and stage figures, one thread: medians over repeated runs, inputs from a fixed seed."""

from __future__ import annotations

import hashlib
import statistics
import time
from array import array
from collections.abc import Callable

import native

PAGE_SIZE = 1024


def median_seconds(run: Callable[[], object], repeats: int) -> float:
    """The median wall time of a call, after one call that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def random_bytes(label: str, length: int) -> bytes:
    """Bytes from a fixed seed."""
    return hashlib.shake_256(label.encode()).digest(length)


def random_scalars(label: str, count: int) -> bytes:
    """`count` scalars of 32 bytes, below the group order."""
    return native.padding_blindings(hashlib.sha256(label.encode()).digest(), 0, count)


def random_amounts(label: str, count: int) -> array[int]:
    """`count` amounts below 2^50, so that a page's sum stays below 2^64."""
    return array("Q", (a >> 14 for a in array("Q", random_bytes(label, 8 * count))))


def commit_per_second(count: int = 1 << 14) -> float:
    """Commitments v·V + r·B of 64-bit v, compressed, a second."""
    values, blindings = random_amounts("values", count), random_scalars("blindings", count)
    return count / median_seconds(lambda: native.commit(values, blindings), 5)


def msm_ns_per_point(count: int = 1 << 17) -> float:
    """Nanoseconds a point of one MSM with 256-bit scalars, decoding included."""
    points = native.commit(random_amounts("points", count), random_scalars("points", count))
    scalars = random_scalars("scalars", count)
    return 1e9 * median_seconds(lambda: native.msm(scalars, points), 3) / count


def decompress_ns(count: int = 1 << 14) -> float:
    """Nanoseconds to decode one point; the sum that the call also makes is part of the figure."""
    points = native.commit(random_amounts("points", count), random_scalars("points", count))
    return 1e9 * median_seconds(lambda: native.points_sum(points), 5) / count


def page_rates(pages: int = 64) -> tuple[float, float]:
    """Leaves a second to prove (commit, argue, hash, encode) and to audit pages of 1024."""
    leaves = pages * PAGE_SIZE
    state = hashlib.sha256(b"asset state").digest()
    values, blindings = random_amounts("leaves", leaves), random_scalars("leaves", leaves)
    secret, salt = random_bytes("secret", 32), random_bytes("salt", 32)

    def prove() -> bytes:
        return native.pages_prove(
            state, 0, 2, 0, pages, PAGE_SIZE, values, blindings, b"", secret, salt
        )[0]

    proved = prove()
    seed = random_bytes("seed", 32)
    proving = median_seconds(prove, 3)
    auditing = median_seconds(
        lambda: native.pages_verify(state, 0, 2, 0, pages, PAGE_SIZE, PAGE_SIZE, proved, seed),
        3,
    )
    return leaves / proving, leaves / auditing
