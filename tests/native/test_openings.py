"""Openings of leaves: the model's bytes, both ways of making them, and all that is refused."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import native
from tests.support import core, oracle
from tests.support.leaves_oracle import LeavesProver, path
from tests.support.leaves_statements import (
    ARGUMENT,
    ENTRIES,
    KINDS,
    MODEL,
    SALT,
    amounts_of,
    identities_of,
    prove,
    tree_of,
)
from tests.support.oracle import N

if TYPE_CHECKING:
    from typing_extensions import Buffer

SECRET = b"o" * 32
INDEX = 3
OPENING = 545


@dataclass(frozen=True)
class Case:
    """A page, what it is made of, and its argument."""

    tree: native.Tree
    amounts: list[int]
    identities: list[bytes]
    made: native.Committed
    argument: bytes

    def inputs(self, leaves: list[int]) -> dict[str, Any]:
        return {
            "tree": self.tree,
            "index": INDEX,
            "page": self.made.pages,
            "amounts": array("Q", self.amounts),
            "identities": b"".join(self.identities),
            "vector_blindings": self.made.vector_blindings,
            "leaves": array("I", leaves),
        }

    def page(self, argument: bool = True) -> native.PageToCheck:
        proved = self.argument if argument else None
        return native.PageToCheck(self.tree, 0, INDEX, self.made.pages, proved)

    def opening(self, leaf: int) -> native.OpeningToCheck:
        opening, siblings = opened(self.inputs([leaf]))
        return native.OpeningToCheck(
            0, leaf, self.amounts[leaf], self.identities[leaf], siblings, opening
        )


def opened(
    *pages: dict[str, Any], bulk: bool = False, secret: bytes = SECRET, salt: bytes = SALT
) -> tuple[bytes, bytes]:
    given = [native.PageToOpen(**page) for page in pages]
    return native.openings_make(given, secret, salt, bulk=bulk)


@cache
def case(size: int, kind: str = "skewed") -> Case:
    model = replace(MODEL, page_size=size)
    amounts, identities = amounts_of(kind, size), identities_of(size)
    made, argument = prove(model, INDEX, amounts, identities)
    return Case(tree_of(model), amounts, identities, made, argument)


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("size", [16, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_models(size: int, kind: str, bulk: bool) -> None:
    model, page = replace(MODEL, page_size=size), case(size, kind)
    prover = LeavesProver(model, INDEX, page.amounts, page.identities, (ENTRIES, ARGUMENT), SALT)
    leaves = [0, 15, 5, size - 1, 5]
    openings, paths = opened(page.inputs(leaves), bulk=bulk)
    assert openings == b"".join(prover.open(i, page.identities[i], SECRET) for i in leaves)
    assert paths == b"".join(path(page.identities, model.height, i) for i in leaves)


@pytest.mark.parametrize("size", [16, 256, 4096])
def test_both_ways_make_the_same_bytes(size: int) -> None:
    page, random = case(size), Random(size)
    leaves = [random.randrange(size) for _ in range(150)]
    one = opened(page.inputs(leaves))
    assert one == opened(page.inputs(leaves), bulk=True)
    width = page.tree.path_length
    openings = [
        native.OpeningToCheck(
            0,
            leaf,
            page.amounts[leaf],
            page.identities[leaf],
            one[1][width * k : width * (k + 1)],
            one[0][OPENING * k : OPENING * (k + 1)],
        )
        for k, leaf in enumerate(leaves)
    ]
    for proved in (True, False):
        found = native.check([page.page(proved)], openings)
        assert found == (page.made.ids, page.made.sums)


def test_no_opening_is_made_of_no_leaf() -> None:
    page = case(16)
    assert opened(page.inputs([])) == (b"", b"")
    for leaves in ([16], [0, 2**31]):
        with pytest.raises(ValueError, match="out of range"):
            opened(page.inputs(leaves))
    with pytest.raises(ValueError, match="has no page"):
        opened({**page.inputs([0]), "index": 70})


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("page", 3),  # the header
        ("page", 8),  # the page's number
        ("page", 15 + 32 + 3),  # the node of leaf 70
        ("page", 15 + 32 * 4 + 33 * 5 + 4),  # its vector
        ("amounts", 8 * 70),
        ("amounts", 8 * 65),  # a mate's
        ("identities", 32 * 70),
        ("identities", 32 * 127),  # of the same node
        ("vector_blindings", 32 * 4 + 31),
        ("vector_blindings", 32 * 4),  # 2^248 more: not below the order
    ],
)
def test_nothing_is_made_of_damaged_files(name: str, at: int, bulk: bool) -> None:
    given = case(256).inputs([10, 70])
    data = bytearray(memoryview(given[name]).cast("B"))
    if (name, at) == ("vector_blindings", 32 * 4):
        data[at : at + 32] = b"\xff" * 32
    data[at] ^= 1
    given[name] = data
    with pytest.raises(native.Damaged) as caught:
        opened(given, bulk=bulk)
    assert caught.value.index == (0 if name == "page" and at < 15 else 1)


@pytest.mark.parametrize(
    ("name", "at"), [("page", 15 + 32 * 4 + 33), ("amounts", 0), ("identities", 0)]
)
def test_only_what_an_opening_needs_is_read(name: str, at: int) -> None:
    """A page that is damaged elsewhere has another id; files that are, do not matter."""
    page = case(256)
    given = page.inputs([200])
    honest = opened(given)
    data = bytearray(memoryview(given[name]).cast("B"))
    data[at] ^= 1
    given[name] = data
    assert (opened(given) == honest) == (name != "page")


@pytest.mark.parametrize("name", ["page", "amounts", "identities", "vector_blindings"])
@pytest.mark.parametrize("change", [-1, 1])
def test_wrong_lengths_are_misuse(name: str, change: int) -> None:
    given = case(16).inputs([1])
    data = bytes(given[name])
    given[name] = data[:-1] if change < 0 else data + b"\0"
    with pytest.raises(ValueError, match="bytes instead of"):
        opened(given)


def test_secrets_of_wrong_lengths_are_misuse() -> None:
    for data in (bytes(31), bytes(33)):
        with pytest.raises(ValueError, match=r"secret: 3[13] bytes instead of 32"):
            opened(case(16).inputs([1]), secret=data)
        with pytest.raises(ValueError, match=r"salt: 3[13] bytes instead of 32"):
            opened(case(16).inputs([1]), salt=data)


@pytest.mark.parametrize("bulk", [False, True])
def test_leaves_of_many_pages_are_opened_together(bulk: bool) -> None:
    """Pages of trees of three sizes, one of them twice, some without a leaf; three blocks."""
    random = Random(1)
    counts = [(16, 3), (256, 0), (256, 300), (4096, 1), (16, 0), (256, 257), (4096, 60), (16, 0)]
    counts += 250 * [(4096, 1)]
    pages = [
        case(size).inputs([random.randrange(size) for _ in range(count)]) for size, count in counts
    ]
    made = opened(*pages, bulk=bulk)
    each = [opened(page, bulk=True) for page in pages]
    assert made == (b"".join(one for one, _ in each), b"".join(one for _, one in each))
    vectors = [leaf // 16 for leaf in pages[5]["leaves"]]
    data = bytearray(pages[5]["page"])
    data[15 + 32 * 4 + 33 * (1 + vectors[7]) + 4] ^= 1
    pages[5]["page"] = data
    with pytest.raises(native.Damaged) as caught:
        opened(*pages, bulk=bulk)
    first = next(
        at
        for at, leaf in enumerate(pages[5]["leaves"])
        if leaf // 16 == pages[5]["leaves"][7] // 16
    )
    assert caught.value.index == 3 + 300 + 1 + first


def test_every_secret_matters() -> None:
    page = case(16)
    honest = bytes(page.opening(5).opening)
    for made, _ in (
        opened(page.inputs([5]), secret=bytes(32)),
        opened(page.inputs([5]), salt=bytes(32)),
    ):
        assert made[:33] != honest[:33]
        assert all(made[at : at + 32] != honest[at : at + 32] for at in range(33, OPENING, 32))


def test_masks_are_full_scalars() -> None:
    """The highest bits of z are uniform over many openings; those of short masks are not."""
    page = case(256)
    openings, _ = opened(page.inputs(list(range(256))), bulk=True)
    for z in range(16):
        tops = [openings[OPENING * i + 33 + 32 * z] for i in range(256)]
        assert len({top >> 4 for top in tops}) == 16
        assert 64 < sum(top >= 128 for top in tops) < 192


# --- what is refused ---


def fault(opening: native.OpeningToCheck, page: native.PageToCheck | None = None) -> str:
    with pytest.raises(native.OpeningRejected) as caught:
        native.check([case(256).page() if page is None else page], [opening])
    assert caught.value.index == 0
    return caught.value.code


LEAF = 70


def honest() -> native.OpeningToCheck:
    return case(256).opening(LEAF)


def put(given: Buffer, at: int, change: bytes) -> bytes:
    data = bytes(given)
    return data[:at] + change + data[at + len(change) :]


def scalar(opening: native.OpeningToCheck, at: int) -> int:
    return int.from_bytes(bytes(opening.opening)[at : at + 32], "big")


@pytest.mark.parametrize("change", [1, -1, 2**63])
def test_another_amount(change: int) -> None:
    opening = honest()
    amount = (opening.amount + change) % 2**64
    assert fault(replace(opening, amount=amount)) == "inclusion.wrong-amount"


@pytest.mark.parametrize("index", range(16))
def test_every_scalar_counts(index: int) -> None:
    opening, at = honest(), 33 + 32 * index
    z = scalar(opening, at)
    for bad in (N, 2**256 - 1):
        bent = put(opening.opening, at, oracle.u(32, bad))
        assert fault(replace(opening, opening=bent)) == "opening.bad-scalar"
    for other in ((z + 1) % N, 0, N - z):
        bent = put(opening.opening, at, oracle.u(32, other))
        assert fault(replace(opening, opening=bent)) == "inclusion.wrong-amount"


def test_the_point_counts() -> None:
    opening = honest()
    for bad in (bytes(33), b"\x04" + bytes(opening.opening)[1:33], b"\x02" + oracle.u(32, 5)):
        bent = put(opening.opening, 0, bad)
        assert fault(replace(opening, opening=bent)) == "opening.bad-point"
    for other in (bytes([bytes(opening.opening)[0] ^ 1]), oracle.encode(oracle.V)):
        bent = put(opening.opening, 0, other)
        assert fault(replace(opening, opening=bent)) == "inclusion.wrong-amount"


def test_the_path_counts() -> None:
    opening = honest()
    for at in range(0, 32 * 6, 32):
        bent = put(opening.path, at, bytes([bytes(opening.path)[at] ^ 1]))
        assert fault(replace(opening, path=bent)) == "inclusion.wrong-identity"
    assert fault(replace(opening, identity=bytes(32))) == "inclusion.wrong-identity"


def test_one_leaf_does_not_serve_two_customers() -> None:
    """Leaf 5's identity and path lead to node 0 alone, and never to that of leaf 69."""
    page = case(256)
    fifth = page.opening(5)
    assert fault(replace(fifth, leaf=69)) == "inclusion.wrong-identity"
    assert fault(replace(page.opening(69), identity=fifth.identity, path=fifth.path)) == (
        "inclusion.wrong-identity"
    )


