"""Vectors of a page of leaves: honest ones, every cheating prover, every malformed byte string.

A cheating prover bends one stage and does all else honestly. `control` says of which weaker reader
the same bytes are accepted, and `fails` which of the five equations do not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any

from tests.support.forge import (
    INFINITY,
    B,
    N,
    V,
    combine,
    eq_table,
    lagrange,
    q,
    square_solution,
    u,
)
from tests.support.leaves_forge import (
    HONEST,
    NAMES,
    Bend,
    Keys,
    LeavesPage,
    Place,
    Prover,
    Shape,
    Weak,
    bent,
    omitting,
    prove_leaves,
    round_value,
    w,
    without,
)
from tests.support.vector import Vector, make, splice
from tests.vectors.make_arguments import point_faults

Stage = Callable[[Prover], None]
PLACE = Place()
WIDE = Place(page_size=256)
KEYS = Keys()


def number(text: str, bits: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest(), "big") >> (256 - bits)


@cache
def identities(size: int) -> list[bytes]:
    return [sha256(b"identity %d" % index).digest() for index in range(size)]


@cache
def amounts(size: int) -> list[int]:
    """Of the leaves of a page; small ones and large ones, and some of nothing."""
    return [number(f"amount {index}", 64) >> index % 65 for index in range(size)]


def page(
    place: Place = PLACE, bend: Bend = HONEST, values: Sequence[int] | None = None
) -> LeavesPage:
    """A page made for a place, whatever it is shown as."""
    states = place.state("entries"), place.state("leaves", bend.reader.omit)
    size = place.page_size
    return prove_leaves(states, values or amounts(size), identities(size), KEYS, None, bend)


def shown(
    name: str,
    description: str,
    source: str,
    code: str | None,
    made: LeavesPage,
    place: Place = PLACE,
    **content: Any,
) -> Vector:
    """A page as one reads it at a place."""
    return make(
        f"page/{name}",
        description,
        source,
        code,
        state=place.state("leaves"),
        page_size=made.page_size,
        entries=made.entries,
        argument=made.argument,
        **content,
    )


def control(reader: Weak) -> dict[str, Any]:
    """How a vector says which reader accepts it."""
    told = {
        "omit": sorted(reader.omit),
        "rule": reader.rule,
        "without": sorted(reader.without),
    }
    return {"control": {name: value for name, value in told.items() if value}}


def cheat(
    name: str,
    description: str,
    source: str,
    reader: Weak,
    stages: Mapping[str, Stage],
    fails: Sequence[int] = (),
    place: Place = PLACE,
) -> Vector:
    """A false page that only a weaker reader accepts.

    The prover believes to have that reader where it draws or absorbs otherwise. An equation that it
    does not look at makes no difference to the prover. Where a stage needs a square root that is
    not there, another last amount is tried.
    """
    bend = bent(stages, replace(reader, without=frozenset()))
    values = amounts(place.page_size)
    while True:
        try:
            made = page(place, bend, values)
            break
        except ValueError:
            values = [*values[:-1], values[-1] + 1]
    told = control(reader) | ({"fails": list(fails)} if fails else {})
    return shown(name, description, source, "argument.rejected", made, place, **told)


# --- honest pages


def accepted() -> Iterator[Vector]:
    def good(name: str, description: str, values: Sequence[int], place: Place = PLACE) -> Vector:
        made = page(place, values=values)
        told = {"made_of": made_of(made, place)} if place.page_size < 4096 else {}
        return shown(name, description, "accepted", None, made, place, **told)

    yield good("sixteen", "Sixteen leaves.", amounts(16))
    yield good("zeros", "Leaves of 0.", [0] * 16)
    yield good("ones", "Leaves of 2^64 - 1.", [2**64 - 1] * 16)
    yield good("wide", "A page of 256 leaves.", amounts(256), WIDE)
    large = Place(page_size=4096, levels=1, index=0, capacity=1)
    yield good("large", "A page of 4096 leaves.", amounts(4096), large)
    equal = page()
    states = PLACE.state("entries"), PLACE.state("leaves")
    twice = [identities(16)[0]] * 2 + identities(16)[2:]
    equal = prove_leaves(states, amounts(16), twice, KEYS)
    yield shown("equal-identities", "Two leaves of one identity.", "accepted", None, equal)


def made_of(made: LeavesPage, place: Place) -> dict[str, Any]:
    """What an honest prover needs to make the same bytes."""
    return {
        "amounts": [str(value) for value in made.values],
        "identities": made.identities,
        "entries_state": place.state("entries"),
        "entries_secret": KEYS.entries,
        "argument_secret": KEYS.argument,
        "salt": KEYS.salt,
        "rho": [u(rho, 32) for rho in made.rho],
        "r": u(made.opening[1], 32),
    }


# --- false statements


def value_of(digits: Sequence[int], leaf: int) -> int:
    return sum(digit << k for k, digit in enumerate(digits[64 * leaf : 64 * leaf + 64]))


def own_digits(leaf: int, digits: Sequence[int], *, value: int | None = None) -> Stage:
    """A leaf's digits; vector and sum have the value that they make, or another one."""

    def stage(it: Prover) -> None:
        it.digits[64 * leaf : 64 * leaf + 64] = [*digits, *[0] * (64 - len(digits))]
        made = value_of(it.digits, leaf) if value is None else value
        it.total += made - it.values[leaf]
        it.values[leaf] = made

    return stage


