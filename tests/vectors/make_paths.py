"""Vectors of leaves that do not open, and of faults on the way from a leaf to the root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.support.bases import base, base_files, forged
from tests.support.forge import INFINITY, Bend, N, Opening
from tests.support.forged_sample import ALICE, BOB, account_key
from tests.support.forger import Fields, Lies, Page
from tests.support.vector import Vector
from tests.vectors.make_inclusions import Edit, drop, parts_of, shown
from tests.vectors.make_trees import at, bent, cut


def openings() -> Iterator[Vector]:
    source, code = "one leaf for two", "inclusion.wrong-opening"
    alice, bob = base("honest").parts[ALICE], base("honest").parts[BOB]
    alices_leaf, bobs_leaf = alice["ETH"][0][0], bob["ETH"][0][0]
    wrong: list[tuple[str, str, Edit]] = [
        (
            "leaf-of-equal",
            "Of two customers with equal balances one is shown the other's leaf.",
            lambda f: parts_of(f, "ETH")[0].update(leaf=bobs_leaf),
        ),
        (
            "amount-more",
            "An amount of one unit more.",
            lambda f: parts_of(f)[0].update(amount=parts_of(f)[0]["amount"] + 1),
        ),
        (
            "amount-less",
            "An amount of one unit less.",
            lambda f: parts_of(f)[1].update(amount=parts_of(f)[1]["amount"] - 1),
        ),
        (
            "amount-largest",
            "An amount of 2^64 - 1.",
            lambda f: parts_of(f)[0].update(amount=2**64 - 1),
        ),
        (
            "other-leaf",
            "The next leaf.",
            lambda f: parts_of(f)[0].update(leaf=(parts_of(f)[0]["leaf"] + 1) % 48),
        ),
        ("other-key", "Another account key.", lambda f: f.update(account_key=bytes(32))),
        ("parts-swapped", "The leaves of two parts are swapped.", swap_leaves),
        (
            "omitted",
            "A customer without leaves is shown a zero leaf.",
            lambda f: parts_of(f, "USDT").append({"amount": 5, "leaf": 3, "part": 0}),
        ),
    ]
    for name, description, edit in wrong:
        yield shown(name, description, source, code, edit=edit)

    def as_bob(fields: Fields) -> None:
        drop("BTC", "USDT")(fields)
        fields["account_key"] = account_key(ALICE)
        parts_of(fields, "ETH")[0]["leaf"] = alices_leaf

    yield shown(
        "leaf-and-key-of-equal",
        "The same, with the other's account key: the id still differs.",
        source,
        code,
        owner=BOB,
        edit=as_bob,
        balances={"ETH": "3.5"},
    )
    page = alice["BTC"][0][0] // 16

    def inner(fields: Fields) -> None:
        parts_of(fields)[0]["amount"] = tree_page(page).opening[0]

    yield shown(
        "inner-node",
        "The sum of a page is shown as a leaf.",
        "an inner node shown as a leaf",
        code,
        edit=inner,
    )


def tree_page(index: int) -> Page:
    """A page of BTC's leaves."""
    forger = base("honest").forger
    return forger.tree(forger.assets[0])[0][index]


def swap_leaves(fields: Fields) -> None:
    first, second = parts_of(fields)
    first["leaf"], second["leaf"] = second["leaf"], first["leaf"]


