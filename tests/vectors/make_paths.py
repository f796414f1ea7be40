"""Vectors of leaves that are not the customer's, and of faults on the way to the root."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from tests.support.bases import Files, base, base_files, forged
from tests.support.forge import INFINITY, Bend, N, Opening, u
from tests.support.forged_sample import ALICE, BOB, BTC, Sample, account_key, sample
from tests.support.forger import Asset, Fields, Leaf, Lies, Page, known
from tests.support.leaves_forge import Opened, bent, open_leaf, path_of
from tests.support.vector import Vector
from tests.vectors.make_inclusions import ALL_OF_ALICE, Edit, drop, parts_of, shown
from tests.vectors.make_leaves import own_digits, sum_low
from tests.vectors.make_trees import at, bent_leaves, cut
from tests.vectors.make_trees import bent as bent_sums


def asset_of(made: Sample, code: str) -> Asset:
    return next(asset for asset in made.forger.assets if asset.code == code)


def shows(code: str, number: int, leaf: int, amount: int | None = None) -> Edit:
    """An edit that shows another leaf: its place, path and an opening of its amount, or another."""

    def edit(fields: Fields) -> None:
        made = base("honest")
        asset = asset_of(made, code)
        index, slot = divmod(leaf, asset.page_size)
        page = made.forger.tree(asset)[0][index]
        opened = made.forger.opened(asset, page, slot, amount)
        parts_of(fields, code)[number].update(
            amount=opened.amount or 1,
            leaf=leaf,
            opening=open_leaf(opened, made.forger.keys),
            path=b"".join(path_of(known(page).identities, slot)),
        )

    return edit


def changed(number: int, field: str, change: Callable[[bytes], bytes]) -> Edit:
    """An edit of the path or the opening of a part in BTC."""

    def edit(fields: Fields) -> None:
        part = parts_of(fields)[number]
        part[field] = change(part[field])

    return edit


def identities() -> Iterator[Vector]:
    source, code = "one leaf for two", "inclusion.wrong-identity"
    alice, bob = base("honest").parts[ALICE], base("honest").parts[BOB]
    alices_leaf, bobs_leaf = alice["ETH"][0][0], bob["ETH"][0][0]
    first, second = (leaf for leaf, _ in alice["BTC"])

    def exchange(fields: Fields) -> None:
        shows("BTC", 0, second)(fields)
        shows("BTC", 1, first)(fields)

    def whole(fields: Fields) -> None:
        parts_of(fields, "USDT").append({"part": 0})
        shows("USDT", 0, 3)(fields)

    wrong: list[tuple[str, str, Edit]] = [
        (
            "leaf-of-equal",
            "Of two customers with equal balances one is shown the other's leaf.",
            shows("ETH", 0, bobs_leaf),
        ),
        (
            "other-leaf",
            "The next leaf.",
            lambda f: parts_of(f)[0].update(leaf=(parts_of(f)[0]["leaf"] + 1) % 48),
        ),
        (
            "next-page",
            "The leaf of the same number in the next page.",
            lambda f: parts_of(f)[0].update(leaf=(parts_of(f)[0]["leaf"] + 16) % 48),
        ),
        ("other-key", "Another account key.", lambda f: f.update(account_key=bytes(32))),
        ("parts-swapped", "The leaves of two parts are exchanged.", exchange),
        ("omitted", "A customer without leaves is shown a leaf of 0.", whole),
        (
            "bent-sibling",
            "A bit of a sibling is flipped.",
            changed(0, "path", lambda path: path[:-1] + bytes([path[-1] ^ 1])),
        ),
        (
            "siblings-swapped",
            "Two siblings are exchanged.",
            changed(0, "path", lambda path: path[32:64] + path[:32] + path[64:]),
        ),
        (
            "path-reversed",
            "The path is told from the node down.",
            changed(0, "path", lambda path: b"".join(path[i : i + 32] for i in (96, 64, 32, 0))),
        ),
    ]
    for name, description, edit in wrong:
        yield shown(name, description, source, code, edit=edit)

    def as_bob(fields: Fields) -> None:
        drop("BTC", "USDT")(fields)
        fields["account_key"] = account_key(ALICE)
        shows("ETH", 0, alices_leaf)(fields)

    yield shown(
        "leaf-and-key-of-equal",
        "The same, with the other's account key: the id still differs.",
        source,
        code,
        owner=BOB,
        edit=as_bob,
        balances={"ETH": "3.5"},
    )
    for name, more in (("256", 256), ("64-bits", 2**32)):
        yield shown(
            f"leaf-{name}",
            f"A leaf's number with {more} more.",
            source,
            "package.bad-leaf",
            edit=lambda f, more=more: parts_of(f)[0].update(leaf=parts_of(f)[0]["leaf"] + more),  # type: ignore[misc]
        )
    yield other_node()


def other_node() -> Vector:
    """One balance for two: a stranger's leaf under the identity of the leaf 64 places before."""
    made = sample([replace(BTC, capacity=1, page_size=256)])
    forger, asset = made.forger, made.forger.assets[0]
    own, amount = made.parts[ALICE]["BTC"][0]
    stranger = (own + 64) % 256
    asset.leaves[stranger] = Leaf(amount, asset.leaves[stranger].identity)
    page = forger.tree(asset)[0][0]
    opened = replace(forger.opened(asset, page, stranger), identity=asset.leaves[own].identity)

    def edit(fields: Fields) -> None:
        part = parts_of(fields)[0]
        part.update(leaf=stranger, opening=open_leaf(opened, forger.keys))

    files = forger.bundle()
    return shown(
        "other-node",
        "The path leads to a node of the page, which is not the one of the leaf's number.",
        "one leaf for two",
        "inclusion.wrong-identity",
        of="pages-of-256",
        files=files,
        data=made.package(files["manifest.msgpack"], ALICE, edit),
        balances={"BTC": "1.75000001"},
        control={"node": "any"},
    )