def twos_and_minus_ones(it: Prover) -> None:
    """Every digit is 2 or -1, and every amount in range: d² - d is 2 everywhere."""
    least = (2**64 - 1) // 3 + 1
    for leaf in range(it.shape.m):
        wanted = least + number(f"mixed {leaf}", 40)
        it.digits[64 * leaf : 64 * leaf + 64] = [2 if wanted >> k & 1 else -1 for k in range(64)]
    it.values = [value_of(it.digits, leaf) for leaf in range(it.shape.m)]
    it.total = sum(it.values)


def sum_low(it: Prover) -> None:
    it.total -= 1


def vector_high(it: Prover) -> None:
    it.values[0] += 1


def move(start: int, end: int) -> Stage:
    def stage(it: Prover) -> None:
        it.values[start] -= 7
        it.values[end] += 7

    return stage


def exchange_vectors(it: Prover) -> None:
    it.values[:32] = it.values[16:32] + it.values[:16]


def statements() -> Iterator[Vector]:
    source, four = "false statements", without(4)
    cases: list[tuple[str, str, Stage]] = [
        ("digit-two", "A digit 2; vector and sum fit.", own_digits(3, [0, 2])),
        ("digit-minus-five", "A leaf of -5, as one digit.", own_digits(3, [-5])),
        ("digit-large", "A leaf of 2^64, as one digit.", own_digits(3, [2**64])),
        ("leaf-large", "A leaf of 2^64 with its low bits.", own_digits(3, [], value=2**64)),
        (
            "leaf-minus-one",
            "A leaf of -1 with the bits of 2^64 - 1.",
            own_digits(3, [1] * 64, value=-1),
        ),
        ("digits-mixed", "All digits are 2 or -1, all amounts in range.", twos_and_minus_ones),
        ("sum-low", "The sum is one less.", sum_low),
        ("vector-high", "An amount in a vector is one more than its digits say.", vector_high),
        ("moved-slots", "Seven units moved between slots.", move(0, 1)),
    ]
    for name, description, stage in cases:
        yield cheat(name, description, source, four, {"witness": stage}, [4])
    cases = [
        ("moved-vectors", "Seven units moved between vectors.", move(0, 16)),
        ("exchanged-vectors", "Two vectors exchanged.", exchange_vectors),
    ]
    for name, description, stage in cases:
        yield cheat(name, description, source, four, {"witness": stage}, [4], WIDE)
    flat = Weak(rule="eq = 1")
    told = "For a reader to whom all leaves are one:"
    stages = {"witness": move(0, 1)}
    yield cheat("moved-slots-flat", f"{told} units moved.", source, flat, stages)
    cases = [
        ("moved-vectors-flat", f"{told} units moved between vectors.", move(0, 16)),
        ("exchanged-vectors-flat", f"{told} two vectors exchanged.", exchange_vectors),
    ]
    for name, description, stage in cases:
        yield cheat(name, description, source, flat, {"witness": stage}, place=WIDE)