@pytest.mark.parametrize("leaf", [5 + 256, 5 + 2**31])
def test_a_leaf_that_no_page_has(leaf: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        native.check([case(256).page()], [replace(case(256).opening(5), leaf=leaf)])


def test_the_first_fault_of_an_opening_is_named() -> None:
    opening = honest()
    bent = replace(opening, amount=1)
    codes = ["inclusion.wrong-amount"]
    bent = replace(bent, opening=put(bent.opening, 33, b"\xff" * 32))
    codes.append("opening.bad-scalar")
    assert fault(bent) == codes[-1]
    bent = replace(bent, opening=put(bent.opening, 0, bytes(33)))
    assert fault(bent) == "opening.bad-point"
    assert fault(replace(bent, path=bytes(32 * 6))) == "inclusion.wrong-identity"


def test_an_opening_under_another_statement() -> None:
    page, opening = case(256), honest()
    for change in ({"context": bytes(32)}, {"asset": b"other"}, {"capacity": 71}):
        tree = tree_of(replace(MODEL, page_size=256, **change))
        other = native.PageToCheck(tree, 0, INDEX, page.made.pages, None)
        assert fault(opening, other) == "inclusion.wrong-amount"
    made = prove(replace(MODEL, page_size=256), INDEX + 1, page.amounts, page.identities)[0]
    other = native.PageToCheck(page.tree, 0, INDEX + 1, made.pages, None)
    assert fault(opening, other) == "inclusion.wrong-amount"


def test_openings_are_not_bent_against_each_other() -> None:
    """B more in one and B less in another: under equal weights the sum would be unchanged."""
    page = case(256)
    openings = [page.opening(leaf) for leaf in (LEAF, LEAF + 1, 200)]

    def bend(opening: native.OpeningToCheck, change: int) -> native.OpeningToCheck:
        z = (scalar(opening, OPENING - 32) + change) % N
        return replace(opening, opening=put(opening.opening, OPENING - 32, oracle.u(32, z)))

    bent = [openings[0], bend(openings[1], 1), bend(openings[2], -1)]
    with pytest.raises(native.OpeningRejected) as caught:
        native.check([page.page()], bent)
    assert (caught.value.index, caught.value.code) == (1, "inclusion.wrong-amount")


def test_pages_come_before_openings() -> None:
    page, small = case(256), case(16)
    pages = [small.page(), page.page()]
    openings = [
        replace(page.opening(LEAF), page=1),
        replace(small.opening(3), page=0),
    ]
    ids, sums = native.check(pages, openings)
    assert ids == small.made.ids + page.made.ids
    assert sums == small.made.sums + page.made.sums
    bad = replace(openings[0], amount=1)
    with pytest.raises(native.OpeningRejected) as caught:
        native.check(pages, [openings[1], bad])
    assert (caught.value.index, caught.value.code) == (1, "inclusion.wrong-amount")
    spoiled = replace(pages[1], argument=page.argument[:-32] + bytes(32))
    with pytest.raises(native.PageRejected) as rejected:
        native.check([pages[0], spoiled], [bad])
    assert (rejected.value.index, rejected.value.code) == (1, "argument.rejected")
    with pytest.raises(ValueError, match="no page 2"):
        native.check(pages, [replace(bad, page=2)])
    with pytest.raises(ValueError, match="opening: 544 bytes"):
        native.check(pages, [replace(bad, opening=bytes(544))])


def test_nothing_to_check() -> None:
    assert native.check([]) == (b"", b"")


def test_over_a_state_as_vectors_have_it() -> None:
    """What the vectors are checked with is the same code under a state of their own."""
    page, opening = case(16), case(16).opening(5)
    entries = page.made.pages[15:]
    leaves, opened = (MODEL.begin(kind, 0, INDEX).state for kind in ("leaves", "opening"))
    core.leaves_verify(leaves, 16, entries, page.argument)
    with pytest.raises(native.Rejected):
        core.leaves_verify(opened, 16, entries, page.argument)
    given = (page.made.ids, 5, opening.amount, bytes(opening.identity), entries[-33:])
    core.opening_verify(opened, *given, bytes(opening.opening))
    with pytest.raises(native.Rejected):
        core.opening_verify(leaves, *given, bytes(opening.opening))
