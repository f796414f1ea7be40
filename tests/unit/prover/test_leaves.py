"""Leaves against the words of the spec (protocol.md 2.2 and 2.4), written again in plain Python."""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from prover.config.snapshot_toml import AssetConfig, SplitPolicy
from prover.errors import ProverError
from prover.ledger import Balances
from prover.liabilities import leaves
from prover.liabilities.capacity import choose_capacity
from prover.liabilities.leaves import (
    Accounts,
    Leaves,
    load_openings,
    write_account_keys,
    write_openings,
)
from verifier.format.params import CAPACITIES, GROUP_ORDER
from verifier.format.statement import leaf_blinding
from verifier.format.wire import Ratio

SNAPSHOT_KEY, CONTEXT = b"\x05" * 32, b"\x06" * 32


def mac(key: bytes, purpose: str, *fields: bytes) -> bytes:
    parts = (f"assay/v1/{purpose}".encode(), *fields)
    message = b"".join(len(part).to_bytes(4) + part for part in parts)
    return hmac.new(key, message, hashlib.sha256).digest()


def block(key: bytes, index: int) -> bytes:
    tag = hashlib.sha256(b"assay/v1/stream").digest()
    return hashlib.sha256(tag + tag + key + index.to_bytes(8)).digest()


def numbers(key: bytes) -> Iterator[int]:
    index = 0
    while True:
        data = block(key, index)
        yield from (int.from_bytes(data[at : at + 8]) for at in range(0, 32, 8))
        index += 1


def uniform(stream: Iterator[int], m: int) -> int:
    if m == 1:
        return 0
    while (number := next(stream) & ((1 << (m - 1).bit_length()) - 1)) >= m:
        pass
    return number


def parts_of(key: bytes, code: str, balance: int, policy: SplitPolicy) -> list[int]:
    if balance == 0:
        return []
    stream = numbers(mac(key, "split", code.encode()))
    high = min(policy.most, balance)
    low = min(policy.least, high)
    count = low + uniform(stream, high - low + 1)
    cuts: set[int] = set()
    while len(cuts) < count - 1:
        cuts.add(1 + uniform(stream, balance - 1))
    return [after - before for before, after in pairwise([0, *sorted(cuts), balance])]


def balances_of(balances: list[int]) -> Balances:
    holders = np.flatnonzero(balances).astype(np.uint32)
    return Balances(holders, np.array(balances, np.uint64)[holders])


def accounts_of(folder: Path, ids: list[str]) -> Accounts:
    encoded = [name.encode() for name in ids]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.uint64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    with (folder / "keys").open("wb") as file:
        write_account_keys(file, SNAPSHOT_KEY, text, offsets, 2)
    keys = np.fromfile(folder / "keys", np.uint8).reshape(-1, 32)
    return Accounts(text, offsets, keys)


