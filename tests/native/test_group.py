"""The group: every exceptional addition, encodings, generators, sums."""

from __future__ import annotations

import hashlib
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import native
from native import buffers
from native._core import ffi, lib
from tests.support.core import points_sum
from tests.support.group_reference import (
    INFINITY,
    G,
    N,
    P,
    Point,
    add,
    encode,
    encoded_multiple,
    multiple,
    multiply,
    skewed,
)

SMALL = range(-8, 9)


def jacobian(operation: str, a: bytes, z_a: int, b: bytes = INFINITY) -> bytes:
    r = ffi.new("uint8_t[33]")
    code = getattr(lib, f"ASSAY_TEST_{operation}")
    status = lib.assay_test_jacobian(r, code, a, z_a.to_bytes(32), b)
    assert status == lib.ASSAY_OK
    return bytes(ffi.buffer(r))


def batch_add(a: list[bytes], b: list[bytes]) -> list[bytes]:
    r = ffi.new("uint8_t[]", 33 * len(a))
    work = buffers.scratch(lib.assay_test_scratch_size(len(a)))
    status = lib.assay_test_batch_add(r, b"".join(a), b"".join(b), len(a), work)
    assert status == lib.ASSAY_OK
    sums = bytes(ffi.buffer(r))
    return [sums[at : at + 33] for at in range(0, len(sums), 33)]


@pytest.mark.parametrize("z", [1, 2, P - 1, 2**255, P - 2, 0])
def test_jacobian_additions_of_small_multiples(z: int) -> None:
    """Under any denominator z of the first operand; z = 0 makes it infinity."""
    for i, j in product(SMALL, SMALL):
        a, b, k = encoded_multiple(i), encoded_multiple(j), i if z else 0
        assert jacobian("ADD", a, z, b) == encoded_multiple(k + j), (i, j)
        assert jacobian("DOUBLE", a, z) == encoded_multiple(2 * k), i


def test_all_pairs_of_small_multiples_in_one_batch() -> None:
    pairs = list(product(SMALL, SMALL))
    a, b = ([encoded_multiple(pair[side]) for pair in pairs] for side in (0, 1))
    assert batch_add(a, b) == [encoded_multiple(i + j) for i, j in pairs]


@pytest.mark.parametrize("seed", range(4))
def test_one_exceptional_pair_leaves_the_others_alone(seed: int) -> None:
    """At every size around the batch size; the exception at the first, last or a random place."""
    random = Random(seed)
    for count in (1, 2, 3, 100, 1023, 1024, 1025, 2500):
        pairs = [(random.randint(1, 30), random.randint(31, 60)) for _ in range(count)]
        place = random.choice([0, count - 1, random.randrange(count)])
        k = random.randint(1, 30)
        pairs[place] = random.choice([(k, k), (k, -k), (0, k), (k, 0), (0, 0), (-k, k)])
        a, b = ([encoded_multiple(pair[side]) for pair in pairs] for side in (0, 1))
        assert batch_add(a, b) == [encoded_multiple(i + j) for i, j in pairs], (count, pairs[place])


def test_doubling_repeats_the_group_law() -> None:
    point: Point = G
    encoded = encode(point)
    for _ in range(64):
        point = add(point, point)
        encoded = batch_add([encoded], [encoded])[0]
        assert encoded == encode(point)


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 33, 1000, 1024, 1025, 2048, 3001])
def test_points_sum(count: int) -> None:
    random = Random(count)
    for span in (1, 3, 40):
        multiples = [random.choice([-1, 1]) * random.randint(1, span) for _ in range(count)]
        encoded = [encoded_multiple(k) for k in multiples]
        expected = encode(multiply(G, sum(multiples)))
        assert points_sum(b"".join(encoded)) == expected
        with_infinity = [INFINITY, *encoded, INFINITY]
        random.shuffle(with_infinity)
        assert points_sum(b"".join(with_infinity)) == expected


def test_sum_of_opposite_halves_is_infinity() -> None:
    half = [encoded_multiple(k % 50 + 1) for k in range(1024)]
    opposite = [bytes([p[0] ^ 1]) + p[1:] for p in half]
    assert points_sum(b"".join(half + opposite)) == INFINITY
    assert points_sum(b"".join(half + opposite[:-1])) == half[-1]


def decode(encoded: bytes) -> Point:
    """What spec/transcript.md, section 1 says, by integers."""
    x = int.from_bytes(encoded[1:])
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if len(encoded) != 33 or encoded[0] not in (2, 3) or x >= P or (y * y - x**3 - 7) % P:
        return None
    return (x, y if y % 2 == encoded[0] % 2 else P - y)


@given(st.integers(0, 255), st.integers(0, 2**256 - 1))
def test_decoding_of_arbitrary_bytes(prefix: int, x: int) -> None:
    encoded = bytes([prefix]) + x.to_bytes(32)
    assert native.point_is_valid(encoded) == (decode(encoded) is not None)


def test_decoding_at_the_edges() -> None:
    random = Random(6)
    edges = [*range(6), *range(P - 6, P + 6), *range(2**256 - 6, 2**256)]
    for x in edges + [skewed(random) for _ in range(300)]:
        for prefix in (0, 1, 2, 3, 4, 6, 0x82, 0xFF):
            encoded = bytes([prefix]) + x.to_bytes(32)
            point = decode(encoded)
            assert native.point_is_valid(encoded) == (point is not None), encoded.hex()
            if point is not None:
                assert points_sum(encoded) == encode(point)
    assert not native.point_is_valid(INFINITY)
    assert not native.point_is_valid(encoded_multiple(1)[:32])
    assert not native.point_is_valid(encoded_multiple(1) + b"\0")


def test_the_first_bad_point_is_named() -> None:
    good = encoded_multiple(5)
    off_curve = b"\2" + (5).to_bytes(32)
    for bad in (INFINITY, off_curve, b"\2" + P.to_bytes(32), b"\4" + good[1:]):
        for at in (0, 1, 7):
            points = good * at + bad + good + bad
            with pytest.raises(native.NativeError) as caught:
                native.msm((1).to_bytes(32) * (at + 3), points)
            assert (caught.value.code, caught.value.index) == ("bad-point", at)


@pytest.mark.parametrize(
    ("name", "index"), [(b"B", 0), (b"Q", 0), (b"Q", 1), (b"Q", 255), (b"Z", 2**32 - 1)]
)
def test_generators(name: bytes, index: int) -> None:
    tag = hashlib.sha256(b"assay/v1/generator").digest()
    for counter in range(1000):
        tail = index.to_bytes(4) + counter.to_bytes(4)
        x = hashlib.sha256(tag + tag + name + tail).digest()
        if decode(b"\2" + x) is not None:
            break
    assert native.generator(name, index) == b"\2" + x


def test_generators_differ() -> None:
    generators = {native.generator(b"Q", index) for index in range(256)} | {
        native.generator(b"B", 0)
    }
    assert len(generators) == 257
    assert encode(multiple(1)) not in generators


def test_order_of_the_group() -> None:
    scalar = (N - 1).to_bytes(32)
    assert native.msm(scalar, encoded_multiple(1)) == encoded_multiple(-1)
