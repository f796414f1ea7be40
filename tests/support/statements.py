"""Witnesses for tests of the argument: openings of every kind, in the forms both sides take."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import native
from tests.support import oracle

STATE = oracle.Transcript().state
SECRET, SALT = bytes(range(32)), bytes(range(32, 64))
KINDS = ("random", "zeros", "ones", "one", "skewed")


@dataclass(frozen=True)
class Witness:
    """Values of b bits and their blinding factors."""

    b: int
    values: Sequence[int]
    blindings: Sequence[int]

    @property
    def commitments(self) -> bytes:
        """Return the commitments, 33 bytes each."""
        pairs = zip(self.values, self.blindings, strict=True)
        return b"".join(oracle.encode(oracle.commit(v, r)) for v, r in pairs)

    @property
    def value_bytes(self) -> bytes:
        """Return the values in b/8 big-endian bytes."""
        return b"".join(oracle.u(self.b // 8, v) for v in self.values)

    @property
    def value_array(self) -> array[int]:
        """Return the values as u64."""
        return array("Q", self.values)

    @property
    def blinding_bytes(self) -> bytes:
        """Return the blinding factors in 32 big-endian bytes."""
        return b"".join(oracle.u(32, r) for r in self.blindings)


def witness(kind: str, m: int, b: int, seed: int = 0) -> Witness:
    """Return m openings whose values are of a kind, all below 2^b."""
    random = Random(f"{kind} {m} {b} {seed}")
    draw: dict[str, Callable[[], int]] = {
        "random": lambda: random.getrandbits(b),
        "zeros": lambda: 0,
        "ones": lambda: 2**b - 1,
        "one": lambda: 1,
        "skewed": lambda: (
            random.getrandbits(random.randrange(b) + 1) << random.randrange(b) & 2**b - 1
        ),
    }
    value = draw[kind]
    return Witness(
        b, [value() for _ in range(m)], [random.randrange(int(oracle.N)) for _ in range(m)]
    )


def prove(statement: Witness, commitments: bytes | None = None) -> bytes:
    """Return the core's argument."""
    return native.range_prove(
        STATE,
        statement.b,
        statement.value_bytes,
        statement.blinding_bytes,
        statement.commitments if commitments is None else commitments,
        SECRET,
        SALT,
    )


def verify(b: int, commitments: bytes, argument: bytes, state: bytes = STATE) -> None:
    """Check an argument with the core."""
    native.range_verify(state, b, commitments, argument)


def after_shape(m: int, b: int, state: bytes = STATE) -> oracle.Transcript:
    """Return the oracle's transcript after item 5."""
    transcript = oracle.Transcript(state)
    oracle.Shape(m, b).absorb(transcript)
    return transcript
