"""How large a tree is made, and what that tells and costs."""

from __future__ import annotations

import pytest

from prover.errors import ProverError
from prover.liabilities.shape import choose_shape
from verifier.format.params import CAPACITIES, MAX_LEAVES, PAGE_SIZES, TreeShape


def public_bytes(shape: TreeShape) -> int:
    return sum(
        shape.pages_file_bytes(level) + shape.arguments_file_bytes(level)
        for level in range(shape.levels)
    )


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (16, 1), (17, 2), (48, 4), (112, 8), (113, 8), (129, 16)]
)
def test_the_least_power_of_two_that_fits_is_taken(count: int, pages: int) -> None:
    assert choose_shape("BTC", count, 16, None) == TreeShape(pages, 16)
    assert choose_shape("BTC", count, 16, 2**24) == TreeShape(2**20, 16)


@pytest.mark.parametrize(
    ("count", "previous", "pages"),
    [
        (16, 0, 1),
        (16, 128, 8),  # fewer than before
        (128, 128, 8),
        (129, 128, 16),  # more than before
        (16, 80, 5),  # what was once declared
        (81, 80, 8),
        (16, 112, 7),
        (16, 2**24, 2**20),
    ],
)
def test_it_does_not_fall_below_the_snapshot_before(count: int, previous: int, pages: int) -> None:
    assert choose_shape("BTC", count, 16, None, previous).capacity == pages
    # What is declared holds, so that this is how to shrink.
    assert choose_shape("BTC", count, 16, 14 * 16, previous).capacity == 14


def test_what_is_declared_is_rounded_up_to_the_next_tree() -> None:
    assert choose_shape("BTC", 100, 16, 129) == TreeShape(10, 16)  # 9 is no capacity
    assert choose_shape("BTC", 100, 4096, 129) == TreeShape(1, 4096)


def test_the_page_size_is_the_one_of_the_fewest_public_bytes() -> None:
    taken = set()
    for parts in (0, 1, 16, 17, 30, 33, 60, 64, 65, 256, 257, 1000, 1024, 1025, 5000, 2**20 + 1):
        chosen = choose_shape("BTC", parts, None, None)
        taken.add(chosen.page_size)
        for size in PAGE_SIZES:
            other = choose_shape("BTC", parts, size, None)
            assert public_bytes(chosen) <= public_bytes(other)
    assert taken == set(PAGE_SIZES)
    assert choose_shape("BTC", 60, None, None) == TreeShape(1, 256)
    assert choose_shape("BTC", 2**28, None, None) == TreeShape(2**16, 4096)


def test_what_it_tells_and_costs() -> None:
    """An upper bound that is less than twice what is needed, in whole pages."""
    for needed in (*range(1, 3000), 2**19, 2**19 + 1, 2**20):
        chosen = choose_shape("BTC", needed * 16, 16, None).capacity
        assert chosen in CAPACITIES
        assert needed <= chosen < 2 * needed
        assert chosen & (chosen - 1) == 0


def test_it_never_falls_below_the_room_of_before_in_pages_of_another_size() -> None:
    for previous in (TreeShape(5, 16), TreeShape(7, 256), TreeShape(3, 4096)):
        for size in (None, *PAGE_SIZES):
            assert choose_shape("BTC", 1, size, None, previous.leaves).leaves >= previous.leaves


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ProverError, match="asset BTC: capacity 112 is too small: 129 leaves"):
        choose_shape("BTC", 129, 16, 112)
    with pytest.raises(ProverError, match="asset BTC: needs 16,777,217 leaves; pages of 16 have"):
        choose_shape("BTC", 2**24 + 1, 16, None)
    assert choose_shape("BTC", 2**24 + 1, None, None).page_size == 4096
    assert choose_shape("BTC", MAX_LEAVES, None, None) == TreeShape(2**18, 4096)
    with pytest.raises(ProverError, match="room for 1,073,741,824"):
        choose_shape("BTC", MAX_LEAVES + 1, None, None)
    with pytest.raises(ProverError, match="needs 1,073,741,825 leaves"):
        choose_shape("BTC", 1, None, None, MAX_LEAVES + 1)
