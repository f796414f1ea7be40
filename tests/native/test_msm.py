"""Multi-scalar multiplication: every size class, adversarial points and scalars."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

import native
from native import buffers
from native._core import ffi, lib
from tests.support.group_reference import INFINITY, G, N, encode, encoded_multiple, multiply, skewed

# Around the change of method (16), and of window.
COUNTS = [0, 1, 2, 3, 15, 16, 17, 18, 40, 64, 100, 257, 1334, 5000]


def raw_msm(scalars: list[int], points: list[bytes], bits: int) -> bytes:
    """The core's sum over any integers below 2^bits, infinity allowed among the points."""
    r = ffi.new("uint8_t[33]")
    work = buffers.scratch(lib.assay_test_scratch_size(len(points)))
    encoded = b"".join(s.to_bytes(32) for s in scalars)
    status = lib.assay_test_msm(r, encoded, b"".join(points), len(points), bits, work)
    assert status == lib.ASSAY_OK
    return bytes(ffi.buffer(r))


def expected(scalars: list[int], multiples: list[int]) -> bytes:
    return encode(multiply(G, sum(s * k for s, k in zip(scalars, multiples, strict=True))))


@pytest.mark.parametrize("count", COUNTS)
def test_skewed_scalars_and_repeated_points(count: int) -> None:
    random = Random(count)
    for span in (1, 4, 60):
        multiples = [random.choice([-1, 1]) * random.randint(1, span) for _ in range(count)]
        scalars = [skewed(random) % N for _ in range(count)]
        result = native.msm(
            b"".join(s.to_bytes(32) for s in scalars), b"".join(map(encoded_multiple, multiples))
        )
        assert result == expected(scalars, multiples), span


@pytest.mark.parametrize("count", [1, 5, 16, 17, 500])
@pytest.mark.parametrize("scalar", [0, 1, 2, N - 1, N // 2, N // 2 + 1, 2**128, 2**255 - 1, 2**255])
def test_one_scalar_throughout(count: int, scalar: int) -> None:
    """All points fall in the same buckets: equal, and opposite in halves."""
    scalars = [scalar] * count
    for multiples in (
        [3] * count,
        [(-1) ** i * 3 for i in range(count)],
        list(range(1, count + 1)),
    ):
        points = [encoded_multiple(k) for k in multiples]
        encoded = b"".join(s.to_bytes(32) for s in scalars)
        assert native.msm(encoded, b"".join(points)) == expected(scalars, multiples)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 300, 4200])
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8, 16, 31, 63, 64, 65, 127, 128, 129, 255, 256])
def test_widths_and_infinities(count: int, bits: int) -> None:
    """Integers of every width, the largest of it among them; some points infinite."""
    random = Random(1000 * bits + count)
    scalars = [
        random.choice(
            [2**bits - 1, 2 ** (bits - 1), 0, skewed(random, bits), random.getrandbits(bits)]
        )
        for _ in range(count)
    ]
    multiples = [random.randint(-6, 6) for _ in range(count)]
    points = [encoded_multiple(k) for k in multiples]
    assert raw_msm(scalars, points, bits) == expected(scalars, multiples)


def test_a_bucket_longer_than_a_chunk() -> None:
    """One bucket of more entries than are added up at a time, and it ends as infinity."""
    count = 10_000
    multiples = [1 if i % 2 else -1 for i in range(count)]
    points = [encoded_multiple(k) for k in multiples]
    assert raw_msm([1] * count, points, 1) == INFINITY
    assert raw_msm([1] * (count - 1), points[1:], 1) == encoded_multiple(1)
    assert raw_msm([5] * count, [encoded_multiple(7)] * count, 3) == expected(
        [5] * count, [7] * count
    )


def test_small_scalars_exhaustively() -> None:
    for a, b, i, j in product(range(8), range(8), range(-2, 3), range(-2, 3)):
        points = [encoded_multiple(i), encoded_multiple(j)]
        assert raw_msm([a, b], points, 3) == encoded_multiple(a * i + b * j)


def test_inputs_are_checked() -> None:
    point = encoded_multiple(1)
    one = (1).to_bytes(32)
    for scalars, points, fault in [
        (one + N.to_bytes(32), point * 2, ("bad-scalar", 1)),
        (one * 2, point + INFINITY, ("bad-point", 1)),
        (N.to_bytes(32) * 2, INFINITY * 2, ("bad-scalar", 0)),
    ]:
        with pytest.raises(native.NativeError) as caught:
            native.msm(scalars, points)
        assert (caught.value.code, caught.value.index) == fault
    for scalars, points in [
        (one, point * 2),
        (one * 2, point),
        (one, point[:-1]),
        (one + b"\0", point),
    ]:
        with pytest.raises(ValueError, match="bytes"):
            native.msm(scalars, points)


def test_a_scratch_serves_any_smaller_number_of_points() -> None:
    # A batch of pages has memory for the largest batch, and may end early.
    counts = [*range(1, 3000), *range(3000, 140_000, 61), 1 << 20]
    sizes = [lib.assay_msm_scratch_size(n) for n in counts]
    assert sizes == sorted(sizes)
