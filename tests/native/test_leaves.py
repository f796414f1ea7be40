"""Pages of leaves: the model's bytes, what is proved of them, and who else's they are."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

import native
from tests.support import oracle
from tests.support.leaves_oracle import (
    LeavesProver,
    LeavesShape,
    LeavesVerifier,
    path,
    rows_above,
)
from tests.support.leaves_statements import (
    ARGUMENT,
    ENTRIES,
    KINDS,
    MODEL,
    SALT,
    TREE,
    amounts_of,
    identities_of,
    prove,
    tree_of,
)
from tests.support.oracle import N


@pytest.mark.parametrize("size", [16, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_models(size: int, kind: str) -> None:
    model = replace(MODEL, page_size=size)
    amounts, identities = amounts_of(kind, size), identities_of(size)
    prover = LeavesProver(model, 7, amounts, identities, (ENTRIES, ARGUMENT), SALT)
    argument = prover.argue()
    made, proved = prove(model, 7, amounts, identities)
    assert (made.pages, made.ids) == (prover.page, prover.id)
    assert made.sums == oracle.encode(prover.sum_point)
    assert made.sum_blindings == oracle.u(32, prover.sum_blinding)
    assert made.vector_blindings == b"".join(oracle.u(32, r) for r in prover.vector_blindings)
    low, high = array("Q", made.sum_values)
    assert low + (high << 64) == sum(amounts)
    assert proved == argument
    assert LeavesVerifier(model, 7, made.pages, proved).failing() == set()
    tree = tree_of(model)
    assert native.pages_check(tree, 0, 7, made.pages, proved) == (made.ids, made.sums)
    assert native.pages_check(tree, 0, 7, made.pages, None) == (made.ids, made.sums)


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_pages(kind: str) -> None:
    model = replace(MODEL, page_size=4096, capacity=3)
    amounts, identities = amounts_of(kind, 3 * 4096), identities_of(3 * 4096)
    made, argument = prove(model, 0, amounts, identities)
    tree = tree_of(model)
    assert len(made.pages) == 3 * tree.page_length(0) == 3 * 10544
    assert len(argument) == 3 * tree.argument_length(0) == 3 * 35965
    assert native.pages_check(tree, 0, 0, made.pages, argument) == (made.ids, made.sums)
    page = made.pages[:10544]
    assert page[15 : 15 + 32 * 64] == b"".join(rows_above(identities[:4096], 6)[-1])
    assert made.ids[:32] == hashlib.sha256(page).digest()


@pytest.mark.parametrize(("size", "count"), [(16, 70), (256, 20), (4096, 5)])
def test_the_bytes_do_not_depend_on_how_pages_are_called(size: int, count: int) -> None:
    model = replace(MODEL, page_size=size)
    amounts, identities = amounts_of("skewed", size * count), identities_of(size * count)
    together = prove(model, 0, amounts, identities)
    tree = tree_of(model)
    for index in {0, 3, count - 1}:
        mine = slice(size * index, size * (index + 1))
        made, argument = prove(model, index, amounts[mine], identities[mine])
        for name, width in (("pages", tree.page_length(0)), ("ids", 32), ("sums", 33)):
            whole = getattr(together[0], name)
            assert getattr(made, name) == whole[width * index : width * (index + 1)]
        length = tree.argument_length(0)
        assert argument == together[1][length * index : length * (index + 1)]


@pytest.mark.parametrize("size", [16, 256, 4096])
def test_lengths(size: int) -> None:
    shape, tree = LeavesShape(size), tree_of(replace(MODEL, page_size=size))
    assert tree.argument_length(0, 5) == shape.length
    assert tree.page_length(0, 5) == 15 + 32 * max(1, size // 64) + 33 * (1 + size // 16)
    assert tree.path_length == 32 * min(6, size.bit_length() - 1)


@pytest.mark.parametrize(
    ("capacity", "counts"),
    [
        (1, [1]),
        (2, [2, 1]),
        (64, [64, 1]),
        (65, [65, 2, 1]),
        (1 << 20, [1 << 20, 16384, 256, 4, 1]),
    ],
)
def test_trees(capacity: int, counts: list[int]) -> None:
    tree = native.Tree(b"c" * 32, b"", capacity, 16)
    assert [tree.page_count(level) for level in range(tree.levels)] == counts
    for level in range(1, tree.levels):
        last = counts[level] - 1
        assert tree.entry_count(level, last) == counts[level - 1] - 64 * last
        assert tree.page_length(level, last) == 15 + 65 * tree.entry_count(level, last)
        shape = oracle.Shape(tree.entry_count(level, last), 64)
        assert tree.argument_length(level, last) == shape.length
    for level, index in ((tree.levels, 0), (-1, 0), (0, capacity), (0, -1)):
        with pytest.raises(ValueError, match="has no"):
            tree.page_length(level, index)


@pytest.mark.parametrize(
    ("context", "capacity", "size"),
    [(31, 1, 16), (32, 0, 16), (32, 1, 64), (32, 2**20 + 1, 16), (32, 2**18 + 1, 4096)],
)
def test_what_is_no_tree(context: int, capacity: int, size: int) -> None:
    with pytest.raises(ValueError, match="has"):
        native.Tree(bytes(context), b"", capacity, size)


# --- what is refused ---


@cache
def honest() -> tuple[native.Committed, bytes, list[int], list[bytes]]:
    amounts, identities = amounts_of("skewed", 5 * 16), identities_of(5 * 16)
    return *prove(MODEL, 2, amounts, identities), amounts, identities


LENGTH, ARGUMENT_LENGTH = TREE.page_length(0), TREE.argument_length(0)
SHAPE = LeavesShape(16)
NODES = 32


def fault(pages: bytes, argument: bytes | None, tree: native.Tree = TREE, first: int = 2) -> object:
    with pytest.raises(native.PageRejected) as caught:
        native.pages_check(tree, 0, first, pages, argument)
    return caught.value.index, caught.value.code


def put(data: bytes, at: int, change: bytes) -> bytes:
    return data[:at] + change + data[at + len(change) :]


def first_page() -> tuple[bytes, bytes]:
    made, argument, *_ = honest()
    return made.pages[:LENGTH], argument[:ARGUMENT_LENGTH]


@pytest.mark.parametrize("index", range(SHAPE.point_count))
def test_every_point_of_an_argument_counts(index: int) -> None:
    page, argument = first_page()
    at = 33 * index
    for bad in (bytes(33), b"\x04" + argument[at + 1 : at + 33], b"\x02" + oracle.u(32, 5)):
        assert fault(page, put(argument, at, bad)) == (2, "argument.bad-point")
    for other in (bytes([argument[at] ^ 1]), oracle.encode(oracle.V)):
        assert fault(page, put(argument, at, other)) == (2, "argument.rejected")


@pytest.mark.parametrize("index", range(SHAPE.columns + 21))
def test_every_scalar_of_an_argument_counts(index: int) -> None:
    page, argument = first_page()
    at = 33 * SHAPE.point_count + 32 * index
    value = int.from_bytes(argument[at : at + 32], "big")
    for bad in (N, 2**256 - 1):
        assert fault(page, put(argument, at, oracle.u(32, bad))) == (2, "argument.bad-scalar")
    for other in ((value + 1) % N, 0, N - value):
        assert fault(page, put(argument, at, oracle.u(32, other))) == (2, "argument.rejected")


def test_every_byte_of_a_page_counts() -> None:
    page, argument = first_page()
    random = Random(1)
    for at in range(LENGTH):
        flipped = put(page, at, bytes([page[at] ^ random.randrange(1, 256)]))
        expected = "page.bad-header" if at < 15 else "argument.rejected"
        if at >= 15 + NODES:
            point = (at - 15 - NODES) // 33 * 33 + 15 + NODES
            try:
                oracle.decode(flipped[point : point + 33], "")
            except oracle.Rejected:
                expected = "page.bad-point"
        assert fault(flipped, argument) == (2, expected), at
        if expected == "argument.rejected":
            assert native.pages_check(TREE, 0, 2, flipped, None)
        else:
            assert fault(flipped, None) == (2, expected)


@pytest.mark.parametrize(
    "change",
    [
        {"context": bytes(32)},
        {"asset": b"asse"},
        {"asset": b"asset\0"},
        {"capacity": 69},
        {"capacity": 4097},
    ],
)
def test_another_statement(change: dict[str, Any]) -> None:
    other = tree_of(replace(MODEL, **change))
    assert fault(*first_page(), tree=other) == (2, "argument.rejected")


def test_another_place() -> None:
    made, argument, *_ = honest()
    assert fault(*first_page(), first=3) == (3, "page.bad-header")
    page = put(made.pages[:LENGTH], 7, oracle.u(4, 3))
    assert fault(page, argument[:ARGUMENT_LENGTH], first=3) == (3, "argument.rejected")
    assert fault(made.pages[:LENGTH], argument[ARGUMENT_LENGTH : 2 * ARGUMENT_LENGTH]) == (
        2,
        "argument.rejected",
    )


Spoiled = tuple[bytes, bytes]


def bad_header(page: bytes, argument: bytes) -> Spoiled:
    return b"X" + page[1:], argument


def bad_entry(page: bytes, argument: bytes) -> Spoiled:
    return page[:-33] + bytes(33), argument


def bad_point(page: bytes, argument: bytes) -> Spoiled:
    return page, bytes(33) + argument[33:]


def bad_scalar(page: bytes, argument: bytes) -> Spoiled:
    return page, argument[:-32] + b"\xff" * 32


def rejected(page: bytes, argument: bytes, change: int = 1) -> Spoiled:
    value = (int.from_bytes(argument[-32:], "big") + change) % N
    return page, argument[:-32] + oracle.u(32, value)


FAULTS = {
    "page.bad-header": bad_header,
    "page.bad-point": bad_entry,
    "argument.bad-point": bad_point,
    "argument.bad-scalar": bad_scalar,
    "argument.rejected": rejected,
}


def spoil(faults: dict[int, Callable[[bytes, bytes], Spoiled]]) -> Spoiled:
    made, argument, *_ = honest()
    pages, arguments = [], []
    for i in range(5):
        page = made.pages[LENGTH * i : LENGTH * (i + 1)]
        proved = argument[ARGUMENT_LENGTH * i : ARGUMENT_LENGTH * (i + 1)]
        if i in faults:
            page, proved = faults[i](page, proved)
        pages.append(page)
        arguments.append(proved)
    return b"".join(pages), b"".join(arguments)


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.parametrize("index", range(5))
def test_the_one_bad_page_is_named(index: int, code: str) -> None:
    assert fault(*spoil({index: FAULTS[code]})) == (2 + index, code)


@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("second", FAULTS)
def test_the_lowest_bad_page_is_named(first: str, second: str) -> None:
    assert fault(*spoil({1: FAULTS[first], 3: FAULTS[second]})) == (3, first)


def test_the_first_fault_of_a_page_is_named() -> None:
    codes = list(FAULTS)
    for start in range(len(codes)):
        page, argument = first_page()
        for code in reversed(codes[start:]):
            page, argument = FAULTS[code](page, argument)
        assert fault(page, argument) == (2, codes[start])


def test_faults_of_two_pages_do_not_cancel() -> None:
    """B more in one page and B less in another: under equal weights the sum would be unchanged."""

    def less(page: bytes, argument: bytes) -> Spoiled:
        return rejected(page, argument, -1)

    assert fault(*spoil({1: rejected, 4: less})) == (3, "argument.rejected")


# --- what a prover may get wrong ---


def inputs() -> dict[str, Any]:
    made, _, amounts, _ = honest()
    return {
        "tree": TREE,
        "level": 0,
        "first": 2,
        "pages": made.pages,
        "values": array("Q", amounts),
        "blindings": made.vector_blindings,
        "sum_blindings": made.sum_blindings,
        "secret": ARGUMENT,
        "salt": SALT,
    }


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("pages", 3),
        ("pages", LENGTH + 15),
        ("pages", 2 * LENGTH + 50),
        ("pages", 3 * LENGTH + 90),
        ("values", 8 * 33),
        ("blindings", 32 * 2 + 31),
        ("sum_blindings", 32 * 4 + 31),
    ],
)
def test_a_page_that_is_not_made_of_what_is_given(name: str, at: int) -> None:
    given = inputs()
    data = bytearray(memoryview(given[name]).cast("B"))
    data[at] ^= 1
    given[name] = data
    which = {"pages": at // LENGTH, "values": at // 128}.get(name, at // 32)
    if (name, at) == ("pages", LENGTH + 15):  # a node is under the argument, and opens nothing
        native.pages_argue(**given)
        return
    with pytest.raises(native.Damaged) as caught:
        native.pages_argue(**given)
    assert caught.value.index == which


def test_whether_pages_are_made_of_what_is_given() -> None:
    made, _, amounts, identities = honest()
    columns = [
        bytearray(made.pages),
        bytearray(array("Q", amounts).tobytes()),
        bytearray(b"".join(identities)),
        bytearray(made.vector_blindings),
        bytearray(made.sum_blindings),
    ]
    assert native.leaves_open(TREE, 2, *columns) is None
    for column, at, page in (
        (0, LENGTH + 3, 3),
        (0, 2 * LENGTH + 20, 4),
        (1, 8 * 16 * 4, 6),
        (2, 32 * 17, 3),
        (3, 0, 2),
        (4, 32 * 4, 6),
    ):
        columns[column][at] ^= 1
        assert native.leaves_open(TREE, 2, *columns) == page
        columns[column][at] ^= 1
    columns[3][32:64] = b"\xff" * 32
    assert native.leaves_open(TREE, 2, *columns) == 3


@pytest.mark.parametrize("blindings", [3, 4], ids=["of vectors", "of sums"])
@pytest.mark.parametrize("page", [2, 3, 6])
def test_a_page_whose_private_files_are_zeros(page: int, blindings: int) -> None:
    """A point of it would be infinite, and it is the one that is named, whatever the page says."""
    made, _, amounts, identities = honest()
    columns = [
        bytearray(made.pages),
        bytearray(array("Q", amounts).tobytes()),
        bytearray(b"".join(identities)),
        bytearray(made.vector_blindings),
        bytearray(made.sum_blindings),
    ]
    columns[1][128 * (page - 2) : 128 * (page - 1)] = bytes(128)
    columns[blindings][32 * (page - 2) : 32 * (page - 1)] = bytes(32)
    assert native.leaves_open(TREE, 2, *columns) == page
    columns[0][LENGTH * (page - 2) + 47 : LENGTH * (page - 1)] = bytes(66)
    assert native.leaves_open(TREE, 2, *columns) == page


@pytest.mark.parametrize("name", ["pages", "blindings", "sum_blindings", "secret", "salt"])
@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_lengths_are_misuse(name: str, change: int) -> None:
    given = inputs()
    data = bytes(given[name])
    given[name] = data[:-1] if change < 0 else data + b"\0"
    with pytest.raises(ValueError, match="bytes instead of"):
        native.pages_argue(**given)


def test_pages_of_wrong_lengths_are_misuse() -> None:
    page, argument = first_page()
    for pages, arguments in (
        (page[:-1], argument),
        (page + b"\0", argument),
        (page, argument[:-1]),
        (page, argument + b"\0"),
        (b"", b""),
    ):
        with pytest.raises(ValueError, match=r"instead of|no page|has no"):
            native.pages_check(TREE, 0, 2, pages, arguments)
    with pytest.raises(ValueError, match="has no"):
        native.pages_check(TREE, 0, 70, page, argument)


def test_every_secret_matters() -> None:
    made, argument, amounts, identities = honest()
    values = array("Q", amounts)
    for secret, salt in ((bytes(32), SALT), (ENTRIES, bytes(32))):
        other = native.leaves_commit(TREE, 2, values, b"".join(identities), secret, salt)
        assert other.pages[15 : 15 + NODES] == made.pages[15 : 15 + NODES]
        for i in range(5):
            at = slice(32 * i, 32 * i + 32)
            assert other.vector_blindings[at] != made.vector_blindings[at]
            assert other.sum_blindings[at] != made.sum_blindings[at]
    for secret, salt in ((bytes(32), SALT), (ARGUMENT, bytes(32))):
        proved = native.pages_argue(**{**inputs(), "secret": secret, "salt": salt})
        native.pages_check(TREE, 0, 2, made.pages, proved)
        assert proved[:33] != argument[:33]


# --- identities ---


@pytest.mark.parametrize("size", [16, 256, 4096])
def test_nodes_and_paths(size: int) -> None:
    model = replace(MODEL, page_size=size)
    identities = identities_of(2 * size)
    joined = b"".join(identities)
    height = model.height
    nodes = [
        node
        for page in (identities[:size], identities[size:])
        for node in rows_above(page, height)[-1]
    ]
    assert native.identity_nodes(joined, size) == b"".join(nodes)
    for leaf in {0, 1, 15, size // 2 + 3, size - 1}:
        found = native.identity_path(joined[: 32 * size], size, leaf)
        assert found == path(identities[:size], height, leaf)
        assert native.path_node(identities[leaf], leaf, found) == nodes[leaf >> height]
        assert (
            native.path_node(identities[leaf], leaf + (1 << height), found)
            == (nodes[leaf >> height])
        )
    for wrong in (-1, size):
        with pytest.raises(ValueError, match="has no leaf"):
            native.identity_path(joined[: 32 * size], size, wrong)
    with pytest.raises(ValueError, match="at most 6"):
        native.path_node(identities[0], 0, bytes(32 * 7))
    with pytest.raises(ValueError, match="not 64"):
        native.identity_nodes(joined, 64)


def test_an_identity() -> None:
    key, leaf = b"k" * 32, b"l" * 32
    expected = oracle.tagged("identity", key + leaf + oracle.u(4, 258))
    assert native.identity(key, leaf, 258) == expected
