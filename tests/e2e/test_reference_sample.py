"""The reference verifier and ours over one real exchange: 1,000 accounts, three assets."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import verifier
from prover.sample.sample import make_sample
from prover.snapshot.make import make_snapshot
from prover.snapshot.packages import Packager
from spec import reference
from spec.reference.keys import parse as parse_key

CODES = ("BTC", "ETH", "USDT")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sample exchange whose snapshot stands in ``proof``."""
    folder = tmp_path_factory.mktemp("exchange")
    make_snapshot(make_sample(folder / "made", 1000, CODES, seed=3).config, folder / "proof", 2)
    return folder


def balances(ledger: Path) -> dict[str, dict[str, str]]:
    """What each account holds, as the ledger writes it."""
    held: dict[str, dict[str, str]] = {}
    with ledger.open(newline="") as file:
        for row in csv.DictReader(file):
            held.setdefault(row["account_id"], dict.fromkeys(CODES, "0"))
            held[row["account_id"]][row["asset"]] = row["balance"]
    return held


def customers(exchange: Path) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Id, balances and package of some customers from all over the ledger."""
    held = balances(exchange / "made" / "ledger.csv")
    packager = Packager(exchange / "proof")
    for account in random.Random(5).sample(sorted(held), 6):
        yield account, held[account], packager.package(packager.index_of(account))


def test_both_accept_the_bundle(exchange: Path) -> None:
    key = (exchange / "made" / "exchange.pub").read_text().strip()
    bundle = exchange / "proof" / "public"
    report = verifier.audit(bundle, key, jobs=2)
    theirs = reference.audit(bundle, parse_key(key))
    assert [asset.code for asset in report.manifest.assets] == list(CODES)
    assert report.digest == theirs.manifest.digest
    assert {item.code: item.level for item in report.assets} == theirs.levels


def test_both_count_the_same_and_refuse_the_same(exchange: Path) -> None:
    key = (exchange / "made" / "exchange.pub").read_text().strip()
    bundle, raw = exchange / "proof" / "public", parse_key(key)
    for account, held, package in customers(exchange):
        ours = verifier.check_inclusion(package, bundle, key, account, held)
        theirs = reference.check_inclusion(package, bundle, raw, account, held)
        counted = {a.code: Decimal(a.counted).scaleb(-a.decimals) for a in ours.amounts}
        assert counted == theirs.counted
        more = held | {"ETH": held["ETH"] + ("1" if "." in held["ETH"] else ".1")}
        with pytest.raises(verifier.Rejected, match=r"inclusion\.balance-short"):
            verifier.check_inclusion(package, bundle, key, account, more)
        with pytest.raises(reference.Rejected, match=r"inclusion\.balance-short"):
            reference.check_inclusion(package, bundle, raw, account, more)
