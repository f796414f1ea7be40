"""Fixed-base sums: commitments, rows of bits, vectors of amounts, linear combinations."""

from __future__ import annotations

from array import array
from random import Random

import pytest

import native
from native import buffers
from native._core import ffi, lib
from native.buffers import bases, tables
from tests.support.core import points_sum
from tests.support.group_reference import INFINITY, G, N, Point, add, encode, multiply, skewed

Q_COUNT = 512


def lift(encoded: bytes) -> Point:
    """The point of a compressed encoding, known to be valid."""
    p = 2**256 - 2**32 - 977
    x = int.from_bytes(encoded[1:])
    y = pow(x**3 + 7, (p + 1) // 4, p)
    return (x, y if y % 2 == encoded[0] % 2 else p - y)


def commitment(value: int, blinding: int) -> bytes:
    return encode(add(multiply(G, value), multiply(lift(native.generator(b"B", 0)), blinding)))


def split(points: bytes) -> list[bytes]:
    return [points[at : at + 33] for at in range(0, len(points), 33)]


def commit(values: list[int], blindings: list[int], width: int = 64) -> list[bytes]:
    encoded = b"".join(r.to_bytes(32) for r in blindings)
    if width == 64:
        return split(native.commit(array("Q", values), encoded))
    return split(native.commit(b"".join(v.to_bytes(16) for v in values), encoded, width))


def generators_sum(indices: list[int], blinding: int) -> bytes:
    points = [native.generator(b"Q", j) for j in indices]
    points.append(native.msm(blinding.to_bytes(32), native.generator(b"B", 0)))
    return points_sum(b"".join(p for p in points if p != INFINITY))


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 60])
def test_skewed_values_and_blindings(width: int, count: int) -> None:
    random = Random(count * width)
    edges = [0, 1, 2**13, 2**13 - 1, 2**63, 2**64 - 1, 2**width - 1, 2 ** (width - 1)]
    values = [random.choice([*edges, skewed(random, width)]) for _ in range(count)]
    blindings = [random.choice([0, 1, N - 1, skewed(random) % N]) for _ in range(count)]
    found = commit(values, blindings, width)
    assert found == [commitment(v, r) for v, r in zip(values, blindings, strict=True)]


def test_small_values_and_blindings_exhaustively() -> None:
    """All of v, r < 64 in one batch: v = r = 0 is infinity; sums are checked by neighbours."""
    pairs = [(v, r) for v in range(64) for r in range(64)]
    found = dict(zip(pairs, commit([v for v, _ in pairs], [r for _, r in pairs]), strict=True))
    base, blinding = encode(G), native.generator(b"B", 0)
    assert found[0, 0] == INFINITY
    assert found[1, 0] == base
    assert found[0, 1] == blinding
    for v, r in pairs[1:]:
        below, step = ((v - 1, r), base) if v else ((v, r - 1), blinding)
        if below != (0, 0):
            assert found[v, r] == points_sum(found[below] + step), (v, r)


def test_blocks_join() -> None:
    """Around the block size a batch is the same as its parts."""
    random = Random(9)
    count = 2 * 1024 + 3
    values = [random.choice([0, random.getrandbits(64)]) for _ in range(count)]
    blindings = [random.getrandbits(255) for _ in range(count)]
    whole = commit(values, blindings)
    assert whole[:1024] == commit(values[:1024], blindings[:1024])
    assert whole[1020:1030] == commit(values[1020:1030], blindings[1020:1030])
    assert whole[-3:] == commit(values[-3:], blindings[-3:])


def test_commitments_add_up() -> None:
    random = Random(10)
    values = [random.getrandbits(60) for _ in range(10)]
    blindings = [skewed(random) % N for _ in range(10)]
    total = (sum(blindings) % N).to_bytes(32)
    points = b"".join(commit(values, blindings))
    assert points_sum(points) == native.commit(array("Q", [sum(values)]), total)


def test_inputs_are_checked() -> None:
    blinding = bytes(32)
    with pytest.raises(native.NativeError) as caught:
        native.commit(array("Q", [1, 2]), blinding + N.to_bytes(32))
    assert (caught.value.code, caught.value.index) == ("bad-scalar", 1)
    for values, blindings, width in [
        (bytes(8), blinding * 2, 64),
        (bytes(16), blinding, 64),
        (bytes(8), blinding, 128),
        (bytes(8), blinding[1:], 64),
        (bytes(8), blinding, 32),
    ]:
        with pytest.raises(ValueError, match=r"bytes|width"):
            native.commit(values, blindings, width)
    assert native.commit(b"", b"") == b""


def commit_rows(rows: list[bytes], blindings: list[int] | None) -> list[bytes]:
    count, row_bytes = len(rows), len(rows[0])
    r = ffi.new("uint8_t[]", 33 * count)
    encoded = ffi.NULL if blindings is None else b"".join(s.to_bytes(32) for s in blindings)
    work = buffers.scratch(lib.assay_test_scratch_size(count))
    lib.assay_test_commit_rows(r, b"".join(rows), row_bytes, encoded, count, tables(), work)
    return split(bytes(ffi.buffer(r)))


