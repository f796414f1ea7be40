"""The sample exchange: made of its seed alone, balanced as asked, and never over something else."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from prover.assets.evidence import build_evidence, evidence_total
from prover.errors import ProverError
from prover.files.keys import public_bytes, read_signing_key
from prover.sample.sample import PROFILES, make_sample
from prover.snapshot.make import ownership_messages, read_config
from tests.support.exchange_files import balances, files
from verifier.format.account import canonical_account_id
from verifier.format.units import known_unit


def margins(config_file: Path) -> dict[str, int]:
    """Return by how many ledger units the signed assets exceed the liabilities."""
    config = read_config(config_file)
    key = public_bytes(read_signing_key(config.signing_key))
    files = build_evidence(
        config.evidence, config.assets, ownership_messages(config, key), lambda _: None
    )
    owed: defaultdict[str, Decimal] = defaultdict(Decimal)
    for held in balances(config_file.with_name("ledger.csv")).values():
        for code, balance in held.items():
            owed[code] += Decimal(balance)
    return {
        asset.code: evidence_total(asset, files[asset.code].evidence)
        - int(owed[asset.code].scaleb(asset.decimals))
        for asset in config.assets
    }


def test_assets_cover_liabilities_by_little(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "s", 500, ("BTC", "ETH", "USDT"), seed=4)
    assert (sample.accounts, sample.addresses, sample.short) == (500, 8, None)
    assert all(margin > 0 for margin in margins(sample.config).values())
    held = balances(tmp_path / "s" / "ledger.csv")
    assert sample.ledger_rows == sum(map(len, held.values()))
    assert len(held) == 500
    for account in held:
        assert canonical_account_id(account, "email") == account
    # Not everyone holds everything, nobody nothing; the tail is heavy.
    assert set(Counter(map(len, held.values()))) == {1, 2, 3}
    amounts = sorted(Decimal(balance["USDT"]) for balance in held.values() if "USDT" in balance)
    assert sum(amounts[-len(amounts) // 10 :]) > 10 * sum(amounts[: len(amounts) // 2])


@pytest.mark.parametrize("codes", [("ETH", "BTC"), ("USDT",), ("LINK", "ETH")])
def test_an_insolvent_one_is_one_unit_short(tmp_path: Path, codes: tuple[str, ...]) -> None:
    sample = make_sample(tmp_path / "s", 30, codes, seed=4, insolvent=True)
    assert sample.short == codes[0]
    found = margins(sample.config)
    assert found.pop(codes[0]) == -1
    assert all(margin > 0 for margin in found.values())


def test_the_seed_is_all_there_is(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_sample(tmp_path / name, 50, ("BTC", "USDT"), seed)
    one, same, other = (files(tmp_path / name) for name in "abc")
    assert one == same
    assert {name for name in one if one[name] == other[name]} == set()
    assert sorted(one) == [
        "evidence.csv",
        "exchange.pub",
        "keys/master.key",
        "keys/signing.pem",
        "ledger.csv",
        "snapshot.toml",
    ]


def test_every_asset_of_a_sample_is_known_to_readers() -> None:
    for code in PROFILES:
        assert known_unit(code, "bitcoin") or known_unit(code, "ethereum")


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for out, accounts, codes, message in (
        ("full", 5, ("BTC",), "is not empty"),
        ("new", 0, ("BTC",), "one account or more"),
        ("new", 5, (), "one asset or more"),
        ("new", 5, ("BTC", "BTC"), "each once"),
        ("new", 5, ("XYZ",), "not XYZ"),
    ):
        with pytest.raises(ProverError, match=message):
            make_sample(tmp_path / out, accounts, codes, seed=1)
    assert not (tmp_path / "new").exists()
