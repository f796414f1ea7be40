"""Pages above level 0: the oracle's bytes, ids and sums; faults named in their order."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import pytest

import native
from tests.support import oracle
from tests.support.leaves_oracle import TreeModel
from tests.support.leaves_statements import tree_of
from tests.support.oracle import N
from tests.support.statements import KINDS, SALT, SECRET, Witness, witness

HEADER = 15
CHILD = 65
# Levels of 150, 3 and 1 pages: the last of level 1 has 22 children.
MODEL = TreeModel(b"c" * 32, b"asset", 150, 16)
TREE = tree_of(MODEL)


@dataclass(frozen=True)
class Level:
    """Children of whole pages of one level, from page ``first`` on."""

    tree: native.Tree
    level: int
    first: int
    ids: bytes
    witness: Witness

    @property
    def sums(self) -> bytes:
        return native.commit(self.witness.value_array, self.witness.blinding_bytes)

    def commit(self) -> native.Committed:
        return native.sums_commit(
            self.tree,
            self.level,
            self.first,
            self.ids,
            self.sums,
            self.witness.value_array,
            self.witness.blinding_bytes,
        )

    def argue(self, pages: bytes) -> bytes:
        return native.pages_argue(
            self.tree,
            self.level,
            self.first,
            pages,
            self.witness.value_array,
            self.witness.blinding_bytes,
            b"",
            SECRET,
            SALT,
        )


def level_of(model: TreeModel, level: int, first: int, count: int, kind: str = "random") -> Level:
    made = witness(kind, count, 64)
    ids = Random(count).randbytes(32 * count)
    return Level(tree_of(model), level, first, ids, made)


def entries(ids: bytes, points: Sequence[bytes]) -> bytes:
    return b"".join(ids[32 * i : 32 * i + 32] + point for i, point in enumerate(points))


def model_page(model: TreeModel, given: Level, index: int, start: int, stop: int) -> bytes:
    """Return a page of the oracle and behind it its argument."""
    values = given.witness.values[start:stop]
    blindings = given.witness.blindings[start:stop]
    points = [oracle.encode(oracle.commit(v, r)) for v, r in zip(values, blindings, strict=True)]
    region = entries(given.ids[32 * start : 32 * stop], points)
    transcript = model.begin("sums", given.level, index)
    oracle.Shape(stop - start, 64).absorb(transcript)
    transcript.absorb("entries", region)
    argument = oracle.Prover(transcript, 64, values, blindings).prove(SECRET, SALT)
    return model.header(given.level, index, stop - start) + region + argument


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("capacity", "count"), [(2, 2), (3, 3), (16, 16), (23, 23)])
def test_the_bytes_are_the_oracles(capacity: int, count: int, kind: str) -> None:
    model = replace(MODEL, capacity=capacity)
    given = level_of(model, 1, 0, count, kind)
    made = given.commit()
    expected = model_page(model, given, 0, 0, count)
    assert made.pages + given.argue(made.pages) == expected


def test_full_pages_and_the_last() -> None:
    given = level_of(MODEL, 1, 0, 150)
    made = given.commit()
    argument = given.argue(made.pages)
    assert native.pages_check(TREE, 1, 0, made.pages, argument) == (made.ids, made.sums)
    assert native.pages_check(TREE, 1, 0, made.pages, None) == (made.ids, made.sums)
    length, proved = TREE.page_length(1), TREE.argument_length(1)
    assert (length, proved) == (15 + 65 * 64, 5674)
    last = model_page(MODEL, given, 2, 128, 150)
    assert last == made.pages[2 * length :] + argument[2 * proved :]
    starts = [0, 64, 128, 150]
    for i in range(3):
        values = given.witness.values[starts[i] : starts[i + 1]]
        blinding = sum(given.witness.blindings[starts[i] : starts[i + 1]]) % N
        low, high = array("Q", made.sum_values[16 * i : 16 * i + 16])
        assert low + (high << 64) == sum(values)
        assert made.sum_blindings[32 * i : 32 * i + 32] == oracle.u(32, blinding)
        opened = oracle.encode(oracle.commit(sum(values), blinding))
        assert made.sums[33 * i : 33 * i + 33] == opened
        page = made.pages[length * i : length * (i + 1)]
        assert made.ids[32 * i : 32 * i + 32] == hashlib.sha256(page).digest()
    for first in (1, 2):
        pages, arguments = made.pages[length * first :], argument[proved * first :]
        found = native.pages_check(TREE, 1, first, pages, arguments)
        assert found == (made.ids[32 * first :], made.sums[33 * first :])


def test_the_root() -> None:
    given = level_of(MODEL, 2, 0, 3)
    made = given.commit()
    argument = given.argue(made.pages)
    assert native.pages_check(TREE, 2, 0, made.pages, argument) == (made.ids, made.sums)
    with pytest.raises(ValueError, match="has no level"):
        native.pages_check(TREE, 3, 0, made.pages, argument)


@cache
def honest() -> tuple[native.Committed, bytes]:
    given = level_of(MODEL, 1, 0, 150)
    made = given.commit()
    return made, given.argue(made.pages)


LENGTH, PROVED = TREE.page_length(1), TREE.argument_length(1)


def fault(pages: bytes, argument: bytes | None) -> tuple[int, str]:
    with pytest.raises(native.PageRejected) as caught:
        native.pages_check(TREE, 1, 0, pages, argument)
    return caught.value.index, caught.value.code


def put(data: bytes, at: int, change: bytes) -> bytes:
    return data[:at] + change + data[at + len(change) :]


@pytest.mark.parametrize("index", range(3))
def test_every_part_of_a_page_counts(index: int) -> None:
    made, argument = honest()
    begin = LENGTH * index
    entry = begin + HEADER + CHILD * 21
    for at, change, code in (
        (begin, b"X", "page.bad-header"),
        (begin + 6, b"\2", "page.bad-header"),
        (begin + 14, b"\x3f", "page.bad-header"),
        (entry, bytes(32), "argument.rejected"),
        (entry + 32, bytes(33), "page.bad-point"),
        (entry + 32, oracle.encode(oracle.V), "argument.rejected"),
    ):
        bent = put(made.pages, at, change)
        assert fault(bent, argument) == (index, code)
        if code != "argument.rejected":
            assert fault(bent, None) == (index, code)
    begin = PROVED * index
    shape = oracle.Shape([64, 64, 22][index], 64)
    for at, change, code in (
        (begin + 33 * (shape.point_count - 1), bytes(33), "argument.bad-point"),
        (begin + shape.length - 32, b"\xff" * 32, "argument.bad-scalar"),
        (begin + shape.length - 32, bytes(32), "argument.rejected"),
    ):
        assert fault(made.pages, put(argument, at, change)) == (index, code)


@pytest.mark.parametrize(
    "change", [{"context": bytes(32)}, {"asset": b""}, {"capacity": 149}, {"page_size": 256}]
)
def test_another_statement(change: dict[str, Any]) -> None:
    made, argument = honest()
    tree = tree_of(replace(MODEL, **change))
    with pytest.raises(native.PageRejected) as caught:
        native.pages_check(tree, 1, 0, made.pages[:LENGTH], argument[:PROVED])
    assert (caught.value.index, caught.value.code) == (0, "argument.rejected")


def opposite() -> Level:
    """Children whose sums cancel."""
    half = list(witness("random", 11, 64).blindings)
    blindings = half + [int(N) - r for r in half]
    return Level(TREE, 1, 2, bytes(32 * 22), Witness(64, [0] * 22, blindings))


def test_an_infinite_sum_is_refused() -> None:
    given = opposite()
    with pytest.raises(ArithmeticError):
        given.commit()
    both = model_page(MODEL, given, 2, 0, 22)
    cut = TREE.page_length(1, 2)
    page, argument = both[:cut], both[cut:]
    made, proved = honest()
    for arguments in (proved[: 2 * PROVED] + argument, None):
        assert fault(made.pages[: 2 * LENGTH] + page, arguments) == (2, "page.infinite-sum")
    bent = put(made.pages, HEADER, bytes(32))[: 2 * LENGTH] + page
    assert fault(bent, proved[: 2 * PROVED] + argument) == (0, "argument.rejected")
    wrong = proved[: 2 * PROVED] + argument[:-32] + bytes(32)
    assert fault(made.pages[: 2 * LENGTH] + page, wrong) == (2, "argument.rejected")


def test_faults_of_two_pages_do_not_cancel() -> None:
    made, argument = honest()
    for index, change in ((0, 1), (1, -1)):
        at = PROVED * (index + 1) - 32
        response = (int.from_bytes(argument[at : at + 32]) + change) % N
        argument = put(argument, at, oracle.u(32, response))
    assert fault(made.pages, argument) == (0, "argument.rejected")


@pytest.mark.parametrize("tail", [1, 5])
def test_equal_and_opposite_sums(tail: int) -> None:
    """Points chosen to meet in batch additions: the sum is exact."""
    n = int(N)
    blindings = [77, n - 77, 77, 77, n - 77, 77, n - 77, n - 77, 1, n - 1, 1, 1, 0, 0, 0, tail]
    values = [0] * 12 + [1, 1, 1, 0]
    tree = tree_of(replace(MODEL, capacity=16))
    given = Level(tree, 1, 0, bytes(32 * 16), Witness(64, values, blindings))
    made = given.commit()
    _, sums = native.pages_check(tree, 1, 0, made.pages, given.argue(made.pages))
    assert sums == made.sums == oracle.encode(oracle.commit(3, sum(blindings)))


def test_what_is_given_is_checked() -> None:
    given = level_of(MODEL, 1, 0, 150)
    made = given.commit()
    values = list(given.witness.values)
    values[70] ^= 1
    wrong = replace(given, witness=Witness(64, values, given.witness.blindings))
    with pytest.raises(native.Damaged) as caught:
        wrong.argue(made.pages)
    assert caught.value.index == 1
    blindings = [*given.witness.blindings[:140], int(N), *given.witness.blindings[141:]]
    wrong = replace(given, witness=Witness(64, given.witness.values, blindings))
    with pytest.raises(native.Damaged) as caught:
        wrong.argue(made.pages)
    assert caught.value.index == 2
    with pytest.raises(ValueError, match="blinding factor"):
        native.sums_commit(
            TREE,
            1,
            0,
            wrong.ids,
            given.sums,
            wrong.witness.value_array,
            wrong.witness.blinding_bytes,
        )
    for level, first, count in ((1, 0, 149), (1, 0, 151), (1, 3, 22), (2, 0, 4), (0, 0, 150)):
        with pytest.raises(ValueError, match=r"instead of|has no|out of range"):
            level_of(MODEL, level, first, count).commit()


@pytest.mark.unsanitized
def test_more_pages_than_a_batch_holds() -> None:
    """The faults of a later batch are found, and only after those of an earlier one."""
    model = replace(MODEL, capacity=1100 * 64)
    given = level_of(model, 1, 0, 1100 * 64, "one")
    made = given.commit()
    argument = given.argue(made.pages)
    tree = given.tree
    assert native.pages_check(tree, 1, 0, made.pages, argument) == (made.ids, made.sums)

    def found(pages: bytes, arguments: bytes) -> tuple[int, str]:
        with pytest.raises(native.PageRejected) as caught:
            native.pages_check(tree, 1, 0, pages, arguments)
        return caught.value.index, caught.value.code

    last = argument[:-32] + bytes(32)
    assert found(made.pages, last) == (1099, "argument.rejected")
    assert found(put(made.pages, 5 * LENGTH, b"X"), last) == (5, "page.bad-header")