def selected(row: bytes) -> list[int]:
    return [j for j in range(8 * len(row)) if row[j // 8] >> j % 8 & 1]


@pytest.mark.parametrize("row_bytes", [1, 2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("count", [1, 8, 9, 30])
def test_rows_of_bits(row_bytes: int, count: int) -> None:
    random = Random(row_bytes * count)
    rows = [
        random.choice([bytes(row_bytes), b"\xff" * row_bytes, random.randbytes(row_bytes)])
        for _ in range(count)
    ]
    rows[0] = bytes(row_bytes)
    blindings = [random.choice([0, 1, N - 1, skewed(random) % N]) for _ in range(count)]
    assert commit_rows(rows, None) == [generators_sum(selected(row), 0) for row in rows]
    assert commit_rows(rows, blindings) == [
        generators_sum(selected(row), s) for row, s in zip(rows, blindings, strict=True)
    ]


def test_each_bit_selects_its_generator() -> None:
    rows = [(1 << j).to_bytes(64, "little") for j in range(Q_COUNT)]
    assert commit_rows(rows, None) == [native.generator(b"Q", j) for j in range(Q_COUNT)]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 64, 255, 256, 512])
def test_linear_combinations(count: int) -> None:
    random = Random(count)
    for scalars in ([skewed(random) % N for _ in range(count)], [0] * count, [N - 1] * count):
        encoded = b"".join(s.to_bytes(32) for s in scalars)
        points = b"".join(native.generator(b"Q", j) for j in range(count))
        r = ffi.new("uint8_t[33]")
        work = buffers.scratch(lib.assay_test_scratch_size(count))
        lib.assay_test_combine(r, encoded, count, 1, tables(), work)
        assert bytes(ffi.buffer(r)) == native.msm(encoded, points)


SLOTS = [native.generator(b"W", t) for t in range(16)]


def vector_sum(values: list[int], blinding: int) -> bytes:
    encoded = b"".join((v % N).to_bytes(32) for v in (*values, blinding))
    return native.msm(encoded, b"".join((*SLOTS, native.generator(b"B", 0))))


def test_the_generators_of_slots() -> None:
    """W_t is an x of the specified hash, and no other generator."""
    known = {native.generator(name, t) for name in (b"B", b"Q") for t in range(16)}
    assert len({*SLOTS, *known}) == 48


@pytest.mark.parametrize("count", [1, 8, 9, 40])
def test_vectors_of_amounts(count: int) -> None:
    random = Random(count)
    edges = [0, 0, 1, 2**13, 2**63, 2**64 - 1]
    vectors = [
        [random.choice([*edges, random.getrandbits(64)]) for _ in range(16)] for _ in range(count)
    ]
    vectors[0] = [0] * 16
    blindings = [random.choice([0, 1, N - 1, skewed(random) % N]) for _ in range(count)]
    flat = [v for vector in vectors for v in vector]
    work = buffers.scratch(lib.assay_test_scratch_size(count))
    for given in (blindings, None):
        r = ffi.new("uint8_t[]", 33 * count)
        encoded = ffi.NULL if given is None else b"".join(s.to_bytes(32) for s in given)
        lib.assay_test_commit_vectors(r, flat, encoded, count, tables(), work)
        used = given or [0] * count
        expected = [vector_sum(v, s) for v, s in zip(vectors, used, strict=True)]
        assert split(bytes(ffi.buffer(r))) == expected


@pytest.mark.parametrize("count", [1, 9])
def test_linear_combinations_of_slots(count: int) -> None:
    random = Random(count)
    for choices in ([], [0], [N - 1]):
        vectors = [
            [random.choice(choices) if choices else skewed(random) % N for _ in range(16)]
            for _ in range(count)
        ]
        encoded = b"".join(s.to_bytes(32) for vector in vectors for s in vector)
        r = ffi.new("uint8_t[]", 33 * count)
        work = buffers.scratch(lib.assay_test_scratch_size(max(256, 16 * count)))
        lib.assay_test_combine_vectors(r, encoded, count, tables(), work)
        assert split(bytes(ffi.buffer(r))) == [vector_sum(vector, 0) for vector in vectors]


@pytest.mark.parametrize("seed", range(6))
def test_sums_in_constant_time(seed: int) -> None:
    random = Random(seed)
    scalars = [skewed(random) % N for _ in range(17)]
    if seed == 0:
        scalars = [0] * 16 + [1]
    if seed == 1:
        scalars = [N - 1] * 17
    r = ffi.new("uint8_t[33]")
    lib.assay_test_vector_multiple(r, b"".join(s.to_bytes(32) for s in scalars), bases())
    assert bytes(ffi.buffer(r)) == vector_sum(scalars[:16], scalars[16])