def added(points: list[bytes], place: int, *terms: tuple[int, bytes]) -> None:
    points[place] = combine([(1, points[place]), *terms])


def foreign(point: bytes, into: str) -> Stage:
    """A part along a generator that the point must not have."""

    def stage(it: Prover) -> None:
        if into == "C":
            it.C = combine([(1, it.C), (5, point)])
        else:
            added(getattr(it, into), 0, (5, point))

    return stage


def foreign_parts() -> Iterator[Vector]:
    source = "parts along foreign generators"
    for name, point, into, stage, equation in (
        ("sum-along-w", w(0), "C", "entries", 4),
        ("sum-along-q", q(0), "C", "entries", 4),
        ("vector-along-v", V, "U", "entries", 5),
        ("vector-along-q", q(0), "U", "entries", 5),
        ("row-along-v", V, "D", "rows", 1),
        ("row-along-w", w(0), "D", "rows", 1),
    ):
        yield cheat(
            name,
            f"{name.replace('-', ' ').capitalize()}_0.".replace("v_0", "v"),
            source,
            without(equation),
            {stage: foreign(point, into)},
            [equation],
        )
    sum_part = foreign(w(0), "C")

    def left(it: Prover) -> int:
        """What is left of the sum's part in K_ν."""
        return 5 * it.challenges.omega * it.a * pow(it.challenges.kappa, -1, N)

    def by_y2(it: Prover) -> None:
        added(it.announcements, 1, (left(it) * pow(it.e_star, -1, N), w(0)))

    def by_y(it: Prover) -> None:
        # (3) and (4) hold: Y2 has d* times the part of Y, and Ȳ2 d̄ times.
        part = left(it) * pow(it.e_star * it.d_star - it.shift, -1, N)
        added(it.announcements, 0, (part, w(0)))
        added(it.announcements, 1, (part * it.d_star, w(0)))
        added(it.announcements, 4, (part * it.d_bar, w(0)))

    def by_round(it: Prover) -> None:
        if it.j == it.shape.nu - 1:
            added(it.message, 1, (-5 * it.challenges.omega, w(0)))

    yield cheat(
        "sum-along-w-y2",
        "The sum has a part along W_0, which Y2 takes up.",
        source,
        without(3),
        {"entries": sum_part, "announced": by_y2},
        [3],
    )
    yield cheat(
        "sum-along-w-y",
        "The sum has a part along W_0, which Y takes up.",
        source,
        without(2),
        {"entries": sum_part, "announced": by_y},
        [2],
    )
    yield cheat(
        "sum-along-w-round",
        "The sum has a part along W_0, which the last round is to take up.",
        source,
        without(4),
        {"entries": sum_part, "message": by_round},
        [4],
    )


# --- the residual of a false sum, moved into each equation


def by_z(it: Prover) -> None:
    """(1): Y opens to a root of the last claim, and z' with it."""
    it.y_value = square_solution(it.e_star, it.shift, it.claim)
    it.y2_value = it.y_value**2 % N
    it.z[0] = (it.z[0] + (it.y_value - it.d_star) * pow(it.P[0], -1, N)) % N


def by_y(it: Prover) -> None:
    """(2): Y opens to another value, and Y2 to d* times it."""
    it.y_value = it.claim * pow((it.e_star * it.d_star - it.shift) % N, -1, N) % N
    it.y2_value = it.d_star * it.y_value % N


def by_y2(it: Prover) -> None:
    """(3): Y2 opens to another value."""
    it.y2_value = (it.claim + it.shift * it.d_star) * pow(it.e_star, -1, N) % N


def by_f(it: Prover) -> None:
    """(5), with `bend_y`: the claim is true for another f."""
    it.f = (it.f + it.challenges.omega * pow(it.challenges.kappa, -1, N)) % N


def needed(it: Prover) -> int:
    """What y_0 must be more, for f to be that of `by_f`."""
    weight = it.challenges.kappa * it.challenges.low[0]
    return it.challenges.omega * pow(weight, -1, N)


def bend_y(it: Prover) -> None:
    columns = it.shape.columns
    it.responses[columns] = (it.responses[columns] + it.e * needed(it)) % N


