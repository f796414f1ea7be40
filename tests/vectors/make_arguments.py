"""Vectors of the argument alone: honest ones, every cheating prover, every malformed byte string.

All start from one transcript state; commitments and argument are in hex.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from tests.support.forge import (
    HONEST,
    INFINITY,
    Argument,
    Bend,
    N,
    Opening,
    Shape,
    V,
    combine,
    commit,
    prove,
    q,
)
from tests.support.vector import Vector, make, splice

STATE = sha256(b"assay vectors").digest()
ONE: list[Opening] = [(0x0123456789ABCDEF, 11)]
THREE: list[Opening] = [(5, 21), (2**64 - 1, 22), (0, 23)]
P = 2**256 - 2**32 - 977


def blinding(index: int) -> int:
    return int.from_bytes(sha256(b"blinding %d" % index).digest(), "big") % N


def commitments(openings: Sequence[Opening]) -> list[bytes]:
    return [commit(*opening) for opening in openings]


def argued(
    name: str,
    description: str,
    source: str,
    code: str | None,
    openings: Sequence[Opening],
    bend: Bend = HONEST,
    b: int = 64,
    stated: Mapping[str, Any] = MappingProxyType({}),
) -> Vector:
    """An argument for the openings; `stated` replaces what it is checked against."""
    made = prove(STATE, b, openings, bend=bend).encode()
    content = {"state": STATE, "b": b, "commitments": commitments(openings), "argument": made}
    return make(f"argument/{name}", description, source, code, **(content | dict(stated)))


def accepted() -> Iterator[Vector]:
    def honest(name: str, description: str, openings: Sequence[Opening], b: int = 64) -> Vector:
        return argued(name, description, "accepted", None, openings, b=b)

    yield honest("one", "One value of 64 bits.", ONE)
    yield honest("three", "Three values, the fourth place being absent.", THREE)
    yield honest("two-equal", "One commitment twice.", [ONE[0], ONE[0]])
    sixteen = [blinding(i) for i in range(16)]
    yield honest("zeros", "Sixteen zeros.", [(0, r) for r in sixteen])
    yield honest("ones", "Sixteen of 2^64 - 1.", [(2**64 - 1, r) for r in sixteen])
    yield honest("wide", "One value of 128 bits, the largest.", [(2**128 - 1, 31)], b=128)
    yield honest("infinite", "The commitment to zero without blinding.", [(0, 0)], b=128)
    yield honest("unblinded", "A value without blinding.", [(77, 0)], b=128)
    many = [(sha256(b"%d" % i).digest(), blinding(i)) for i in range(64)]
    values = [(int.from_bytes(digest[:8], "big"), r) for digest, r in many]
    yield honest("63", "All places but one.", values[:63])
    yield honest("64", "All places.", values)


def digits(value: int, **changed: int) -> tuple[int, ...]:
    """The 64 bits of a value, some replaced: `d3=2` is a 2 of weight 2^3."""
    listed = [value >> k & 1 for k in range(64)]
    for place, digit in changed.items():
        listed[int(place[1:])] = digit
    return tuple(listed)


def out_of_range() -> Iterator[Vector]:
    for residual in (1, 2, 3, 4):
        yield argued(
            f"too-large-equation-{residual}",
            f"A value of 2^64 + 5 with its low bits; equation {residual} alone is false.",
            "the residual moved into each equation",
            "argument.rejected",
            [(2**64 + 5, 7)],
            Bend(residual=residual),
        )
        yield argued(
            f"too-wide-equation-{residual}",
            f"A value of 2^128 + 5 with its low bits; equation {residual} alone is false.",
            "the residual moved into each equation",
            "argument.rejected",
            [(2**128 + 5, 7)],
            Bend(residual=residual),
            b=128,
        )
    for name, description, value, bits in (
        ("digit-two", "A digit 2; the weighted sum is right.", 4, digits(0, d1=2)),
        ("digit-minus-five", "A digit n - 5; the weighted sum is right.", 3, digits(8, d0=N - 5)),
        ("minus-five", "The value n - 5, as one digit n - 5.", N - 5, digits(0, d0=N - 5)),
        (
            "minus-five-complement",
            "The value n - 5 with the bits of 2^64 - 5.",
            N - 5,
            digits(2**64 - 5),
        ),
        ("minus-five-residue", "The value n - 5 with its own low bits.", N - 5, digits(N - 5)),
        ("wrong-bits", "The bits of another value.", 5, digits(6)),
        ("no-bits", "All bits zero, the value being 1.", 1, digits(0)),
    ):
        yield argued(
            name,
            description,
            "digits that are no bits",
            "argument.rejected",
            [(value, 7)],
            Bend(bits),
        )
    absent = [v >> k & 1 for v, _ in THREE for k in range(64)]
    moved = [(5, 21), (2**64 - 1, 22), (9, 23)]
    for name, description, openings, place in (
        ("absent-bit", "A bit in the absent fourth place.", THREE, digits(1)),
        ("absent-value", "The third value's bits stand in the absent place.", moved, digits(9)),
        (
            "absent-opposite",
            "The third value is 2^64 without bits; the absent place has a digit 2^64.",
            [*THREE[:2], (2**64, 23)],
            digits(0, d0=2**64),
        ),
    ):
        yield argued(
            name,
            description,
            "bits in absent places",
            "argument.rejected",
            openings,
            Bend((*absent, *place)),
        )


def unknown_openings() -> Iterator[Vector]:
    for j in (0, 3, 5):
        yield argued(
            f"unknown-opening-round-{j + 1}",
            f"A commitment of round {j + 1} has a component along Q_0, which nobody can open.",
            "round commitments of unknown opening",
            "argument.rejected",
            ONE,
            Bend(unknown_round=j),
        )


def omissions() -> Iterator[Vector]:
    for label in ("shape", "rows", "round", "announcements"):
        yield argued(
            f"omits-{label}",
            f"The prover left {label!r} out of the transcript.",
            "transcript items left out",
            "argument.rejected",
            THREE,
            Bend(omit=frozenset({label})),
        )


def counts() -> Iterator[Vector]:
    source, code = "counts", "argument.rejected"
    c = commitments(THREE)
    d = commitments([*THREE, (9, 24)])
    yield argued(
        "three-as-four",
        "An argument for three commitments, shown for four of which the last is infinite.",
        source,
        code,
        THREE,
        stated={"commitments": [*c, INFINITY]},
    )
    yield argued(
        "four-as-three",
        "An argument for four commitments, shown for the first three.",
        source,
        code,
        [*THREE, (9, 24)],
        stated={"commitments": c},
    )
    yield argued(
        "four-for-three",
        "An argument of the shape for four over three commitments.",
        source,
        code,
        THREE,
        Bend(shape=Shape(4, 64)),
    )
    yield argued(
        "swapped",
        "Two commitments swapped.",
        source,
        code,
        THREE,
        stated={"commitments": [c[1], c[0], c[2]]},
    )
    yield argued(
        "repeated",
        "A commitment in another's place.",
        source,
        code,
        THREE,
        stated={"commitments": [c[0], c[1], c[1]]},
    )
    yield argued(
        "other-commitment", "Another commitment.", source, code, ONE, stated={"commitments": c[:1]}
    )
    yield argued(
        "negated",
        "The opposite commitment.",
        source,
        code,
        ONE,
        stated={"commitments": [combine([(-1, commit(*ONE[0]))])]},
    )
    yield argued(
        "three-of-four",
        "Four commitments of which one was replaced.",
        source,
        code,
        [*THREE, (9, 25)],
        stated={"commitments": d},
    )
    low, high = (123, 41), (45, 42)
    joined = (low[0] + (high[0] << 64), low[1] + (high[1] << 64))
    yield argued(
        "two-narrow-as-one-wide",
        "Two values of 64 bits shown as one of 128, which has the same bits and length.",
        "lengths",
        code,
        [low, high],
        stated={"b": 128, "commitments": [commit(*joined)]},
    )
    yield argued(
        "wide-as-two-narrow",
        "One value of 128 bits shown as two of 64.",
        "lengths",
        code,
        [joined],
        b=128,
        stated={"b": 64, "commitments": commitments([low, high])},
    )


def one() -> Argument:
    return prove(STATE, 64, ONE)


def tampered(name: str, description: str, source: str, code: str, changed: bytes) -> Vector:
    """A change of the argument of `argument/one`."""
    replaced = {"argument": splice(one().encode(), changed)}
    return make(
        f"argument/{name}", description, source, code, base="argument/one", replace=replaced
    )


def messages() -> Iterator[Vector]:
    """Every kind of message moved by V, or by 1."""
    places = [("d-first", "rows", 0), ("d-last", "rows", -1)]
    for at, name in ((0, "first"), (9, "middle"), (15, "last")):
        places += [(f"p{t}-{name}", "rounds", at + n) for n, t in enumerate((0, 2, 3))]
    places += [
        (name, "announcements", at)
        for at, name in enumerate(("y", "y2", "t-bar", "y-bar", "y2-bar", "delta-bar"))
    ]
    places += [("z-first", "responses", 0), ("z-last", "responses", 7)]
    places += [
        (name, "responses", at)
        for at, name in ((8, "u-t"), (9, "u-y"), (10, "u-2"), (11, "u-delta"))
    ]
    for name, group, at in places:
        argument = one()
        if group == "responses":
            argument.responses[at] = (argument.responses[at] + 1) % N
        else:
            points = getattr(argument, group)
            points[at] = combine([(1, points[at]), (1, V)])
        yield tampered(
            f"tampered-{name}",
            f"{name} moved by {'1' if group == 'responses' else 'V'}.",
            "tampered messages",
            "argument.rejected",
            argument.encode(),
        )
    argument = one()
    argument.responses[8] += 1
    argument.responses[11] -= 1
    yield tampered(
        "tampered-cancelling",
        "u_T one more and u_Δ one less: the errors cancel where equations are added unweighted.",
        "errors that cancel",
        "argument.rejected",
        argument.encode(),
    )
    argument = one()
    argument.rows[0] = combine([(1, argument.rows[0]), (1, q(0))])
    yield tampered(
        "tampered-row-along-q",
        "The first row commits to another first digit.",
        "tampered messages",
        "argument.rejected",
        argument.encode(),
    )


def lengths() -> Iterator[Vector]:
    made = one()
    good = made.encode()
    rounds = 33 * len(made.rows)
    responses = len(good) - 32 * 12
    for name, description, changed in (
        ("empty", "Nothing.", b""),
        ("short", "The last byte is missing.", good[:-1]),
        ("long", "A trailing byte.", good + b"\x00"),
        ("row-less", "One row too few.", good[33:]),
        ("row-more", "One row too many.", good[:33] + good),
        ("round-less", "One round too few.", good[:rounds] + good[rounds + 99 :]),
        ("round-more", "One round too many.", good[: rounds + 99] + good[rounds:]),
        ("column-less", "One column too few.", good[:responses] + good[responses + 32 :]),
        ("column-more", "One column too many.", good[: responses + 32] + good[responses:]),
        ("twice", "The argument twice.", good + good),
    ):
        yield tampered(f"length-{name}", description, "lengths", "argument.bad-length", changed)


def point_faults() -> list[tuple[str, str, bytes]]:
    """33 bytes that are no point, by name and description."""
    off_curve = next(x for x in range(1, 50) if pow(x**3 + 7, (P - 1) // 2, P) == P - 1)
    wrapped = next(x for x in range(1, 50) if pow(x**3 + 7, (P - 1) // 2, P) == 1)
    return [
        ("infinity", "33 zero bytes", INFINITY),
        ("off-curve", "an x that is not on the curve", b"\x02" + off_curve.to_bytes(32, "big")),
        ("x-too-large", "an x of p or more", b"\x02" + (P + wrapped).to_bytes(32, "big")),
        ("x-all-ones", "an x of 2^256 - 1", b"\x03" + b"\xff" * 32),
        ("prefix", "the prefix 04", b"\x04" + V[1:]),
        ("prefix-zero", "the prefix 00", b"\x00" + V[1:]),
        ("prefix-hybrid", "the prefix 06", b"\x06" + V[1:]),
    ]


def encodings() -> Iterator[Vector]:
    good = one().encode()
    points = (len(good) - 32 * 12) // 33
    faults = point_faults()
    cases = [(f"{name}-row", f"The first row is {text}.", 0, bad) for name, text, bad in faults]
    name, text, bad = faults[0]
    cases.append((f"{name}-round", f"A round's commitment is {text}.", 10, bad))
    cases.append((f"{name}-last", f"The last announcement is {text}.", points - 1, bad))
    name, text, bad = faults[1]
    cases.append((f"{name}-round", f"A round's commitment is {text}.", points - 7, bad))
    cases.append((f"{name}-last", f"The last announcement is {text}.", points - 1, bad))
    for name, description, at, bad in cases:
        changed = good[: 33 * at] + bad + good[33 * at + 33 :]
        yield tampered(f"point-{name}", description, "encodings", "argument.bad-point", changed)
    end = 33 * points
    for name, number in (("n", N), ("n-plus-one", N + 1), ("all-ones", 2**256 - 1)):
        for place, at in (("first", 0), ("last", 11)):
            start = end + 32 * at
            changed = good[:start] + number.to_bytes(32, "big") + good[start + 32 :]
            yield tampered(
                f"scalar-{name}-{place}",
                f"The {place} scalar is {name.replace('-', ' ')}.",
                "encodings",
                "argument.bad-scalar",
                changed,
            )
    changed = INFINITY + good[33:-32] + b"\xff" * 32
    yield tampered(
        "point-before-scalar",
        "A bad point and a bad scalar: the point is named.",
        "order of checks",
        "argument.bad-point",
        changed,
    )
    changed = good[:end] + bytes(32 * 12)
    yield tampered(
        "scalars-zero",
        "All responses are zero, which is a valid encoding.",
        "tampered messages",
        "argument.rejected",
        changed,
    )
    yield make(
        "argument/other-state",
        "The argument of another transcript.",
        "replays",
        "argument.rejected",
        base="argument/one",
        replace={"state": sha256(b"another").digest()},
    )


def vectors() -> Iterator[Vector]:
    for maker in (
        accepted,
        out_of_range,
        unknown_openings,
        omissions,
        counts,
        messages,
        lengths,
        encodings,
    ):
        yield from maker()
