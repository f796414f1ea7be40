"""Provers of a page of leaves that lie at one stage and are honest otherwise: each is refused.

For each lie the equations that fail are those that were meant to, so that none is idle.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gmpy2 import mpz

import native
from tests.support import oracle
from tests.support.leaves_oracle import LeavesProver, LeavesVerifier, w_generators
from tests.support.leaves_statements import (
    ARGUMENT,
    ENTRIES,
    MODEL,
    SALT,
    TREE,
    amounts_of,
    identities_of,
)
from tests.support.oracle import B, N, Point, V, add, generator, mul

Stage = Callable[[LeavesProver], None]


def cheat(stage: str, change: Stage, kind: str = "skewed") -> tuple[bytes, bytes]:
    """Return the page and the argument of a prover who changes something at a stage."""

    def bend(at: str, prover: LeavesProver) -> None:
        if at == stage:
            change(prover)

    amounts = [v % 2**60 for v in amounts_of(kind, 16)]
    prover = LeavesProver(MODEL, 2, amounts, identities_of(16), (ENTRIES, ARGUMENT), SALT, bend)
    return prover.page, prover.argue()


def expect(page: bytes, argument: bytes, equations: set[int]) -> None:
    """Require that the core refuses, and which equations fail."""
    assert LeavesVerifier(MODEL, 2, page, argument).failing() == equations
    with pytest.raises(native.PageRejected) as caught:
        native.pages_check(TREE, 0, 2, page, argument)
    assert caught.value.code == "argument.rejected"


def digit(prover: LeavesProver, index: int, value: int) -> None:
    """Put a digit that is no bit, and all amounts, vectors and the sum as it says."""
    prover.digits[index] = mpz(value) % N
    prover.amounts = [sum(prover.digits[64 * i + k] << k for k in range(64)) % N for i in range(16)]
    prover.vectors = [prover.amounts]
    prover.total = sum(prover.amounts) % N


def digits_that_cancel(prover: LeavesProver) -> None:
    """d² - d is 2 for both, and 2 - 2·1 is a good amount."""
    digit(prover, 0, 2)
    digit(prover, 1, -1)


def lower_sum(prover: LeavesProver) -> None:
    prover.total -= 1


def higher_vector(prover: LeavesProver) -> None:
    prover.vectors[0][3] += 1


def negative_slot(prover: LeavesProver) -> None:
    """Fifteen good amounts and -10^15 in the last slot; the sum is as the vectors have it."""
    prover.vectors[0][15] = -(10**15) % N
    prover.total = sum(prover.vectors[0]) % N


def moved(prover: LeavesProver) -> None:
    prover.vectors[0][3] += 5
    prover.vectors[0][4] -= 5


def exchanged(prover: LeavesProver) -> None:
    vector = prover.vectors[0]
    vector[0], vector[15] = vector[15], vector[0]


CLAIMS: dict[str, Stage] = {
    "a digit 2": lambda p: digit(p, 64 * 5, 2),
    "a digit -5": lambda p: digit(p, 64 * 5 + 7, -5),
    "a digit 2^64": lambda p: digit(p, 64 * 5, 2**64),
    "digits 2 and -1": digits_that_cancel,
    "the sum one low": lower_sum,
    "a vector one high": higher_vector,
    "a negative slot": negative_slot,
    "moved between slots": moved,
    "slots exchanged": exchanged,
}


@pytest.mark.parametrize("name", CLAIMS)
def test_false_statements(name: str) -> None:
    expect(*cheat("witness", CLAIMS[name]), {4})


def plus(points: list[Point], index: int, other: Point) -> None:
    points[index] = add(points[index], other)


def foreign_sum(name: bytes) -> Stage:
    def change(prover: LeavesProver) -> None:
        prover.sum_point = add(prover.sum_point, generator(name, 2))

    return change


FOREIGN: dict[str, tuple[str, Stage, set[int]]] = {
    "W in the sum": ("points", foreign_sum(b"W"), {4}),
    "Q in the sum": ("points", foreign_sum(b"Q"), {4}),
    "V in a vector": ("points", lambda p: plus(p.vector_points, 0, V), {5}),
    "Q in a vector": ("points", lambda p: plus(p.vector_points, 0, generator(b"Q", 0)), {5}),
    "V in a row": ("rows", lambda p: plus(p.row_points, 3, V), {1}),
    "W in a row": ("rows", lambda p: plus(p.row_points, 3, generator(b"W", 0)), {1}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_parts_in_foreign_generators(name: str) -> None:
    stage, change, equations = FOREIGN[name]
    expect(*cheat(stage, change), equations)


ANNOUNCED = {2: 1, 3: 2, 4: 3, 5: 4, 6: 5}


@pytest.mark.parametrize("index", ANNOUNCED)
@pytest.mark.parametrize("other", ["V", "B", "W", "Q"])
def test_a_residual_in_an_announcement(index: int, other: str) -> None:
    """It breaks the announcement's own equation, whatever the generator."""
    point = {"V": V, "B": B, "W": generator(b"W", 1), "Q": generator(b"Q", 1)}[other]
    page, argument = cheat("announce", lambda p: plus(p.announced, index, mul(7, point)))
    expect(page, argument, {ANNOUNCED[index]})


@pytest.mark.parametrize("offset", range(5))
def test_a_response_that_is_one_off(offset: int) -> None:
    def change(prover: LeavesProver) -> None:
        prover.responses[-5 + offset] += 1

    expect(*cheat("responses", change), {offset + 1})


def test_slots_bent_where_the_selection_does_not_see_it() -> None:
    """y' in the kernel of f' leaves (4) as it is; (5) stands alone."""

    def change(prover: LeavesProver) -> None:
        slots = len(prover.z)
        prover.responses[slots] += prover.low[1]
        prover.responses[slots + 1] -= prover.low[0]

    expect(*cheat("responses", change), {5})


def test_slots_bent_where_the_vector_does_not_see_it() -> None:
    """Another y' and an announcement to fit it: f' changes, and (4) stands alone."""

    def change(prover: LeavesProver) -> None:
        prover.slot_masks[2] += 1
        prover.announced[6] = add(prover.announced[6], w_generators()[2])

    expect(*cheat("announce", change), {4})


def test_another_square() -> None:
    def change(prover: LeavesProver) -> None:
        prover.d_square += 1

    expect(*cheat("final", change), {3, 4})


def test_a_round_that_lies() -> None:
    def change(prover: LeavesProver) -> None:
        if prover.round == 4:
            prover.p[1] += 1

    expect(*cheat("round", change), {4})


def test_a_prover_that_forgets_the_selection() -> None:
    """Without -a·f̄·V in Δ̄ (4) fails; what is left over shows f to anybody."""

    def change(prover: LeavesProver) -> None:
        prover.announced[5] = mul(prover.delta_mask, B)

    page, argument = cheat("announce", change)
    expect(page, argument, {4})


def test_an_honest_prover_of_the_model_is_accepted() -> None:
    page, argument = cheat("none", lower_sum)
    assert LeavesVerifier(MODEL, 2, page, argument).failing() == set()
    native.pages_check(TREE, 0, 2, page, argument)
    assert oracle.encode(V) not in argument
