"""The forger, told no lies, and the C prover write the same bytes; both verifiers accept them."""

from __future__ import annotations

import os
from array import array
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

import native
import spec.reference as reference
import verifier
from tests.support.forge import INFINITY, N, Opening, Transcript, commit, prove, u
from tests.support.forged_sample import BTC, SPECS, Sample, sample
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
    native.range_verify(state, b, commitments, made, os.urandom(32))


def test_an_argument_over_infinity_is_the_same_bytes(rng: Random) -> None:
    state, secret, salt = (rng.randbytes(32) for _ in range(3))
    made = native.range_prove(state, 128, bytes(16), bytes(32), INFINITY, secret, salt)
    assert made == prove(state, 128, [(0, 0)], secret=secret, salt=salt).encode()
    native.range_verify(state, 128, INFINITY, made, os.urandom(32))


def asset_state(made: Sample, code: str) -> bytes:
    """The transcript after item 3."""
    asset = next(asset for asset in made.forger.assets if asset.code == code)
    transcript = Transcript()
    for label, data in made.forger.items(asset, "page", b"")[:3]:
        transcript.absorb(label, data)
    return transcript.state


def test_pages_are_the_same_bytes(rng: Random) -> None:
    """All pages of a tree of two levels, and what they sum to."""
    secret, salt = rng.randbytes(32), rng.randbytes(32)
    made = sample([BTC], exchange=f"Exchange {rng.getrandbits(64)}", secret=secret, salt=salt)
    asset = made.forger.assets[0]
    state = asset_state(made, "BTC")
    opened, ids = asset.leaves, b""
    for level, pages in enumerate(made.forger.tree(asset)):
        values = array("Q", [v for v, _ in opened])
        blindings = b"".join(u(r, 32) for _, r in opened)
        place = (level, 2, 0, asset.capacity, 16)
        result = native.pages_prove(state, *place, values, blindings, ids, secret, salt)
        assert result[0] == b"".join(page.encode() for page in pages)
        ids, sums = result[1], result[2]
        assert ids == b"".join(page.id for page in pages)
        assert sums == b"".join(page.sum for page in pages)
        opened = [page.opening for page in pages]
        assert list(array("Q", result[3])) == [value for value, _ in opened]
        assert result[4] == b"".join(u(r, 32) for _, r in opened)
        count_last = (48 - 1) % 16 + 1 if level == 0 else 3
        checked = native.pages_verify(state, *place, count_last, result[0], os.urandom(32))
        assert checked == (ids, sums)


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
