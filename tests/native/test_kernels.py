"""Every kernel gives the bytes of the portable one, whatever the points and scalars are.

The cases are those that batches of incomplete additions trip over: equal, opposite and infinite
points, sums that vanish on the way, and points chosen to meet the starting points of the buckets.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Protocol

import pytest

import native
from native import buffers
from native._core import ffi, lib
from native.buffers import bases, tables
from tests.support.core import points_sum
from tests.support.group_reference import INFINITY, N, encoded_multiple, skewed
from tests.support.leaves_statements import (
    KINDS,
    MODEL,
    amounts_of,
    identities_of,
    prove,
    tree_of,
)

KERNEL = native.kernel_name()

pytestmark = pytest.mark.skipif(
    KERNEL == "portable", reason="cpu feature: no kernel but the portable one is in use"
)


class Compare(Protocol):
    def __call__(self, run: Callable[..., object], *arguments: object) -> None: ...


def choose(name: str) -> None:
    os.environ["ASSAY_KERNEL"] = name
    assert lib.assay_init() == lib.ASSAY_OK


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compare]:
    """A call that is run under the kernel in use and under the portable one, and compared."""
    monkeypatch.setenv("ASSAY_KERNEL", KERNEL)

    def compare(run: Callable[..., object], *arguments: object) -> None:
        results = []
        for name in (KERNEL, "portable"):
            choose(name)
            assert native.kernel_name() == name
            results.append(run(*arguments))
        assert results[0] == results[1]

    yield compare
    choose(KERNEL)


def scalars(values: list[int]) -> bytes:
    return b"".join((v % N).to_bytes(32) for v in values)


def special(random: Random, count: int) -> list[int]:
    """Scalars that are small, equal, or have long runs of equal digits."""
    return [random.choice([0, 1, 2, N - 1, 2**13, skewed(random)]) % N for _ in range(count)]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 40, 129, 300, 2100])
@pytest.mark.parametrize("width", [64, 128])
def test_commitments(count: int, width: int, both: Compare) -> None:
    random = Random(count)
    for blindings in (special(random, count), [0] * count, [1] * count):
        values = [random.choice([0, 1, 2**width - 1, random.getrandbits(width)]) for _ in blindings]
        data = array("Q", values) if width == 64 else b"".join(v.to_bytes(16) for v in values)
        both(native.commit, data, scalars(blindings), width)


def commit_rows(rows: bytes, row_bytes: int, blindings: bytes | None, count: int) -> bytes:
    r = ffi.new("uint8_t[]", 33 * count)
    work = buffers.scratch(lib.assay_test_scratch_size(max(count, 256)))
    k = ffi.NULL if blindings is None else blindings
    lib.assay_test_commit_rows(r, rows, row_bytes, k, count, tables(), work)
    return bytes(ffi.buffer(r))


@pytest.mark.parametrize("count", [1, 9, 256, 1100])
@pytest.mark.parametrize("row_bytes", [1, 2, 3, 4, 8, 9, 16, 32, 64])
def test_rows(count: int, row_bytes: int, both: Compare) -> None:
    random = Random(count + row_bytes)
    blindings = scalars(special(random, count))
    dense = random.randbytes(count * row_bytes)
    sparse = bytes(random.choice([0, 0, 1, 255]) for _ in range(count * row_bytes))
    for rows in (dense, sparse, bytes(count * row_bytes)):
        for k in (blindings, None):
            both(commit_rows, rows, row_bytes, k, count)


def combine_all(encoded: bytes, n: int, count: int) -> bytes:
    r = ffi.new("uint8_t[]", 33 * count)
    work = buffers.scratch(lib.assay_test_scratch_size(max(256, n * count)))
    lib.assay_test_combine(r, encoded, n, count, tables(), work)
    return bytes(ffi.buffer(r))


@pytest.mark.parametrize("count", [1, 8, 31, 256, 512])
def test_combinations(count: int, both: Compare) -> None:
    random = Random(count)

    def combine(encoded: bytes) -> bytes:
        return combine_all(encoded, count, 1)

    for values in (
        [0] * count,
        [1] * count,
        special(random, count),
        [random.randrange(N) for _ in range(count)],
    ):
        both(combine, scalars(values))


@pytest.mark.parametrize("count", [2, 8, 9, 19])
def test_many_combinations(count: int, both: Compare) -> None:
    """All by the formulas; then with one among them whose planes are empty, and all such."""
    random = Random(count)
    full = [[random.randrange(N) for _ in range(64)] for _ in range(count)]
    sparse = [random.randrange(2**200)] + [0] * 63
    for vectors in (full, [*full[:-1], sparse], [sparse] * count):
        both(combine_all, scalars([z for vector in vectors for z in vector]), 64, count)


def msm(values: list[int], points: list[bytes]) -> bytes:
    r, n = ffi.new("uint8_t[33]"), len(points)
    work = buffers.scratch(lib.assay_test_scratch_size(n))
    encoded = b"".join(v.to_bytes(32) for v in values)
    assert lib.assay_test_msm(r, encoded, b"".join(points), n, 256, work) == lib.ASSAY_OK
    return bytes(ffi.buffer(r))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 64, 128, 129, 200, 1602])
def test_products_of_related_points(count: int, both: Compare) -> None:
    random = Random(count)
    pool = [encoded_multiple(k) for k in (1, -1, 2, -2, 3, 5)] + [INFINITY]
    for values in (
        [random.getrandbits(256) for _ in range(count)],
        [random.choice([0, 1, N - 1, N, 2**256 - 1, 2**255]) for _ in range(count)],
        [random.getrandbits(256)] * count,
    ):
        points = random.choices(pool, k=count)
        both(msm, values, points)
        both(msm, values, [encoded_multiple(7)] * count)


@pytest.mark.parametrize("count", [300, 5000])
def test_products_with_digits_that_many_points_share(count: int, both: Compare) -> None:
    """Buckets of many more entries than the others: full parts, and a rest of any length."""
    random = Random(count)
    points = [
        encoded_multiple(random.randint(1, 50) * random.choice([-1, 1])) for _ in range(count)
    ]
    shared = random.getrandbits(256)
    for heavy in (count // 3, count // 3 + 1, *range(count - 64, count, 7), count):
        values = [shared] * heavy + [random.getrandbits(256) for _ in range(count - heavy)]
        both(msm, values, points)
    both(msm, [1] * count, points)
    both(msm, [i % 3 for i in range(count)], points)
    both(msm, [N - 1] * (count - 1) + [1], [points[0]] * count)


def flipped(point: bytes) -> bytes:
    return bytes([point[0] ^ 1]) + point[1:]


@pytest.mark.parametrize("where", range(4))
def test_points_chosen_to_meet_the_buckets(where: int, both: Compare) -> None:
    """Who knows the scalars may choose points equal and opposite to where buckets start."""
    random = Random(where)
    values = [random.getrandbits(256) for _ in range(8)] + list(range(1, 193))
    words = [v >> 64 * i & (2**64 - 1) for v in values[:8] for i in range(4)]
    digest = hashlib.sha256(array("Q", words).tobytes()).digest()
    o, d = (native.generator(digest, i) for i in range(2))
    starts = [o]
    while len(starts) < len(values):
        starts.append(points_sum(starts[-1] + d))
    points = [[*starts], [flipped(s) for s in starts], [o] * len(values), [flipped(o)] * 200][where]
    both(msm, values, points)


@pytest.mark.parametrize("count", [64, 65, 1000, 1025, 3000])
def test_sums(count: int, both: Compare) -> None:
    random = Random(count)
    pools = [
        [encoded_multiple(k) for k in range(1, 200)],
        [encoded_multiple(k) for k in (1, -1, 2)],
    ]

    def total(points: list[bytes]) -> bytes:
        r, work = ffi.new("uint8_t[33]"), buffers.scratch(lib.assay_test_scratch_size(count))
        assert lib.assay_test_points_sum(r, b"".join(points), count, work) == lib.ASSAY_OK
        return bytes(ffi.buffer(r))

    for pool in (*pools, [*pools[1], INFINITY]):
        both(total, random.choices(pool, k=count))


@pytest.mark.parametrize("count", [1, 8, 16, 17, 40])
def test_the_first_bad_encoding_is_named(count: int, both: Compare) -> None:
    good = [encoded_multiple(random) for random in range(1, count + 1)]
    bad = [
        bytes(33),
        b"\x04" + good[0][1:],
        b"\x02" + (5).to_bytes(32),  # 5³ + 7 is no square
        b"\x03" + (2**256 - 2**32 - 977).to_bytes(32),
        b"\x02" + b"\xff" * 32,
    ]

    def verdict(points: list[bytes]) -> object:
        try:
            return native.msm((1).to_bytes(32) * len(points), b"".join(points))
        except native.NativeError as error:
            return error.code, error.index

    for encoding in bad:
        for at in range(count):
            points = [*good[:at], encoding, *good[at + 1 :]]
            assert verdict(points) == ("bad-point", at)
            points[-1] = encoding
            both(verdict, points)


@pytest.mark.parametrize("size", [16, 256, 4096])
@pytest.mark.parametrize("kind", KINDS)
def test_pages_of_leaves(size: int, kind: str, both: Compare) -> None:
    model, count = replace(MODEL, page_size=size), 3
    amounts, identities = amounts_of(kind, size * count), identities_of(size * count)
    both(prove, model, 0, amounts, identities)
    made, argument = prove(model, 0, amounts, identities)
    both(native.pages_check, tree_of(model), 0, 0, made.pages, argument)


@pytest.mark.parametrize("count", [1, 3, 16, 64, 100])
@pytest.mark.parametrize("most", [0, 1, 2**40, 2**58])
def test_pages_of_sums(count: int, most: int, both: Compare) -> None:
    random = Random(count + most)
    tree = native.Tree(bytes(32), b"", count, 16)
    values = array("Q", [random.randint(0, most) for _ in range(count)])
    blindings = scalars([random.randrange(N) for _ in range(count)])
    if count > 1:
        sums = native.commit(values, blindings)
        given = (bytes(32 * count), sums, values, blindings)
        both(native.sums_commit, tree, 1, 0, *given)
        pages = native.sums_commit(tree, 1, 0, *given).pages
        keys = (random.randbytes(32), random.randbytes(32))
        both(native.pages_argue, tree, 1, 0, pages, values, blindings, b"", *keys)
    secret, salt, states = random.randbytes(32), random.randbytes(32), bytes(32)
    wide = [random.randint(0, most) << random.randrange(64) for _ in range(min(count, 64))]
    encoded = b"".join(v.to_bytes(16) for v in wide)
    points = native.commit(encoded, blindings[: 32 * len(wide)], 128)
    proved = (states, 128, encoded, blindings[: 32 * len(wide)], points, secret, salt)
    both(native.range_prove, *proved)


@pytest.mark.parametrize("count", [1, 8, 9, 130, 300, 2100])
def test_vectors(count: int, both: Compare) -> None:
    random = Random(count)
    blindings = scalars(special(random, count))
    for amounts in (
        [random.getrandbits(64) for _ in range(16 * count)],
        [random.choice([0, 0, 1, 2**64 - 1]) for _ in range(16 * count)],
        [0] * 16 * count,
    ):
        for k in (blindings, scalars([0] * count), None):
            both(commit_vectors, amounts, k)


def vector_multiple(factors: list[int]) -> bytes:
    r = ffi.new("uint8_t[33]")
    lib.assay_test_vector_multiple(r, b"".join(k.to_bytes(32) for k in factors), bases())
    return bytes(ffi.buffer(r))


FACTORS = [0, 1, 2, 2**5, N - 1, N, N + 1, 2**255 - 1, 2**255, 2**256 - 2**251, 2**256 - 1]


@pytest.mark.parametrize("factor", FACTORS)
def test_one_factor_in_constant_time(factor: int, both: Compare) -> None:
    """Of all bases, and of each alone; a sum may be infinite, which nobody's masks make it."""
    both(vector_multiple, [factor] * 17)
    for t in range(17):
        both(vector_multiple, [0] * t + [factor] + [0] * (16 - t))


