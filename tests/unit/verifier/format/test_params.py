"""Capacities, levels, page counts and lengths, against the words of the specification."""

from __future__ import annotations

import pytest

import native
from verifier.format.params import (
    CAPACITIES,
    FAN,
    PAGE_SIZES,
    SOLVENCY_BITS,
    SOLVENCY_BYTES,
    TreeShape,
    bundle_paths,
)


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
    assert {shape.count(0, 0), shape.count(0, capacity - 1)} == {size}
    assert shape.entries(0) == shape.leaves == capacity * size
    for level in range(1, shape.levels):
        last = shape.count(level, shape.pages(level) - 1)
        below = shape.pages(level - 1)
        assert (shape.pages(level) - 1) * FAN + last == below == shape.entries(level)
        assert 1 <= last <= shape.count(level, 0) <= FAN


@pytest.mark.parametrize(
    ("capacity", "levels"),
    [(1, 1), (2, 2), (64, 2), (80, 3), (4096, 3), (5120, 4), (2**18, 4), (2**20, 5)],
)
@pytest.mark.parametrize("size", PAGE_SIZES)
def test_levels(capacity, size, levels):
    assert TreeShape(capacity, size).levels == levels


@pytest.mark.parametrize(
    ("size", "page", "argument", "path", "light"),
    [
        (16, 113, 3_973, 128, 23_784),
        (256, 704, 10_609, 192, 31_011),
        (4096, 10_544, 35_965, 192, 66_207),
    ],
)
def test_lengths_are_those_of_the_specification(size, page, argument, path, light):
    shape = TreeShape(4096, size)
    assert shape.page_bytes(0, 0) == page
    assert shape.argument_bytes(0, 0) == argument
    assert shape.path_bytes == path
    assert shape.page_bytes(1, 63) == shape.page_bytes(2, 0) == 4_175
    assert shape.argument_bytes(1, 63) == shape.argument_bytes(2, 0) == 5_674
    assert page + argument + 2 * (4_175 + 5_674) == light


@pytest.mark.parametrize("size", PAGE_SIZES)
@pytest.mark.parametrize("capacity", [1, 2, 3, 64, 80, 112, 5120, 2**18])
def test_the_core_has_the_same_shape(capacity, size):
    shape, tree = TreeShape(capacity, size), native.Tree(bytes(32), b"", capacity, size)
    assert shape.levels == tree.levels
    assert shape.path_bytes == tree.path_length
    for level in range(shape.levels):
        assert shape.pages(level) == tree.page_count(level)
        for index in {0, shape.pages(level) // 2, shape.pages(level) - 1}:
            assert shape.count(level, index) == tree.entry_count(level, index)
            assert shape.page_bytes(level, index) == tree.page_length(level, index)
            assert shape.argument_bytes(level, index) == tree.argument_length(level, index)
    assert native.range_length(1, SOLVENCY_BITS) == SOLVENCY_BYTES


def test_a_file_is_as_long_as_its_pages():
    shape = TreeShape(80, 16)  # level 1 has a page of 64 entries and one of 16
    assert shape.pages_file_bytes(0) == 80 * 113
    assert shape.arguments_file_bytes(0) == 80 * 3_973
    assert shape.pages_file_bytes(1) == 4_175 + 15 + 65 * 16
    # (m = 16, b = 64): ν = 10, R = S = 32.
    last = 33 * (32 + 3 * 10 + 6) + 32 * (32 + 4)
    assert shape.arguments_file_bytes(1) == 5_674 + last


def test_a_whole_asset_is_as_long_as_the_specification_says():
    shape = TreeShape(1280, 4096)
    pages = sum(map(shape.pages_file_bytes, range(shape.levels)))
    arguments = sum(map(shape.arguments_file_bytes, range(shape.levels)))
    assert pages + arguments == 59_734_334


def test_the_files_of_an_asset():
    assert list(bundle_paths("BTC", 2)) == [
        "evidence/BTC.msgpack",
        "pages/BTC/0",
        "pages/BTC/1",
        "arguments/BTC/0",
        "arguments/BTC/1",
        "arguments/BTC/solvency",
    ]
