"""The reference's group against py_ecc, its hashes against the text, its argument against fraud."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import pytest
from py_ecc.secp256k1 import secp256k1 as curve

from spec.reference import Rejected, verify_argument
from spec.reference.argument import Shape, eq, eq_table, lagrange
from spec.reference.group import (
    N,
    P,
    Point,
    V,
    decode,
    encode,
    lift_x,
    multi_multiply,
    negate,
    total,
)
from spec.reference.transcript import Transcript, commit, generator
from tests.support.reference_bundle import prove

SEED = 20240601
STATE = sha256(b"any state").digest()
Proofs = dict[tuple[int, int], tuple[list[Point], bytes]]


def oracle(terms: Iterable[tuple[int, Any]]) -> Point:
    """Σ scalar·point by py_ecc, whose infinity is (0, 0)."""
    result = (0, 0)
    for scalar, point in terms:
        multiple = curve.multiply((int(point[0]), int(point[1])), scalar % N)
        if multiple != (0, 0):
            result = curve.add(result, multiple) if result != (0, 0) else multiple
    return None if result == (0, 0) else result


@pytest.fixture(scope="module")
def points() -> list[Point]:
    rng = random.Random(SEED)
    return [multi_multiply([(rng.randrange(1, N), V)]) for _ in range(40)]


@pytest.mark.parametrize("count", [1, 2, 3, 17, 40])
def test_sums_of_multiples_agree_with_py_ecc(points: list[Point], count: int) -> None:
    rng = random.Random(SEED + count)
    edges = [0, 1, 2, N - 1, N - 2, 1 << 255, (1 << 256) - 1, N, N + 1]
    for trial in range(3):
        terms = [
            (rng.choice(edges) if rng.random() < 0.3 else rng.randrange(N), point)
            for point in rng.sample(points, count)
        ]
        assert multi_multiply(terms) == oracle(terms), (SEED, count, trial)


def test_equal_and_opposite_points_and_infinity(points: list[Point]) -> None:
    a, b = points[:2]
    assert total([a, a]) == oracle([(2, a)])
    assert total([a, negate(a)]) is None
    assert total([a, None, b, negate(a)]) == b
    assert multi_multiply([(5, a), (5, a), (-10, a), (3, b), (3, negate(b))]) is None
    assert multi_multiply([(1, a), (1, a), (1, a)]) == oracle([(3, a)])
    assert multi_multiply([(N, a), (7, None)]) is None
    assert multi_multiply([]) is None


def test_encoding_is_one_to_one(points: list[Point]) -> None:
    for point in points:
        assert decode(encode(point)) == point
        assert decode(encode(negate(point))) == negate(point)
    assert encode(None) == bytes(33)


def test_what_encodes_no_point() -> None:
    x = next(x for x in range(1, 100) if pow(x**3 + 7, (P - 1) // 2, P) != 1)
    off_curve = b"\x02" + x.to_bytes(32, "big")
    wrapped = b"\x02" + int(P + 1).to_bytes(32, "big")  # x = 1 is on the curve
    long = encode(V) + b"\x00"
    for data in (bytes(33), off_curve, wrapped, long, encode(V)[:32], b"\x04" + encode(V)[1:], b""):
        with pytest.raises(ValueError, match=r".+"):
            decode(data)
    with pytest.raises(ValueError, match="field element"):
        lift_x(-1, 0)


def test_generators_are_the_first_hashes_on_the_curve() -> None:
    prefix = sha256(b"assay/v1/generator").digest() * 2
    for name, index in (("B", 0), ("Q", 0), ("Q", 255)):
        point = generator(name, index)
        assert point is not None
        x, y = point
        assert (y * y - x**3 - 7) % P == 0
        assert y % 2 == 0
        for counter in range(200):
            text = name.encode() + index.to_bytes(4, "big") + counter.to_bytes(4, "big")
            candidate = int.from_bytes(sha256(prefix + text).digest(), "big")
            if pow(candidate**3 + 7, (P - 1) // 2, P) == 1:
                assert candidate == x
                break


def test_transcript_is_the_one_described() -> None:
    prefix = sha256(b"assay/v1/transcript").digest() * 2
    state = sha256(prefix + b"assay/v1").digest()
    state = sha256(prefix + b"\x01\x03abc" + (2).to_bytes(8, "big") + b"xy" + state).digest()
    transcript = Transcript()
    transcript.absorb("abc", b"xy")
    assert transcript.state == state
    h = [sha256(prefix + b"\x02\x01e" + bytes(8) + state + bytes([i])).digest() for i in range(3)]
    assert transcript.challenge("e") == int.from_bytes(h[0] + h[1], "big") % N
    assert transcript.state == h[2]


def test_tables_of_eq_and_the_lagrange_basis() -> None:
    rng = random.Random(SEED)
    a = [rng.randrange(N) for _ in range(5)]
    for i, value in enumerate(eq_table(a)):
        assert value == eq(a, [i >> t & 1 for t in range(5)])
    cubic = [rng.randrange(N) for _ in range(4)]
    at = [sum(c * t**k for k, c in enumerate(cubic)) for t in (0, 1, 2, 3, 123)]
    assert sum(w * v for w, v in zip(lagrange(123), at[:4], strict=True)) % N == at[4] % N


def test_lengths_that_the_text_names() -> None:
    assert Shape(1, 64).length == 1440
    assert (Shape(1, 128).length, Shape(64, 64).length) == (1795, 5674)
    assert (Shape(3, 64).mu, Shape(1, 64).mu) == (2, 0)


@pytest.fixture(scope="module")
def proofs() -> Proofs:
    """Honest arguments: (b, commitments, argument) for several m."""
    rng = random.Random(SEED)
    made = {}
    for m, b in ((1, 64), (3, 64), (16, 64), (1, 128)):
        edges = [0, (1 << b) - 1, 1, 1 << (b - 1)]
        values = [edges[i % 4] if i < 8 else rng.randrange(1 << b) for i in range(m)]
        blindings = [rng.randrange(N) for _ in values]
        argument = prove(STATE, b, values, blindings, rng)
        commitments = [commit(v, r) for v, r in zip(values, blindings, strict=True)]
        made[m, b] = commitments, argument
    return made


CASES = [(1, 64), (3, 64), (16, 64), (1, 128)]


@pytest.mark.parametrize("separately", [False, True])
@pytest.mark.parametrize(("m", "b"), CASES)
def test_honest_arguments_are_accepted(proofs: Proofs, m: int, b: int, separately: bool) -> None:
    commitments, argument = proofs[m, b]
    verify_argument(STATE, b, commitments, argument, separately=separately)


def code_of(
    state: bytes,
    b: int,
    commitments: Sequence[Point],
    argument: bytes,
    *,
    separately: bool = False,
) -> str:
    with pytest.raises(Rejected) as caught:
        verify_argument(state, b, commitments, argument, separately=separately)
    return caught.value.code


@pytest.mark.parametrize("separately", [False, True])
@pytest.mark.parametrize(("m", "b"), CASES)
def test_every_part_of_an_argument_counts(proofs: Proofs, m: int, b: int, separately: bool) -> None:
    commitments, argument = proofs[m, b]
    shape = Shape(m, b)
    other = encode(multi_multiply([(123, V)]))
    for index in range(shape.points):
        at = 33 * index
        bent = argument[:at] + other + argument[at + 33 :]
        code = code_of(STATE, b, commitments, bent, separately=separately)
        assert code == "argument.rejected", index
    for at in range(33 * shape.points, shape.length, 32):
        scalar = int.from_bytes(argument[at : at + 32], "big")
        changed = ((scalar + 1) % N).to_bytes(32, "big")
        bent = argument[:at] + changed + argument[at + 32 :]
        code = code_of(STATE, b, commitments, bent, separately=separately)
        assert code == "argument.rejected", at


def test_the_statement_counts(proofs: Proofs) -> None:
    commitments, argument = proofs[3, 64]
    assert code_of(bytes(32), 64, commitments, argument) == "argument.rejected"
    swapped = [commitments[1], commitments[0], commitments[2]]
    assert code_of(STATE, 64, swapped, argument) == "argument.rejected"
    assert code_of(STATE, 64, [*commitments[:2], None], argument) == "argument.rejected"
    assert code_of(STATE, 64, commitments[:2], argument) == "argument.bad-length"


def test_an_infinite_commitment_is_a_commitment_to_zero() -> None:
    rng = random.Random(SEED)
    argument = prove(STATE, 64, [0, 5], [0, 9], rng)
    verify_argument(STATE, 64, [None, commit(5, 9)], argument)


def test_malformed_arguments(proofs: Proofs) -> None:
    commitments, argument = proofs[3, 64]
    assert code_of(STATE, 64, commitments, argument + b"\x00") == "argument.bad-length"
    assert code_of(STATE, 64, commitments, argument[:-1]) == "argument.bad-length"
    assert code_of(STATE, 64, commitments, b"") == "argument.bad-length"
    for at in range(0, 33 * Shape(3, 64).points, 33):
        for bad in (bytes(33), b"\x04" + argument[at + 1 : at + 33], b"\x02" + b"\xff" * 32):
            bent = argument[:at] + bad + argument[at + 33 :]
            assert code_of(STATE, 64, commitments, bent) == "argument.bad-point"
    for scalar in (N, (1 << 256) - 1):
        bent = argument[:-32] + scalar.to_bytes(32, "big")
        assert code_of(STATE, 64, commitments, bent) == "argument.bad-scalar"
        # Points come before scalars.
        assert code_of(STATE, 64, commitments, bytes(33) + bent[33:]) == "argument.bad-point"


@pytest.mark.parametrize("separately", [False, True])
@pytest.mark.parametrize(
    ("value", "digits"),
    [
        (1 << 64, [0] * 64),
        (1 << 64, [0] * 63 + [2]),
        (N - 5, [N - 5] + [0] * 63),
        (N - 5, [-5 >> k & 1 for k in range(64)]),
        (2, [2] + [0] * 63),
    ],
)
def test_cheating_digits_are_rejected(value: Any, digits: list[int], separately: bool) -> None:
    rng = random.Random(SEED)
    argument = prove(STATE, 64, [value], [7], rng, digits)
    code = code_of(STATE, 64, [commit(value, 7)], argument, separately=separately)
    assert code == "argument.rejected"


def test_bits_of_absent_entries_are_rejected() -> None:
    rng = random.Random(SEED)
    bits = [[v >> k & 1 for k in range(64)] for v in (1, 2, 3, 9)]
    argument = prove(STATE, 64, [1, 2, 3], [4, 5, 6], rng, [bit for row in bits for bit in row])
    commitments = [commit(v, r) for v, r in ((1, 4), (2, 5), (3, 6))]
    assert code_of(STATE, 64, commitments, argument) == "argument.rejected"


def test_misuse_is_no_verdict() -> None:
    for state, b, commitments in ((b"", 64, [V]), (STATE, 32, [V]), (STATE, 64, [])):
        with pytest.raises(ValueError, match="are needed"):
            verify_argument(state, b, commitments, b"")
