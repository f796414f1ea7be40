"""The forger, told no lies, and the C prover write the same bytes; both verifiers accept them."""

from __future__ import annotations

from array import array
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

import native
import spec.reference as reference
import verifier
from tests.support.forge import INFINITY, N, Opening, commit, prove, u
from tests.support.forged_sample import BTC, SPECS, Sample, sample
from tests.support.forger import known
from tests.support.leaves_forge import Keys, open_leaf, path_of
from tests.support.subjects import write_files


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


def test_pages_are_the_same_bytes(rng: Random) -> None:
    """All pages and arguments of a tree of two levels, what they sum to, and openings of leaves."""
    keys = Keys(*(rng.randbytes(32) for _ in range(4)))
    made = sample([BTC], exchange=f"Exchange {rng.getrandbits(64)}", keys=keys)
    forger, asset = made.forger, made.forger.assets[0]
    tree, levels = forger.place(asset).core(), forger.tree(asset)
    amounts = array("Q", [leaf.amount for leaf in asset.leaves])
    identities = b"".join(leaf.identity for leaf in asset.leaves)
    leaves = native.leaves_commit(tree, 0, amounts, identities, keys.entries, keys.salt)
    openings = [page.opening for page in levels[0]]
    values = array("Q", [value for value, _ in openings])
    blindings = b"".join(u(r, 32) for _, r in openings)
    children = leaves.ids, leaves.sums, values, blindings
    sums = native.sums_commit(tree, 1, 0, *children)
    witnesses = [
        (leaves.pages, amounts, leaves.vector_blindings, leaves.sum_blindings),
        (sums.pages, values, blindings, b""),
    ]
    for level, (committed, witness) in enumerate(zip((leaves, sums), witnesses, strict=True)):
        pages = levels[level]
        assert committed.pages == b"".join(page.encode() for page in pages)
        assert committed.ids == b"".join(page.id for page in pages)
        assert committed.sums == b"".join(page.sum for page in pages)
        assert committed.sum_blindings == b"".join(u(page.opening[1], 32) for page in pages)
        arguments = native.pages_argue(tree, level, 0, *witness, keys.argument, keys.salt)
        assert arguments == b"".join(page.argument for page in pages)
        checked = native.pages_check(tree, level, 0, committed.pages, arguments)
        assert checked == (committed.ids, committed.sums)
    assert_openings(made, leaves, amounts, identities)


def assert_openings(
    made: Sample, leaves: native.Committed, amounts: array[int], identities: bytes
) -> None:
    """Both ways of making openings of the leaves of page 1 give the forger's bytes."""
    forger, asset = made.forger, made.forger.assets[0]
    page = forger.tree(asset)[0][1]
    numbers = [0, 7, 15]
    expected = b"".join(open_leaf(forger.opened(asset, page, at), forger.keys) for at in numbers)
    opened = native.PageToOpen(
        forger.place(asset).core(),
        1,
        page.encode(),
        amounts[16:32],
        identities[512:1024],
        leaves.vector_blindings[32:64],
        array("I", numbers),
    )
    for bulk in (False, True):
        secrets = forger.keys.opening, forger.keys.salt
        openings, paths = native.openings_make([opened], *secrets, bulk=bulk)
        assert openings == expected
        siblings = [path_of(known(page).identities, at) for at in numbers]
        assert paths == b"".join(b"".join(path) for path in siblings)


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
