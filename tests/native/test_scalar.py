"""Scalars against integers mod n."""

from __future__ import annotations

from random import Random

import pytest

from native._core import ffi, lib
from tests.support.group_reference import N, skewed

EDGES = [0, 1, 2, 2**64 - 1, 2**64, 2**128, 2**192 - 1, 2**255, N // 2, N // 2 + 1, N - 2, N - 1]


def apply(operation: str, a: int, b: int = 0, length: int = 32) -> tuple[int, int]:
    r = ffi.new("uint8_t[32]")
    code = getattr(lib, f"ASSAY_TEST_{operation}")
    ok = lib.assay_test_scalar(r, code, a.to_bytes(length), b.to_bytes(32))
    return int.from_bytes(bytes(ffi.buffer(r))), ok


def operands(seed: int, count: int) -> list[int]:
    random = Random(seed)
    return EDGES + [skewed(random) for _ in range(count)]


def test_ring_operations() -> None:
    for a in operands(1, 60):
        assert apply("NEG", a)[0] == -a % N, a
        assert apply("SQR", a)[0] == a * a % N, a
        assert apply("IS_ZERO", a)[1] == (a % N == 0)
        for b in operands(2, 60):
            assert apply("MUL", a, b)[0] == a * b % N, (a, b)
            assert apply("ADD", a, b)[0] == (a + b) % N, (a, b)
            assert apply("SUB", a, b)[0] == (a - b) % N, (a, b)


def test_inverses() -> None:
    for a in operands(3, 700) + [k % N for k in range(-40, 41)]:
        assert apply("INVERSE", a)[0] == (pow(a, -1, N) if a % N else 0), a


@pytest.mark.parametrize("integer", [*EDGES, N, N + 1, N + 2**128, 2**256 - 1])
def test_decoding_refuses_the_order_and_more(integer: int) -> None:
    value, ok = apply("NORMALISE", integer)
    assert ok == (integer < N)
    assert value == integer % N


def test_wide_reduction() -> None:
    random = Random(4)
    edges = [0, N - 1, N, N * N, 2**512 - 1, 2**512 - N, N << 256, (N << 256) - 1, (N - 1) << 256]
    for a in edges + [skewed(random) << 256 | skewed(random) for _ in range(2000)]:
        assert apply("WIDE", a, length=64)[0] == a % N, a


def test_small_integers() -> None:
    r = ffi.new("uint8_t[32]")
    for high, low in [(0, 0), (0, 1), (1, 0), (2**64 - 1, 2**64 - 1), (2**63, 5)]:
        lib.assay_test_scalar_u128(r, high, low)
        assert int.from_bytes(bytes(ffi.buffer(r))) == high << 64 | low


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 5000])
def test_inner_products(count: int) -> None:
    random = Random(count)
    extremes = [N - 1] * count
    for a, b in [
        (extremes, extremes),
        ([skewed(random) for _ in range(count)], [skewed(random) for _ in range(count)]),
    ]:
        r = ffi.new("uint8_t[32]")
        left, right = (b"".join(x.to_bytes(32) for x in xs) for xs in (a, b))
        lib.assay_test_scalar_inner(r, left, right, count)
        expected = sum(x * y for x, y in zip(a, b, strict=True)) % N
        assert int.from_bytes(bytes(ffi.buffer(r))) == expected