MOVED: dict[int, dict[str, Stage]] = {
    1: {"valued": by_z},
    2: {"valued": by_y},
    3: {"valued": by_y2},
    4: {},
    5: {"folded": by_f, "responded": bend_y},
}


def guess(equation: int) -> Stage:
    """The equation's announcement carries what is left over, for a challenge that is guessed."""
    e = number("a guess", 250)

    def stage(it: Prover) -> None:
        wrong: dict[int, Callable[[], tuple[int, bytes]]] = {
            1: lambda: ((it.y_value - it.d_star) * pow(it.P[0], -1, N), q(0)),
            2: lambda: (it.d_star - it.y_value, V),
            3: lambda: (it.d_star * it.y_value - it.y2_value, V),
            4: lambda: (it.e_star * it.y2_value - it.shift * it.y_value - it.claim, V),
            5: lambda: (needed(it), w(0)),
        }
        scalar, point = wrong[equation]()
        added(it.announcements, equation + 1, (e * scalar, point))

    return stage


def residuals() -> Iterator[Vector]:
    source = "the residual moved into each equation"
    for equation, stages in MOVED.items():
        told = f"The sum is one less; equation {equation} alone is false"
        yield cheat(
            f"sum-low-equation-{equation}",
            f"{told}.",
            source,
            without(equation),
            {"witness": sum_low} | stages,
            [equation],
        )
        yield cheat(
            f"guessed-equation-{equation}",
            f"{told}, and its announcement carries the rest for a guessed challenge.",
            source,
            without(equation),
            {"witness": sum_low, "announced": guess(equation)} | stages,
            [equation],
        )

    def kernel(it: Prover) -> None:
        low, columns = it.challenges.low, it.shape.columns
        it.responses[columns] = (it.responses[columns] + low[1]) % N
        it.responses[columns + 1] = (it.responses[columns + 1] - low[0]) % N

    def other_y(it: Prover) -> None:
        it.y[0] = (it.y[0] + needed(it)) % N
        by_f(it)

    yield cheat(
        "kernel",
        "y' is another one of the same f'.",
        source,
        without(5),
        {"responded": kernel},
        [5],
    )
    yield cheat(
        "other-y",
        "The sum is one less; another y throughout makes the claim true.",
        source,
        without(5),
        {"witness": sum_low, "folded": other_y},
        [5],
    )


# --- readers with other challenges, and readers that absorb too little


def challenges() -> Iterator[Vector]:
    source = "challenges that are not independent"

    def short(it: Prover) -> None:
        twos_and_minus_ones(it)
        it.values = [value + 2 for value in it.values]

    more = 10**12

    def shifted(it: Prover) -> None:
        it.total -= more
        it.values = [value + more for value in it.values]

    yield cheat(
        "kappa-one",
        "Made for κ = 1: digits 2 and -1, customers see amounts in range, the sum is short.",
        source,
        Weak(rule="κ = 1"),
        {"witness": short},
    )
    yield cheat(
        "omega-is-kappa",
        "Made for ω = κ: every customer sees 10^12 more, the sum is 10^12 less.",
        source,
        Weak(rule="ω = κ"),
        {"witness": shifted},
    )


def late_sum(it: Prover) -> None:
    """The sum that fits vectors which say 1000 more than the digits."""
    drawn = it.challenges
    more = drawn.kappa * drawn.weights[0] * 1000
    it.total = (it.total - more * pow(drawn.omega, -1, N)) % N
    it.commit_entries()


def late_vectors(it: Prover) -> None:
    """Amounts with the same f."""
    weights = it.challenges.weights
    it.values[0] = (it.values[0] + 1000 * weights[1]) % N
    it.values[1] = (it.values[1] - 1000 * weights[0]) % N
    it.commit_entries()