def paths() -> Iterator[Vector]:
    """Faults on the path of Alice's first part in BTC, which the light check must see."""
    source = "faults on the path"
    honest = base_files("honest")
    index = base("honest").parts[ALICE]["BTC"][0][0] // 16
    level0 = honest["pages/BTC/0"]
    start = index * (len(level0) // 3)
    for name, description, code, replaced in (
        ("missing-leaves", "The leaves are missing.", "bundle.missing-file", {"pages/BTC/0": None}),
        ("missing-root", "The root is missing.", "bundle.missing-file", {"pages/BTC/1": None}),
        (
            "length",
            "A level has a byte too many.",
            "page.bad-file-length",
            {"pages/BTC/1": honest["pages/BTC/1"] + b"\x00"},
        ),
        (
            "length-less",
            "A page is missing.",
            "page.bad-file-length",
            {"pages/BTC/0": level0[len(level0) // 3 :]},
        ),
        (
            "header",
            "Another magic.",
            "page.bad-header",
            {"pages/BTC/0": cut(level0, start, b"ASPH")},
        ),
        (
            "root-header",
            "Another version of the root.",
            "page.bad-header",
            {"pages/BTC/1": cut(honest["pages/BTC/1"], 4, b"\x00\x02")},
        ),
        (
            "point",
            "Another entry is infinity.",
            "page.bad-point",
            {"pages/BTC/0": cut(level0, start + 15, INFINITY)},
        ),
    ):
        files = {path: data for path, data in (dict(honest) | replaced).items() if data is not None}
        yield shown(f"path-{name}", description, source, code, files=files)

    forger = base("honest").forger
    eth = next(asset for asset in forger.assets if asset.code == "ETH")
    own = replace(eth, leaves=[(0, 1000 + at) for at in range(len(eth.leaves))])
    yield shown(
        "path-page-of-a-mirror",
        "Who serves the files puts a page of its own there, whose argument holds.",
        source,
        "page.wrong-root-id",
        files=dict(honest) | {"pages/ETH/0": forger.tree(own)[0][0].encode()},
    )

    def of_lies(name: str, description: str, code: str, lies: Lies) -> Vector:
        return shown(f"path-{name}", description, source, code, files=forged(lies))

    place = ("BTC", 0, index)

    def in_argument(offset: int, bad: bytes) -> Lies:
        return at(place, lambda page: replace(page, argument=cut(page.argument, offset, bad)))

    end = len(tree_page(index).argument) - 32
    yield of_lies(
        "argument-point",
        "The first point is infinity.",
        "argument.bad-point",
        in_argument(0, INFINITY),
    )
    yield of_lies(
        "argument-scalar",
        "The last scalar is n.",
        "argument.bad-scalar",
        in_argument(end, N.to_bytes(32, "big")),
    )
    yield of_lies(
        "argument",
        "A page's argument is false.",
        "argument.rejected",
        bent(place, Bend(digits=(1,) * 1024)),
    )
    yield of_lies(
        "root-argument",
        "The root's argument is false.",
        "argument.rejected",
        bent(("BTC", 1, 0), Bend(digits=(1,) * 256)),
    )

    def child(edit: Callable[[bytes, Opening], tuple[bytes, Opening]]) -> Lies:
        def lie(
            code: str, level: int, at: int, page_id: bytes, opening: Opening
        ) -> tuple[bytes, Opening]:
            return edit(page_id, opening) if (code, level, at) == place else (page_id, opening)

        return Lies(child=lie)

    yield of_lies(
        "child-id",
        "The root names another page.",
        "page.wrong-child-id",
        child(lambda i, c: (bytes(32), c)),
    )
    yield of_lies(
        "child-sum",
        "The root states less than the page holds.",
        "page.wrong-child-sum",
        child(lambda i, c: (i, (c[0] - 1, c[1]))),
    )
    yield of_lies(
        "child-left-out",
        "The root states that the page holds nothing.",
        "page.wrong-child-sum",
        child(lambda i, c: (i, (0, 1))),
    )

    def root(edit: Callable[[bytes, Opening], tuple[bytes, Opening]]) -> Lies:
        return Lies(root=lambda code, i, c: edit(i, c) if code == "BTC" else (i, c))

    yield of_lies(
        "root-id",
        "The manifest names another root.",
        "page.wrong-root-id",
        root(lambda i, c: (bytes(32), c)),
    )
    yield of_lies(
        "root-sum",
        "C_L is less than the root's sum.",
        "page.wrong-root-sum",
        root(lambda i, c: (i, (c[0] - 1, c[1]))),
    )


def vectors() -> Iterator[Vector]:
    yield from openings()
    yield from paths()
