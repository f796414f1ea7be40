"""Provers that lie in an argument, with fresh randomness: none gets past either verifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest

import native
from spec.reference.argument import Shape as ReferenceShape
from spec.reference.argument import equations
from spec.reference.group import decode, multi_multiply
from spec.reference.transcript import Transcript as ReferenceTranscript
from tests.support import forge
from tests.support.forge import B, Bend, N, Opening, Shape, V, combine, commit, prove, q, u

Digits = tuple[int, ...]
SHAPES = [(1, 64), (3, 64), (16, 64), (1, 128)]


def code_of(state: bytes, b: int, commitments: Sequence[bytes], argument: bytes) -> str | None:
    """What `native` says of an argument."""
    try:
        native.range_verify(state, b, b"".join(commitments), argument)
    except native.Rejected as fault:
        return fault.code
    return None


def false_equations(
    state: bytes, b: int, commitments: Sequence[bytes], argument: bytes
) -> list[int]:
    """The numbers of the equations of transcript.md 4.4 that do not hold, by the reference."""
    shape = ReferenceShape(len(commitments), b)
    transcript = ReferenceTranscript(state)
    transcript.absorb("shape", shape.encode())
    points = [decode(commitment) for commitment in commitments]
    four = equations(transcript.state, shape, points, argument, "")
    return [n for n, terms in enumerate(four, 1) if multi_multiply(terms) is not None]


def bits(values: Sequence[int], shape: Shape) -> list[int]:
    """The digits of values in their places, the absent ones zero."""
    return forge.honest_digits([(value, 0) for value in values], shape)


def cheats(m: int, b: int, rng: Random) -> Iterator[tuple[str, list[Opening], Digits]]:
    """Values and the digits that are claimed to be their bits; one value is false."""
    shape = Shape(m, b)
    values = [rng.getrandbits(b) for _ in range(m)]
    place, bit = rng.randrange(m), rng.randrange(1, b)
    at = place * b + bit
    for name, offset in (("large", 2**b), ("huge", rng.randrange(2**b, N - 2**b)), ("one", 1)):
        digits = bits(values, shape)
        yield name, with_value(values, place, values[place] + offset, rng), tuple(digits)
    negative = N - rng.randrange(1, 2**b)
    low, complement = negative % 2**b, (negative - N) % 2**b
    for name, kept in (("negative, low bits", low), ("negative, complement", complement)):
        digits = bits([*values[:place], kept, *values[place + 1 :]], shape)
        yield name, with_value(values, place, negative, rng), tuple(digits)
    # Digits that are no bits, with the right weighted sum: what only d² = d refuses.
    digits = bits(values, shape)
    digits[at], digits[at - 1] = digits[at] - 1, digits[at - 1] + 2
    yield "carried digit", with_value(values, place, values[place], rng), tuple(digits)
    digits = bits([0] * m, shape)
    digits[place * b] = negative
    yield "one digit", with_value([0] * m, place, negative, rng), tuple(digits)
    digits = bits(values, shape)
    half = pow(2, -1, N)
    digits[at] = (digits[at] + half) % N
    yield "half digit", with_value(values, place, values[place] + half * 2**bit, rng), tuple(digits)
    if m == 3:
        digits = bits(values, shape)
        digits[3 * b + bit] = 1
        yield "absent place", with_value(values, 0, values[0], rng), tuple(digits)


def with_value(values: Sequence[int], place: int, value: int, rng: Random) -> list[Opening]:
    """Fresh openings of the values, one replaced."""
    changed = [*values[:place], value, *values[place + 1 :]]
    return [(v % N, rng.randrange(N)) for v in changed]


@pytest.mark.parametrize("residual", [1, 2, 3, 4])
@pytest.mark.parametrize(("m", "b"), SHAPES)
def test_a_false_value_or_digit(m: int, b: int, residual: int, rng: Random) -> None:
    """Each is rejected, with the error in the one equation that the prover chose."""
    for name, openings, digits in cheats(m, b, rng):
        state = rng.randbytes(32)
        bend = Bend(digits=digits, residual=residual)
        argument = prove(state, b, openings, secret=rng.randbytes(32), bend=bend).encode()
        commitments = [commit(*opening) for opening in openings]
        assert code_of(state, b, commitments, argument) == "argument.rejected", name
        assert false_equations(state, b, commitments, argument) == [residual], name


@pytest.mark.parametrize(("m", "b"), SHAPES)
def test_every_message_moved(m: int, b: int, rng: Random) -> None:
    """Every point by V, B or a Q, every scalar by 1 or at random."""
    state = rng.randbytes(32)
    openings = [(rng.getrandbits(b), rng.randrange(N)) for _ in range(m)]
    commitments = [commit(*opening) for opening in openings]
    honest = prove(state, b, openings)
    assert code_of(state, b, commitments, honest.encode()) is None
    for group in ("rows", "rounds", "announcements"):
        for at in range(len(getattr(honest, group))):
            made = prove(state, b, openings)
            points = getattr(made, group)
            points[at] = combine([(1, points[at]), (rng.randrange(1, N), rng.choice((V, B, q(0))))])
            assert code_of(state, b, commitments, made.encode()) == "argument.rejected"
    for at in range(len(honest.responses)):
        made = prove(state, b, openings)
        made.responses[at] = (made.responses[at] + rng.choice((1, rng.randrange(1, N)))) % N
        assert code_of(state, b, commitments, made.encode()) == "argument.rejected"
    for at in range(m):
        moved = list(commitments)
        moved[at] = combine([(1, moved[at]), (1, rng.choice((V, B)))])
        assert code_of(state, b, moved, honest.encode()) == "argument.rejected"


@pytest.mark.parametrize(("m", "b"), SHAPES)
def test_an_unknown_opening_in_every_round(m: int, b: int, rng: Random) -> None:
    openings = [(rng.getrandbits(b), rng.randrange(N)) for _ in range(m)]
    commitments = [commit(*opening) for opening in openings]
    for j in range(Shape(m, b).nu):
        state = rng.randbytes(32)
        argument = prove(state, b, openings, bend=Bend(unknown_round=j)).encode()
        assert code_of(state, b, commitments, argument) == "argument.rejected"


@pytest.mark.parametrize("label", ["shape", "rows", "round", "announcements"])
def test_an_omitted_item(label: str, rng: Random) -> None:
    openings = [(rng.getrandbits(64), rng.randrange(N)) for _ in range(3)]
    state = rng.randbytes(32)
    argument = prove(state, 64, openings, bend=Bend(omit=frozenset({label}))).encode()
    commitments = [commit(*opening) for opening in openings]
    assert code_of(state, 64, commitments, argument) == "argument.rejected"


def test_every_other_length(rng: Random) -> None:
    state, opening = rng.randbytes(32), (rng.getrandbits(64), rng.randrange(N))
    argument = prove(state, 64, [opening]).encode()
    for length in range(2 * len(argument)):
        if length != len(argument):
            data = (argument + argument)[:length]
            assert code_of(state, 64, [commit(*opening)], data) == "argument.bad-length"


def test_generators_of_ones_own(monkeypatch: pytest.MonkeyPatch, rng: Random) -> None:
    """A prover who knows the discrete logarithm t of its B opens any commitment as it likes."""
    t = rng.randrange(1, N)
    state, blinding = rng.randbytes(32), rng.randrange(N)
    monkeypatch.setattr(forge, "B", combine([(t, V)]))
    commitment = commit(2**64, blinding)
    opening = (5, (blinding + (2**64 - 5) * pow(t, -1, N)) % N)
    assert commit(*opening) == commitment
    argument = prove(state, 64, [opening], secret=rng.randbytes(32)).encode()
    assert code_of(state, 64, [commitment], argument) == "argument.rejected"


def test_encodings_of_every_scalar_and_point(rng: Random) -> None:
    state, opening = rng.randbytes(32), (rng.getrandbits(64), rng.randrange(N))
    commitments, argument = [commit(*opening)], prove(state, 64, [opening]).encode()
    points = (len(argument) - 32 * 12) // 33
    for at in range(points):
        for bad in (bytes(33), b"\x04" + V[1:], b"\x02" + b"\xff" * 32):
            changed = argument[: 33 * at] + bad + argument[33 * at + 33 :]
            assert code_of(state, 64, commitments, changed) == "argument.bad-point"
    for at in range(12):
        start = 33 * points + 32 * at
        original = int.from_bytes(argument[start : start + 32], "big")
        for bad_scalar in (N, 2**256 - 1, original + N):
            if bad_scalar < 2**256:
                changed = argument[:start] + u(bad_scalar, 32) + argument[start + 32 :]
                assert code_of(state, 64, commitments, changed) == "argument.bad-scalar"
