"""The argument proved and accepted: byte for byte the oracle's, every shape and kind of value."""

from __future__ import annotations

import pytest

import native
from tests.support import oracle
from tests.support.statements import (
    KINDS,
    SALT,
    SECRET,
    STATE,
    Witness,
    after_shape,
    prove,
    verify,
    witness,
)

SHAPES = [(1, 64), (2, 64), (3, 64), (4, 64), (16, 64), (1, 128), (3, 128)]
SIZES = [1, 2, 3, 5, 15, 16, 17, 63, 64]


@pytest.mark.parametrize(("m", "b"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_oracles(kind: str, m: int, b: int) -> None:
    statement = witness(kind, m, b)
    transcript = after_shape(m, b)
    expected = oracle.Prover(transcript, b, statement.values, statement.blindings).prove(
        SECRET, SALT
    )
    argument = prove(statement)
    assert argument == expected
    points = [
        oracle.commit(*pair) for pair in zip(statement.values, statement.blindings, strict=True)
    ]
    oracle.verify(after_shape(m, b), b, points, argument)
    verify(b, statement.commitments, argument)


def test_the_bytes_are_the_oracles_at_rows_shorter_than_a_value() -> None:
    statement = witness("skewed", 33, 64)
    prover = oracle.Prover(after_shape(33, 64), 64, statement.values, statement.blindings)
    assert prove(statement) == prover.prove(SECRET, SALT)


@pytest.mark.parametrize("m", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_own_proofs_are_accepted(kind: str, m: int) -> None:
    statement = witness(kind, m, 64)
    commitments = native.commit(statement.value_array, statement.blinding_bytes)
    verify(64, commitments, prove(statement, commitments))


@pytest.mark.parametrize("m", [2, 5, 63, 64])
def test_wide_values_are_accepted(m: int) -> None:
    statement = witness("skewed", m, 128)
    commitments = native.commit(statement.value_bytes, statement.blinding_bytes, 128)
    verify(128, commitments, prove(statement, commitments))


@pytest.mark.parametrize("b", [64, 128])
def test_infinity_is_a_commitment_to_zero(b: int) -> None:
    statement = Witness(b, [0], [0])
    assert statement.commitments == bytes(33)
    argument = prove(statement)
    oracle.verify(after_shape(1, b), b, [None], argument)
    verify(b, bytes(33), argument)
    with pytest.raises(native.Rejected):
        verify(b, native.generator(b"B", 0), argument)


def test_generators_and_equal_and_opposite_points_are_commitments() -> None:
    n = int(oracle.N)
    statement = Witness(64, [1, 0, 0, 1, 1, 0, 0, 5, 5, 0], [0, 1, n - 1, 1, 1, 0, n - 2, 0, 0, 2])
    assert statement.commitments[:33] == oracle.encode(oracle.V)
    verify(64, statement.commitments, prove(statement))


def test_all_commitments_equal() -> None:
    statement = Witness(64, [7] * 64, [9] * 64)
    verify(64, statement.commitments, prove(statement))


def test_lengths() -> None:
    assert native.range_length(1, 64) == 1440
    assert native.range_length(64, 64) == 5674
    assert native.range_length(1, 128) == 1795
    for m, b in SHAPES:
        assert (
            native.range_length(m, b)
            == oracle.Shape(m, b).length
            == len(prove(witness("one", m, b)))
        )


@pytest.mark.parametrize(
    ("m", "b"),
    [(0, 64), (65, 64), (65, 128), (0, 128), (1, 0), (1, 63), (1, 256), (-1, 64), (2**40, 64)],
)
def test_shapes_out_of_range(m: int, b: int) -> None:
    with pytest.raises(ValueError, match="no argument has"):
        native.range_length(m, b)


def test_every_input_of_the_nonces_matters() -> None:
    statement = witness("random", 2, 64)
    first = (STATE, SECRET, SALT)

    def made(state: bytes, secret: bytes, salt: bytes) -> bytes:
        return native.range_prove(
            state,
            64,
            statement.value_bytes,
            statement.blinding_bytes,
            statement.commitments,
            secret,
            salt,
        )

    other = bytes(32)
    results = [
        made(*first),
        made(other, SECRET, SALT),
        made(STATE, other, SALT),
        made(STATE, SECRET, other),
    ]
    rows = [result[:33] for result in results]
    assert len(set(rows)) == 4
    assert made(*first) == results[0]


def test_a_commitment_that_does_not_open_is_not_proved() -> None:
    statement, other = witness("random", 3, 64), witness("random", 3, 64, seed=1)
    with pytest.raises(ValueError, match="not that to its value"):
        prove(statement, other.commitments)


def test_a_blinding_factor_of_the_order_is_refused() -> None:
    statement = Witness(64, [1], [int(oracle.N)])
    with pytest.raises(ValueError, match="blinding factor"):
        prove(statement)


@pytest.mark.parametrize("name", ["state", "values", "blindings", "commitments", "secret", "salt"])
@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_lengths_are_misuse(name: str, change: int) -> None:
    statement = witness("random", 2, 64)
    inputs = {
        "state": STATE,
        "values": statement.value_bytes,
        "blindings": statement.blinding_bytes,
        "commitments": statement.commitments,
        "secret": SECRET,
        "salt": SALT,
    }
    inputs[name] = inputs[name][:-1] if change < 0 else inputs[name] + b"\0"
    with pytest.raises(ValueError, match="bytes instead of"):
        native.range_prove(b=64, **inputs)


def test_a_commitment_that_is_no_point_is_misuse() -> None:
    argument = prove(witness("one", 1, 64))
    for data in (b"\x04" + bytes(32), b"\x02" + b"\xff" * 32, bytes(32) + b"\1"):
        with pytest.raises(ValueError, match="not a point"):
            verify(64, data, argument)
