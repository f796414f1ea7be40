"""Capacities, levels, page counts and lengths, against the words of the specification."""

from __future__ import annotations

import pytest

from verifier.format.params import CAPACITIES, PAGE_SIZES, TreeShape


def test_capacities_are_the_closed_set():
    expected = {1, 2, 3}
    for k in range(64):
        expected |= {n * 2**k for n in (4, 5, 6, 7) if n * 2**k <= 2**20}
    assert expected == CAPACITIES
    assert max(CAPACITIES) == 2**20


@pytest.mark.parametrize("size", PAGE_SIZES)
@pytest.mark.parametrize("capacity", sorted(CAPACITIES))
def test_levels_and_pages_fit(capacity, size):
    shape = TreeShape(capacity, size)
    assert shape.pages(0) == capacity
    assert shape.pages(shape.levels - 1) == 1
    assert shape.levels == 1 or shape.pages(shape.levels - 2) > 1
    for level in range(shape.levels):
        counts = [shape.count(level, 0), shape.count(level, shape.pages(level) - 1)]
        below = capacity * size if level == 0 else shape.pages(level - 1)
        assert (shape.pages(level) - 1) * size + counts[1] == below == shape.entries(level)
        assert 1 <= counts[1] <= counts[0] <= size


@pytest.mark.parametrize(
    ("capacity", "size", "levels"),
    [(1, 16, 1), (2, 16, 2), (16, 16, 2), (20, 16, 3), (1024, 1024, 2), (2**20, 1024, 3)],
)
def test_levels(capacity, size, levels):
    assert TreeShape(capacity, size).levels == levels


def test_lengths_follow_the_specification():
    shape = TreeShape(2, 16)
    # (m = 16, b = 64): ν = 10, R = S = 32; the root has two entries: ν = 7, R = 8, S = 16.
    leaf_page = 15 + 33 * 16 + 33 * (32 + 3 * 10 + 6) + 32 * (32 + 4)
    root_page = 15 + 65 * 2 + 33 * (8 + 3 * 7 + 6) + 32 * (16 + 4)
    assert shape.page_bytes(0, 0) == leaf_page
    assert shape.file_bytes(0) == 2 * leaf_page
    assert shape.file_bytes(1) == root_page
    assert TreeShape(1, 1024).page_bytes(0, 0) == 15 + 33 * 1024 + 18_550
