"""The arithmetic of the AVX-512 IFMA kernel, with limbs that random values never have."""

from __future__ import annotations

from random import Random

import pytest

import native
from native._core import ffi, lib
from tests.support.group_reference import N, P

LANES = 8
MASK = 2**52 - 1
P_LIMBS = [P >> 52 * i & MASK for i in range(4)] + [P >> 208]
EDGES = [0, 1, 2, 2**51, MASK - 1, MASK]
ROUNDS = 400

pytestmark = pytest.mark.skipif(
    native.kernel_name() != "avx512ifma", reason="cpu feature: the kernel avx512ifma is not in use"
)

Limbs = list[int]


def value(limbs: Limbs) -> int:
    return sum(limb << 52 * i for i, limb in enumerate(limbs))


def run(operation: int, a: list[Limbs], b: list[Limbs], c: list[Limbs]) -> list[Limbs]:
    """The result of each lane."""
    flat = [[lane[i] for i in range(5) for lane in operand] for operand in (a, b, c)]
    r = ffi.new("uint64_t[]", 5 * LANES)
    inputs = [ffi.new("uint64_t[]", x) for x in flat]
    assert lib.assay_test_lanes(r, operation, *inputs) == lib.ASSAY_OK
    return [[r[LANES * i + k] for i in range(5)] for k in range(LANES)]


def is_tight(limbs: Limbs, top: int) -> bool:
    return all(limb <= MASK for limb in limbs[:4]) and limbs[4] < top


def tight(random: Random, top_bits: int) -> Limbs:
    low = [random.choice([*EDGES, random.getrandbits(52)]) for _ in range(4)]
    return [*low, random.choice([0, 1, 2**top_bits - 1, random.getrandbits(top_bits)])]


def within(random: Random, bound: int) -> Limbs:
    """Limbs of that bound, often at it."""
    most = [2 * bound * limb for limb in P_LIMBS]
    return [random.choice([0, 1, m, m - 1, random.randint(0, m)]) for m in most]


def loose(random: Random) -> Limbs:
    return [random.choice([0, 1, 2**57, 2**55 - 1, random.getrandbits(57)]) for _ in range(5)]


def factor(random: Random) -> tuple[Limbs, Limbs]:
    """A tight element, and the same with bits above the 52nd, which products must not see."""
    clean = tight(random, 51)
    dirty = [limb | random.choice([0, 4095, random.getrandbits(12)]) << 52 for limb in clean[:4]]
    return clean, [*dirty, clean[4]]


@pytest.mark.parametrize("square", [False, True])
def test_products_of_the_field(square: bool) -> None:
    random = Random(1 + square)
    operation = lib.ASSAY_TEST_LANES_SQR_ADD if square else lib.ASSAY_TEST_LANES_MUL_ADD
    for _ in range(ROUNDS):
        a, b = ([factor(random) for _ in range(LANES)] for _ in range(2))
        c = [loose(random) for _ in range(LANES)]
        result = run(operation, [x[1] for x in a], [x[1] for x in b], c)
        for k, r in enumerate(result):
            other = a[k][0] if square else b[k][0]
            assert is_tight(r, 2**48 + 2**10), (a[k], b[k], c[k])
            assert value(r) % P == (value(a[k][0]) * value(other) + value(c[k])) % P


def test_differences_of_the_field() -> None:
    random = Random(3)
    for _ in range(ROUNDS):
        a, b = ([within(random, bound) for _ in range(LANES)] for bound in (2, 1))
        for k, r in enumerate(run(lib.ASSAY_TEST_LANES_DIFFERENCE, a, b, a)):
            assert is_tight(r, 2**51)
            assert value(r) % P == (value(a[k]) - value(b[k])) % P


def neighbours(random: Random, modulus: int, most: int) -> Limbs:
    """Limbs of an integer below 2^most near a multiple of the modulus or of 2^256."""
    base = random.randrange(2 ** (most - 256) + 1) * random.choice([modulus, 2**256])
    v = min(max(base + random.randint(-2, 2), 0), 2**most - 1)
    return [*(v >> 52 * i & MASK for i in range(4)), v >> 208]


def test_canonical_forms_of_the_field() -> None:
    random = Random(4)
    for _ in range(ROUNDS):
        a = [random.choice([tight(random, 51), neighbours(random, P, 258)]) for _ in range(LANES)]
        for k, r in enumerate(run(lib.ASSAY_TEST_LANES_NORMALISE, a, a, a)):
            assert is_tight(r, 2**48)
            assert value(r) == value(a[k]) % P


def test_products_of_scalars() -> None:
    random = Random(5)
    inverse = pow(2**260, -1, N)
    for _ in range(ROUNDS):
        a = [tight(random, 52) for _ in range(LANES)]
        b = [tight(random, 49) for _ in range(LANES)]
        for k, r in enumerate(run(lib.ASSAY_TEST_LANES_SCALAR_MUL, a, b, a)):
            assert is_tight(r, 2**49 + 2**48)
            assert value(r) % N == value(a[k]) * value(b[k]) * inverse % N


def test_differences_of_scalars() -> None:
    random = Random(6)
    for _ in range(ROUNDS):
        a, b = ([tight(random, 49) for _ in range(LANES)] for _ in range(2))
        for k, r in enumerate(run(lib.ASSAY_TEST_LANES_SCALAR_SUB, a, b, a)):
            assert is_tight(r, 2**51)
            assert value(r) % N == (value(a[k]) - value(b[k])) % N


def test_canonical_forms_of_scalars() -> None:
    random = Random(7)
    for _ in range(ROUNDS):
        a = [random.choice([loose(random), neighbours(random, N, 268)]) for _ in range(LANES)]
        for k, r in enumerate(run(lib.ASSAY_TEST_LANES_SCALAR_REDUCED, a, a, a)):
            assert is_tight(r, 2**48)
            assert value(r) == value(a[k]) % N
