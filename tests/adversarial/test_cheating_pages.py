"""Provers that lie in a page of leaves or in an opening: refused by code, in core and reference.

The lies are those of the frozen vectors, told with fresh randomness, and some that only a pair of
faults makes: what one equation is bent by, another must not take up.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest

import native
import spec.reference as reference
from spec.reference.group import decode
from spec.reference.leaves import read_entries, verify_leaves, verify_opening
from tests.support.forge import B, N, V, combine, q
from tests.support.forger import Page
from tests.support.leaves_forge import (
    NAMES,
    SLOTS,
    STRICT,
    Keys,
    LeavesPage,
    Opened,
    Place,
    Prover,
    Reader,
    Shape,
    Weak,
    bent,
    forge_opening,
    omitting,
    open_leaf,
    page_opening,
    path_of,
    prove_leaves,
    w,
)
from tests.support.subjects import fields_of
from tests.support.vector import Vector
from tests.vectors import make_leaves
from tests.vectors.make_leaves import MOVED, PLACE, WIDE, Stage, added

REJECTED = "argument.rejected"


def core_code(place: Place, entries: bytes, argument: bytes | None) -> str | None:
    """What the core says of a page that has the right header; without argument, of its entries."""
    page = Page(0, place.index, place.page_size, entries, b"", (0, 0)).encode()
    try:
        native.pages_check(place.core(), 0, place.index, page, argument)
    except native.PageRejected as fault:
        return fault.code if fault.index == place.index else "another page"
    return None


def reference_code(place: Place, entries: bytes, argument: bytes) -> str | None:
    size = place.page_size
    try:
        read = read_entries(size, entries)
    except ValueError:
        return "page.bad-point"
    try:
        verify_leaves(place.state("leaves"), size, entries, read, argument)
    except reference.Rejected as fault:
        return fault.code
    return None


def codes(place: Place, made: LeavesPage) -> set[str | None]:
    readers = core_code, reference_code
    return {reader(place, made.entries, made.argument) for reader in readers}


# --- the frozen ones, through the core


PLACES = {
    place.state("leaves"): place
    for place in (
        PLACE,
        WIDE,
        Place(page_size=4096, levels=1, index=0, capacity=1),
        replace(PLACE, context=sha256(b"another context").digest()),
        replace(PLACE, code="BTX"),
        replace(PLACE, decimals=9),
        replace(PLACE, units=sha256(b"other units").digest()),
        replace(PLACE, index=2),
    )
}
"""Those that a page of leaves can stand at; levels follow from the capacity."""


@pytest.mark.parametrize(
    "maker",
    [
        make_leaves.accepted,
        make_leaves.statements,
        make_leaves.foreign_parts,
        make_leaves.residuals,
        make_leaves.challenges,
        make_leaves.omissions,
        make_leaves.replays,
        make_leaves.changed_bytes,
    ],
)
def test_the_core_finds_of_every_vector_what_it_says(maker: Callable[[], Iterator[Vector]]) -> None:
    """The vectors of pages speak of a transcript's state; these are of a place that has it."""
    read = 0
    for vector in maker():
        fields = fields_of(vector)
        place = PLACES.get(fields["state"])
        if place is None or len(fields["argument"]) != Shape(place.page_size).length:
            continue
        if len(fields["entries"]) != Shape(place.page_size).entries_length:
            continue
        assert core_code(place, fields["entries"], fields["argument"]) == vector.code, vector.name
        read += 1
    assert read >= 2


# --- live ones


class Prey:
    """A page to be bent: a place, keys, amounts and identities, all drawn anew."""

    def __init__(self, rng: Random, page_size: int = 16) -> None:
        self.place = replace(
            PLACE,
            context=rng.randbytes(32),
            code=rng.choice(("BTC", "ETH", "A1")),
            decimals=rng.randrange(19),
            units=rng.randbytes(32),
            index=rng.randrange(3),
            page_size=page_size,
        )
        self.rng = rng
        self.keys = self.drawn()
        self.values = [rng.getrandbits(rng.randrange(8, 65)) for _ in range(page_size)]
        self.identities = [rng.randbytes(32) for _ in range(page_size)]

    def drawn(self) -> Keys:
        return Keys(*(self.rng.randbytes(32) for _ in range(4)))

    def page(self, stages: Mapping[str, Stage] | None = None, reader: Weak = STRICT) -> LeavesPage:
        """The page of a prover who believes to have that reader.

        Where a stage needs a square root that is not there, other keys are tried.
        """
        states = self.place.state("entries"), self.place.state("leaves", reader.omit)
        bend = bent(stages or {}, replace(reader, without=frozenset()))
        for _ in range(64):
            try:
                return prove_leaves(states, self.values, self.identities, self.keys, None, bend)
            except ValueError:
                self.keys = self.drawn()
        raise AssertionError("no keys have the square root")

    def refused(self, stages: Mapping[str, Stage], reader: Weak = STRICT) -> None:
        """Require that the page is refused; and, if the reader is weaker, that it accepts it."""
        made = self.page(stages, reader)
        assert codes(self.place, made) == {REJECTED}
        if reader != STRICT:
            state = self.place.state("leaves")
            found = Reader(self.place.page_size, reader).failing(state, made.entries, made.argument)
            assert found == set()

    def failing(self, stages: Mapping[str, Stage]) -> set[int]:
        """Equations that do not hold of a page that is refused."""
        made = self.page(stages)
        assert codes(self.place, made) == {REJECTED}
        state = self.place.state("leaves")
        return Reader(self.place.page_size).failing(state, made.entries, made.argument)