def late_rows(it: Prover) -> None:
    """A digit t for which eq·(t² - t) + weight·t is what the false sum asks for."""
    drawn = it.challenges
    eqs = eq_table(drawn.tau)
    for index, digit in enumerate(it.digits):
        weight = (drawn.kappa * drawn.weights[index // 64] + drawn.omega << index % 64) % N
        try:
            wanted = (weight * digit - drawn.omega) % N
            it.digits[index] = square_solution(eqs[index], (eqs[index] - weight) % N, wanted)
        except ValueError:
            continue
        it.commit_rows()
        return


def late_round(number: int) -> Stage:
    """The message of a round whose challenge is known: p(3) makes up for the claim's false p(1)."""

    def stage(it: Prover) -> None:
        if it.j == number - 1:
            basis = lagrange(it.x[-1])
            wrong = it.claim - it.p[0] - round_value(*it.tables, 1)
            it.p[2] = (it.p[2] - basis[1] * wrong * pow(basis[3], -1, N)) % N

    return stage


def omissions() -> Iterator[Vector]:
    source = "absorbed late or not at all"
    late: list[tuple[str, str, str, dict[str, Stage]]] = [
        (
            "sum",
            "C",
            "The sum is chosen when all challenges are known; vectors say 1000 too much.",
            {"witness": lambda it: own_value(it, 1000), "chosen": late_sum},
        ),
        ("vectors", "U", "The vectors are chosen when f is known.", {"chosen": late_vectors}),
        (
            "rows",
            "rows",
            "The rows are chosen when all challenges are known; the sum is one less.",
            {"witness": sum_low, "chosen": late_rows},
        ),
    ]
    late += [
        (
            f"round-{number}",
            f"round {number}",
            f"Round {number} is made when its challenge is known; the sum is one less.",
            {"witness": sum_low, "round": late_round(number)},
        )
        for number in range(1, 11)
    ]
    for name, item, description, stages in late:
        yield cheat(f"late-{name}", description, source, omitting(item), stages)
    plain = ("t-bar", "y-bar", "y2-bar", "delta-bar", "u-bar")
    for equation, (name, spelled) in enumerate(zip(NAMES[2:], plain, strict=True), 1):
        stages = {"witness": sum_low} | MOVED[equation] | {"responded": repaired(equation)}
        yield cheat(
            f"late-{spelled}",
            f"{name} is made when e is known; the sum is one less.",
            source,
            omitting(name),
            stages,
        )
    for item in ("shape", "entries", "nodes", "announcements", "Y", "Y2"):
        yield cheat(
            f"omits-{item.lower()}",
            f"An honest page whose prover left {item} out of the transcript.",
            source,
            omitting(item),
            {},
        )


def repaired(equation: int) -> Stage:
    """The announcement takes up what is left over in an equation, after everything else."""
    before = MOVED[equation].get("responded")

    def stage(it: Prover) -> None:
        if before:
            before(it)
        it.repair(equation)

    return stage


def own_value(it: Prover, more: int) -> None:
    it.values[0] += more


def replays() -> Iterator[Vector]:
    """Honest pages shown elsewhere; `control` has the state that they were made for."""
    places = {
        "context": replace(PLACE, context=sha256(b"another context").digest()),
        "asset": replace(PLACE, code="BTX"),
        "decimals": replace(PLACE, decimals=9),
        "units": replace(PLACE, units=sha256(b"other units").digest()),
        "level": replace(PLACE, level=1),
        "levels": replace(PLACE, levels=3),
        "index": replace(PLACE, index=2),
        "capacity": replace(PLACE, capacity=4),
        "page-size": replace(PLACE, page_size=256),
    }
    made = page()
    for name, place in places.items():
        yield shown(
            f"replay-{name}",
            f"A page made for another {name.replace('-', ' ')}.",
            "replays",
            "argument.rejected",
            made,
            place,
            control={"state": PLACE.state("leaves")},
        )
    yield make(
        "page/replay-kind",
        "A page shown as of another kind.",
        "replays",
        "argument.rejected",
        base="page/sixteen",
        replace={"state": PLACE.state("sums").hex()},
        control={"state": PLACE.state("leaves")},
    )
    other = bytes(32) + made.entries[32:]
    yield tampered("replay-node", "A node is another one.", "argument.rejected", entries=other)


# --- changed bytes


def tampered(name: str, description: str, code: str, **changed: bytes) -> Vector:
    """A change of `page/sixteen`."""
    honest = page()
    replaced = {field: splice(getattr(honest, field), data) for field, data in changed.items()}
    return make(
        f"page/{name}",
        description,
        "changed bytes",
        code,
        base="page/sixteen",
        replace=replaced,
    )


def cut(data: bytes, start: int, put: bytes) -> bytes:
    return data[:start] + put + data[start + len(put) :]


def places(shape: Shape) -> tuple[dict[str, int], dict[str, int]]:
    """Where points and scalars of an argument stand, by what they are."""
    end = shape.rows + 3 * shape.nu
    points = {"row-first": 0, "row-last": shape.rows - 1}
    points |= {"round-first": shape.rows, "round-last": end - 1}
    plain = ("y", "y2", "t-bar", "y-bar", "y2-bar", "delta-bar", "u-bar")
    points |= {name: end + at for at, name in enumerate(plain)}
    scalars = {"z-first": 0, "z-last": shape.columns - 1}
    scalars |= {"y-response-first": shape.columns, "y-response-last": shape.columns + 15}
    last = ("u-t", "u-y", "u-2", "u-delta", "u-u")
    scalars |= {name: shape.columns + 16 + at for at, name in enumerate(last)}
    return points, scalars


def changed_bytes() -> Iterator[Vector]:
    honest, shape = page(), Shape(16)
    argument, entries = honest.argument, honest.entries
    points, scalars = places(shape)
    split = 33 * shape.points
    faults = {name: (text, bad) for name, text, bad in point_faults()}
    for name, at in points.items():
        moved = combine([(1, argument[33 * at : 33 * at + 33]), (1, V)])
        for kind, text, code, put in (
            ("moved", "moved by V", "argument.rejected", moved),
            ("off-curve", "not on the curve", "argument.bad-point", faults["off-curve"][1]),
            ("infinity", "33 zero bytes", "argument.bad-point", INFINITY),
        ):
            described = f"The point {name} is {text}."
            data = cut(argument, 33 * at, put)
            yield tampered(f"point-{name}-{kind}", described, code, argument=data)
    for name, at in scalars.items():
        start = split + 32 * at
        old = int.from_bytes(argument[start : start + 32], "big")
        for kind, text, code, new in (
            ("moved", "one more", "argument.rejected", (old + 1) % N),
            ("n", "n", "argument.bad-scalar", N),
        ):
            described = f"The scalar {name} is {text}."
            data = cut(argument, start, u(new, 32))
            yield tampered(f"scalar-{name}-{kind}", described, code, argument=data)
    one_more, one_less = (
        u((scalar_at(argument, at) + by) % N, 32) for at, by in ((-2, 1), (-5, -1))
    )
    data = cut(cut(argument, len(argument) - 64, one_more), len(argument) - 160, one_less)
    described = "u_Δ one more and u_T one less: the errors cancel where equations are only added."
    yield tampered("cancelling", described, "argument.rejected", argument=data)
    for name, at in (("sum", 32), ("vector", 65)):
        for kind, (text, bad) in faults.items():
            described = f"The {name} is {text}."
            data = cut(entries, at, bad)
            yield tampered(f"{name}-{kind}", described, "page.bad-point", entries=data)
        moved = combine([(1, entries[at : at + 33]), (1, B)])
        data = cut(entries, at, moved)
        yield tampered(
            f"{name}-moved", f"The {name} moved by B.", "argument.rejected", entries=data
        )
    for name, text, data in (
        ("empty", "No argument.", b""),
        ("short", "An argument without its last byte.", argument[:-1]),
        ("long", "An argument with a byte too many.", argument + b"\x00"),
        ("scalar-less", "A scalar too few.", argument[:-32]),
        ("point-more", "A point too many.", argument[:33] + argument),
    ):
        yield tampered(f"length-{name}", text, "argument.bad-length", argument=data)
    data = INFINITY + argument[33:-32] + b"\xff" * 32
    described = "A bad point and a bad scalar: the point is named."
    yield tampered("point-before-scalar", described, "argument.bad-point", argument=data)


def scalar_at(argument: bytes, at: int) -> int:
    """A scalar of an argument, counted from its end."""
    start = len(argument) + 32 * at
    return int.from_bytes(argument[start : start + 32], "big")


def vectors() -> Iterator[Vector]:
    for maker in (
        accepted,
        statements,
        foreign_parts,
        residuals,
        challenges,
        omissions,
        replays,
        changed_bytes,
    ):
        yield from maker()
