"""The field, limb by limb: edges of limbs, of bounds, and of p."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from native._core import ffi, lib
from tests.native.reference import P, skewed

LIMB_BITS = 52
P_LIMBS = [P >> 52 * i & (2**52 - 1) for i in range(5)]
MUL_BOUND, SUB_BOUND, CARRY_BOUND = 16, 8, 64

Limbs = list[int]


def value(limbs: Limbs) -> int:
    return sum(limb << LIMB_BITS * i for i, limb in enumerate(limbs))


def at_bound(bound: int) -> Limbs:
    """The largest limbs of a bound."""
    return [2 * bound * limb for limb in P_LIMBS]


def limbs_of(integer: int) -> Limbs:
    return [integer >> 52 * i & (2**52 - 1) for i in range(4)] + [integer >> 208]


def is_within(limbs: Limbs, bound: int) -> bool:
    return all(limb <= most for limb, most in zip(limbs, at_bound(bound), strict=True))


def apply(operation: str, a: Limbs, b: Limbs | None = None) -> tuple[Limbs, int]:
    r = ffi.new("uint64_t[5]")
    code = getattr(lib, f"ASSAY_TEST_{operation}")
    ok = lib.assay_test_field(r, code, a, [0] * 5 if b is None else b)
    return list(r), ok


def patterns(bound: int, seed: int, count: int) -> list[Limbs]:
    """Limb patterns of a bound: zero, the most, single extremes, edges of 52 bits, random."""
    random = Random(seed)
    most = at_bound(bound)
    found = [[0] * 5, most, P_LIMBS, [2 * limb for limb in P_LIMBS]]
    for i, extreme in product(range(5), (1, 2**52 - 1, 2**52, 2**48 - 1, 2**48)):
        if extreme <= most[i]:
            found.append([extreme if j == i else 0 for j in range(5)])
    for i in range(5):
        found.append([0 if j == i else most[j] for j in range(5)])
        found.append([most[j] if j == i else 0 for j in range(5)])
    for _ in range(count):
        found.append(limbs_of(skewed(random) % 2**256))
        found.append([random.choice([0, 1, m // 2, m - 1, m, random.randint(0, m)]) for m in most])
    return found


@pytest.mark.parametrize("seed", range(3))
def test_products_of_limb_patterns(seed: int) -> None:
    operands = patterns(MUL_BOUND, seed, 20)
    for a, b in product(operands, operands[:: 1 + seed]):
        r, _ = apply("MUL", a, b)
        assert value(r) % P == value(a) * value(b) % P, (a, b)
        assert is_within(r, 1), (a, b)


def test_squares_of_limb_patterns() -> None:
    for a in patterns(MUL_BOUND, 7, 2000):
        r, _ = apply("SQR", a)
        assert value(r) % P == value(a) ** 2 % P, a
        assert is_within(r, 1), a


def test_differences_and_opposites_never_underflow() -> None:
    operands = patterns(SUB_BOUND, 8, 60)
    for b in operands:
        r, _ = apply("NEG", b)
        assert value(r) % P == -value(b) % P, b
        assert is_within(r, SUB_BOUND)
        for a in operands:
            r, _ = apply("SUB", a, b)
            assert value(r) % P == (value(a) - value(b)) % P, (a, b)
            assert is_within(r, 2 * SUB_BOUND)
            assert value(apply("ADD", a, b)[0]) == value(a) + value(b)


def test_carry_and_canonical_form() -> None:
    close = [limbs_of(P * k + d) for k in (1, 2, 3) for d in range(-3, 4)]
    loose = [[limb + extra for limb in near] for near in close for extra in (0, 2**52, 2**54)]
    for a in patterns(CARRY_BOUND, 9, 2000) + close + loose:
        carried, _ = apply("CARRY", a)
        assert value(carried) % P == value(a) % P, a
        assert is_within(carried, 1), a
        normal, _ = apply("NORMALISE", a)
        assert normal == limbs_of(value(a) % P), a
        assert apply("IS_ZERO", a)[1] == (value(a) % P == 0), a


def test_equality_across_representations() -> None:
    operands = list(patterns(SUB_BOUND, 10, 30))
    for a, b in product(operands, operands):
        assert apply("EQUAL", a, b)[1] == (value(a) % P == value(b) % P), (a, b)


def test_inverses() -> None:
    edge = [limbs_of(k % P) for k in range(-40, 41)]
    edge += [limbs_of(pow(2, k, P)) for k in range(-260, 520, 7)]
    for a in patterns(CARRY_BOUND, 11, 700) + edge:
        r, _ = apply("INVERSE", a)
        expected = pow(value(a), -1, P) if value(a) % P else 0
        assert r == limbs_of(expected), a


def test_square_roots() -> None:
    for a in patterns(MUL_BOUND, 14, 150):
        r, ok = apply("SQRT", a)
        assert ok == (pow(value(a), (P - 1) // 2, P) in (0, 1)), a
        if ok:
            assert value(r) ** 2 % P == value(a) % P


@pytest.mark.parametrize("integer", [0, 1, P - 1, P, P + 1, 2**256 - 1, 2**255, 2**208, 2**52 - 1])
def test_bytes_are_canonical(integer: int) -> None:
    r, limbs = ffi.new("uint8_t[32]"), ffi.new("uint64_t[5]")
    ok = lib.assay_test_field_bytes(r, limbs, integer.to_bytes(32))
    assert ok == (integer < P)
    assert value(list(limbs)) == integer
    assert bytes(ffi.buffer(r)) == (integer % P).to_bytes(32)