def openings() -> Iterator[Vector]:
    source, code = "openings", "inclusion.wrong-amount"
    first = base("honest").parts[ALICE]["BTC"][0]
    wrong: list[tuple[str, str, Edit]] = [
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
            "amount-opened",
            "An opening made for one unit more.",
            shows("BTC", 0, first[0], first[1] + 1),
        ),
        ("openings-swapped", "The openings of two parts are exchanged.", swap_openings),
    ]
    for name, description, edit in wrong:
        yield shown(name, description, source, code, edit=edit)
    for name, description, code, change in (
        ("point", "R is infinity.", "opening.bad-point", lambda data: INFINITY + data[33:]),
        ("scalar", "A scalar is n.", "opening.bad-scalar", lambda data: data[:-32] + u(N, 32)),
        (
            "flipped",
            "A bit of an opening is flipped.",
            "inclusion.wrong-amount",
            lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        ),
    ):
        edit = changed(1, "opening", change)
        yield shown(f"opening-{name}", description, source, code, edit=edit)
    yield shown(
        "identity-before-opening",
        "A sibling and R are bent: the identity is named.",
        "order of checks",
        "inclusion.wrong-identity",
        edit=lambda f: parts_of(f)[0].update(path=bytes(128), opening=INFINITY + bytes(512)),
    )
    yield shown(
        "bent-against-each-other",
        "Two openings whose faults cancel under weights that are hashed without responses.",
        "errors that cancel",
        "inclusion.wrong-amount",
        edit=cancelling,
        balances=ALL_OF_ALICE | {"BTC": "1.75000001"},
        control={"weights": "hashed"},
    )


def swap_openings(fields: Fields) -> None:
    first, second = parts_of(fields)
    first["opening"], second["opening"] = second["opening"], first["opening"]


def hashed_weights(states: Sequence[bytes]) -> list[int]:
    """Weights of a reader that hashes transcript states, in which responses are not."""
    whole = b"".join(states)
    return [
        int.from_bytes(sha256(whole + u(at, 4)).digest(), "big") % N for at in range(len(states))
    ]


def drawn(opened: Opened, announcement: bytes) -> tuple[bytes, int]:
    """State and challenge of an opening, as `opened` is shown."""
    transcript = opened.start()
    transcript.absorb("announcement", announcement)
    c = transcript.challenge("c")
    return transcript.state, c