@pytest.mark.parametrize("page_size", [16, 256])
def test_the_honest_page_is_accepted(page_size: int, rng: Random) -> None:
    prey = Prey(rng, page_size)
    assert codes(prey.place, prey.page()) == {None}


def statement(name: str, rng: Random, size: int) -> Stage:
    """A false witness, drawn at random."""
    leaf, more = rng.randrange(size), rng.randrange(1, 2**40)
    other = (leaf + rng.randrange(1, size)) % size
    kind: dict[str, Stage] = {
        "digit 2": make_leaves.own_digits(leaf, [0, 2]),
        "negative digit": make_leaves.own_digits(leaf, [-more]),
        "large digit": make_leaves.own_digits(leaf, [2**64 + more]),
        "large leaf": make_leaves.own_digits(leaf, [], value=2**64 * more),
        "negative leaf": make_leaves.own_digits(leaf, [1] * 64, value=-more),
        "half digit": make_leaves.own_digits(leaf, [pow(2, -1, N)]),
        "mixed digits": make_leaves.twos_and_minus_ones,
        "sum": lambda it: setattr(it, "total", it.total - more),
        "vector": lambda it: it.values.__setitem__(leaf, it.values[leaf] + more),
        "moved": make_leaves.move(leaf, other),
        "exchanged": lambda it: exchange(it.values, leaf, other),
        "digits exchanged": lambda it: exchange_digits(it, leaf, other),
    }
    return kind[name]


def exchange(values: list[int], first: int, second: int) -> None:
    values[first], values[second] = values[second], values[first]


def exchange_digits(it: Prover, first: int, second: int) -> None:
    held = it.digits[64 * first : 64 * first + 64]
    it.digits[64 * first : 64 * first + 64] = it.digits[64 * second : 64 * second + 64]
    it.digits[64 * second : 64 * second + 64] = held


STATEMENTS = (
    "digit 2",
    "negative digit",
    "large digit",
    "large leaf",
    "negative leaf",
    "half digit",
    "mixed digits",
    "sum",
    "vector",
    "moved",
    "exchanged",
    "digits exchanged",
)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_false_statement_in_each_equation(name: str, rng: Random) -> None:
    """What is left over goes where the prover wants it, and stands there alone."""
    for equation in (1, 2, 3, 4):
        stages = {"witness": statement(name, rng, 16)} | MOVED[equation]
        assert Prey(rng).failing(stages) == {equation}
    assert Prey(rng, 256).failing({"witness": statement(name, rng, 256)}) == {4}


@pytest.mark.parametrize("equation", MOVED)
def test_a_guessed_challenge(equation: int, rng: Random) -> None:
    stages = {"witness": make_leaves.sum_low, "announced": make_leaves.guess(equation)}
    assert Prey(rng).failing(stages | MOVED[equation]) == {equation}


def pair(first: tuple[str, int, bytes], second: tuple[str, int, bytes], by: int) -> Stage:
    """Opposite parts along foreign generators, in two points of one stage."""

    def stage(it: Prover) -> None:
        for (points, at, generator), sign in ((first, 1), (second, -1)):
            if points == "C":
                it.C = combine([(1, it.C), (sign * by, generator)])
            else:
                added(getattr(it, points), at, (sign * by, generator))

    return stage


