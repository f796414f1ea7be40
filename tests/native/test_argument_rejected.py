"""The argument refused with the right code: malformed bytes, other statements, cheats."""

from __future__ import annotations

from functools import cache

import pytest
from gmpy2 import invert, jacobi, mpz, powmod

import native
from tests.support import oracle
from tests.support.oracle import N, Opening, P, Point
from tests.support.statements import SALT, SECRET, STATE, after_shape, prove, verify, witness

M = 16
SHAPE = oracle.Shape(M, 64)
CUT = 33 * SHAPE.point_count
STATEMENT = witness("random", M, 64)
COMMITMENTS = STATEMENT.commitments

NO_POINTS = {
    "infinity": bytes(33),
    "prefix": b"\x04" + oracle.encode(oracle.V)[1:],
    "off the curve": b"\x02" + oracle.u(32, 5),
    "x above p": b"\x02" + oracle.u(32, int(P) + 1),
    "x of all ones": b"\x03" + b"\xff" * 32,
}


@cache
def honest() -> bytes:
    return prove(STATEMENT)


def code_of(
    argument: bytes, commitments: bytes = COMMITMENTS, b: int = 64, state: bytes = STATE
) -> str:
    """Return the code that the core rejects with."""
    with pytest.raises(native.Rejected) as caught:
        verify(b, commitments, argument, state)
    return caught.value.code


def put(at: int, data: bytes) -> bytes:
    """Return the honest argument with ``data`` at an offset."""
    return honest()[:at] + data + honest()[at + len(data) :]


@pytest.mark.parametrize("name", NO_POINTS)
@pytest.mark.parametrize("index", range(SHAPE.point_count))
def test_every_point_must_decode(index: int, name: str) -> None:
    assert code_of(put(33 * index, NO_POINTS[name])) == "argument.bad-point"


@pytest.mark.parametrize("index", range(SHAPE.point_count))
def test_every_point_counts(index: int) -> None:
    opposite = bytes([honest()[33 * index] ^ 1])
    assert code_of(put(33 * index, opposite)) == "argument.rejected"
    assert code_of(put(33 * index, oracle.encode(oracle.V))) == "argument.rejected"


@pytest.mark.parametrize("index", range(SHAPE.columns + 4))
def test_every_scalar_counts(index: int) -> None:
    at = CUT + 32 * index
    value = int.from_bytes(honest()[at : at + 32])
    assert code_of(put(at, oracle.u(32, int(N)))) == "argument.bad-scalar"
    assert code_of(put(at, b"\xff" * 32)) == "argument.bad-scalar"
    assert code_of(put(at, oracle.u(32, (value + 1) % N))) == "argument.rejected"
    assert code_of(put(at, bytes(32))) == "argument.rejected"


def test_the_order_of_faults() -> None:
    both = NO_POINTS["infinity"] + put(CUT, b"\xff" * 32)[33:]
    assert code_of(both) == "argument.bad-point"
    assert code_of(both + b"\0") == "argument.bad-length"


@pytest.mark.parametrize("m", [1, 8, 17, 32])
def test_a_length_of_another_shape(m: int) -> None:
    assert code_of(honest(), witness("random", m, 64).commitments) == "argument.bad-length"


@pytest.mark.parametrize("cut", [0, 1, 33, 1440])
def test_truncated_and_extended(cut: int) -> None:
    assert code_of(honest()[:cut]) == "argument.bad-length"
    assert code_of(honest()[:-1]) == "argument.bad-length"
    assert code_of(honest() + b"\0") == "argument.bad-length"


def test_two_narrow_values_shown_as_one_wide() -> None:
    statement = witness("random", 2, 64)
    argument = prove(statement)
    assert len(argument) == native.range_length(1, 128)
    assert code_of(argument, statement.commitments[:33], b=128) == "argument.rejected"


def test_another_statement() -> None:
    argument = honest()
    points = [COMMITMENTS[i : i + 33] for i in range(0, len(COMMITMENTS), 33)]
    assert code_of(argument, state=bytes(32)) == "argument.rejected"
    swapped = b"".join([points[1], points[0], *points[2:]])
    assert code_of(argument, swapped) == "argument.rejected"
    assert code_of(argument, b"".join([bytes(33), *points[1:]])) == "argument.rejected"
    assert code_of(argument, b"".join(points[:-1])) == "argument.rejected"  # 15 for 16
    assert code_of(argument, points[0] * M) == "argument.rejected"


def test_three_values_shown_as_four() -> None:
    statement = witness("random", 3, 64)
    argument = prove(statement)
    assert code_of(argument, statement.commitments + bytes(33)) == "argument.rejected"


@pytest.mark.parametrize("name", ["V", "B", "Q0", "Q7", "first"])
@pytest.mark.parametrize("sign", [0, 1])
def test_equal_and_opposite_points_in_the_sum(name: str, sign: int) -> None:
    """All D_a, or all C_i, are one point, or a generator: refused, and nothing worse."""
    point = {
        "V": oracle.encode(oracle.V),
        "B": native.generator(b"B", 0),
        "Q0": native.generator(b"Q", 0),
        "Q7": native.generator(b"Q", 7),
        "first": honest()[:33],
    }[name]
    point = bytes([point[0] ^ sign]) + point[1:]
    assert code_of(put(0, point * SHAPE.rows)) == "argument.rejected"
    assert code_of(honest(), point * M) == "argument.rejected"
    assert code_of(put(0, point * SHAPE.point_count), point * M) == "argument.rejected"


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
def test_faults_of_two_equations_do_not_cancel(first: int, second: int) -> None:
    """B more in one equation, B less in another: the sum of all four is unchanged."""
    at = CUT + 32 * SHAPE.columns
    argument = honest()
    for index, change in ((first, 1), (second, -1)):
        place = at + 32 * index
        response = int.from_bytes(argument[place : place + 32]) + change
        argument = argument[:place] + oracle.u(32, response % N) + argument[place + 32 :]
    assert code_of(argument) == "argument.rejected"