def cancelling(fields: Fields) -> None:
    """The first part's amount is 10^9 too much; the second part's opening takes that up."""
    made = base("honest")
    asset, keys = made.forger.assets[0], made.forger.keys
    pages = made.forger.tree(asset)[0]
    parts = parts_of(fields)
    true = [
        made.forger.opened(asset, pages[part["leaf"] // 16], part["leaf"] % 16) for part in parts
    ]
    more = 10**9
    shown = [replace(true[0], amount=true[0].amount + more), true[1]]
    opening = [open_leaf(opened, keys) for opened in true]
    states, challenges = zip(
        *(drawn(opened, data[:33]) for opened, data in zip(shown, opening, strict=True)),
        strict=True,
    )
    weights = hashed_weights(states)
    # The first one's responses fit the challenge of the false amount.
    _, honest = drawn(true[0], opening[0][:33])
    z = [
        (scalar + (challenges[0] - honest) * value) % N
        for scalar, value in zip(scalars(opening[0]), [*true[0].mates(), true[0].rho], strict=True)
    ]
    bent_z = scalars(opening[1])
    slots = [slot for slot in range(16) if slot != true[1].slot]
    left = weights[0] * challenges[0] * more * pow(weights[1], -1, N)
    bent_z[slots.index(true[0].slot)] -= left
    for part, opened, data, responses in zip(parts, shown, opening, (z, bent_z), strict=True):
        part["amount"] = opened.amount
        part["opening"] = data[:33] + b"".join(u(scalar % N, 32) for scalar in responses)


def scalars(opening: bytes) -> list[int]:
    return [int.from_bytes(opening[at : at + 32], "big") for at in range(33, len(opening), 32)]


def without_arguments(files: Files, keep: Sequence[str] = ()) -> Files:
    """A bundle whose exchange has not argued yet."""
    return {
        path: data
        for path, data in files.items()
        if not path.startswith("arguments") or path in keep
    }


def not_proved() -> Iterator[Vector]:
    source, code = "not proved yet", "check.not-proved"
    honest = base_files("honest")
    bare = without_arguments(honest)
    yield shown("not-proved", "There are no arguments yet.", source, code, files=bare)
    some = without_arguments(honest, ["arguments/BTC/0", "arguments/BTC/1", "arguments.sig"])
    yield shown("not-proved-some", "Some arguments are there.", source, code, files=some)
    spoilt = dict(some) | {"arguments/BTC/0": b"x"}
    text = "Some arguments are there, and one file is spoilt: none is looked at."
    yield shown("not-proved-spoilt", text, source, code, files=spoilt)
    all_there = without_arguments(honest, [path for path in honest if path.count("/")])
    counted = {"BTC": "175000001", "ETH": "3500000000", "USDT": "0"}
    yield shown(
        "proved-without-record",
        "All arguments are there, and no record, which the light check does not read.",
        source,
        None,
        files=all_there,
        counted=counted,
        not_compared=[],
    )
    first = "arguments.msgpack"
    recorded = dict(bare) | {first: honest[first]}
    missing = "bundle.missing-file"
    text = "The record is there, and no arguments."
    yield shown("record-without-arguments", text, source, missing, files=recorded)
    for name, description, code, edit in (
        (
            "amount",
            "An amount of one unit more, and no arguments.",
            "inclusion.wrong-amount",
            lambda f: parts_of(f)[0].update(amount=parts_of(f)[0]["amount"] + 1),
        ),
        ("short", "A part was left out.", "inclusion.balance-short", lambda f: parts_of(f).pop()),
    ):
        yield shown(f"not-proved-{name}", description, source, code, files=bare, edit=edit)
    nobody = {"BTC": "0", "ETH": "0", "USDT": "0"}
    yield shown(
        "not-proved-nothing",
        "There are no arguments, and nothing that they would prove.",
        source,
        None,
        files=bare,
        owner="carol@example.com",
        balances={"BTC": "0"},
        counted=nobody,
        not_compared=[],
    )
    # A debt in the sixteenth slot: fifteen openings hold.
    debt = own_digits(15, [-(10**15)])
    made = sample(lies=bent_leaves("ETH", 0, bent({"witness": debt})))
    files = made.forger.bundle()
    package = made.package(files["manifest.msgpack"], ALICE)
    for name, held, code in (
        ("debt", files, "argument.rejected"),
        ("debt-not-proved", without_arguments(files), "check.not-proved"),
    ):
        yield shown(
            name,
            "A leaf of -10^15 in the customer's vector, whose other openings all hold.",
            "an opening alone",
            code,
            files=held,
            data=package,
        )


def tree_page(index: int) -> Page:
    """A page of BTC's leaves."""
    forger = base("honest").forger
    return forger.tree(forger.assets[0])[0][index]


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
            "The sum is infinity.",
            "page.bad-point",
            {"pages/BTC/0": cut(level0, start + 47, INFINITY)},
        ),
        (
            "missing-arguments",
            "The arguments of the leaves are missing.",
            "bundle.missing-file",
            {"arguments/BTC/0": None},
        ),
        (
            "arguments-short",
            "The arguments of the root's level lack a byte.",
            "bundle.wrong-argument",
            {"arguments/BTC/1": honest["arguments/BTC/1"][:-1]},
        ),
        (
            "argument-flipped",
            "A bit of an argument is flipped, which convicts nobody yet.",
            "argument.rejected",
            {
                "arguments/BTC/0": cut(
                    honest["arguments/BTC/0"],
                    3973 * index + 3972,
                    bytes([honest["arguments/BTC/0"][3973 * index + 3972] ^ 1]),
                )
            },
        ),
    ):
        files = {path: data for path, data in (dict(honest) | replaced).items() if data is not None}
        yield shown(f"path-{name}", description, source, code, files=files)

    forger = base("honest").forger
    eth = next(asset for asset in forger.assets if asset.code == "ETH")
    own = replace(eth, leaves=[Leaf(0, bytes([at]) * 32) for at in range(len(eth.leaves))])
    mirrored = forger.tree(own)[0][0]
    yield shown(
        "path-page-of-a-mirror",
        "Who serves the files puts a page of its own there, whose argument holds.",
        source,
        "page.wrong-root-id",
        files=dict(honest)
        | {"pages/ETH/0": mirrored.encode(), "arguments/ETH/0": mirrored.argument},
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
        bent_leaves("BTC", index, bent({"witness": sum_low})),
    )
    yield of_lies(
        "root-argument",
        "The root's argument is false.",
        "argument.rejected",
        bent_sums(("BTC", 1, 0), Bend(digits=(1,) * 256)),
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
    for maker in (identities, openings, not_proved, paths):
        yield from maker()
