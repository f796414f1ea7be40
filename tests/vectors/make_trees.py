"""Vectors of bundles whose fault is in the pages or the links between them.

A lie is told at one step, and everything built on it is honest: ids, sums, arguments, manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.support import leaves_forge
from tests.support.bases import (
    Files,
    base,
    base_files,
    derived,
    forged,
)
from tests.support.forge import HONEST, INFINITY, Bend, N, Opening, combine, u
from tests.support.forged_sample import BTC, ETH, TETHER, Sample, Spec, sample
from tests.support.forger import Leaf, Lies, Page
from tests.support.leaves_forge import Prover, Reader, Shape
from tests.support.vector import Vector
from tests.vectors.make_arguments import point_faults
from tests.vectors.make_leaves import MOVED, own_digits, sum_low

Edit = Callable[[bytes], bytes]
Restate = Callable[[bytes, Opening], tuple[bytes, Opening]]
Place = tuple[str, int, int]
"""Code of the asset, level, index of a page."""


def at(place: Place, change: Callable[[Page], Page]) -> Lies:
    """Change one page before its id is taken."""

    def page(code: str, made: Page) -> Page:
        return change(made) if (code, made.level, made.index) == place else made

    return Lies(page=page)


def bent(place: Place, bend: Bend, kind: str = "sums") -> Lies:
    """Bend one argument that is not over leaves."""

    def argument(code: str, of: str, level: int, index: int) -> Bend:
        return bend if (of, code, level, index) == (kind, *place) else HONEST

    return Lies(argument=argument)


def bent_leaves(code: str, index: int, bend: leaves_forge.Bend) -> Lies:
    """Bend one page of leaves."""

    def leaves(of: str, at: int) -> leaves_forge.Bend:
        return bend if (of, at) == (code, index) else leaves_forge.HONEST

    return Lies(leaves=leaves)


def changed_leaf(spec: Spec, changed: dict[int, int]) -> Sample:
    """A sample rich enough for any leaf, with the amounts of some leaves of an asset replaced."""
    rich = replace(BTC, holdings=(("p2wpkh", "", 2**70),))
    made = sample([rich, ETH, TETHER])
    asset = next(asset for asset in made.forger.assets if asset.code == spec.code)
    for place, amount in changed.items():
        asset.leaves[place] = Leaf(amount, asset.leaves[place].identity)
    return made


def cut(data: bytes, start: int, put: bytes) -> bytes:
    return data[:start] + put + data[start + len(put) :]


def files_of_pages() -> Iterator[Vector]:
    honest = base_files("honest")

    def changed(
        name: str, description: str, code: str, replaced: dict[str, bytes | None], **content: Any
    ) -> Vector:
        files: dict[str, bytes] = {}
        for path in honest.keys() | replaced.keys():
            data = replaced.get(path, honest.get(path))
            if data is not None:
                files[path] = data
        return derived(name, description, "files", code, files, **content)

    level0 = honest["pages/BTC/0"]
    page = len(level0) // 3
    unexpected, missing, length = (
        "bundle.unexpected-file",
        "bundle.missing-file",
        "page.bad-file-length",
    )
    yield changed("unexpected-root", "A file beside the manifest.", unexpected, {"README": b"hi"})
    yield changed("unexpected-hidden", "A hidden file.", unexpected, {"pages/.keep": b""})
    yield changed("unexpected-level", "A level too many.", unexpected, {"pages/BTC/2": b"x"})
    yield changed(
        "unexpected-argument",
        "Arguments of a level too many.",
        unexpected,
        {"arguments/BTC/2": b"x"},
    )
    yield changed(
        "unexpected-asset",
        "Evidence of an asset that is not in the manifest.",
        unexpected,
        {"evidence/XMR.msgpack": b"x"},
    )
    yield changed(
        "unexpected-folder",
        "Pages of an asset that is not in the manifest.",
        unexpected,
        {"pages/XMR/0": b"x"},
    )
    yield changed("unexpected-name", "A level called 00.", unexpected, {"pages/BTC/00": level0})
    yield changed(
        "file-for-folder",
        "A file where a folder should be.",
        unexpected,
        {"pages/BTC/0": None, "pages/BTC/1": None, "pages/BTC": b"x"},
    )
    yield changed(
        "folder-for-file",
        "A folder where a file should be.",
        unexpected,
        {"pages/BTC/1": None, "pages/BTC/1/0": b"x"},
    )
    yield changed(
        "missing-evidence", "Evidence is missing.", missing, {"evidence/ETH.msgpack": None}
    )
    yield changed("missing-level", "The root's level is missing.", missing, {"pages/BTC/1": None})
    yield changed("missing-leaves", "The leaves are missing.", missing, {"pages/USDT/0": None})
    for name, path in (
        ("record", "arguments.msgpack"),
        ("record-signature", "arguments.sig"),
        ("arguments", "arguments/BTC/0"),
        ("root-argument", "arguments/BTC/1"),
        ("solvency", "arguments/ETH/solvency"),
    ):
        text = f"{name.replace('-', ' ').capitalize()}: the file is missing."
        yield changed(f"missing-{name}", text, missing, {path: None})
    yield changed("length-empty", "A level is empty.", length, {"pages/BTC/0": b""})
    yield changed(
        "length-short", "A level lacks its last byte.", length, {"pages/BTC/0": level0[:-1]}
    )
    yield changed(
        "length-long", "A level has a byte too many.", length, {"pages/BTC/0": level0 + b"\x00"}
    )
    yield changed("length-page-less", "A page is missing.", length, {"pages/BTC/0": level0[:-page]})
    yield changed(
        "length-page-more",
        "A page is there twice.",
        length,
        {"pages/BTC/0": level0 + level0[-page:]},
    )
    yield changed(
        "length-root", "The root's level holds leaves.", length, {"pages/BTC/1": level0[:page]}
    )
    yield changed(
        "page-swapped",
        "Two pages are swapped.",
        "page.bad-header",
        {"pages/BTC/0": level0[page:-page] + level0[:page] + level0[-page:]},
        place=("BTC", 0, 0),
    )
    yield changed(
        "page-twice",
        "A page stands in the place of another.",
        "page.bad-header",
        {"pages/BTC/0": level0[:page] * 2 + level0[-page:]},
        place=("BTC", 0, 1),
    )
    yield changed(
        "page-of-another-asset",
        "The pages of another asset.",
        "page.wrong-root-id",
        {"pages/ETH/0": honest["pages/USDT/0"]},
    )
    for name, description, offset in (
        ("node", "A bit of a node is flipped.", page + 15),
        ("sum", "The sign of a page's sum is flipped.", page + 47),
        ("vector", "The sign of a vector is flipped.", page + 80),
    ):
        yield changed(
            f"page-flipped-{name}",
            f"{description} Its argument does not fit it either, and convicts nobody.",
            "page.wrong-child-id",
            {"pages/BTC/0": cut(level0, offset, bytes([level0[offset] ^ 1]))},
            place=("BTC", 1, 0),
        )


def headers() -> Iterator[Vector]:
    for name, description, change in (
        ("magic", "Another magic.", lambda page: replace(page, magic=b"ASPH")),
        ("version", "Page version 2.", lambda page: replace(page, version=2)),
        (
            "level",
            "A page of leaves says that it is of level 1.",
            lambda page: replace(page, level=1),
        ),
        ("index", "Another index.", lambda page: replace(page, index=0)),
        ("count", "Another count.", lambda page: replace(page, count=15)),
        ("count-zero", "A count of 0.", lambda page: replace(page, count=0)),
    ):
        yield derived(
            f"header-{name}",
            description,
            "page headers",
            "page.bad-header",
            forged(at(("BTC", 0, 1), change)),
            place=("BTC", 0, 1),
        )
    low = at(("BTC", 1, 0), lambda page: replace(page, level=0))
    yield derived(
        "header-root-level",
        "The root says that it is of level 0.",
        "an inner node shown as a leaf",
        "page.bad-header",
        forged(low),
        place=("BTC", 1, 0),
    )


def encodings() -> Iterator[Vector]:
    def entry(bad: bytes) -> Callable[[Page], Page]:
        return lambda page: replace(page, entries=page.entries[:-33] + bad)

    def point(offset: int, bad: bytes) -> Callable[[Page], Page]:
        return lambda page: replace(page, argument=cut(page.argument, offset, bad))

    for name, text, bad in point_faults():
        yield derived(
            f"page-point-{name}",
            f"A vector is {text}.",
            "encodings",
            "page.bad-point",
            forged(at(("BTC", 0, 2), entry(bad))),
            place=("BTC", 0, 2),
        )
    yield derived(
        "page-point-sum",
        "A page's sum is infinity.",
        "encodings",
        "page.bad-point",
        forged(
            at(("BTC", 0, 2), lambda page: replace(page, entries=cut(page.entries, 32, INFINITY)))
        ),
        place=("BTC", 0, 2),
    )
    yield derived(
        "page-point-root",
        "A sum in the root is infinity.",
        "encodings",
        "page.bad-point",
        forged(at(("BTC", 1, 0), entry(INFINITY))),
        place=("BTC", 1, 0),
    )
    shape = Shape(16)
    points = shape.points
    for name, offset in (("first", 0), ("last", 33 * (points - 1))):
        _, text, bad = point_faults()[1]
        yield derived(
            f"page-argument-point-{name}",
            f"The {name} point of an argument is {text}.",
            "encodings",
            "argument.bad-point",
            forged(at(("BTC", 0, 1), point(offset, bad))),
            place=("BTC", 0, 1),
        )
    for name, offset in (("first", 33 * points), ("last", 33 * points + 32 * (shape.columns + 20))):
        yield derived(
            f"page-argument-scalar-{name}",
            f"The {name} scalar of an argument is n.",
            "encodings",
            "argument.bad-scalar",
            forged(at(("BTC", 0, 1), point(offset, N.to_bytes(32, "big")))),
            place=("BTC", 0, 1),
        )


def false_leaves() -> Iterator[Vector]:
    source = "values out of range"
    for name, description, code, digits, value in (
        ("negative", "A leaf of -5, as one digit.", "BTC", [-5], None),
        ("minus-one", "A leaf of -1 with the bits of 2^64 - 1.", "BTC", [1] * 64, -1),
        ("large", "A leaf of 2^64 with its low bits.", "BTC", [], 2**64),
        ("offset", "A customer's debt of 1 ETH lowers the total.", "ETH", [-(10**9)], None),
    ):
        index = 1 if code == "BTC" else 0
        bend = leaves_forge.bent({"witness": own_digits(3, digits, value=value)})
        made = changed_leaf(BTC, {})
        made.forger.lies = bent_leaves(code, index, bend)
        yield derived(
            f"leaf-{name}",
            description,
            source,
            "argument.rejected",
            made.forger.bundle(),
            place=(code, 0, index),
        )
    for equation, stages in MOVED.items():
        bend = leaves_forge.bent({"witness": sum_low} | stages)
        index, files = solvable(bend)
        yield derived(
            f"page-sum-low-equation-{equation}",
            f"A page's sum is one less than its leaves; equation {equation} alone is false.",
            "the residual moved into each equation",
            "argument.rejected",
            files,
            place=("BTC", 0, index),
        )
    made = changed_leaf(BTC, {16 + k: 2**63 for k in (1, 2)})
    for residual in (1, 2, 3, 4):
        made.forger.lies = bent(("BTC", 1, 0), Bend(residual=residual))
        yield derived(
            f"sum-too-large-equation-{residual}",
            f"A page's leaves sum to 2^64 and more; in the root equation {residual} is false.",
            "a sum of 2^64 or more",
            "argument.rejected",
            made.forger.bundle(),
            place=("BTC", 1, 0),
        )
    opposite = replace(ETH, capacity=2, blindings=((0, 5), (1, N - 5)))
    lies = Lies(root=lambda code, page_id, opening: (page_id, (0, 5)))
    yield derived(
        "infinite-sum",
        "Two pages whose sums add up to infinity.",
        "encodings",
        "page.infinite-sum",
        forged(lies, [opposite], {}),
        place=("ETH", 1, 0),
    )


def solvable(bend: leaves_forge.Bend) -> tuple[int, Files]:
    """The first page of BTC for which the square root is there that a bend needs."""
    for index in range(3):
        try:
            return index, forged(bent_leaves("BTC", index, bend))
        except ValueError:
            continue
    raise ValueError("no square root")


def batches() -> Iterator[Vector]:
    """Errors of two pages that cancel where equations are added without weights of their own."""

    def nudge(index: int, by: int) -> Callable[[Page], Page]:
        def change(page: Page) -> Page:
            old = int.from_bytes(page.argument[-64:-32], "big")
            moved = page.argument[:-64] + u((old + by) % N, 32) + page.argument[-32:]
            return replace(page, argument=moved)

        return change

    changes = {0: nudge(0, 1), 1: nudge(1, -1)}
    lies = Lies(
        page=lambda code, page: (
            changes[page.index](page)
            if (code, page.level) == ("BTC", 0) and page.index in changes
            else page
        )
    )
    yield derived(
        "cancelling-responses",
        "u_Δ of two pages moved by 1 and -1.",
        "errors that cancel",
        "argument.rejected",
        forged(lies),
        place=("BTC", 0, 0),
    )
    yield derived(
        "cancelling-announcement",
        "A false page, whose error the next page's Ȳ takes up.",
        "errors that cancel",
        "argument.rejected",
        cancelling(),
        place=("BTC", 0, 0),
    )


def cancelling() -> Files:
    """Page 0 of BTC has a sum too low; the equations of pages 0 and 1, added, hold."""
    forger = sample().forger
    low = leaves_forge.bent({"witness": sum_low})
    forger.lies = bent_leaves("BTC", 0, low)
    asset = forger.assets[0]
    page = forger.tree(asset)[0][0]
    state = forger.place(asset, index=0).state("leaves")
    error = Reader(16).residuals(state, page.entries, page.argument)[4]

    def take_up(it: Prover) -> None:
        it.announcements[3] = combine([(1, it.announcements[3]), (-1, error)])

    bends = {0: low, 1: leaves_forge.bent({"announced": take_up})}
    forger.lies = Lies(
        leaves=lambda code, index: (
            bends.get(index, leaves_forge.HONEST) if code == "BTC" else leaves_forge.HONEST
        )
    )
    return forger.bundle()


def links() -> Iterator[Vector]:
    """What the root of BTC says of its three children."""
    forger = base("honest").forger
    first, second, _ = forger.tree(forger.assets[0])[0]
    wrong_id, wrong_sum = "page.wrong-child-id", "page.wrong-child-sum"
    cases: list[tuple[str, str, str, int, Restate]] = [
        (
            "twice",
            "The root names child 0 again.",
            wrong_id,
            1,
            lambda i, c: (first.id, first.opening),
        ),
        (
            "other-id",
            "The root names child 1 and states the sum of child 0.",
            wrong_id,
            0,
            lambda i, c: (second.id, c),
        ),
        (
            "short-id",
            "The root names the first 8 bytes of an id.",
            wrong_id,
            0,
            lambda i, c: (i[:8] + bytes(24), c),
        ),
        (
            "blinding",
            "The sum of another blinding factor.",
            wrong_sum,
            1,
            lambda i, c: (i, (c[0], c[1] + 1)),
        ),
        ("zero", "The root states a sum of zero.", wrong_sum, 0, lambda i, c: (i, (0, 77))),
    ]
    for child in (0, 2):
        cases += [
            (
                f"id-{child}",
                "The id is wrong, the sum right.",
                wrong_id,
                child,
                lambda i, c: (bytes(32), c),
            ),
            (
                f"sum-{child}",
                "The id is right, the sum wrong by one unit.",
                wrong_sum,
                child,
                lambda i, c: (i, (abs(c[0] - 1), c[1])),
            ),
        ]
    for name, description, code, child, edit in cases:

        def lie(
            of: str,
            level: int,
            index: int,
            page_id: bytes,
            opening: Opening,
            child: int = child,
            edit: Restate = edit,
        ) -> tuple[bytes, Opening]:
            told = (of, level, index) == ("BTC", 0, child)
            return edit(page_id, opening) if told else (page_id, opening)

        yield derived(
            f"child-{name}",
            description,
            "tree links",
            code,
            forged(Lies(child=lie)),
            place=("BTC", 1, 0),
        )
    yield derived(
        "page-renumbered",
        "Page 0 again as page 1, its header made to fit.",
        "replays",
        "argument.rejected",
        forged(at(("BTC", 0, 1), lambda page: replace(first, index=1))),
        place=("BTC", 0, 1),
    )


def roots() -> Iterator[Vector]:
    def lie(edit: Restate) -> Files:
        return forged(
            Lies(
                root=lambda code, page_id, opening: (
                    edit(page_id, opening) if code == "ETH" else (page_id, opening)
                )
            )
        )

    source = "C_L and the root"
    yield derived(
        "root-id",
        "The manifest names another root page.",
        source,
        "page.wrong-root-id",
        lie(lambda page_id, opening: (bytes(32), opening)),
    )
    yield derived(
        "root-sum",
        "C_L is of one unit less than the root's sum.",
        source,
        "page.wrong-root-sum",
        lie(lambda page_id, opening: (page_id, (opening[0] - 1, opening[1]))),
    )
    yield derived(
        "root-sum-zero",
        "C_L is of zero; the solvency argument fits it.",
        source,
        "page.wrong-root-sum",
        lie(lambda page_id, opening: (page_id, (0, opening[1]))),
    )
    yield derived(
        "root-sum-blinding",
        "C_L has another blinding factor.",
        source,
        "page.wrong-root-sum",
        lie(lambda page_id, opening: (page_id, (opening[0], opening[1] + 1))),
    )


def vectors() -> Iterator[Vector]:
    for maker in (
        files_of_pages,
        headers,
        encodings,
        false_leaves,
        batches,
        links,
        roots,
    ):
        yield from maker()
