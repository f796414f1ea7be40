"""The error terms that are computed, against those that the text names and the forms it gives."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from spec import soundness
from spec.reference.argument import eq_table
from spec.reference.group import N

TEXT = Path(soundness.__file__).with_name("transcript.md").read_text()
BY_NAME = {error.what.partition(",")[0]: error for error in soundness.errors()[2:]}


def row(name: str) -> list[int]:
    """The numbers of a row of the table of transcript.md 5.6: three page sizes, sums, solvency."""
    found = re.search(rf"^\| {re.escape(name)} \|[^|]*\|(.*)\|$", TEXT, re.MULTILINE)
    assert found is not None
    return [int(number) for number in re.findall("[0-9]+", found[1])]


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("claim, one run", "claim"),
        ("rounds, one run", "rounds"),
        ("last challenge, one run", "last"),
        ("all of one run", "run"),
        ("a hash query, round by round", "query"),
    ],
)
def test_the_table_of_the_text_is_the_one_computed(name: str, term: str) -> None:
    assert row(name) == [getattr(error, term) for error in soundness.errors()[:5]]


def test_an_opening_has_one_challenge() -> None:
    assert row("a hash query for an opening") == [BY_NAME["opening"].query] * 3


def test_one_run_of_leaves_is_at_most_four_a_coordinate_and_one() -> None:
    for error, nu in zip(soundness.errors()[:3], (10, 14, 18), strict=True):
        assert error.run == 4 * nu + 1


def test_hidden_keys_count_the_keys() -> None:
    few, many = (soundness.errors(keys)[5] for keys in (1, 1000))
    assert (few.claim, few.rounds, few.keys, few.query) == (1, 0, 1, 1)
    assert (many.claim, many.rounds, many.keys, many.query) == (11, 30, 1000, 1000)


def test_every_argument_has_more_bits_than_a_collision_takes() -> None:
    for error in soundness.errors():
        assert soundness.bits(error.query) > max(soundness.steps_bits().values())
    assert soundness.batch_bits() >= 255 - 1e-9


def test_the_claims_degree_is_the_one_named() -> None:
    """Along a line the claim is a polynomial of degree max(ν, μ + 1), by its differences."""
    digits = [5, 0, 1, 1, 0, 7, 1, 0, 1, 1, 1, 0, 0, 1, 0, 3]
    wrong = [3, 0, 9, 1]

    def claim(t: int) -> int:
        tau = [3 * t + 1, 5 * t + 2, 7 * t + 4, t + 9]
        sigma, kappa, omega = [2 * t + 5, 4 * t + 1], 6 * t + 3, 8 * t + 2
        bits = sum(e * (d * d - d) for e, d in zip(eq_table(tau), digits, strict=True))
        leaves = sum(e * w for e, w in zip(eq_table(sigma), wrong, strict=True))
        return (bits + kappa * leaves + omega * 11) % N

    values = [claim(t) for t in range(8)]
    for _ in range(max(4, 2 + 1) + 1):
        assert any(values)
        values = [(b - a) % N for a, b in pairwise(values)]
    assert not any(values)