class Liar(oracle.Prover):
    """A prover of a false statement that makes all equations but one hold."""

    equation = 4

    def choose_opening(self) -> Opening:
        truth = super().choose_opening()
        d, e, w, claim = self.d_star, self.e_star, self.w_star, self.claim
        if self.equation == 3:  # Y2 makes Δ commit to zero
            return Opening(truth.z, d, (claim + (e - w) * d) * invert(e, N) % N)
        if self.equation == 2:  # Y does, with Y2 = d*·Y
            y = claim * invert(e * d - e + w, N) % N
            return Opening(truth.z, y, d * y % N)
        if self.equation == 1:  # z does: its value is a root of e·y² - (e - w)·y - claim
            y = root(e, w - e, -claim)
            z0 = truth.z[0] + (y - d) * invert(
                oracle.eq(self.x[: self.shape.c], [0] * self.shape.c), N
            )
            return Opening([z0 % N, *truth.z[1:]], y, y * y % N)
        return truth


class NoRootError(Exception):
    """The quadratic has no root: another salt gives another one."""


def root(a: mpz, b: mpz, c: mpz) -> mpz:
    """Return a root of a·y² + b·y + c mod n."""
    discriminant = (b * b - 4 * a * c) % N
    if jacobi(discriminant, N) != 1:
        raise NoRootError
    return (square_root(discriminant) - b) * invert(2 * a, N) % N


def square_root(a: mpz) -> mpz:
    """Return a square root of a square mod n by Cipolla's rule."""
    t = mpz(1)
    while jacobi((t * t - a) % N, N) != -1:
        t += 1
    square = (t * t - a) % N
    result, base, k = (mpz(1), mpz(0)), (t, mpz(1)), (N + 1) // 2
    while k:
        if k & 1:
            result = multiply(result, base, square)
        base, k = multiply(base, base, square), k >> 1
    assert powmod(result[0], 2, N) == a
    return result[0]


def multiply(a: tuple[mpz, mpz], b: tuple[mpz, mpz], square: mpz) -> tuple[mpz, mpz]:
    """Return a·b in the field with a root of ``square``."""
    return (a[0] * b[0] + a[1] * b[1] * square) % N, (a[0] * b[1] + a[1] * b[0]) % N


def bits(*numbers: int) -> list[int]:
    """Return 64 digits of each number."""
    return [number >> k & 1 for number in numbers for k in range(64)]


def changed(digits: list[int], at: int, *new: int) -> list[int]:
    """Return digits, some of them replaced."""
    return digits[:at] + list(new) + digits[at + len(new) :]


LIES: dict[str, tuple[list[int], list[int]]] = {
    "2^64 with its low bits": ([2**64], bits(0)),
    "another number": ([5], bits(7)),
    "a negative number": ([-5], bits(2**64 - 5)),
    "a digit 2 of the right weight": ([4], changed(bits(0), 1, 2)),
    "a digit -1 of the right weight": ([1], changed(bits(0), 0, -1, 1)),
    "-5 as a digit": ([-5], changed(bits(0), 0, -5)),
    "bits in an absent entry": ([1, 2, 3], bits(1, 2, 3, 4)),
    "one of two": ([1, 9], bits(1, 8)),
}


def lie(name: str, equation: int) -> tuple[list[Point], bytes]:
    """Return commitments, and an argument of which one equation fails."""
    values, digits = LIES[name]
    blindings = [1000 + i for i in range(len(values))]
    for salt in range(100):
        transcript = after_shape(len(values), 64)
        prover = Liar(transcript, 64, values, blindings, digits)
        prover.equation = equation
        try:
            argument = prover.prove(SECRET, bytes([salt]) * 32)
        except NoRootError:
            continue
        return [oracle.commit(v, r) for v, r in zip(values, blindings, strict=True)], argument
    raise NoRootError


@pytest.mark.parametrize("equation", [1, 2, 3, 4])
@pytest.mark.parametrize("name", LIES)
def test_each_equation_bears_load(name: str, equation: int) -> None:
    """The residual of a false statement, moved into one equation, is found there and only there."""
    points, argument = lie(name, equation)
    failing = oracle.failing_equations(after_shape(len(points), 64), 64, points, argument)
    assert failing == {equation}
    assert code_of(argument, b"".join(map(oracle.encode, points))) == "argument.rejected"


def test_the_liar_is_accepted_when_it_tells_the_truth() -> None:
    statement = witness("random", 2, 64)
    for equation in (2, 3, 4):
        prover = Liar(after_shape(2, 64), 64, statement.values, statement.blindings)
        prover.equation = equation
        verify(64, statement.commitments, prover.prove(SECRET, SALT))


@pytest.mark.parametrize("index", range(6))
def test_a_round_commitment_of_unknown_opening(index: int) -> None:
    """A point that the responses know nothing of, in place of a round's commitment."""
    stranger = native.generator(b"stranger", index)
    at = 33 * (SHAPE.rows + index)
    assert code_of(put(at, stranger)) == "argument.rejected"
