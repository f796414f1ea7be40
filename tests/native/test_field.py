"""The field, word by word: edges of words, of 2^256 and of p, in both forms of a residue."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from native._core import ffi, lib
from tests.support.group_reference import P, skewed

TOP = 2**256
EXTREMES = (0, 1, 2**63, 2**64 - 1, 2**32, TOP - P, TOP - P - 1)


def words_of(integer: int) -> list[int]:
    return [integer >> 64 * i & (2**64 - 1) for i in range(4)]


def apply(operation: str, a: int, b: int = 0) -> tuple[int, int]:
    """Return what the core makes of two integers below 2^256: the result, and a test's answer."""
    r = ffi.new("uint64_t[4]")
    code = getattr(lib, f"ASSAY_TEST_{operation}")
    ok = lib.assay_test_field(r, code, words_of(a), words_of(b))
    return sum(word << 64 * i for i, word in enumerate(r)), ok


def patterns(seed: int, count: int) -> list[int]:
    """Integers below 2^256: near 0, p, 2^256 and edges of words; runs; extreme words; random."""
    random = Random(seed)
    found = [k % TOP for base in (0, P, TOP) for k in range(base - 3, base + 4)]
    found += [TOP - P + d for d in (-1, 0, 1)] + [2 * (TOP - P) + d for d in (-1, 0, 1)]
    for i, extreme in product(range(4), EXTREMES):
        found += [extreme << 64 * i, (TOP - 1) ^ extreme << 64 * i]
    for _ in range(count):
        found.append(skewed(random) % TOP)
        found.append(sum(random.choice(EXTREMES) << 64 * i for i in range(4)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_products(seed: int) -> None:
    operands = patterns(seed, 20)
    for a, b in product(operands, operands[:: 1 + seed]):
        assert apply("MUL", a, b)[0] % P == a * b % P, (a, b)


def test_squares() -> None:
    for a in patterns(7, 2000):
        assert apply("SQR", a)[0] % P == a * a % P, a


def test_sums_and_differences() -> None:
    operands = patterns(8, 40)
    for b in operands:
        assert apply("NEG", b)[0] % P == -b % P, b
        for a in operands:
            assert apply("ADD", a, b)[0] % P == (a + b) % P, (a, b)
            assert apply("SUB", a, b)[0] % P == (a - b) % P, (a, b)


def test_small_multiples() -> None:
    for a, k in product(patterns(12, 200), (0, 1, 2, 3, 4, 8, 2**32 - 1)):
        assert apply("SCALE", a, k)[0] % P == a * k % P, (a, k)


def test_canonical_form() -> None:
    for a in patterns(9, 2000):
        assert apply("NORMALISE", a)[0] == a % P, a
        assert apply("IS_ZERO", a)[1] == (a % P == 0), a


def test_equality_across_forms() -> None:
    operands = patterns(10, 30)
    for a, b in product(operands, operands):
        assert apply("EQUAL", a, b)[1] == ((a - b) % P == 0), (a, b)


def test_inverses() -> None:
    edge = [k % P for k in range(-40, 41)]
    edge += [pow(2, k, P) for k in range(-260, 520, 7)]
    for a in patterns(11, 700) + edge:
        assert apply("INVERSE", a)[0] == (pow(a, -1, P) if a % P else 0), a


def test_square_roots() -> None:
    for a in patterns(14, 150):
        r, ok = apply("SQRT", a)
        assert ok == (pow(a, (P - 1) // 2, P) in (0, 1)), a
        if ok:
            assert r**2 % P == a % P


@pytest.mark.parametrize("integer", [0, 1, P - 1, P, P + 1, TOP - 1, 2**255, 2**208, 2**52 - 1])
def test_bytes_are_canonical(integer: int) -> None:
    r, words = ffi.new("uint8_t[32]"), ffi.new("uint64_t[4]")
    ok = lib.assay_test_field_bytes(r, words, integer.to_bytes(32))
    assert ok == (integer < P)
    assert sum(word << 64 * i for i, word in enumerate(words)) == integer
    assert bytes(ffi.buffer(r)) == (integer % P).to_bytes(32)