@pytest.mark.parametrize(
    "policy", [SplitPolicy(1, 1), SplitPolicy(1, 3), SplitPolicy(5, 5), SplitPolicy(2, 40)]
)
def test_leaves_are_those_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: SplitPolicy
) -> None:
    monkeypatch.setattr(leaves, "PIECE", 16)
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    ids = sorted({f"ü{rng.randrange(10**6)}" for _ in range(60)})
    balances = [rng.choice([0, 1, 2, 3, 50, 2**40, 2**63 - 1, rng.getrandbits(30)]) for _ in ids]
    accounts = accounts_of(tmp_path, ids)
    account_keys = [mac(SNAPSHOT_KEY, "account-key", name.encode()) for name in ids]
    assert accounts.keys.tobytes() == b"".join(account_keys)

    asset = AssetConfig("BTC", 8, Ratio(1, 1), None, policy, ())
    other = AssetConfig("ADA", 6, Ratio(1, 1), None, policy, ())
    held = balances_of(balances)
    folder = tmp_path / "openings"
    folder.mkdir()
    before = write_openings(folder, other, accounts, held, SNAPSHOT_KEY, 16, jobs=2)
    openings = write_openings(folder, asset, accounts, held, SNAPSHOT_KEY, 16, jobs=2)
    for written, loaded in zip((before, openings), load_openings(folder), strict=True):
        for name in ("first", "amounts", "positions"):
            assert getattr(written, name).tolist() == getattr(loaded, name).tolist()
    expected = [
        (name, key, number, amount)
        for name, key, balance in zip(ids, account_keys, balances, strict=True)
        for number, amount in enumerate(parts_of(key, "BTC", balance, policy))
    ]
    assert openings.amounts.tolist() == [amount for *_, amount in expected], f"seed {seed}"
    holders = [ids[at] for at in held.holders]
    starts = np.searchsorted([name for name, *_ in expected], [*holders, "\U0010ffff"])
    assert openings.first.tolist() == starts.tolist()

    # The order: ascending by the t-th number of the stream, then t.
    capacity = len(openings.positions)
    assert capacity // 16 == next(
        1 << power for power in range(21) if 16 << power >= max(1, len(expected))
    )
    stream = numbers(mac(SNAPSHOT_KEY, "shuffle", b"BTC"))
    order = sorted((next(stream), leaf) for leaf in range(capacity))
    assert openings.positions[[leaf for _, leaf in order]].tolist() == list(range(capacity))

    padding = mac(SNAPSHOT_KEY, "padding", b"BTC")
    made = Leaves(accounts, held.holders, openings, "BTC", CONTEXT, padding)
    # The same leaves, whole or in bands.
    amounts, blindings = made.band(0, capacity, 2)
    cut = rng.randrange(capacity + 1)
    bands = [made.band(0, cut, 1), made.band(cut, capacity, 2)]
    assert np.concatenate([values for values, _ in bands]).tolist() == amounts.tolist()
    assert np.concatenate([rows for _, rows in bands]).tolist() == blindings.tolist()
    for leaf, position in enumerate(openings.positions.tolist()):
        if leaf < len(expected):
            name, key, number, amount = expected[leaf]
            blinding = leaf_blinding(CONTEXT, "BTC", name, key, number)
        else:
            amount = 0
            number = int.from_bytes(block(padding, leaf - len(expected)))
            blinding = (number % GROUP_ORDER).to_bytes(32)
        assert int(amounts[position]) == amount
        assert blindings[position].tobytes() == blinding


def test_an_empty_ledger_is_one_page_of_padding(tmp_path: Path) -> None:
    accounts = accounts_of(tmp_path, [])
    asset = AssetConfig("BTC", 8, Ratio(1, 1), None, SplitPolicy(1, 3), ())
    held = balances_of([])
    folder = tmp_path / "openings"
    folder.mkdir()
    openings = write_openings(folder, asset, accounts, held, SNAPSHOT_KEY, 16, jobs=1)
    leaves = Leaves(accounts, held.holders, openings, "BTC", CONTEXT, b"\x07" * 32)
    amounts, blindings = leaves.band(0, 16, 1)
    assert amounts.tolist() == [0] * 16
    assert len({row.tobytes() for row in blindings}) == 16


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (16, 1), (17, 2), (48, 4), (112, 8), (113, 8), (129, 16)]
)
def test_the_least_power_of_two_that_fits_is_taken(count: int, pages: int) -> None:
    assert choose_capacity("BTC", count, 16, None) == pages
    assert choose_capacity("BTC", count, 16, 2**20) == 2**20


@pytest.mark.parametrize(
    ("count", "previous", "pages"),
    [
        (16, 0, 1),
        (16, 8, 8),  # fewer than before
        (128, 8, 8),
        (129, 8, 16),  # more than before
        (16, 5, 5),  # what was once declared
        (81, 5, 8),
        (16, 7, 7),
        (16, 9, 10),  # another page size may make a number of pages that is no capacity
        (16, 2**20, 2**20),
    ],
)
def test_it_does_not_fall_below_the_snapshot_before(count: int, previous: int, pages: int) -> None:
    assert choose_capacity("BTC", count, 16, None, previous) == pages
    # What is declared holds, so that this is how to shrink.
    assert choose_capacity("BTC", count, 16, 14, previous) == 14


def test_what_it_tells_and_costs() -> None:
    """An upper bound that is less than twice what is needed."""
    for needed in (*range(1, 3000), 2**19, 2**19 + 1, 2**20):
        chosen = choose_capacity("BTC", needed * 16, 16, None)
        assert chosen in CAPACITIES
        assert needed <= chosen < 2 * needed
        assert chosen & (chosen - 1) == 0


def test_a_capacity_that_does_not_fit_is_named() -> None:
    with pytest.raises(ProverError, match=r"asset BTC: capacity 7 is too small: 9 pages .*10$"):
        choose_capacity("BTC", 129, 16, 7)
    with pytest.raises(ProverError, match="asset BTC: needs 1048577 pages of 16"):
        choose_capacity("BTC", 2**24 + 1, 16, None)
    with pytest.raises(ProverError, match="asset BTC: needs 2097152 pages of 16"):
        choose_capacity("BTC", 1, 16, None, 2**21)
