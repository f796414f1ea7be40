"""Pages: the oracle's bytes, ids and sums; every byte flipped; faults named in their order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

import pytest

import native
from tests.support import oracle
from tests.support.oracle import N, PagePlace
from tests.support.statements import KINDS, SALT, SECRET, STATE, Witness, witness

SIZE = 16
HEADER = 15
Pages = tuple[bytes, bytes, bytes, bytes, bytes]


def ids(count: int, seed: int = 1) -> list[bytes]:
    """Return random ids of children."""
    random = Random(seed)
    return [random.randbytes(32) for _ in range(count)]


def prove(
    place: PagePlace, first: int, statement: Witness, child_ids: Sequence[bytes] = ()
) -> Pages:
    """Return what the core makes of consecutive pages."""
    return native.pages_prove(
        place.asset_state,
        place.level,
        place.levels,
        first,
        place.capacity,
        place.page_size,
        statement.value_array,
        statement.blinding_bytes,
        b"".join(child_ids),
        SECRET,
        SALT,
    )


def verify(
    place: PagePlace, first: int, pages: bytes, count_last: int | None = None
) -> tuple[bytes, bytes]:
    """Check consecutive pages with the core."""
    return native.pages_verify(
        place.asset_state,
        place.level,
        place.levels,
        first,
        place.capacity,
        place.page_size,
        place.page_size if count_last is None else count_last,
        pages,
        os.urandom(32),
    )


def fault(
    place: PagePlace, first: int, pages: bytes, count_last: int | None = None
) -> tuple[int, str]:
    """Return the page and the code that the core rejects with."""
    with pytest.raises(native.PageRejected) as caught:
        verify(place, first, pages, count_last)
    return caught.value.index, caught.value.code


def cut(statement: Witness, start: int, stop: int) -> Witness:
    return Witness(64, statement.values[start:stop], statement.blindings[start:stop])


LEAVES = PagePlace(STATE, 0, 2, 8, SIZE)
INNER = PagePlace(STATE, 1, 2, 8, SIZE)


@pytest.mark.parametrize(("level", "count"), [(0, 16), (0, 48), (1, 16), (1, 21), (2, 1)])
def test_the_bytes_are_the_oracles(level: int, count: int) -> None:
    place = PagePlace(STATE, level, 3, 4, SIZE)
    values = witness("random", count, 50).values
    statement = Witness(64, values, witness("random", count, 64).blindings)
    children = ids(count) if level else []
    expected = b""
    for start in range(0, count, SIZE):
        part = cut(statement, start, start + SIZE)
        expected += place.prove(
            7 + start // SIZE,
            part.values,
            part.blindings,
            children[start : start + SIZE],
            SECRET,
            SALT,
        )
    made = prove(place, 7, statement, children)
    assert made[0] == expected
    assert verify(place, 7, expected, (count - 1) % SIZE + 1) == (made[1], made[2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "count"), [(16, 40), (15, 15), (3, 7), (1, 3), (1024, 1024)])
def test_ids_sums_and_openings(kind: str, size: int, count: int) -> None:
    place = PagePlace(STATE, 1, 3, 4, size)
    statement = witness(kind, count, 64 if kind != "ones" else 53)
    statement = Witness(64, [v % 2**54 for v in statement.values], statement.blindings)
    pages, made_ids, sums, values, blindings = prove(place, 0, statement, ids(count))
    last = (count - 1) % size + 1
    assert verify(place, 0, pages, last) == (made_ids, sums)
    length = native.page_length(1, size)
    cuts = [pages[at : at + length] for at in range(0, len(pages), length)]
    assert made_ids == b"".join(hashlib.sha256(page).digest() for page in cuts)
    parts = [cut(statement, start, start + size) for start in range(0, count, size)]
    assert values == b"".join(sum(part.values).to_bytes(8, "little") for part in parts)
    totals = [sum(part.blindings) % N for part in parts]
    assert blindings == b"".join(oracle.u(32, total) for total in totals)
    opened = [oracle.commit(sum(part.values), r) for part, r in zip(parts, totals, strict=True)]
    assert sums == b"".join(map(oracle.encode, opened))


def test_full_pages_of_the_largest_values() -> None:
    """The sum of a page may not reach 2^64, but one value may be 2^64 - 1."""
    blindings = witness("random", SIZE, 64).blindings
    most = Witness(64, [2**64 - 1] + [0] * 15, blindings)
    pages = prove(LEAVES, 0, most)[0]
    verify(LEAVES, 0, pages)
    with pytest.raises(ValueError, match=r"2\^64"):
        prove(LEAVES, 0, Witness(64, [2**64 - 1, 1] + [0] * 14, blindings))


def test_the_bytes_do_not_depend_on_how_pages_are_called() -> None:
    """Twenty pages at once are those made one by one, and any run of them is accepted."""
    count, small = 20, PagePlace(STATE, 0, 3, 20, 4)
    statement = Witness(
        64, witness("skewed", 4 * count, 60).values, witness("one", 4 * count, 64).blindings
    )
    together = prove(small, 0, statement)
    single = [prove(small, i, cut(statement, 4 * i, 4 * i + 4)) for i in range(count)]
    for column, made in enumerate(together):
        assert made == b"".join(page[column] for page in single)
    length = native.page_length(0, 4)
    for first, stop in ((0, 20), (3, 4), (5, 17), (19, 20)):
        made_ids, sums = verify(small, first, together[0][first * length : stop * length])
        assert made_ids == together[1][32 * first : 32 * stop]
        assert sums == together[2][33 * first : 33 * stop]


@cache
def honest() -> tuple[bytes, Witness]:
    """Return five pages of leaves from page 2 on, and their openings."""
    statement = Witness(64, witness("random", 80, 40).values, witness("random", 80, 64).blindings)
    return prove(LEAVES, 2, statement)[0], statement


LENGTH = native.page_length(0, SIZE)
ENTRIES = 33 * SIZE
ARGUMENT = HEADER + ENTRIES
POINTS_END = ARGUMENT + 33 * oracle.Shape(SIZE, 64).point_count


def expected_code(page: bytes, at: int) -> str:
    """Return the code of a page of leaves that is honest but for the byte at an offset."""
    if at < HEADER:
        return "page.bad-header"
    if at >= POINTS_END:
        at -= (at - POINTS_END) % 32
        return (
            "argument.bad-scalar"
            if int.from_bytes(page[at : at + 32]) >= N
            else "argument.rejected"
        )
    at -= (at - HEADER) % 33
    try:
        oracle.decode(
            page[at : at + 33], "page.bad-point" if at < ARGUMENT else "argument.bad-point"
        )
    except oracle.Rejected as error:
        return str(error)
    return "argument.rejected"


@pytest.mark.parametrize("part", range(4))
def test_every_byte_of_a_page(part: int) -> None:
    page, random = honest()[0][:LENGTH], Random(part)
    seen = set()
    for at in range(part, LENGTH, 4):
        flipped = page[:at] + bytes([page[at] ^ random.randrange(1, 256)]) + page[at + 1 :]
        code = expected_code(flipped, at)
        assert fault(LEAVES, 2, flipped) == (2, code), f"byte {at}"
        seen.add(code)
    assert len(seen) >= 4


@pytest.mark.parametrize(
    ("place", "first"),
    [
        (PagePlace(bytes(32), 0, 2, 8, SIZE), 2),
        (PagePlace(STATE, 0, 3, 8, SIZE), 2),
        (PagePlace(STATE, 0, 2, 9, SIZE), 2),
    ],
)
def test_a_page_of_another_tree(place: PagePlace, first: int) -> None:
    assert fault(place, first, honest()[0]) == (first, "argument.rejected")


def test_a_page_in_another_place() -> None:
    pages = honest()[0]
    assert fault(LEAVES, 3, pages) == (3, "page.bad-header")
    assert fault(LEAVES, 2, pages[LENGTH:]) == (2, "page.bad-header")
    swapped = pages[:LENGTH] + pages[2 * LENGTH : 3 * LENGTH] + pages[LENGTH : 2 * LENGTH]
    assert fault(LEAVES, 2, swapped) == (3, "page.bad-header")


def test_children_count() -> None:
    """A child's id is part of the statement, though what it names is the caller's to compare."""
    children = ids(SIZE)
    values = witness("random", SIZE, 40).values
    page = prove(INNER, 0, Witness(64, values, witness("one", SIZE, 64).blindings), children)[0]
    verify(INNER, 0, page)
    at = HEADER + 65 * 3
    assert fault(INNER, 0, page[:at] + bytes(32) + page[at + 32 :]) == (0, "argument.rejected")
    assert fault(INNER, 0, page[: at + 32] + bytes(33) + page[at + 65 :]) == (0, "page.bad-point")


def header_fault(page: bytes) -> bytes:
    return b"X" + page[1:]


def entry_fault(page: bytes) -> bytes:
    return page[:HEADER] + bytes(33) + page[HEADER + 33 :]


def point_fault(page: bytes) -> bytes:
    return page[:ARGUMENT] + bytes(33) + page[ARGUMENT + 33 :]


def scalar_fault(page: bytes) -> bytes:
    return page[:-32] + b"\xff" * 32


def response_fault(page: bytes, change: int = 1) -> bytes:
    return page[:-32] + oracle.u(32, (int.from_bytes(page[-32:]) + change) % N)


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "page.bad-header": header_fault,
    "page.bad-point": entry_fault,
    "argument.bad-point": point_fault,
    "argument.bad-scalar": scalar_fault,
    "argument.rejected": response_fault,
}


def spoil(pages: bytes, faults: dict[int, Callable[[bytes], bytes]]) -> bytes:
    """Return pages of leaves, some of them spoilt."""
    cuts = [pages[at : at + LENGTH] for at in range(0, len(pages), LENGTH)]
    return b"".join(faults[i](page) if i in faults else page for i, page in enumerate(cuts))


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.parametrize("index", range(5))
def test_the_one_bad_page_is_named(index: int, code: str) -> None:
    assert fault(LEAVES, 2, spoil(honest()[0], {index: FAULTS[code]})) == (2 + index, code)


@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("second", FAULTS)
def test_the_lowest_bad_page_is_named(first: str, second: str) -> None:
    """Whatever the faults are: one of structure in page 3 hides none of algebra in page 1."""
    pages = spoil(honest()[0], {1: FAULTS[first], 3: FAULTS[second]})
    assert fault(LEAVES, 2, pages) == (3, first)


def test_the_first_fault_of_a_page_is_named() -> None:
    pages, codes = honest()[0], list(FAULTS)
    for start in range(len(codes)):
        page = pages[:LENGTH]
        for code in reversed(codes[start:]):
            page = FAULTS[code](page)
        assert fault(LEAVES, 2, page + pages[LENGTH:]) == (2, codes[start])


def test_faults_of_two_pages_do_not_cancel() -> None:
    """B more in one page and B less in another: under equal weights the sum would be unchanged."""

    def less(page: bytes) -> bytes:
        return response_fault(page, -1)

    pages = spoil(honest()[0], {1: response_fault, 4: less})
    assert fault(LEAVES, 2, pages) == (3, "argument.rejected")


def opposite_pairs() -> tuple[bytes, Witness]:
    """Return an honest page of zeros whose commitments cancel, made by the oracle."""
    random = Random(5)
    blindings = [random.randrange(1, int(N)) for _ in range(SIZE // 2)]
    blindings += [int(N) - r for r in blindings]
    page = LEAVES.prove(3, [0] * SIZE, blindings, [], SECRET, SALT)
    return page, Witness(64, [0] * SIZE, blindings)


def test_an_infinite_sum_is_refused() -> None:
    page, statement = opposite_pairs()
    assert fault(LEAVES, 3, page) == (3, "page.infinite-sum")
    with pytest.raises(ArithmeticError):
        prove(LEAVES, 3, statement)


def test_an_infinite_sum_in_its_order() -> None:
    page, pages = opposite_pairs()[0], honest()[0]
    mixed = pages[:LENGTH] + page + pages[2 * LENGTH :]
    assert fault(LEAVES, 2, mixed) == (3, "page.infinite-sum")
    assert fault(LEAVES, 2, spoil(mixed, {1: response_fault})) == (3, "argument.rejected")
    assert fault(LEAVES, 2, spoil(mixed, {2: header_fault})) == (3, "page.infinite-sum")
    assert fault(LEAVES, 2, spoil(mixed, {2: response_fault})) == (3, "page.infinite-sum")
    assert fault(LEAVES, 2, spoil(mixed, {0: response_fault})) == (2, "argument.rejected")


@pytest.mark.parametrize("tail", [1, 5])
def test_equal_and_opposite_commitments(tail: int) -> None:
    """Points chosen to meet in batch additions: the sum is exact."""
    n = int(N)
    blindings = [77, n - 77, 77, 77, n - 77, 77, n - 77, n - 77, 1, n - 1, 1, 1, 0, 0, 0, tail]
    values = [0] * 12 + [1, 1, 1, 0]
    page, _, made, *_ = prove(LEAVES, 0, Witness(64, values, blindings))
    _, sums = verify(LEAVES, 0, page)
    assert sums == made == oracle.encode(oracle.commit(3, sum(blindings)))


def test_entries_that_are_generators_of_unknown_opening() -> None:
    page = honest()[0][:LENGTH]
    for j in range(SIZE):
        entries = native.generator(b"Q", j) * SIZE
        assert fault(LEAVES, 2, page[:HEADER] + entries + page[ARGUMENT:]) == (
            2,
            "argument.rejected",
        )


def test_more_pages_than_a_batch_holds() -> None:
    """The faults of a later batch are found, and only after those of an earlier one."""
    count, place = 420, PagePlace(STATE, 0, 2, 512, 256)
    random = Random(9)
    statement = Witness(64, [random.getrandbits(40) for _ in range(256 * count)], [3] * 256 * count)
    pages, made_ids, sums, *_ = prove(place, 0, statement)
    assert verify(place, 0, pages) == (made_ids, sums)
    length = native.page_length(0, 256)
    last = pages[:-32] + bytes(32)
    assert fault(place, 0, last) == (count - 1, "argument.rejected")
    both = last[: 5 * length] + b"X" + last[5 * length + 1 :]
    assert fault(place, 0, both) == (5, "page.bad-header")


@pytest.mark.parametrize("change", [-1, 1, -LENGTH])
def test_pages_of_a_wrong_length_are_misuse(change: int) -> None:
    pages = honest()[0][:LENGTH]
    pages = pages[:change] if change < 0 else pages + bytes(change)
    with pytest.raises(ValueError, match="whole pages"):
        verify(LEAVES, 2, pages)


def test_counts_out_of_range_are_misuse() -> None:
    statement = witness("one", 16, 64)
    for size in (0, 1025):
        with pytest.raises(ValueError, match="1 to 1024"):
            prove(PagePlace(STATE, 0, 1, 1, size), 0, statement)
    with pytest.raises(ValueError, match="whole pages"):
        verify(LEAVES, 2, honest()[0][:LENGTH], 17)
    with pytest.raises(ValueError, match="out of range"):
        prove(LEAVES, 0, Witness(64, [], []))
    with pytest.raises(ValueError, match="out of range"):
        prove(LEAVES, 2**32 - 1, witness("one", 17, 64))
    with pytest.raises(ValueError, match="child_ids"):
        prove(INNER, 0, statement)
    with pytest.raises(ValueError, match="blinding factor"):
        prove(LEAVES, 0, Witness(64, [1] * 16, [int(N)] * 16))