@pytest.mark.parametrize("seed", range(4))
def test_factors_in_constant_time(seed: int, both: Compare) -> None:
    random = Random(seed)
    given = [[random.getrandbits(256) for _ in range(17)] for _ in range(1000)]
    for _ in range(100):
        given.append([random.choice([*FACTORS, skewed(random)]) for _ in range(17)])
    both(lambda: [vector_multiple(factors) for factors in given])


def commit_vectors(amounts: list[int], blindings: bytes | None) -> bytes:
    count = len(amounts) // 16
    r = ffi.new("uint8_t[]", 33 * count)
    work = buffers.scratch(lib.assay_test_scratch_size(max(count, 256)))
    k = ffi.NULL if blindings is None else blindings
    lib.assay_test_commit_vectors(r, amounts, k, count, tables(), work)
    return bytes(ffi.buffer(r))


def combine_vectors(encoded: bytes) -> bytes:
    count = len(encoded) // (32 * 16)
    r = ffi.new("uint8_t[]", 33 * count)
    work = buffers.scratch(lib.assay_test_scratch_size(max(256, 16 * count)))
    lib.assay_test_combine_vectors(r, encoded, count, tables(), work)
    return bytes(ffi.buffer(r))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 65, 130])
def test_combinations_of_vectors(count: int, both: Compare) -> None:
    random = Random(count)
    full = [random.randrange(N) for _ in range(16 * count)]
    low = [*full[:-16], *([random.getrandbits(64)] + [0] * 15)]
    for values in (full, low, [0] * 16 * count, [1] * 16 * count, special(random, 16 * count)):
        both(combine_vectors, scalars(values))
