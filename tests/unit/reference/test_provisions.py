"""The protocol that the benchmarks compare with does its job: else its cost says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benches.provisions import KeyProof, N, base, prove, random_scalar, verify


@pytest.fixture(scope="module", params=[False, True])
def proven(request: pytest.FixtureRequest) -> tuple[int, KeyProof]:
    private = random_scalar()
    return private, prove(base(private), 5, private if request.param else 0)


def test_owned_and_other_keys_are_accepted(proven: tuple[int, KeyProof]) -> None:
    private, proof = proven
    assert verify(base(private), 5, proof)
    assert not verify(base(private), 6, proof)
    assert not verify(base(private + 1), 5, proof)
    assert proof.size == 322


def test_every_scalar_and_point_counts(proven: tuple[int, KeyProof]) -> None:
    private, proof = proven
    for at in range(len(proof.scalars)):
        changed = list(proof.scalars)
        changed[at] = (changed[at] + 1) % N
        assert not verify(base(private), 5, replace(proof, scalars=tuple(changed)))
    assert not verify(base(private), 5, replace(proof, p=negated(proof.p)))
    assert not verify(base(private), 5, replace(proof, l=negated(proof.l)))


def negated(point: bytes) -> bytes:
    return bytes([point[0] ^ 1]) + point[1:]


def test_a_key_that_is_not_known_does_not_count() -> None:
    private = random_scalar()
    assert not verify(base(private), 5, prove(base(private), 5, private + 1))
