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
from prover.files.columns import U64, Bytes
from prover.ledger.ledger import Balances
from prover.liabilities import plan
from prover.liabilities.leaves import Accounts, Leaves, write_account_keys
from prover.liabilities.parts import load_parts
from prover.liabilities.stages import Secrets, commit_tree
from prover.liabilities.tree import LeafFiles, TreeFiles
from tests.support.asset_work import asset_work, split_all
from verifier.format.params import TreeShape
from verifier.format.wire import Ratio
from verifier.ordered import Alone

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


def committed(folder: Path, asset: AssetConfig, leaves: Leaves) -> tuple[U64, Bytes]:
    """Commit to an asset's leaves; return their amounts and identities, in the tree's order."""
    code = asset.code.encode()
    secrets = Secrets(
        mac(SNAPSHOT_KEY, "shuffle", code),
        mac(SNAPSHOT_KEY, "identity-padding", code),
        *(bytes([n]) * 32 for n in range(3)),
    )
    names = ("pages", "arguments", "leaves", "sums")
    files = TreeFiles(*(folder.with_name(f"{asset.code}.{name}") for name in names))
    stages = folder.with_name(f"{asset.code}.stages")
    work = asset_work(folder, asset, leaves, secrets, files, stages)
    commit_tree(work, Alone(), lambda _: None)
    made = LeafFiles.load(files.leaves, leaves.parts.shape.leaves)
    return made.amounts, made.identities


def leaf_identity(name: str, key: bytes, part: int) -> bytes:
    def tagged(purpose: str, data: bytes) -> bytes:
        tag = hashlib.sha256(f"assay/v1/{purpose}".encode()).digest()
        return hashlib.sha256(tag + tag + data).digest()

    fields = (CONTEXT, b"BTC", name.encode())
    leaf = tagged("leaf", b"".join(len(field).to_bytes(4) + field for field in fields))
    return tagged("identity", key + leaf + part.to_bytes(4))


@pytest.mark.parametrize(
    "policy", [SplitPolicy(1, 1), SplitPolicy(1, 3), SplitPolicy(5, 5), SplitPolicy(2, 40)]
)
def test_leaves_are_those_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: SplitPolicy
) -> None:
    monkeypatch.setattr(plan, "FEWEST", 4)
    monkeypatch.setattr(plan, "CHUNK_ENTRIES", 16)
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    ids = sorted({f"ü{rng.randrange(10**6)}" for _ in range(60)})
    balances = [rng.choice([0, 1, 2, 3, 50, 2**40, 2**57 - 1, rng.getrandbits(30)]) for _ in ids]
    accounts = accounts_of(tmp_path, ids)
    account_keys = [mac(SNAPSHOT_KEY, "account-key", name.encode()) for name in ids]
    assert accounts.keys.tobytes() == b"".join(account_keys)

    asset = AssetConfig("BTC", 8, Ratio(1, 1), None, policy, ())
    other = AssetConfig("ADA", 6, Ratio(1, 1), None, policy, ())
    held = balances_of(balances)
    folder = tmp_path / "parts"
    before, made = split_all(folder, [other, asset], accounts.keys, [held, held], 16)
    # The second first: the order of the work does not show.
    amounts, identities = committed(
        folder, asset, Leaves(accounts, held.holders, made, "BTC", CONTEXT)
    )
    committed(folder, other, Leaves(accounts, held.holders, before, "ADA", CONTEXT))
    before, made = load_parts(folder)
    assert sorted(before.positions.tolist()) == list(range(before.shape.leaves))
    expected = [
        (name, key, number, amount)
        for name, key, balance in zip(ids, account_keys, balances, strict=True)
        for number, amount in enumerate(parts_of(key, "BTC", balance, policy))
    ]
    assert made.amounts.tolist() == [amount for *_, amount in expected], f"seed {seed}"
    holders = [ids[at] for at in held.holders]
    starts = np.searchsorted([name for name, *_ in expected], [*holders, "\U0010ffff"])
    assert made.first.tolist() == starts.tolist()

    # The order: ascending by the t-th number of the stream, then t.
    room = len(made.positions)
    assert room == made.shape.leaves
    stream = numbers(mac(SNAPSHOT_KEY, "shuffle", b"BTC"))
    order = sorted((next(stream), leaf) for leaf in range(room))
    assert made.positions[[leaf for _, leaf in order]].tolist() == list(range(room))

    padding = mac(SNAPSHOT_KEY, "identity-padding", b"BTC")
    for leaf, position in enumerate(made.positions.tolist()):
        if leaf < len(expected):
            name, key, number, amount = expected[leaf]
            identity = leaf_identity(name, key, number)
        else:
            amount, identity = 0, block(padding, leaf - len(expected))
        assert int(amounts[position]) == amount
        assert identities[position].tobytes() == identity


def test_an_empty_ledger_is_one_page_of_padding(tmp_path: Path) -> None:
    accounts = accounts_of(tmp_path, [])
    asset = AssetConfig("BTC", 8, Ratio(1, 1), None, SplitPolicy(1, 3), ())
    held = balances_of([])
    folder = tmp_path / "parts"
    [made] = split_all(folder, [asset], accounts.keys, [held], None)
    assert made.shape == TreeShape(1, 16)
    leaves = Leaves(accounts, held.holders, made, "BTC", CONTEXT)
    amounts, identities = committed(folder, asset, leaves)
    assert amounts.tolist() == [0] * 16
    assert len({row.tobytes() for row in identities}) == 16