PAIRS: dict[str, tuple[str, Stage, set[int]]] = {
    "Q in two vectors": ("entries", pair(("U", 0, q(0)), ("U", 1, q(0)), 5), {5}),
    "V in two vectors": ("entries", pair(("U", 0, V), ("U", 1, V), 5), {5}),
    "B in two vectors": ("entries", pair(("U", 0, B), ("U", 1, B), 5), {5}),
    "W in two rows": ("rows", pair(("D", 0, w(0)), ("D", 1, w(0)), 5), {1}),
    "V in two rows": ("rows", pair(("D", 0, V), ("D", 1, V), 5), {1}),
    "Q in two rows": ("rows", pair(("D", 0, q(0)), ("D", 1, q(0)), 5), {1}),
    "W from sum to vector": ("entries", pair(("C", 0, w(0)), ("U", 0, w(0)), 5), {4, 5}),
    "V from sum to vector": ("entries", pair(("C", 0, V), ("U", 0, V), 5), {4, 5}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_parts_that_cancel(name: str, rng: Random) -> None:
    stage, change, equations = PAIRS[name]
    assert Prey(rng, 256).failing({stage: change}) == equations


@pytest.mark.parametrize("rule", ["κ = 1", "ω = κ"])
def test_challenges_that_are_not_independent(rule: str, rng: Random) -> None:
    """The forgeries are real, and no use before the standard's reader."""
    more = rng.randrange(1, 10**12)

    def short(it: Prover) -> None:
        make_leaves.twos_and_minus_ones(it)
        it.values = [value + 2 for value in it.values]

    def shifted(it: Prover) -> None:
        it.total -= more
        it.values = [value + more for value in it.values]

    Prey(rng).refused({"witness": short if rule == "κ = 1" else shifted}, Weak(rule=rule))


LATE: dict[str, tuple[str, dict[str, Stage]]] = {
    "C": (
        "C",
        {
            "witness": lambda it: make_leaves.own_value(it, 1000),
            "chosen": make_leaves.late_sum,
        },
    ),
    "U": ("U", {"chosen": make_leaves.late_vectors}),
    "D": ("rows", {"witness": make_leaves.sum_low, "chosen": make_leaves.late_rows}),
    **{
        f"round {j}": (
            f"round {j}",
            {"witness": make_leaves.sum_low, "round": make_leaves.late_round(j)},
        )
        for j in (1, 5, 10)
    },
    **{
        name: (
            name,
            {"witness": make_leaves.sum_low}
            | MOVED[equation]
            | {"responded": make_leaves.repaired(equation)},
        )
        for equation, name in enumerate(NAMES[2:], 1)
    },
}


@pytest.mark.parametrize("name", LATE)
def test_what_is_chosen_late(name: str, rng: Random) -> None:
    item, stages = LATE[name]
    Prey(rng).refused(stages, omitting(item))


def test_every_point_and_every_scalar_moved(rng: Random) -> None:
    """Every point by a generator, every scalar by 1 or at random: both readers refuse."""
    prey = Prey(rng)
    made, shape = prey.page(), Shape(16)
    for at in rng.sample(range(shape.points), 20):
        old = made.argument[33 * at : 33 * at + 33]
        moved = combine([(1, old), (rng.randrange(1, N), rng.choice((V, B, q(0), w(0))))])
        argument = made.argument[: 33 * at] + moved + made.argument[33 * at + 33 :]
        assert codes(prey.place, replace(made, argument=argument)) == {REJECTED}
    for at in rng.sample(range(33 * shape.points, shape.length, 32), 20):
        scalar = int.from_bytes(made.argument[at : at + 32], "big")
        new = (scalar + rng.choice((1, rng.randrange(1, N)))) % N
        argument = made.argument[:at] + new.to_bytes(32, "big") + made.argument[at + 32 :]
        assert codes(prey.place, replace(made, argument=argument)) == {REJECTED}


def test_a_page_of_another_run(rng: Random) -> None:
    """Entries of one run under the argument of another, whose amounts are the same."""
    prey = Prey(rng)
    made = prey.page()
    prey.keys = prey.drawn()
    other = prey.page()
    assert codes(prey.place, replace(made, argument=other.argument)) == {REJECTED}


# --- openings


PAGE_SIZES = (16, 256)


class Shown:
    """A page without its argument, and what is opened of it."""

    def __init__(self, rng: Random, page_size: int) -> None:
        self.prey, self.rng = Prey(rng, page_size), rng
        self.made = self.prey.page()
        place = self.prey.place
        self.page = Page(0, place.index, page_size, self.made.entries, b"", (0, 0))
        self.leaf = rng.randrange(page_size)

    def opened(self, leaf: int | None = None) -> Opened:
        state, at = self.prey.place.state("opening"), self.leaf if leaf is None else leaf
        return page_opening(state, self.made, self.page.id, at)

    def vector(self, leaf: int) -> bytes:
        start = len(self.made.entries) - 33 * (self.prey.place.page_size // SLOTS - leaf // SLOTS)
        return self.made.entries[start : start + 33]

    def codes(self, opened: Opened, opening: bytes) -> set[str | None]:
        """What core and reference say of the opening of a leaf whose path is right."""
        place = self.prey.place
        checked = native.PageToCheck(place.core(), 0, place.index, self.page.encode(), None)
        path = b"".join(path_of(self.made.identities, opened.leaf))
        shown = opened.leaf, opened.amount, opened.identity
        found: set[str | None] = set()
        try:
            native.check([checked], [native.OpeningToCheck(0, *shown, path, opening)])
            found.add(None)
        except native.OpeningRejected as fault:
            found.add(fault.code)
        vector = decode(self.vector(opened.leaf))
        try:
            verify_opening(opened.state, self.page.id, *shown, vector, opening)
            found.add(None)
        except reference.Rejected as fault:
            found.add(fault.code)
        return found


@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_false_openings(page_size: int, rng: Random) -> None:
    """Of another amount, slot, vector; of changed mates; for readers that absorb too little."""
    shown = Shown(rng, page_size)
    keys, honest = shown.prey.keys, shown.opened()
    good = open_leaf(honest, keys)
    assert shown.codes(honest, good) == {None}
    wrong = {"inclusion.wrong-amount"}
    more = rng.randrange(1, 2**40)
    false = replace(honest, amount=(honest.amount + more) % 2**64)
    assert shown.codes(false, good) == wrong
    assert shown.codes(false, open_leaf(false, keys)) == wrong
    late = forge_opening(false, shown.vector(honest.leaf))
    assert shown.codes(false, late) == wrong
    for leaf in {(honest.leaf + 1) % page_size, (honest.leaf + 16) % page_size} - {honest.leaf}:
        assert shown.codes(honest, open_leaf(shown.opened(leaf), keys)) == wrong
        assert shown.codes(shown.opened(leaf), good) == wrong
    mates = list(honest.values)
    mates[(honest.slot + 1) % SLOTS] += more
    assert shown.codes(honest, open_leaf(replace(honest, values=tuple(mates)), keys)) == wrong
    assert shown.codes(honest, open_leaf(replace(honest, rho=honest.rho + 1), keys)) == wrong
    for field in ("page id", "leaf", "amount", "identity"):
        assert shown.codes(honest, open_leaf(honest, keys, frozenset({field}))) == wrong
    for kind in ("leaves", "entries"):
        other = replace(honest, state=shown.prey.place.state(kind))
        assert shown.codes(honest, open_leaf(other, keys)) == wrong


def test_part_of_an_announcement_along_a_foreign_generator(rng: Random) -> None:
    shown = Shown(rng, 16)
    honest = shown.opened()
    good = open_leaf(honest, shown.prey.keys)
    for generator in (V, B, w(honest.slot), w((honest.slot + 1) % SLOTS), q(0)):
        moved = combine([(1, good[:33]), (rng.randrange(1, N), generator)])
        assert shown.codes(honest, moved + good[33:]) == {"inclusion.wrong-amount"}


def test_two_faults_in_one_batch_do_not_cancel(rng: Random) -> None:
    """Two openings of one vector, bent against each other, whatever weights are guessed."""
    shown = Shown(rng, 16)
    place, keys = shown.prey.place, shown.prey.keys
    page = native.PageToCheck(place.core(), 0, place.index, shown.page.encode(), None)
    first, second = (shown.opened(leaf) for leaf in (0, 1))
    data = [bytearray(open_leaf(opened, keys)) for opened in (first, second)]
    by = rng.randrange(1, N)
    for opening, sign in zip(data, (1, -1), strict=True):
        response = (int.from_bytes(opening[-32:], "big") + sign * by) % N
        opening[-32:] = response.to_bytes(32, "big")
    listed = [
        native.OpeningToCheck(
            0,
            opened.leaf,
            opened.amount,
            opened.identity,
            b"".join(path_of(shown.made.identities, opened.leaf)),
            bytes(opening),
        )
        for opened, opening in zip((first, second), data, strict=True)
    ]
    with pytest.raises(native.OpeningRejected) as refused:
        native.check([page], listed)
    assert (refused.value.index, refused.value.code) == (0, "inclusion.wrong-amount")


def test_the_core_opens_nothing_that_the_page_does_not_hold(rng: Random) -> None:
    """A prover whose amounts are of a later run sends nothing, either way of making openings."""
    shown = Shown(rng, 16)
    place, keys = shown.prey.place, shown.prey.keys
    values = array("Q", shown.made.values)
    values[rng.randrange(16)] ^= 1 << rng.randrange(64)
    rho = b"".join(r.to_bytes(32, "big") for r in shown.made.rho)
    identities = b"".join(shown.made.identities)
    leaves = array("I", [shown.leaf])
    given = native.PageToOpen(
        place.core(), place.index, shown.page.encode(), values, identities, rho, leaves
    )
    for bulk in (False, True):
        with pytest.raises(native.Damaged):
            native.openings_make([given], keys.opening, keys.salt, bulk=bulk)
