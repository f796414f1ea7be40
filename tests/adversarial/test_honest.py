"""The forger, told no lies, and the C prover write the same bytes; both verifiers accept them."""

from __future__ import annotations

from array import array
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

import native
import spec.reference as reference
import verifier
from tests.support.forge import INFINITY, N, Opening, commit, prove, u
from tests.support.forged_sample import ALICE, BTC, SPECS, sample
from tests.support.leaves_forge import Keys
from tests.support.subjects import write_files
from tests.support.verifier_bundle import Denominated
from verifier.format import wire
from verifier.format.params import PAGE_SIZES, TreeShape
from verifier.format.statement import tree_of


def openings(rng: Random, m: int, b: int) -> list[Opening]:
    """Values among which the extremes are frequent."""
    values = [
        rng.choice((0, 1, 2**b - 1, rng.getrandbits(b), rng.getrandbits(8))) for _ in range(m)
    ]
    return [(value, rng.randrange(N)) for value in values]


def columns(opened: list[Opening], b: int = 64) -> tuple[bytes, bytes]:
    """Values and blinding factors as the C prover takes them for one argument."""
    values, blindings = zip(*opened, strict=True)
    return b"".join(u(v, b // 8) for v in values), b"".join(u(r, 32) for r in blindings)


@pytest.mark.parametrize(
    ("m", "b"), [(1, 64), (2, 64), (3, 64), (5, 64), (16, 64), (17, 64), (64, 64), (1, 128)]
)
def test_arguments_are_the_same_bytes(m: int, b: int, rng: Random) -> None:
    state, secret, salt = (rng.randbytes(32) for _ in range(3))
    opened = openings(rng, m, b)
    commitments = b"".join(commit(*opening) for opening in opened)
    made = native.range_prove(state, b, *columns(opened, b), commitments, secret, salt)
    assert made == prove(state, b, opened, secret=secret, salt=salt).encode()
    native.range_verify(state, b, commitments, made)


def test_an_argument_over_infinity_is_the_same_bytes(rng: Random) -> None:
    state, secret, salt = (rng.randbytes(32) for _ in range(3))
    made = native.range_prove(state, 128, bytes(16), bytes(32), INFINITY, secret, salt)
    assert made == prove(state, 128, [(0, 0)], secret=secret, salt=salt).encode()
    native.range_verify(state, 128, INFINITY, made)


@pytest.mark.parametrize("size", PAGE_SIZES[:2])
def test_pages_arguments_and_openings_are_the_same_bytes(size: int, rng: Random) -> None:
    """All pages of a tree of two levels, what they sum to, and the packages' parts."""
    secrets = [rng.randbytes(32) for _ in range(4)]
    keys, salt = Keys(*secrets), secrets[3]
    spec = replace(BTC, page_size=size)
    made = sample([spec], exchange=f"Exchange {rng.getrandbits(64)}", keys=keys)
    asset, shape = made.forger.assets[0], TreeShape(spec.capacity, size)
    units = tuple(wire.Unit(*unit) for unit in asset.units)
    tree = tree_of(made.forger.context, Denominated(asset.code, asset.decimals, units), shape)
    amounts = array("Q", [leaf.amount for leaf in asset.leaves])
    identities = b"".join(leaf.identity for leaf in asset.leaves)
    leaves, root = made.forger.tree(asset)
    low = native.leaves_commit(tree, 0, amounts, identities, keys.entries, salt)
    sums = array("Q", memoryview(low.sum_values).cast("Q")[::2].tolist())
    top = native.sums_commit(tree, 1, 0, low.ids, low.sums, sums, low.sum_blindings)
    blindings = low.vector_blindings, low.sum_blindings
    arguments = (
        native.pages_argue(tree, 0, 0, low.pages, amounts, *blindings, keys.argument, salt),
        native.pages_argue(
            tree, 1, 0, top.pages, sums, low.sum_blindings, b"", keys.argument, salt
        ),
    )
    for level, pages, committed in ((0, leaves, low), (1, root, top)):
        assert committed.pages == b"".join(page.encode() for page in pages)
        assert committed.ids == b"".join(page.id for page in pages)
        assert committed.sums == b"".join(page.sum for page in pages)
        assert committed.sum_blindings == b"".join(u(page.opening[1], 32) for page in pages)
        assert arguments[level] == b"".join(page.argument for page in pages)
        checked = native.pages_check(tree, level, 0, committed.pages, arguments[level])
        assert checked == (committed.ids, committed.sums)
    for place, amount in made.parts[ALICE]["BTC"]:
        index, leaf = divmod(place, size)
        part = made.forger.parts(asset, [(place, amount)])[0]

        def of_page(column: Any, each: int, index: int = index) -> Any:
            return column[each * index : each * (index + 1)]

        opened = native.openings_make(
            tree,
            index,
            of_page(low.pages, shape.page_bytes(0, 0)),
            of_page(amounts, size),
            of_page(identities, 32 * size),
            of_page(low.vector_blindings, 2 * size),
            array("I", [leaf]),
            keys.opening,
            salt,
        )
        assert opened == (part["opening"], part["path"])


def test_an_honest_exchange_is_accepted(rng: Random, tmp_path: Path) -> None:
    """A random exchange, by audit and by light check of every customer."""
    customers = {
        f"{rng.getrandbits(40)}@example.com": {
            spec.code: [rng.randrange(1, 10**5) for _ in range(rng.randrange(4))] for spec in SPECS
        }
        for _ in range(3)
    }
    made = sample(customers=customers, snapshot_id=f"s{rng.getrandbits(60)}")
    files = made.forger.bundle()
    bundle = write_files(tmp_path / "bundle", files)
    key = made.forger.public_key
    verifier.audit(bundle, key)
    reference.audit(bundle, key)
    for account, balances in customers.items():
        package = made.package(files["manifest.msgpack"], account)
        typed = {
            spec.code: Decimal(sum(balances[spec.code])).scaleb(-spec.decimals) for spec in SPECS
        }
        report = verifier.check_inclusion(package, bundle, key, account, typed)
        counted = {amount.code: amount.counted for amount in report.amounts}
        assert counted == {code: sum(parts) for code, parts in balances.items()}
